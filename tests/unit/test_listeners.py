"""Binding: the same port for all threads, all or nothing, and never a port that another program serves."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from holdfast.errors import ListenError
from holdfast.listeners import AddressInUse, BoundAddress, Listeners, bind_all, close_all
from holdfast.model.listen_address import ListenAddress
from tests.integration.waiting import poll

ANY_PORT = ListenAddress("127.0.0.1", 0)


@pytest.fixture
def bound() -> Iterator[list[BoundAddress]]:
    kept: list[BoundAddress] = []
    yield kept
    close_all(kept)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _port(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        return int(copy.getsockname()[1])


def test_each_thread_gets_a_listening_socket_on_the_same_port(bound: list[BoundAddress]) -> None:
    bound += bind_all([ANY_PORT], [ANY_PORT], sockets_each=3)
    plain, tls = bound
    assert (plain.is_tls, tls.is_tls) == (False, True)
    for one in bound:
        assert len(one.descriptors) == 3
        assert {_port(descriptor) for descriptor in one.descriptors} == {one.address.port}
        with socket.create_connection((one.address.ip, one.address.port), timeout=30):
            pass
    assert plain.address.port != tls.address.port


def test_sockets_do_not_block_and_are_not_inherited(bound: list[BoundAddress]) -> None:
    bound += bind_all([ANY_PORT], [], sockets_each=1)
    (descriptor,) = bound[0].descriptors
    assert not os.get_blocking(descriptor)
    assert not os.get_inheritable(descriptor)


@pytest.mark.parametrize("shares", [False, True], ids=["alone", "with SO_REUSEPORT"])
def test_a_port_that_someone_serves_is_an_error_even_if_they_would_share_it(shares: bool) -> None:
    with socket.socket() as other:
        if shares:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: the port is in use"):
            bind_all([ListenAddress("127.0.0.1", port)], [], sockets_each=2)


def test_a_port_with_connections_in_time_wait_is_free(bound: list[BoundAddress]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            # Who closes first keeps the port in TIME_WAIT.
            accepted.close()
            assert client.recv(1) == b""
    bound += bind_all([ListenAddress("127.0.0.1", port)], [], sockets_each=1)
    assert bound[0].address.port == port


def test_when_one_address_fails_the_others_are_given_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as reserved:
        free = reserved.getsockname()[1]
        reserved.close()
        taken = ListenAddress("127.0.0.1", other.getsockname()[1])
        with pytest.raises(ListenError):
            bind_all([ListenAddress("127.0.0.1", free)], [taken], sockets_each=2)
        with socket.create_server(("127.0.0.1", free)):
            pass


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "this user may not listen on this port"),
        (errno.EADDRNOTAVAIL, "this machine does not have this address"),
        (errno.EAFNOSUPPORT, "this machine does not speak this kind of address"),
        (errno.EMFILE, "no file descriptor is left"),
        (errno.EPERM, "operation not permitted"),
    ],
)
def test_what_the_kernel_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def refuse(_self: socket.socket, _address: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ListenError, match=rf"^cannot listen on 127\.0\.0\.1:0: {said}"):
        bind_all([ANY_PORT], [], sockets_each=1)


def test_an_address_of_another_machine_is_named() -> None:
    # TEST-NET-1 (RFC 5737) is on no machine.
    with pytest.raises(
        ListenError, match=r"^cannot listen on 192\.0\.2\.1:0: this machine does not have this address$"
    ):
        bind_all([ListenAddress("192.0.2.1", 0)], [], sockets_each=1)


def test_an_interface_that_does_not_exist_is_named() -> None:
    with pytest.raises(ListenError, match="does not have this address"):
        bind_all([ListenAddress("fe80::1%nosuch0", 0)], [], sockets_each=1)


@pytest.mark.skipif(not _has_ipv6(), reason="IPv6 is turned off on this machine")
def test_both_families_can_be_asked_for_at_one_port(bound: list[BoundAddress]) -> None:
    def tried() -> bool:
        """Whether it was free in both: somebody else may have the port of the one in the other."""
        close_all(bound)
        bound.clear()
        bound.extend(bind_all([ListenAddress("::", 0)], [], sockets_each=2))
        with suppress(AddressInUse):
            bound.extend(bind_all([ListenAddress("0.0.0.0", bound[0].address.port)], [], sockets_each=2))
        return len(bound) == 2

    poll(tried, what="a port that is free in both families")
    assert bound[1].address.port == bound[0].address.port


def test_listeners_are_closed_once_by_whoever_comes_first() -> None:
    with Listeners.bound([ANY_PORT], sockets_each=2) as listeners:
        descriptors = listeners.addresses[0].descriptors
        listeners.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptors[0])
        # The number may be somebody else's now, and must not be closed again.
        again = os.dup(0)
    os.fstat(again)
    os.close(again)


def test_listeners_that_were_let_go_stay_open(bound: list[BoundAddress]) -> None:
    with Listeners.bound([ANY_PORT], sockets_each=1) as listeners:
        bound += listeners.let_go()
    assert _port(bound[0].descriptors[0]) == bound[0].address.port


def test_an_address_that_is_in_use_for_a_moment_is_waited_for(bound: list[BoundAddress]) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    port = other.getsockname()[1]
    leaving = threading.Timer(0.1, other.close)
    leaving.start()
    bound += Listeners.bound([ListenAddress("127.0.0.1", port)], sockets_each=1, patience_s=30).let_go()
    leaving.join()
    assert bound[0].address.port == port


def test_an_address_that_stays_in_use_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = ListenAddress("127.0.0.1", other.getsockname()[1])
        with pytest.raises(AddressInUse, match="the port is in use by another program"):
            Listeners.bound([address], sockets_each=1, patience_s=0.05)
