"""Access rules: the most special one counts, of equals the kindest; and asking thousands costs no more than asking one."""

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.compile_error import CompileError
from holdfast.edge.firewall.access_rules import AccessRules, access_rules_of
from holdfast.edge.firewall.document_place import Place
from tests.unit.edge.firewall.rules import an_access_rule

PLACE = Place("example.com", "")


def rules(*given_rules: tuple[Any, Any, str]) -> AccessRules:
    found = access_rules_of(PLACE, [an_access_rule(value, mode, target, value) for mode, target, value in given_rules])
    assert found is not None
    return found


def address(text: str) -> tuple[int, int]:
    found = ip_address(text)
    return found.version, int(found)


MANY = rules(
    ("block", "ip", "203.0.113.7"),
    ("challenge", "ip_range", "203.0.113.0/24"),
    ("whitelist", "ip_range", "203.0.0.0/16"),
    ("block", "ip6", "2001:db8::1"),
    ("whitelist", "ip_range", "2001:db8::/32"),
    ("block", "asn", "AS64512"),
    ("js_challenge", "country", "nl"),
)


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.8", "203.0.113.0/24"),
        ("203.0.9.9", "203.0.0.0/16"),
        ("203.1.0.0", None),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:db8::2", "2001:db8::/32"),
        ("2001:db9::", None),
        ("::203.0.113.7", None),
    ],
)
def test_the_longest_prefix_counts(client: str, expected: str | None) -> None:
    rule = MANY.of_address(address(client))
    assert (rule and rule.id) == expected


def test_a_network_is_more_than_a_country() -> None:
    network, country = MANY.of_place(64512, "NL"), MANY.of_place(1, "NL")
    assert network is not None
    assert country is not None
    assert (network.id, country.id) == ("AS64512", "nl")
    assert MANY.of_place(None, None) is None
    assert MANY.asks_place
    assert not rules(("block", "ip", "203.0.113.7")).asks_place


def test_of_two_about_the_same_the_kinder_counts() -> None:
    both = access_rules_of(
        PLACE,
        [
            an_access_rule("1", "challenge", "ip", "203.0.113.7"),
            an_access_rule("2", "block", "ip", "203.0.113.7"),
            an_access_rule("3", "whitelist", "ip_range", "203.0.113.7/32"),
            an_access_rule("4", "block", "ip", "203.0.113.7"),
        ],
    )
    assert both is not None
    rule = both.of_address(address("203.0.113.7"))
    assert rule is not None
    assert rule.id == "3"


@pytest.mark.parametrize(
    ("target", "value", "code", "source"),
    [
        ("ip", "203.0.113.7", 1006, "ip"),
        ("ip_range", "203.0.113.0/24", 1006, "ipRange"),
        ("asn", "64512", 1005, "asn"),
        ("country", "NL", 1009, "country"),
    ],
)
def test_each_target_has_its_code_and_its_source(target: Any, value: str, code: int, source: str) -> None:
    found = rules(("block", target, value))
    rule = found.of_address(address("203.0.113.7")) or found.of_place(64512, "NL")
    assert rule is not None
    assert (rule.code, rule.source) == (code, source)


@pytest.mark.parametrize(
    ("mode", "target", "value", "field"),
    [
        ("allow", "ip", "203.0.113.7", "mode"),
        ("block", "ip", "203.0.113.256", "value"),
        ("block", "ip_range", "203.0.113.1/24", "value"),
        ("block", "asn", "AS", "value"),
        ("block", "asn", "AS4294967296", "value"),
        ("block", "asn", "٣", "value"),
        ("block", "country", "NLD", "value"),
    ],
)
def test_what_is_no_rule_is_named(mode: Any, target: Any, value: str, field: str) -> None:
    with pytest.raises(CompileError) as raised:
        access_rules_of(PLACE, [an_access_rule("7", mode, target, value)])
    assert raised.value.field == f"access_rules[7].{field}"


def test_no_rules_are_none() -> None:
    assert access_rules_of(PLACE, []) is None


_LENGTHS = st.sampled_from([8, 16, 24, 31, 32])


@given(
    networks=st.lists(st.tuples(st.integers(0, 2**32 - 1), _LENGTHS), min_size=1, max_size=20),
    client=st.integers(0, 2**32 - 1),
    near=st.booleans(),
)
def test_it_is_what_looking_at_every_rule_would_find(networks: list[tuple[int, int]], client: int, near: bool) -> None:
    if near:
        client = networks[0][0] ^ (client & 0xFFFF)
    written = {str(ip_network((number, length), strict=False)) for number, length in networks}
    rule = rules(*(("block", "ip_range", text) for text in sorted(written))).of_address((4, client))
    fitting = [one for one in map(ip_network, written) if IPv4Address(client) in one]
    longest = max(fitting, key=lambda one: one.prefixlen, default=None)
    assert (rule and rule.id) == (longest and str(longest))


def test_thousands_are_found_by_a_look_up() -> None:
    """Not by time, which varies: by how many tables there are to look into."""
    many = rules(*(("block", "ip_range", f"10.{number >> 8}.{number & 255}.0/24") for number in range(10_000)))
    assert len(many.networks) == 1
    rule = many.of_address(address("10.39.15.200"))
    assert rule is not None
    assert rule.id == "10.39.15.0/24"
