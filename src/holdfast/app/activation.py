"""Sockets that a service manager has opened for us (socket activation, sd_listen_fds(3)).

Connections that come before this process is there, or while it is started anew, wait in them: none is refused.

Law 1: what is given is taken where it is just what is asked for: the same address, a listening TCP socket, one family. All
else is left out, with a sentence that says why.
Law 2: one socket may stand for many threads: each has a copy of the descriptor. Several of one address (ReusePort=) are dealt
out, all of them, for connections would wait for ever in one that is left.
Law 3: what is given is for this process alone: nobody it starts sees the variables, or inherits a descriptor by accident.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from holdfast.model.listen_address import ListenAddress

# sd_listen_fds(3): the first descriptor that is passed.
_FIRST = 3
# Far more than there are addresses to listen on.
_MOST = 1024
_PID, _COUNT, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"


@dataclass(frozen=True, slots=True)
class _Given:
    descriptor: int
    address: ListenAddress


class Activation:
    """What was given. `take` what is needed, then `close`, which says in sentences what is left."""

    def __init__(self, given: Sequence[_Given] = (), refused: Sequence[str] = ()) -> None:
        self._given = tuple(given)
        self._refused = tuple(refused)
        self._taken: set[ListenAddress] = set()

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Activation:
        """What the variables in `environ` announce; they are removed. Nothing where they are for another process."""
        pid, count = environ.pop(_PID, ""), environ.pop(_COUNT, "")
        environ.pop(_NAMES, None)
        if pid != str(os.getpid()) or not (count.isascii() and count.isdigit() and int(count[:5]) <= _MOST):
            return cls()
        given: list[_Given] = []
        refused: list[str] = []
        for descriptor in range(_FIRST, _FIRST + int(count)):
            try:
                os.set_inheritable(descriptor, False)  # noqa: FBT003  os's own signature
                given.append(_Given(descriptor, _address_of(descriptor)))
            except (OSError, ValueError) as error:
                refused.append(f"descriptor {descriptor} of the service manager is not used: {error}")
                with suppress(OSError):
                    os.close(descriptor)
        return cls(given, refused)

    def take(self, address: ListenAddress, count: int) -> tuple[int, ...]:
        """Descriptors that listen on `address`, at least `count`, for the caller to close; () where none was given."""
        mine = [one.descriptor for one in self._given if one.address == address]
        if not mine:
            return ()
        self._taken.add(address)
        copies = tuple(os.dup(mine[index % len(mine)]) for index in range(max(count, len(mine))))
        for descriptor in copies:
            # The flag is the socket's, whoever has it: the core waits by itself.
            os.set_blocking(descriptor, False)
        return copies

    def close(self) -> list[str]:
        """Keep nothing but what was taken. Why the rest is not used, a sentence for each."""
        given, self._given = self._given, ()
        for one in given:
            os.close(one.descriptor)
        left = [one.address for one in given if one.address not in self._taken]
        return [
            *self._refused,
            *(f"the service manager listens on {one}, which no address of ours is: it is not used" for one in left),
        ]


def _address_of(descriptor: int) -> ListenAddress:
    """The address of a listening TCP socket. Raises OSError, and ValueError with a reason."""
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if copy.family not in {socket.AF_INET, socket.AF_INET6} or copy.type != socket.SOCK_STREAM:
            message = "it is no TCP socket"
            raise ValueError(message)
        if not copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            message = "it does not listen (Accept=yes is not what we take)"
            raise ValueError(message)
        if copy.family == socket.AF_INET6 and not copy.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            message = "it takes IPv4 too, and one address of ours is one family (BindIPv6Only=ipv6-only)"
            raise ValueError(message)
        return ListenAddress(*copy.getsockname()[:2])
