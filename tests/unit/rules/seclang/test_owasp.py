"""The Core Rule Set as a managed ruleset: levels, thresholds, overrides. The rules are a small set of the same build."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from holdfast.model.request import Request
from holdfast.rules.context import EvaluationContext
from holdfast.rules.managed_ruleset import Match, Overrides
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.owasp import (
    OWASP_RULESET_ID,
    THRESHOLD_RULE_ID,
    OwaspRuleset,
    _fields,
    managed_id,
    owasp_ruleset,
    release_of,
)
from tests.unit.rules.seclang.core_rules import FILES, RULES
from tests.unit.rules.seclang.running import a_request, rulebook

ALL = a_request("/?a=alpha&b=beta&c=gamma&d=delta&e=epsilon")


@pytest.fixture(scope="module", name="ruleset")
def _ruleset() -> OwaspRuleset:
    return owasp_ruleset(FILES, release="3.3.4")


def matches(
    ruleset: OwaspRuleset, overrides: Mapping[str, Any], request: Request = ALL, skipped: Sequence[str] = ()
) -> list[Match]:
    deployment = ruleset.deploy(Overrides.parse(overrides))
    return list(deployment.matches(EvaluationContext(request), skipped))


def threshold(**changed: object) -> dict[str, Any]:
    return {"rules": [{"id": THRESHOLD_RULE_ID, **changed}]}


def category(name: str, **changed: object) -> dict[str, Any]:
    return {"category": name, **changed}


def test_it_is_known_by_the_ids_of_the_original(ruleset: OwaspRuleset) -> None:
    assert (ruleset.id, ruleset.phase) == (OWASP_RULESET_ID, "http_request_firewall_managed")
    assert [rule.ref for rule in ruleset.rules] == ["920001", "920002", "920003", "920004", "920005", "949110"]
    assert ruleset.rules[-1].id == THRESHOLD_RULE_ID == managed_id(949110)
    assert len({rule.id for rule in ruleset.rules}) == 6
    first, second, third, *_ = ruleset.rules
    assert (first.description, first.score, first.enabled) == ("alpha found", 5, True)
    assert first.categories == ("attack-alpha", "paranoia-level-1", "OWASP_CRS")
    assert (second.score, third.enabled) == (3, False)


def test_its_version_changes_with_any_file() -> None:
    other = owasp_ruleset({**FILES, "words.data": b"x"}, release="3.3.4")
    assert other.version.startswith("3.3.4+")
    assert other.version != owasp_ruleset(FILES, release="3.3.4").version


def test_the_release_is_what_the_rules_call_themselves() -> None:
    assert release_of(rulebook(RULES)) == "3.3.4"
    assert release_of(rulebook("SecMarker x")) == "unknown"


def test_the_sum_is_compared_with_the_deployments_threshold_and_not_with_the_setups(ruleset: OwaspRuleset) -> None:
    assert matches(ruleset, {}) == []
    (found,) = matches(ruleset, threshold(score_threshold=8))
    assert (found.rule.id, found.action, found.score) == (THRESHOLD_RULE_ID, "block", 8)
    assert [rule.ref for rule in found.components] == ["920001", "920002"]
    assert found.fields == (("ARGS:a", "alpha"), ("ARGS:b", "beta"))
    assert matches(ruleset, threshold(score_threshold=9)) == []


def test_a_rule_counts_for_each_value_that_it_matches(ruleset: OwaspRuleset) -> None:
    (found,) = matches(
        ruleset, threshold(score_threshold=40), a_request("/?" + "&".join(f"a{n}=alpha" for n in range(8)))
    )
    assert (found.score, len(found.components)) == (40, 1)


@pytest.mark.parametrize(
    ("categories", "score"),
    [
        ([], 8),
        ([category("paranoia-level-2", enabled=True)], 13),
        ([category("paranoia-level-4", enabled=True)], 23),
        ([category("paranoia-level-3", enabled=False), category("paranoia-level-4", enabled=False)], 13),
        ([category("paranoia-level-4", enabled=False)], 18),
        ([category("paranoia-level-2", enabled=False)], 8),
        ([category("attack-alpha", enabled=False)], 3),
        ([category("OWASP_CRS", enabled=False), category("attack-beta", enabled=True)], 3),
        ([category("attack-delta", enabled=True)], 13),
    ],
)
def test_levels_and_rules_are_chosen_by_categories(
    ruleset: OwaspRuleset, categories: list[dict[str, Any]], score: int
) -> None:
    (found,) = matches(ruleset, {"categories": categories, **threshold(score_threshold=1)})
    assert found.score == score


def test_rules_are_chosen_by_id(ruleset: OwaspRuleset) -> None:
    rules = [
        {"id": managed_id(920001), "enabled": False},
        {"id": managed_id(920005), "enabled": True},
        {"id": THRESHOLD_RULE_ID, "score_threshold": 1},
    ]
    (found,) = matches(ruleset, {"rules": rules})
    assert [rule.ref for rule in found.components] == ["920002", "920005"]


@pytest.mark.parametrize(
    ("overrides", "action"),
    [
        ({"action": "log", **threshold(score_threshold=1)}, "log"),
        (threshold(score_threshold=1, action="managed_challenge"), "managed_challenge"),
        ({"action": "log", **threshold(score_threshold=1, action="block")}, "block"),
    ],
)
def test_what_to_do_is_the_threshold_rules_action(
    ruleset: OwaspRuleset, overrides: dict[str, Any], action: str
) -> None:
    assert [found.action for found in matches(ruleset, overrides)] == [action]


def test_a_rule_with_an_action_of_its_own_decides_and_one_that_logs_does_not_count(ruleset: OwaspRuleset) -> None:
    for action, score in (("block", 8), ("log", 3)):
        rules = [{"id": managed_id(920001), "action": action}, {"id": THRESHOLD_RULE_ID, "score_threshold": 1}]
        first, last = matches(ruleset, {"rules": rules})
        assert (first.rule.ref, first.action, first.score) == ("920001", action, 5)
        assert (last.rule.ref, last.score) == ("949110", score)


def test_a_category_that_logs_does_not_count(ruleset: OwaspRuleset) -> None:
    first, last = matches(
        ruleset, {"categories": [category("attack-alpha", action="log")], **threshold(score_threshold=1)}
    )
    assert (first.rule.ref, first.action, last.score) == ("920001", "log", 3)


def test_what_a_skip_rule_names_does_not_run(ruleset: OwaspRuleset) -> None:
    (found,) = matches(ruleset, threshold(score_threshold=1), skipped=[managed_id(920001)])
    assert found.score == 3
    assert matches(ruleset, threshold(score_threshold=1), skipped=[THRESHOLD_RULE_ID]) == []


def test_who_leaves_out_a_tag_of_the_last_rule_does_not_mean_the_sum(ruleset: OwaspRuleset) -> None:
    assert ruleset.rules[-1].categories == ()


def test_without_its_last_rule_nothing_is_decided(ruleset: OwaspRuleset) -> None:
    assert matches(ruleset, threshold(enabled=False)) == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"categories": [category("attack-omega", enabled=False)]},
        {"rules": [{"id": "0" * 32, "enabled": False, "action": "log"}]},
        {"rules": [{"id": managed_id(920001), "score_threshold": 5}]},
    ],
)
def test_an_override_of_what_is_not_there_changes_nothing(ruleset: OwaspRuleset, overrides: dict[str, Any]) -> None:
    ours = threshold(score_threshold=5)
    both = {**overrides, "rules": [*overrides.get("rules", []), *ours["rules"]]}
    assert matches(ruleset, both) == matches(ruleset, ours) != []


def test_deployments_of_a_level_share_their_engine(ruleset: OwaspRuleset) -> None:
    first, second = ruleset.deploy(Overrides()), ruleset.deploy(Overrides.parse(threshold(score_threshold=7)))
    assert first.engine is second.engine is ruleset.engine(1)


def test_a_rule_that_refuses_by_itself_is_a_match_of_its_own() -> None:
    own = "SecRule ARGS:x \"y\" \"id:100,phase:1,deny,msg:'mine',severity:'ERROR',tag:'paranoia-level/1'\"\n"
    ruleset = owasp_ruleset({**FILES, "a.conf": own.encode()}, release="x")
    (found,) = matches(ruleset, {}, a_request("/?x=y&a=alpha"))
    assert (found.rule.ref, found.action, found.score) == ("100", "block", 4)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.conf": b"SecMarker x"}, "*.conf:1: expected the rule 949110 of the OWASP Core Rule Set, got nothing"),
        (
            {"rules.conf": RULES.encode()},
            "rules.conf:2: expected rules that let a request through (no setup), got 'id:901001'",
        ),
    ],
)
def test_files_that_are_no_core_rule_set_are_refused(files: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(SecLangError) as raised:
        owasp_ruleset(files, release="x").deploy(Overrides())
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        (b"REQUEST_COOKIES:session", True),
        (b"REQUEST_HEADERS:Cookie", True),
        (b"REQUEST_HEADERS:authorization", True),
        (b"REQUEST_HEADERS:Proxy-Authorization", True),
        (b"FULL_REQUEST", True),
        (b"MATCHED_VAR", True),
        (b"TX:1", True),
        (b"REQUEST_COOKIES_NAMES:session", False),
        (b"REQUEST_HEADERS:Origin", False),
        (b"TX:paranoia_level", False),
        (b"ARGS:a", False),
    ],
)
def test_what_a_client_proves_itself_with_is_not_in_what_is_shown(name: bytes, is_secret: bool) -> None:
    assert _fields([(name, b"s3cret")]) == ((name.decode(), "*** (6 characters)" if is_secret else "s3cret"),)


@pytest.mark.parametrize(
    "rule",
    [
        'SecRule REQUEST_HEADERS|REQUEST_COOKIES "@contains s3cret" "{}"',
        'SecRule FULL_REQUEST "@contains s3cret" "{}"',
        'SecRule REQUEST_HEADERS|REQUEST_COOKIES "@rx (s3cret)" "{},capture,chain"\n SecRule MATCHED_VARS "@contains s3cret"',
        'SecRule REQUEST_HEADERS|REQUEST_COOKIES "@rx (s3cret)" "{},capture,chain"\n SecRule TX:1 "@contains s3cret"',
        'SecRule REQUEST_HEADERS "@rx (s3cret)" "{},chain"\n SecRule MATCHED_VAR "@contains s3cret"',
    ],
)
@pytest.mark.parametrize("name", ["cookie", "Authorization", "PROXY-Authorization"])
def test_what_a_client_proves_itself_with_is_in_no_field_of_a_match(rule: str, name: str) -> None:
    actions = "id:100,phase:1,deny,msg:'m',severity:'ERROR',tag:'paranoia-level/1',logdata:'%{MATCHED_VAR}'"
    ruleset = owasp_ruleset({**FILES, "a.conf": rule.replace("{}", actions).encode()}, release="x")
    (found,) = matches(ruleset, {}, a_request("/", (name, "a=s3cret; b=1")))
    assert found.rule.ref == "100"
    assert "***" in found.fields[0][1]
    assert "s3cret" not in repr(found)
