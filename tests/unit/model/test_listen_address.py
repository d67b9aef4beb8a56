"""`ListenAddress`: IP literals and ports, nothing that a resolver decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.model.listen_address import ListenAddress


@pytest.mark.parametrize(
    ("text", "ip", "port", "is_ipv6", "is_wildcard"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, False, False),
        ("0.0.0.0:0", "0.0.0.0", 0, False, True),
        ("[::1]:443", "::1", 443, True, False),
        ("[::]:65535", "::", 65535, True, True),
        ("[0:0:0::1]:1", "::1", 1, True, False),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80, True, False),
    ],
)
def test_an_address_is_read(text: str, ip: str, port: int, is_ipv6: bool, is_wildcard: bool) -> None:
    address = ListenAddress.parse(text)
    assert (address.ip, address.port) == (ip, port)
    assert (address.is_ipv6, address.is_wildcard) == (is_ipv6, is_wildcard)


@pytest.mark.parametrize(
    "text",
    ["", ":", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "localhost:8080", "::1:8080", "[127.0.0.1]:80", "[::1]",
     "[::1]8080", "127.0.0.1:http", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:٣", "127.0.0.1:8080 ", "1.2.3:80",
     "127.0.0.1:8080/x", "http://127.0.0.1:8080"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--tls-listen: expected ADDRESS:PORT, such as 127\.0\.0\.1:8080"):
        ListenAddress.parse(text, field="--tls-listen")


@pytest.mark.parametrize("port", ["65536", "99999", "123456"])
def test_a_port_over_the_range_is_named(port: str) -> None:
    with pytest.raises(UsageError, match=r"a port from 0 .* to 65535"):
        ListenAddress.parse(f"127.0.0.1:{port}")


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_survives_its_own_printing(ip: object, port: int) -> None:
    address = ListenAddress(str(ip), port)
    assert ListenAddress.parse(str(address)) == address


def _sentence(text: str) -> str:
    """What is said of `text`; "" if it is an address."""
    try:
        ListenAddress.parse(text)
    except UsageError as error:
        return str(error)
    return ""


@given(st.text(max_size=30))
def test_any_other_text_is_one_sentence(text: str) -> None:
    assert len(_sentence(text).splitlines()) <= 1


def test_a_real_port_takes_the_place_of_zero() -> None:
    assert str(ListenAddress("::1", 0).with_port(4711)) == "[::1]:4711"
