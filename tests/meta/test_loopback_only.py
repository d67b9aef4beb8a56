"""The guard of `tests/conftest.py`: a test that would leave this machine fails where it tries, before a packet is sent."""

import socket

import pytest

from tests.conftest import is_local


@pytest.mark.parametrize(
    "address",
    [
        ("127.0.0.1", 80),
        ("127.8.9.1", 1),
        ("::1", 80, 0, 0),
        ("localhost", 80),
        ("0.0.0.0", 80),
        ("", 80),
        "name.sock",
        b"\0x",
    ],
)
def test_addresses_of_this_machine_are_local(address: object) -> None:
    assert is_local(address)


@pytest.mark.parametrize(
    "address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0), ("example.com", 80), ("10.0.0.1", 80)]
)
def test_other_addresses_and_unresolved_names_are_not(address: object) -> None:
    assert not is_local(address)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_connection_that_leaves_this_machine_is_refused(family: socket.AddressFamily) -> None:
    # Documentation addresses (RFC 5737, RFC 3849): nobody has them, should the guard ever fail.
    address = ("192.0.2.1", 9) if family is socket.AF_INET else ("2001:db8::1", 9)
    with (
        socket.socket(family, socket.SOCK_STREAM) as stream,
        pytest.raises(RuntimeError, match="loopback addresses only"),
    ):
        stream.connect(address)


def test_a_datagram_that_leaves_this_machine_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, pytest.raises(RuntimeError, match="loopback"):
        datagram.sendto(b"x", ("192.0.2.1", 9))


def test_a_connection_within_this_machine_is_not_refused() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=30) as stream,
    ):
        assert stream.getpeername() == server.getsockname()
