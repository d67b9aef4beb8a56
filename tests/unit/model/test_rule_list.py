"""`holdfast.model.rule_list`: items in one spelling, and errors that point."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.rule_list import (
    KINDS,
    MAX_COMMENT_CHARS,
    MAX_ITEMS,
    NAME,
    ItemError,
    member_of,
    parse_hostname_item,
    parse_ip,
    parse_items,
)
from holdfast.rules.lists import RuleList

SPELLINGS = [
    ("192.0.2.7", "192.0.2.7"),
    ("192.0.2.7/32", "192.0.2.7"),
    ("192.0.2.7/24", "192.0.2.0/24"),
    ("10.255.255.255/8", "10.0.0.0/8"),
    ("2001:DB8::1", "2001:db8::1"),
    ("2001:0db8:0:0:0:0:0:1/128", "2001:db8::1"),
    ("2001:db8:1:2:3::/64", "2001:db8:1:2::/64"),
    ("2001:db8::/4", "2000::/4"),
    ("::", "::"),
    ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
]


@pytest.mark.parametrize(("given_", "kept"), SPELLINGS)
def test_an_address_has_one_spelling(given_: str, kept: str) -> None:
    assert parse_ip(given_) == kept
    assert parse_ip(kept) == kept


REFUSED = [
    *("", " ", "x", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1.1", "0x7f.0.0.1", "1.2.3.4 ", "192.0.2.1/"),
    *("192.0.2.0/7", "192.0.2.0/33", "192.0.2.0/024", "192.0.2.0/255.255.255.0", "192.0.2.0/-1", "192.0.2.0/²"),
    *("2001:db8::/3", "2001:db8::/65", "2001:db8::/127", "2001:db8::/129", "fe80::1%eth0", "::ffff:192.0.2.1", ":::"),
    *("192.0.2.1..192.0.2.9", "2001:db8::1..2001:db8::2", "192.0.2.1-192.0.2.9", "١.٢.٣.٤"),
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_address_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|have a prefix") as caught:
        parse_ip(text)
    assert repr(text)[:20] in str(caught.value)


NETWORKS = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(8, 32)), st.tuples(st.ip_addresses(v=6), st.integers(4, 64))
)


@given(NETWORKS)
def test_a_network_is_kept_as_the_library_rounds_it_and_as_an_edge_takes_it(network: tuple[Any, int]) -> None:
    address, length = network
    kept = parse_ip(f"{address}/{length}")
    rounded = ipaddress.ip_network(f"{address}/{length}", strict=False)
    assert kept == (str(rounded.network_address) if rounded.prefixlen == rounded.max_prefixlen else str(rounded))
    members: Any = RuleList.of_addresses([kept]).members
    assert (address.version, int(address)) in members


@given(st.text(max_size=40) | st.integers() | st.none() | st.lists(st.integers(), max_size=2))
def test_whatever_is_given_is_an_item_that_an_edge_takes_or_is_refused(value: Any) -> None:
    try:
        kept = parse_ip(value)
    except ValueError:
        return
    # It raises for what it does not take.
    RuleList.of_addresses([kept])
    assert parse_ip(kept) == kept


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5)
    | st.lists(
        st.dictionaries(
            st.sampled_from([*KINDS, "comment", "redirect"]), st.none() | st.integers() | st.text(max_size=9)
        )
    )
)
def test_no_body_raises_anything_but_an_error_that_points_into_it(body: Any) -> None:
    for kind in KINDS:
        place = pointed_at(kind, body)
        assert place is None or place == "" or int(place) < len(body)


def pointed_at(kind: str, body: Any) -> str | None:
    """The first part of the pointer of what is wrong with a body, None where nothing is."""
    try:
        parse_items(kind, body)
    except ItemError as error:
        return error.pointer[1:].partition("/")[0]
    return None


def test_of_several_that_are_the_same_the_last_counts() -> None:
    body = [{"ip": "192.0.2.7/24", "comment": "a"}, {"ip": "10.0.0.1"}, {"ip": "192.0.2.0/24", "comment": ""}]
    assert parse_items("ip", body) == {"192.0.2.0/24": None, "10.0.0.1": None}


def test_what_an_item_says_beside_its_value_is_left_alone() -> None:
    body = [{"id": "x", "ip": "10.0.0.1", "comment": "c" * MAX_COMMENT_CHARS, "created_on": "2020"}]
    assert parse_items("ip", body) == {"10.0.0.1": "c" * MAX_COMMENT_CHARS}


def test_hostnames_are_in_lower_case_and_may_begin_with_a_wildcard() -> None:
    assert parse_hostname_item({"url_hostname": "*.Example.COM"}) == "*.example.com"
    assert parse_hostname_item({"url_hostname": "a.test", "exclude_exact_hostname": True}) == "a.test"
    for wrong in (None, {}, {"url_hostname": 1}, {"url_hostname": "a.*.test"}, {"url_hostname": "192.0.2.1"}):
        with pytest.raises(ValueError, match="expected"):
            parse_hostname_item(wrong)
    with pytest.raises(ValueError, match="beside"):
        parse_hostname_item({"url_hostname": "*.test.example", "exclude_exact_hostname": False})


def test_numbers_are_of_32_bits() -> None:
    assert parse_items("asn", [{"asn": 0}, {"asn": 2**32 - 1}]) == {"0": None, "4294967295": None}
    for wrong in (-1, 2**32, True, 1.5, "1"):
        with pytest.raises(ItemError) as caught:
            parse_items("asn", [{"asn": wrong}])
        assert caught.value.pointer == "/0/asn"


def test_a_body_has_so_many_items_at_most() -> None:
    with pytest.raises(ItemError, match=f"at most {MAX_ITEMS} items, got {MAX_ITEMS + 1}"):
        parse_items("asn", [{"asn": 1}] * (MAX_ITEMS + 1))


def test_items_are_shown_as_they_are_given() -> None:
    for kind, member in (("ip", "192.0.2.1"), ("asn", 64512), ("hostname", {"url_hostname": "a.test"})):
        (value,) = parse_items(kind, [{kind: member}])
        assert member_of(kind, value) == member


@pytest.mark.parametrize(
    ("name", "fits"), [("a_1", True), ("", False), ("A", False), ("a.b", False), ("a" * 51, False)]
)
def test_names_are_as_rules_can_name_them(name: str, fits: bool) -> None:
    assert bool(NAME.fullmatch(name)) is fits
