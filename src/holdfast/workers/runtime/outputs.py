"""What a socket of an object lets out, while it waits for the object's writes: so that it can be written down with them (`durable.outbox`).

Law: each is called once, when it may leave; it was asked before to note itself, if it waited for a commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from holdfast.workers.channel.records import ToEdge

if TYPE_CHECKING:
    from holdfast.workers.durable.outbox import Outbox

# A plain number is written in less time than a member.
_TEXT, _BINARY = int(ToEdge.TEXT), int(ToEdge.BINARY)


class Sender(Protocol):
    """A socket (`half.Half`)."""

    session: Any

    @property
    def is_hibernatable(self) -> bool: ...
    def transmit(self, data: str | bytes, number: int = 0) -> None: ...
    def transmit_close(self, code: int, reason: str, number: int = 0) -> None: ...


class Sending:
    """A message."""

    __slots__ = ("_data", "_number", "_socket")

    def __init__(self, socket: Sender, data: str | bytes) -> None:
        self._socket, self._data = socket, data
        self._number = 0

    def __call__(self) -> None:
        """Send it."""
        self._socket.transmit(self._data, self._number)

    def note(self, outbox: Outbox) -> None:
        """What another process can send again is written down."""
        # Written out: it is asked for each message.
        socket, data = self._socket, self._data
        if (session := socket.session) is not None and socket.is_hibernatable:
            self._number = outbox.add(_TEXT if isinstance(data, str) else _BINARY, [session.sid], data)


class Closing:
    """A Close; code 0 is one without."""

    __slots__ = ("_code", "_number", "_reason", "_socket")

    def __init__(self, socket: Sender, code: int, reason: str) -> None:
        self._socket, self._code, self._reason = socket, code, reason
        self._number = 0

    def __call__(self) -> None:
        """Send it."""
        self._socket.transmit_close(self._code, self._reason, self._number)

    def note(self, outbox: Outbox) -> None:
        """As a message's."""
        if (sid := _lasting(self._socket)) is not None:
            self._number = outbox.add(ToEdge.CLOSE, [sid], self._reason, code=self._code)


class Keeping:
    """What the edge is to keep beside the socket from now on."""

    __slots__ = ("_number", "_socket", "_state")

    def __init__(self, socket: Sender, state: bytes) -> None:
        self._socket, self._state = socket, state
        self._number = 0

    def __call__(self) -> None:
        """Have it kept."""
        self._socket.session.keep(self._state, self._number)

    def note(self, outbox: Outbox) -> None:
        """As a message's."""
        if (sid := _lasting(self._socket)) is not None:
            self._number = outbox.add(ToEdge.STATE, [sid], self._state)


def _lasting(socket: Sender) -> int | None:
    """The number of a socket that outlives this process."""
    if not socket.is_hibernatable or socket.session is None:
        return None
    sid: int = socket.session.sid
    return sid
