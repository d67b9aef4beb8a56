"""`holdfast.api.rule_expressions`: what rules say compiles, and uses what it may."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.api.rule_expressions import check_lists, check_uses, list_names, read_expressions, texts_of
from holdfast.model.rate_limit_terms import RateLimit
from holdfast.model.rule_error import RuleError
from holdfast.model.rule_phase import CUSTOM, LIMITED_FUNCTIONS, MANAGED, ORIGIN, PHASES, RATE_LIMIT
from holdfast.model.rule_quota import quota_of
from holdfast.model.ruleset import Rule, RuleDraft
from tests.unit.model.test_rule_quota import RULE

TERMS = RateLimit(
    characteristics=("cf.colo.id", "ip.src", 'http.request.headers["x-key"]'),
    period=60,
    requests_per_period=5,
    counting_expression="ssl",
)
# An expression that calls each of them.
CALLS = {
    "cidr": "cidr(ip.src, 24, 64) eq 192.0.2.0",
    "cidr6": "cidr6(ip.src, 64) eq ::1",
    "decode_base64": 'decode_base64(http.host) eq "a"',
    "join": 'join(http.request.headers.names, ",") eq "a"',
    "regex_replace": 'regex_replace(http.host, "a", "b") eq "a"',
    "remove_query_args": 'remove_query_args(http.request.uri.query, "a") eq "a"',
    "split": 'any(split(http.host, ".", 3)[*] == "a")',
    "to_string": 'to_string(ssl) eq "a"',
    "uuidv4": 'uuidv4(cf.random_seed) eq "a"',
    "wildcard_replace": 'wildcard_replace(http.host, "a", "b") eq "a"',
}


def draft(**members: Any) -> RuleDraft:
    return RuleDraft(**{"action": "block", "action_parameters": {}, "expression": "ssl", **members})


def rule(**members: Any) -> Rule:
    return msgspec.structs.replace(RULE, **members)


def at(place: int) -> str:
    return f"/rules/{place}"


def test_every_text_that_is_compiled_is_named_with_its_place() -> None:
    assert [(text.text, text.field, text.pointer, text.is_value) for text in texts_of(rule(ratelimit=TERMS))] == [
        ("ssl", "expression", "/expression", False),
        ("ssl", "counting_expression", "/ratelimit/counting_expression", False),
        ("ip.src", "characteristics", "/ratelimit/characteristics/1", True),
        ('http.request.headers["x-key"]', "characteristics", "/ratelimit/characteristics/2", True),
    ]


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"expression": ""}, 20125, "/expression"),
        ({"expression": " \n"}, 20125, "/expression"),
        ({"expression": "http.host"}, 20127, "/expression"),
        (
            {"ratelimit": msgspec.structs.replace(TERMS, counting_expression="http.hots")},
            20127,
            "/ratelimit/counting_expression",
        ),
        (
            {"ratelimit": msgspec.structs.replace(TERMS, characteristics=("cf.colo.id", ""))},
            20125,
            "/ratelimit/characteristics/1",
        ),
        (
            {"ratelimit": msgspec.structs.replace(TERMS, characteristics=("cf.colo.id", "ssl eq true"))},
            20127,
            "/ratelimit/characteristics/1",
        ),
        (
            {"ratelimit": msgspec.structs.replace(TERMS, characteristics=("cf.colo.id", 'http.request.headers["A"]'))},
            20127,
            "/ratelimit/characteristics/1",
        ),
    ],
)
async def test_what_does_not_compile_is_refused_where_it_stands(
    members: dict[str, Any], code: int, pointer: str
) -> None:
    with pytest.raises(RuleError) as refused:
        await read_expressions([draft(), draft(**members)], at, room=10_000)
    assert (refused.value.code, refused.value.pointer) == (code, f"/rules/1{pointer}")


def test_each_limited_function_is_tried() -> None:
    assert CALLS.keys() == LIMITED_FUNCTIONS.keys()


@pytest.mark.parametrize("phase", [ORIGIN, CUSTOM, RATE_LIMIT, MANAGED])
@pytest.mark.parametrize("name", CALLS)
async def test_a_function_may_be_used_where_its_phase_has_it(phase: str, name: str) -> None:
    uses = await read_expressions([draft(expression=CALLS[name])], at, room=10_000)
    one = rule(expression=CALLS[name])
    if name in PHASES[phase].functions:
        check_uses(one, uses, PHASES[phase], quota_of(phase, None))
        return
    with pytest.raises(RuleError, match=f"the use of function {name} is not allowed in the phase {phase}") as refused:
        check_uses(one, uses, PHASES[phase], quota_of(phase, None))
    assert (refused.value.code, refused.value.pointer) == (20127, "/expression")


async def test_a_list_is_pointed_at_in_the_words_of_the_original() -> None:
    text = "ssl and ip.src in $office"
    uses = await read_expressions([draft(expression=text)], at, room=10_000)
    one = rule(expression=text)
    assert list_names([one], uses) == {"office"}
    check_lists(one, uses, {"office": "ip", "other": "asn"})
    for kinds in ({}, {"office": "asn"}, {"office": "redirect"}):
        with pytest.raises(RuleError, match=r"Filter parsing error \(1:19\)") as refused:
            check_lists(one, uses, kinds)
        assert (refused.value.code, refused.value.pointer) == (20127, "/expression")


async def test_the_original_s_own_lists_are_refused_by_name() -> None:
    text = "ip.src in $cf.open_proxies"
    uses = await read_expressions([draft(expression=text)], at, room=10_000)
    with pytest.raises(RuleError, match=r"the list \$cf.open_proxies is Cloudflare's own"):
        check_lists(rule(expression=text), uses, {})


async def test_nothing_is_read_of_no_rules() -> None:
    assert await read_expressions([], at, room=10_000) == {}
