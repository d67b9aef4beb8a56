"""Membership: of networks, of names below a star, of overlapping intervals."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.rules.errors import ParseError
from holdfast.rules.lists import AddressRanges, Hostnames, Ranges, RuleList, check_lists
from holdfast.rules.literals import address_range
from holdfast.rules.parser import parse
from holdfast.rules.value_types import BYTES, INT, IP

SMALL = st.integers(-20, 20)


@given(st.lists(st.tuples(SMALL, SMALL).map(lambda pair: (min(pair), max(pair)))), SMALL)
def test_ranges_hold_what_one_of_them_holds(ranges: list[tuple[int, int]], value: int) -> None:
    assert (value in Ranges(ranges)) is any(first <= value <= last for first, last in ranges)


def test_addresses_of_two_families_are_apart() -> None:
    ranges = AddressRanges([((4, 1), (4, 5)), ((6, 10), (6, 20))])
    assert (4, 3) in ranges
    assert (6, 3) not in ranges
    assert (6, 20) in ranges
    assert (4, 20) not in ranges


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("example.org", True),
        ("EXAMPLE.org", True),
        ("www.example.org", False),
        ("example.com", False),
        ("www.example.com", True),
        ("a.b.Example.COM", True),
        ("wwwexample.com", False),
        ("", False),
        (".", False),
    ],
)
def test_a_star_is_every_name_below(name: str, held: bool) -> None:
    assert (name in Hostnames(["Example.org", "*.example.com"])) is held


def test_without_a_star_only_the_names_themselves_are_held() -> None:
    assert "www.example.org" not in Hostnames(["example.org"])


def holds(found: RuleList, *values: object) -> list[bool]:
    """Whether each value is in the list."""
    members: Any = found.members
    return [value in members for value in values]


def test_a_list_holds_items_of_its_kind() -> None:
    addresses = RuleList.of_addresses(["203.0.113.7", "2001:db8::/32"])
    assert holds(addresses, (4, 0xCB007107), (6, 0x20010DB8 << 96), (4, 1)) == [True, True, False]
    asns = RuleList.of_asns([64512])
    assert holds(asns, 64512, 1) == [True, False]
    assert [one.type for one in (addresses, asns, RuleList.of_hostnames([]))] == [IP, INT, BYTES]


ADDRESSES = st.integers(0, 2**32 - 1) | st.integers(0, 255).map(lambda low: 0x0A000000 | low)


@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 32)), max_size=6), ADDRESSES)
def test_a_list_of_networks_holds_what_one_of_them_holds(networks: list[tuple[int, int]], value: int) -> None:
    drawn = [IPv4Network((number, length), strict=False) for number, length in networks]
    found = RuleList.of_addresses(str(network) for network in drawn)
    assert holds(found, (4, value)) == [any(IPv4Address(value) in network for network in drawn)]


@given(st.integers(0, 255), st.integers(0, 128), st.integers(0, 2**128 - 1))
def test_networks_of_one_family_hold_nothing_of_the_other(low: int, length: int, value: int) -> None:
    network = IPv6Network((low, length), strict=False)
    found = RuleList.of_addresses([str(network)])
    assert holds(found, (6, value), (4, low)) == [IPv6Address(value) in network, False]


ODD = [
    *("10", "010.0.0.1", "10.0.0.0/08", "1.2.3.4/32", "0.0.0.0/0", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/33", "/8", ""),
    *(
        "::",
        "::1",
        "1::",
        ":::",
        "1:::1",
        "::1::",
        ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "1:2:3:4:5:6:7",
    ),
    *("1:2:3:4:5:6:7:8:9", "12345::", "g::", "+1::", "1_0::", " 1::", "1 ::", "0x1::", "::ffff:10.0.0.1", "::1%eth0"),
    *(
        "2001:DB8::/32",
        "2001:db8::/129",
        "2001:db8::1/32",
        "1::2/128",
        "::/0",
        "[::1]",
        "fe80::/010",
        "::1.2.3",
        "1::2::3",
    ),
]
SPELLED = st.text("0123456789abF:./ ", max_size=24) | st.ip_addresses().map(str) | st.sampled_from(ODD)


@given(SPELLED)
@example("1:2:3:4:5:6:7::8")
@example("0:0:0:0:0:0:0:0001")
def test_the_quick_way_to_read_an_item_reads_what_the_language_reads(item: str) -> None:
    try:
        (first, last), end = address_range(item, 0)
        if end < len(item) or ".." in item:
            raise ParseError.at(item, end, len(item), "more than an address")
    except ParseError:
        with pytest.raises(ParseError):
            RuleList.of_addresses([item])
    else:
        assert holds(RuleList.of_addresses([item]), first, last) == [True, True]


@pytest.mark.parametrize(
    "item", ["", "x", "10.0.0.1/8", "1.2.3.4 ", "1.2.3.4x", "1.2.3.4/", "1.1.1.1..1.1.1.9", "1.2.3.4/33"]
)
def test_what_is_no_network_is_refused(item: str) -> None:
    with pytest.raises(ParseError):
        RuleList.of_addresses([item])


def test_what_is_longer_than_a_name_can_be_is_in_no_list() -> None:
    """It may have any number of dots, and each would be a look-up in what is left."""
    names = RuleList.of_hostnames(["*.example.com", "x" * 255, "y" * 256])
    longest = "a." * 121 + "b.example.com"
    assert len(longest) == 255
    assert holds(names, longest, f"a.{longest}", "x" * 255, "y" * 256) == [True, False, True, False]


KINDS = {"office": IP, "sites": BYTES, "networks": INT}


def test_lists_that_are_there_are_fine() -> None:
    check_lists(parse("ip.src in $office and (http.host in $sites or not ip.src.asnum in $networks)"), KINDS)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("ip.src in $nowhere", '(1:11):\nip.src in $nowhere\n          ^^^^^^^^ unknown list "nowhere"'),
        ("http.host in $office", 'the list "office" has items of type Ip, the value is of type Bytes'),
        ('ssl and any(http.request.headers["x"][*] in $one) or ip.src in $two', "(1:45)"),
        ("ip.src in $office and http.host in $office", "(1:36)"),
    ],
)
def test_a_list_that_does_not_fit_is_pointed_at(expression: str, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        check_lists(parse(expression), KINDS)
    assert reason in str(caught.value)
