"""Files of rules compiled and deployed: order, `when`, overrides, what is skipped, and what a match shows."""

from collections.abc import Collection
from typing import Any

import pytest

from holdfast.rules.context import EvaluationContext
from holdfast.rules.managed.rule_file import RuleFileError, id_of, read_rule_file
from holdfast.rules.managed.ruleset import HoldfastRuleset, compile_files
from holdfast.rules.managed_ruleset import Overrides
from tests.unit.rules.managed.short_requests import short_request


def a_file(*rules: str, opening: str = "", first: int = 1) -> str:
    """A file of rules given as "action condition"; their refs count from `first`."""
    texts = []
    for place, rule in enumerate(rules, first):
        action, _, condition = rule.partition(" ")
        action, _, switch = action.partition("/")
        texts.append(
            f"=== holdfast-{place:04} Rule {place}\ncategories: all, n{place}\nseverity: error\naction: {action}\n"
            f"default: {switch or 'on'}\n---\n{condition}\n---\n+ GET /\n- GET /\n"
        )
    return opening + "\n" + "".join(texts)


def a_ruleset(*texts: str) -> HoldfastRuleset:
    files = compile_files([read_rule_file(f"{place}.rules", text) for place, text in enumerate(texts)])
    return HoldfastRuleset(id="f" * 32, name="Test", description="", version="1", files=files)


def matched(ruleset: HoldfastRuleset, request: str, overrides: Any = None, skipped: Collection[str] = ()) -> list[str]:
    """What a deployment says of a request: "ref action" each."""
    deployment = ruleset.deploy(Overrides.parse(overrides))
    context = EvaluationContext(short_request(request))
    return [f"{match.rule.ref[-1]} {match.action}" for match in deployment.matches(context, skipped)]


RULESET = a_ruleset(
    a_file("log ssl", "block ssl", "block/off true"),
    a_file('block http.host eq "example.com"', opening='when http.request.uri.path contains "x"', first=4),
)


def test_rules_match_in_the_order_of_files_where_when_holds() -> None:
    assert matched(RULESET, "GET /x") == ["1 log", "2 block", "4 block"]
    assert matched(RULESET, "GET /") == ["1 log", "2 block"]
    assert matched(RULESET, "GET http://example.com/x") == ["4 block"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"enabled": False}, []),
        ({"action": "log"}, ["1 log", "2 log", "4 log"]),
        ({"enabled": True}, ["1 log", "2 block", "3 block", "4 block"]),
        ({"categories": [{"category": "n4", "enabled": False}]}, ["1 log", "2 block"]),
        (
            {"enabled": False, "rules": [{"id": id_of("holdfast-0003"), "enabled": True, "action": "log"}]},
            ["3 log"],
        ),
    ],
)
def test_overrides_change_what_is_asked_and_what_it_does(overrides: Any, expected: list[str]) -> None:
    assert matched(RULESET, "GET /x", overrides) == expected


def test_what_is_skipped_does_not_match() -> None:
    assert matched(RULESET, "GET /x", skipped={id_of("holdfast-0002"), "0" * 32}) == ["1 log", "4 block"]


@pytest.mark.parametrize(
    "overrides",
    [
        {"categories": [{"category": "n9", "enabled": False}]},
        {"rules": [{"id": "0" * 32, "enabled": False}]},
        {"rules": [{"id": id_of("holdfast-0001"), "score_threshold": 5}]},
    ],
)
def test_an_override_of_what_is_not_there_changes_nothing(overrides: Any) -> None:
    assert matched(RULESET, "GET /x", overrides) == matched(RULESET, "GET /x") != []


def test_matches_are_found_only_as_they_are_asked_for() -> None:
    deployment = RULESET.deploy(Overrides())
    context = EvaluationContext(short_request("GET /x"))
    assert next(deployment.matches(context, ())).rule.ref == "holdfast-0001"
    assert "http.host" not in context.computed


def test_a_match_shows_what_was_read_and_no_secret() -> None:
    ruleset = a_ruleset(
        a_file(
            'block http.cookie contains "a" and http.request.headers["x-a"][0] eq "b" and raw.http.request.uri.path eq "/ü"'
        )
    )
    context = EvaluationContext(short_request("GET /ü | X-A: b | Cookie: a=secret"))
    (match,) = ruleset.deploy(Overrides()).matches(context, ())
    assert dict(match.fields) == {
        "http.cookie": "*** (8 characters)",
        'http.request.headers["x-a"][0]': "b",
        "raw.http.request.uri.path": "/ü",
    }
    assert (match.score, match.rule.score) == (4, 4)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (a_file("block ssl", "block http.hos eq 1"), 18),
        (a_file("block ssl and\n\nhttp.hos"), 10),
        (a_file("block ssl", opening="# a\nwhen nothing"), 2),
    ],
)
def test_what_does_not_compile_is_an_error_of_its_line(text: str, line: int) -> None:
    with pytest.raises(RuleFileError) as error:
        compile_files([read_rule_file("bad.rules", text)])
    assert (error.value.line, error.value.file) == (line, "bad.rules")
    assert "Filter parsing error" in error.value.reason


def test_two_files_cannot_have_the_same_rule() -> None:
    with pytest.raises(RuleFileError, match="another rule's already"):
        a_ruleset(a_file("block ssl"), a_file("block ssl"))
