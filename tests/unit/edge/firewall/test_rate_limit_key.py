"""The key of a rate limit: what code spells is what `encoded` says of each value, and no two values are spelled alike."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.firewall.rate_limit_key import compile_key, encoded
from holdfast.model.request import Request
from holdfast.rules.compile import compile_value
from holdfast.rules.context import EvaluationContext, Facts, Place
from tests.unit.requests import a_request
from tests.unit.rules.requests import requests

FACTS = (Facts(place=Place(asn=7, city="Fryslân", country="NL")), Facts())
CHARACTERISTICS = (
    "http.host",
    "http.request.uri.path",
    "http.request.method",
    "http.user_agent",
    "ip.src.country",
    "ip.src.city",
    "ip.src.asnum",
    "ssl",
    'http.request.headers["x"]',
    'http.request.headers["x"][0]',
    'http.request.cookies["a"]',
    'http.request.uri.args["a"]',
    "http.request.headers.names",
    "http.request.uri.args",
    "lower(http.request.uri.path)",
    'lookup_json_string(http.request.uri.query, "a")',
    "cf.edge.server_ip",
)


@given(requests(), st.sampled_from(FACTS), st.lists(st.sampled_from(CHARACTERISTICS), max_size=4))
def test_code_spells_what_is_said_of_each_value(request: Request, facts: Facts, texts: list[str]) -> None:
    values = [compile_value(text) for text in texts]
    expected = b"rule:60:" + b"".join(encoded(value.evaluate(EvaluationContext(request, facts))) for value in values)
    assert compile_key("rule:60:", values)(EvaluationContext(request, facts)) == expected


def test_an_ipv6_client_is_its_network_of_64_bits() -> None:
    key = compile_key("", [compile_value("ip.src")])
    assert key(EvaluationContext(a_request(client_ip="192.0.2.7"))) == b"4192.0.2.7;"
    assert key(EvaluationContext(a_request(client_ip="2001:db8::1"))) == encoded(0x20010DB8 << 32)


_VALUES = st.recursive(
    st.none() | st.text(st.characters(max_codepoint=0xFF), max_size=4) | st.integers(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(one=st.lists(_VALUES, max_size=3), other=st.lists(_VALUES, max_size=3))
def test_no_two_lists_of_values_are_spelled_alike(one: list[Any], other: list[Any]) -> None:
    assert (b"".join(map(encoded, one)) == b"".join(map(encoded, other))) is (one == other)
