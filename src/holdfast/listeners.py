"""Bind what the edge listens on: for each address one socket a thread, all on the same port.

Law 1: all or nothing. If one address cannot be had, every socket bound before it is closed.
Law 2: where somebody has opened sockets for us already (socket activation), those are taken, and nothing is bound.
Law 3: a port that another program listens on is an error, even where SO_REUSEPORT would let us in: two edges that share
a port by accident would each get half of the connections.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from holdfast.errors import ListenError
from holdfast.model.listen_address import ListenAddress

# Longest queue of connections the kernel has accepted and we have not. Precedents: nginx 511, HAProxy its maxconn;
# the kernel cuts it at net.core.somaxconn (4096 since Linux 5.4).
BACKLOG = 4096

# How long an address in use is waited for. When a supervisor is killed, its children close what it listened on as soon as
# they notice; whoever starts it again at once is not to be turned away for that moment.
PATIENCE_S = 1.0
_RETRY_S = 0.02

_SENTENCES = {
    errno.EADDRINUSE: "the port is in use by another program",
    errno.EACCES: "this user may not listen on this port (below 1024 takes root or CAP_NET_BIND_SERVICE)",
    errno.EADDRNOTAVAIL: "this machine does not have this address",
    errno.EAFNOSUPPORT: "this machine does not speak this kind of address (is IPv6 turned off?)",
    errno.EMFILE: "no file descriptor is left (see ulimit -n)",
}


# Gives descriptors that listen on an address already, at least so many, for the caller to close; () for none.
Given = Callable[[ListenAddress, int], tuple[int, ...]]


def _none(_address: ListenAddress, _count: int) -> tuple[int, ...]:
    return ()


class AddressInUse(ListenError):
    """Another program listens there, now."""


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """An address with its real port, and its listening sockets: file descriptors that the holder must close."""

    address: ListenAddress
    is_tls: bool
    descriptors: tuple[int, ...]


class Listeners:
    """Bound addresses that are held until they are closed, once: by `close`, or at the end of the `with`."""

    def __init__(self, addresses: Sequence[BoundAddress]) -> None:
        self.addresses = tuple(addresses)
        self._is_open = True

    @classmethod
    def bound(
        cls,
        plain: Sequence[ListenAddress],
        tls: Sequence[ListenAddress] = (),
        *,
        sockets_each: int,
        patience_s: float = PATIENCE_S,
        given: Given = _none,
    ) -> Listeners:
        """Those of `bind_all`. An address that is in use is tried again for `patience_s` seconds."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return cls(bind_all(plain, tls, sockets_each=sockets_each, given=given))
            except AddressInUse:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_RETRY_S)

    def close(self) -> None:
        """Close them. Sockets that a child has inherited go on listening in the child."""
        if self._is_open:
            self._is_open = False
            close_all(self.addresses)

    def let_go(self) -> tuple[BoundAddress, ...]:
        """The addresses, for somebody else to hold from now on."""
        self._is_open = False
        return self.addresses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bind_all(
    plain: Iterable[ListenAddress], tls: Iterable[ListenAddress], *, sockets_each: int, given: Given = _none
) -> list[BoundAddress]:
    """Bind every address that is not `given`, the plain ones first. Raises ListenError, with a sentence that names the address."""
    bound: list[BoundAddress] = []
    try:
        for is_tls, addresses in ((False, plain), (True, tls)):
            # One by one, so that `bound` is what must be closed when a later one fails.
            for address in addresses:
                descriptors = given(address, sockets_each)
                bound += [
                    BoundAddress(address, is_tls, descriptors)
                    if descriptors
                    else _bind(address, is_tls=is_tls, count=sockets_each)
                ]
    except ListenError:
        close_all(bound)
        raise
    return bound


def close_all(bound: Iterable[BoundAddress]) -> None:
    """Close every socket of `bound`."""
    for one in bound:
        for descriptor in one.descriptors:
            os.close(descriptor)


def _bind(address: ListenAddress, *, is_tls: bool, count: int) -> BoundAddress:
    sockets: list[socket.socket] = []
    try:
        _probe(address)
        for _ in range(count):
            sockets.append(_listening(address))
            address = address.with_port(sockets[0].getsockname()[1])
    except OSError as error:
        for one in sockets:
            one.close()
        sentence = _SENTENCES.get(error.errno or 0, (error.strerror or str(error)).lower())
        kind = AddressInUse if error.errno == errno.EADDRINUSE else ListenError
        raise kind(f"cannot listen on {address}: {sentence}") from error
    return BoundAddress(address, is_tls, tuple(one.detach() for one in sockets))


def _probe(address: ListenAddress) -> None:
    """Raise OSError if another socket listens here.

    SO_REUSEADDR looks past connections in TIME_WAIT; without SO_REUSEPORT, a listening socket of anyone's stops us.
    """
    if address.port:
        with _unbound(address) as probe:
            probe.bind(_sockaddr(address))


def _listening(address: ListenAddress) -> socket.socket:
    listener = _unbound(address)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(_sockaddr(address))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _unbound(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    unbound = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address.is_ipv6:
        # One address is one family, whatever net.ipv6.bindv6only says: 0.0.0.0:80 and [::]:80 may both be asked for.
        unbound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return unbound


def _sockaddr(address: ListenAddress) -> tuple[object, ...]:
    """The address as the kernel takes it; getaddrinfo turns the scope of a link-local address into its number."""
    try:
        found = socket.getaddrinfo(
            address.ip, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from error
    return found[0][4]
