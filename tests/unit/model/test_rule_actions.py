"""`holdfast.model.rule_actions`: the parameters of what rules do, brought into one form or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.origin_rules import origin_rules_of
from holdfast.model.rule_actions import (
    MAX_CONTENT_BYTES,
    MAX_SKIPPED_IDS,
    parse_block,
    parse_execute,
    parse_nothing,
    parse_route,
    skip_parser,
)
from holdfast.model.rule_error import RuleError
from holdfast.model.zone_document import OriginRuleDocument

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
HOSTS = st.sampled_from(["a.example", "A.example:8080", "10.0.0.1", "::1", "169.254.0.1", "localhost", "a b", ""])
ID, OTHER = "a" * 32, "b" * 32
ANSWER = {"status_code": 403, "content_type": "text/plain", "content": "no"}
ALL = skip_parser("ruleset", "phase", "phases", "products", "rulesets", "rules")


def test_a_route_is_brought_into_one_form() -> None:
    given_ = {
        "host_header": "A.example:08080",
        "origin": {"host": "2001:DB8::1", "port": 65_535, "more": 1},
        "sni": {"value": "B.example."},
        "more": {},
    }
    assert parse_route(given_) == {
        "host_header": "a.example:8080",
        "origin": {"host": "2001:db8::1", "port": 65_535},
        "sni": {"value": "b.example"},
    }
    assert parse_route({"origin": {"port": 1}, "sni": None, "host_header": None}) == {"origin": {"port": 1}}


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({}, ""),
        ({"origin": {}}, ""),
        ({"origin": 1}, "/origin"),
        ({"sni": "a.example"}, "/sni"),
        ({"sni": {"value": "10.0.0.1"}}, "/sni/value"),
        ({"origin": {"host": "169.254.169.254"}}, "/origin/host"),
        ({"origin": {"host": "http://a.example"}}, "/origin/host"),
        ({"origin": {"port": 80.5}}, "/origin/port"),
        ({"origin": {"port": False}}, "/origin/port"),
        ({"host_header": "a.example:0"}, "/host_header"),
        ({"host_header": "a.example\r\nx: y"}, "/host_header"),
        ({"host_header": "[::1]"}, "/host_header"),
    ],
)
def test_a_route_to_nowhere_is_refused_where_it_stands(parameters: dict[str, Any], pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse_route(parameters)
    assert refused.value.pointer == pointer


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "host_header": JSON | HOSTS,
            "origin": JSON | st.fixed_dictionaries({}, optional={"host": JSON | HOSTS, "port": JSON}),
            "sni": JSON | st.fixed_dictionaries({}, optional={"value": JSON | HOSTS}),
        },
    )
)
def test_whatever_is_sent_it_is_a_route_that_compiles_or_refused(parameters: dict[str, Any]) -> None:
    try:
        route = parse_route(parameters)
    except RuleError:
        return
    assert parse_route(route) == route
    document = OriginRuleDocument(
        id="1",
        expression="true",
        host_header=route.get("host_header"),
        origin_host=route.get("origin", {}).get("host"),
        origin_port=route.get("origin", {}).get("port"),
        sni=route.get("sni", {}).get("value"),
    )
    assert len(origin_rules_of("z.example", [document])) == 1


@pytest.mark.parametrize("status", [400, 429, 499])
@pytest.mark.parametrize("content_type", ["application/json", "text/html", "text/xml", "text/plain"])
def test_a_block_may_have_an_answer_of_its_own(status: int, content_type: str) -> None:
    response = {"status_code": status, "content_type": content_type, "content": "ü" * (MAX_CONTENT_BYTES // 2)}
    assert parse_block({"response": {**response, "more": 1}, "other": 1}) == {"response": response}
    assert parse_block({}) == parse_block({"response": None}) == parse_nothing({"x": 1}) == {}


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"status_code": 399}, 20120, "/response/status_code"),
        ({"status_code": 500}, 20120, "/response/status_code"),
        ({"status_code": "403"}, 20120, "/response/status_code"),
        ({"status_code": True}, 20120, "/response/status_code"),
        ({"status_code": None}, 20122, "/response/status_code"),
        ({"content_type": "text/css"}, 20120, "/response/content_type"),
        ({"content_type": ["text/html"]}, 20120, "/response/content_type"),
        ({"content_type": None}, 20122, "/response/content_type"),
        ({"content": None}, 20122, "/response/content"),
        ({"content": 1}, 20120, "/response/content"),
        ({"content": "a\0"}, 20120, "/response/content"),
        ({"content": "\ud800"}, 20120, "/response/content"),
        ({"content": "ü" * (MAX_CONTENT_BYTES // 2) + "x"}, 20120, "/response/content"),
    ],
)
def test_an_answer_is_whole_and_fits(members: dict[str, Any], code: int, pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse_block({"response": {**ANSWER, **members}})
    assert (refused.value.code, refused.value.pointer) == (code, pointer)


def test_an_answer_that_is_no_object_is_refused() -> None:
    with pytest.raises(RuleError, match="it is no object"):
        parse_block({"response": "no"})


def test_what_is_executed_is_a_ruleset_in_its_latest_version() -> None:
    assert (
        parse_execute({"id": ID}) == parse_execute({"id": ID, "version": "latest"}) == {"id": ID, "version": "latest"}
    )
    overrides = {"action": "log"}
    assert parse_execute({"id": ID, "overrides": overrides, "matched_data": None})["overrides"] == overrides
    assert "overrides" not in parse_execute({"id": ID, "overrides": {}})


@pytest.mark.parametrize(
    ("parameters", "code", "pointer"),
    [
        ({}, 20122, "/id"),
        ({"id": "A" * 32}, 20120, "/id"),
        ({"id": 1}, 20120, "/id"),
        ({"id": ID, "version": "3"}, 20120, "/version"),
        ({"id": ID, "overrides": []}, 20120, "/overrides"),
        ({"id": ID, "matched_data": {"public_key": "x"}}, 20120, "/matched_data"),
    ],
)
def test_an_execution_of_what_cannot_be_is_refused(parameters: dict[str, Any], code: int, pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse_execute(parameters)
    assert (refused.value.code, refused.value.pointer) == (code, pointer)


@pytest.mark.parametrize(
    "parameters",
    [
        {"ruleset": "current"},
        {"phase": "current"},
        {"phase": "current", "products": ["waf", "bic"]},
        {"phases": ["http_ratelimit", "http_request_sbfm", "http_request_firewall_managed"], "products": ["rateLimit"]},
        {"ruleset": "current", "phases": ["http_ratelimit"]},
        {"rulesets": [ID, OTHER]},
        {"rules": {ID: [OTHER]}},
        {"rulesets": [ID], "rules": {OTHER: [ID, OTHER]}},
    ],
)
def test_every_form_of_skipping_is_kept(parameters: dict[str, Any]) -> None:
    assert ALL({**parameters, "more": 1}) == parameters


def test_what_is_skipped_twice_is_skipped_once() -> None:
    assert ALL({"rulesets": [ID, ID], "rules": {ID: [ID, ID]}}) == {"rulesets": [ID], "rules": {ID: [ID]}}
    assert ALL({"products": ["waf", "waf"]}) == {"products": ["waf"]}


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({}, ""),
        ({"ruleset": None}, ""),
        ({"ruleset": ID}, "/ruleset"),
        ({"phase": "all"}, "/phase"),
        ({"phases": []}, "/phases"),
        ({"phases": "http_ratelimit"}, "/phases"),
        ({"phases": ["http_ratelimit", "current"]}, "/phases/1"),
        ({"products": ["ratelimit"]}, "/products/0"),
        ({"products": [["waf"]]}, "/products/0"),
        ({"rulesets": [ID, "x"]}, "/rulesets/1"),
        ({"rulesets": [ID] * (MAX_SKIPPED_IDS + 1)}, "/rulesets"),
        ({"rules": {}}, "/rules"),
        ({"rules": []}, "/rules"),
        ({"rules": {"x": [ID]}}, "/rules/"),
        ({"rules": {ID: []}}, f"/rules/{ID}"),
        ({"rules": {ID: [1]}}, f"/rules/{ID}/0"),
        ({"ruleset": "current", "rulesets": [ID]}, "/rulesets"),
        ({"ruleset": "current", "rules": {ID: [ID]}}, "/rules"),
        ({"phases": ["http_ratelimit"], "rulesets": [ID]}, "/rulesets"),
        ({"phase": "current", "ruleset": "current"}, "/ruleset"),
        ({"phase": "current", "phases": ["http_ratelimit"]}, "/phases"),
    ],
)
def test_skipping_what_cannot_be_is_refused_where_it_stands(parameters: dict[str, Any], pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        ALL(parameters)
    assert refused.value.pointer == pointer


def test_a_form_of_skipping_that_has_no_place_here_is_refused_by_name() -> None:
    with pytest.raises(RuleError) as refused:
        skip_parser("ruleset", "products")({"phase": "current"})
    assert str(refused.value) == (
        "'phase' is not a valid value for action_parameters because what a rule may skip here is ruleset or products"
    )
    assert refused.value.pointer == "/phase"


@given(
    st.dictionaries(
        st.sampled_from(
            ["ruleset", "phase", "phases", "products", "rulesets", "rules", "id", "version", "overrides", "response"]
        ),
        JSON | st.sampled_from(["current", ["waf"], ["http_ratelimit"], [ID], {ID: [ID]}, ID, ANSWER]),
    )
)
def test_whatever_is_sent_it_is_brought_into_one_form_or_refused(parameters: dict[str, Any]) -> None:
    for parse in (parse_block, parse_execute, parse_nothing, ALL):
        try:
            parsed = parse(parameters)
        except RuleError:
            continue
        assert parse(parsed) == parsed
