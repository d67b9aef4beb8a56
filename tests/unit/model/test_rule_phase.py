"""`holdfast.model.rule_phase`: what a rule of each phase may do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.origin_rules import origin_rules_of
from holdfast.model.rule_phase import ORIGIN, PHASES, parse_action, parse_route, phase_of
from holdfast.model.ruleset import RuleError
from holdfast.model.zone_document import OriginRuleDocument

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
HOSTS = st.sampled_from(["a.example", "A.example:8080", "10.0.0.1", "::1", "169.254.0.1", "localhost", "a b", ""])


def test_there_is_one_phase_so_far_and_others_are_named() -> None:
    assert list(PHASES) == [ORIGIN]
    assert phase_of(ORIGIN).name == ORIGIN
    with pytest.raises(RuleError, match="this edge runs no rules of the phase http_ratelimit: it runs") as refused:
        phase_of("http_ratelimit")
    assert refused.value.pointer == "/phase"


def test_another_action_is_refused_in_the_words_of_the_original() -> None:
    words = "'block' is not a valid value for action because it is not possible to use the block action"
    with pytest.raises(RuleError, match=words) as refused:
        parse_action(phase_of(ORIGIN), "block", {})
    assert refused.value.pointer == "/action"


def test_a_route_is_brought_into_one_form() -> None:
    given_ = {
        "host_header": "A.example:08080",
        "origin": {"host": "2001:DB8::1", "port": 65_535, "more": 1},
        "sni": {"value": "B.example."},
        "more": {},
    }
    assert parse_action(phase_of(ORIGIN), "route", given_) == {
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
def test_what_no_edge_could_do_is_refused_where_it_stands(parameters: dict[str, Any], pointer: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse_action(phase_of(ORIGIN), "route", parameters)
    assert refused.value.pointer == f"/action_parameters{pointer}"


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
