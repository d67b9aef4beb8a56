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
    ],
)
def test_some_addresses_have_nobody_behind_them(text: str, nowhere: bool) -> None:
    address = parse_address(text)
    assert address is not None
    assert is_nowhere(address) is nowhere
