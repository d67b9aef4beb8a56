"""`holdfast.model.access_rule`: what rules are about, in one spelling that an edge takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.firewall.access_rules import access_rules_of
from holdfast.edge.firewall.document_place import Place
from holdfast.model.access_rule import MODES, TARGETS, parse_value
from holdfast.model.rule_documents import AccessRuleDocument

SPELLINGS = [
    ("ip", "192.0.2.7", "192.0.2.7"),
    ("ip6", "2001:0DB8::0007", "2001:db8::7"),
    ("ip_range", "198.51.0.0/16", "198.51.0.0/16"),
    ("ip_range", "2001:DB8::/32", "2001:db8::/32"),
    ("ip_range", "2001:db8:1:2::/64", "2001:db8:1:2::/64"),
    ("asn", "AS1", "AS1"),
    ("asn", "as4294967295", "AS4294967295"),
    ("asn", "64512", "AS64512"),
    ("country", "fr", "FR"),
    ("country", "t1", "T1"),
]


def an_edge_takes(target: Any, value: str) -> bool:
    """Whether it compiles; it raises where it does not."""
    document = AccessRuleDocument(id="1", mode="block", target=target, value=value)
    return access_rules_of(Place("a", ""), [document]) is not None


@pytest.mark.parametrize(("target", "written", "kept"), SPELLINGS)
def test_a_value_has_one_spelling_and_an_edge_takes_it(target: str, written: str, kept: str) -> None:
    assert parse_value(target, written) == kept
    assert parse_value(target, kept) == kept
    assert an_edge_takes(target, kept)


REFUSED = [
    ("ip", "2001:db8::1", "ip6"),
    ("ip", "192.0.2.0/24", "IPv4 address"),
    ("ip", "", "IPv4 address"),
    ("ip6", "192.0.2.1", "target ip"),
    ("ip6", "fe80::1%eth0", "IPv6 address"),
    ("ip6", "::ffff:192.0.2.1", "192.0.2.1 with the target ip"),
    ("ip_range", "192.0.2.0", "a network"),
    ("ip_range", "192.0.2.0/255.255.255.0", "a network"),
    ("ip_range", "192.0.2.0/23", "/16 or /24"),
    ("ip_range", "2001:db8::/56", "/32 or /48 or /64"),
    ("ip_range", "192.0.2.1/24", "192.0.2.0/24, whose host part"),
    ("asn", "AS", "AS64512"),
    ("asn", "AS0", "AS64512"),
    ("asn", "AS4294967296", "AS64512"),
    ("asn", "AS01", "AS64512"),
    ("country", "D", "two letters"),
    ("country", "T2", "two letters"),
    ("country", "ſt", "two letters"),
]


@pytest.mark.parametrize(("target", "written", "word"), REFUSED)
def test_what_is_none_is_refused_with_what_was_expected(target: str, written: str, word: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_value(target, written)
    assert word in str(caught.value)
    assert repr(written) in str(caught.value)


@given(st.sampled_from(TARGETS), st.text(max_size=20) | st.ip_addresses().map(str) | st.from_regex("[0-9.:/]{1,20}"))
def test_whatever_is_written_is_taken_by_an_edge_or_refused(target: str, written: str) -> None:
    try:
        kept = parse_value(target, written)
    except ValueError:
        return
    assert an_edge_takes(target, kept)
    assert parse_value(target, kept) == kept


def test_the_modes_are_those_that_are_published() -> None:
    for mode in MODES:
        document = AccessRuleDocument(id="1", mode=mode, target="ip", value="192.0.2.1")
        assert access_rules_of(Place("a", ""), [document]) is not None
