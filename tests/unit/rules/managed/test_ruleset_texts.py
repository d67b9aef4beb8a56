"""The managed rules themselves: each matches what it says, and nothing that is honest."""

import hashlib
import re
import time
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules import managed
from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.managed import HOLDFAST_RULESET_ID, VERSION, holdfast_ruleset, rule_files
from holdfast.rules.managed.rule_file import RequestCase
from holdfast.rules.managed.ruleset import CompiledFile, CompiledRule
from holdfast.rules.managed_ruleset import Overrides
from tests.unit.requests import a_request
from tests.unit.rules.managed.short_requests import short_request

HERE = Path(__file__).parent


def _lines(name: str) -> list[str]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("# ")]


BENIGN, ATTACKS = _lines("benign_requests.txt"), _lines("hostile_values.txt")
RULES = [
    pytest.param(file, rule, text.cases, id=text.rule.ref)
    for file, texts in zip(holdfast_ruleset().files, rule_files(), strict=True)
    for rule, text in zip(file.rules, texts.rules, strict=True)
]
AS_IT_COMES = holdfast_ruleset().deploy(Overrides())
ALL_ON = holdfast_ruleset().deploy(Overrides.parse({"enabled": True}))


def context_of(text: str) -> EvaluationContext:
    return EvaluationContext(short_request(text), Facts(zone_name="example.com"))


@pytest.mark.parametrize(("file", "rule", "cases"), RULES)
def test_a_rule_matches_its_requests_and_not_those_that_only_look_like_them(
    file: CompiledFile, rule: CompiledRule, cases: tuple[RequestCase, ...]
) -> None:
    wrong = []
    for case in cases:
        context = context_of(case.text)
        if (file.when.matches(context) and rule.condition.matches(context)) is not case.is_match:
            wrong.append(f"line {case.line}: {case.text:.200}")
    assert wrong == []


def test_no_rule_matches_what_another_must_not() -> None:
    found = [
        f"{texts.name}:{case.line}: {match.rule.ref} {match.rule.description}"
        for texts in rule_files()
        for text in texts.rules
        for case in text.cases
        if case.is_benign
        for match in AS_IT_COMES.matches(context_of(case.text), ())
    ]
    assert found == []


@pytest.mark.parametrize("text", BENIGN)
def test_no_rule_matches_an_honest_request(text: str) -> None:
    found = [f"{match.rule.ref} {match.fields}" for match in AS_IT_COMES.matches(context_of(text), ())]
    assert found == []


@pytest.mark.parametrize("value", ATTACKS)
def test_an_attack_in_an_argument_is_blocked(value: str) -> None:
    is_encoded = re.search("%[0-9a-f]{2}", value) is not None
    written = quote(value, safe="%/:=|;$`{}()[]*,.'!" if is_encoded else "")
    for text in (f"UPGRADE /chat?room={written}", f"GET /search?lang=en&q={written}&page=2"):
        actions = {match.action for match in AS_IT_COMES.matches(context_of(text), ())}
        assert "block" in actions, text


def test_a_browser_as_the_core_gives_it_is_honest() -> None:
    context = EvaluationContext(a_request(), Facts(zone_name="example.com"))
    assert list(AS_IT_COMES.matches(context, ())) == []


_BYTES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=80)


@given(path=_BYTES, fields=st.lists(st.tuples(st.sampled_from(["Origin", "Cookie", "Upgrade", "Host"]), _BYTES)))
def test_no_request_makes_a_rule_raise(path: str, fields: list[tuple[str, str]]) -> None:
    request = a_request(path=f"/{path}", headers=fields)
    refs = [match.rule.ref for match in ALL_ON.matches(EvaluationContext(request), ())]
    assert len(refs) == len(set(refs))


# Beginnings of what rules look for, each of which makes some pattern hope again and again.
HOSTILE = [
    "'", "(", "<a ", "${", "{{", "../", "..\\", "select ", "(select ", "union ", "union/**/", "or 1=", "and '", "`", "$(", "/*", "--",
    "%27", "%2527", "%00", "%u", "onload", "<!doctype ", "http://1.", "/proc/1", "'[$", '=o:1:"a', "=rO0AB", "=", "&", "\xc0", "\r\nget ",
    "case ", "concat(", "nc ", "wget ", "a=b;", "=file:", "c:\\", "&inc=", "constructor.",
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_no_request_makes_the_rules_slow(part: str) -> None:
    much = (part * 16_000)[:16_000]
    request = msgspec.structs.replace(a_request(headers=(("Host", "example.com"), ("Cookie", much))), query=much)
    begun = time.thread_time()
    list(ALL_ON.matches(EvaluationContext(request), ()))
    # Some 5 ms on an idle machine. What is not linear takes seconds.
    assert time.thread_time() - begun < 0.5


def test_there_are_rules_for_every_theme_and_their_ids_stay() -> None:
    rules = holdfast_ruleset().rules
    assert len(rules) >= 60
    assert len({rule.id for rule in rules}) == len(rules)
    categories = {category for rule in rules for category in rule.categories}
    assert categories >= {
        "cross-site", "smuggling", "handshake", "crlf", "header-injection", "host", "traversal", "lfi", "rfi", "ssrf",
        "sqli", "nosqli", "xss", "xxe", "ssti", "command", "log4shell", "ldap", "deserialization", "prototype-pollution",
        "scanner", "disclosure", "protocol-abuse", "method", "spoofing", "port",
    }  # fmt: skip
    by_ref = {rule.ref: rule for rule in rules}
    # Cloudflare's id of the same rule ("Network ports"), and one that is made from its ref.
    assert by_ref["holdfast-2808"].id == "8e361ee4328f4a3caf6caf3e664ed6fe"
    assert by_ref["holdfast-1001"].id == "543bb281aeb582008d9cf75758e5bc4d"
    assert HOLDFAST_RULESET_ID == "3f0c1d5a7e9b4c28a6d4e1b07c5f9a32"


def test_another_text_is_another_version() -> None:
    digest = hashlib.sha256()
    texts = resources.files(managed).joinpath("texts")
    for file in sorted(texts.iterdir(), key=lambda one: one.name):
        digest.update(file.read_bytes())
    known = dict(line.split() for line in (HERE / "versions.txt").read_text().splitlines())
    assert known[VERSION] == digest.hexdigest(), "a rule has changed: raise VERSION and add it to versions.txt"
