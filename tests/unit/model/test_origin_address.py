"""`holdfast.model.origin_address`: what is an address, and which have nobody behind them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.origin_address import is_nowhere, parse_address


@pytest.mark.parametrize(
    "text", ["", "example.com", "1.2.3", "01.2.3.4", "fe80::1%eth0", "[::1]", "1.2.3.4/32", "١.2.3.4"]
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_address(text) is None


@given(st.ip_addresses())
def test_every_address_is_read_as_itself(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert parse_address(str(address)) == address


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_address(text)


@pytest.mark.parametrize(
    ("text", "nowhere"),
    [
        ("0.0.0.0", True),
        ("0.255.255.255", True),
        ("169.254.169.254", True),
        ("224.0.0.1", True),
        ("255.255.255.255", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("223.255.255.255", False),
        ("::", True),
        ("fe80::1", True),
        ("ff02::1", True),
        ("::ffff:169.254.169.254", True),
        ("::ffff:10.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("fd00:ec2::254", True),
        ("fd00:ec2:0:1::254", False),
        ("fd20:ce::254", True),
        ("fd20:ce::253", False),
        ("fd00:c1::a9fe:a9fe", True),
        ("fd00:42::42", True),
        ("100.100.100.200", True),
        ("100.100.100.201", False),
        ("168.63.129.16", True),
        ("192.0.0.192", True),
        ("::ffff:100.100.100.200", True),
        ("64:ff9b::169.254.169.254", True),
        ("64:ff9b::192.0.2.1", False),
        ("::169.254.169.254", True),
        ("::10.0.0.1", False),
        ("2002:a9fe:a9fe::1", True),
        ("2002:c000:201::1", False),
    ],
)
def test_some_addresses_have_nobody_behind_them(text: str, nowhere: bool) -> None:
    address = parse_address(text)
    assert address is not None
    assert is_nowhere(address) is nowhere
