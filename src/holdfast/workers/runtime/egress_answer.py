"""What the edge answers to a request of user code: a head, and a body that is read as it comes, or the upstream of an upgrade.

Law 1: an answer has its connection until its body has been read to the end, or is dropped, on whatever thread; then who lent it has it back.
Law 2: a parked upstream, which is by its token alone, is let go with the connection that it came by, PARKED_S after its answer at the latest.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass, field
from typing import Protocol

from holdfast.workers.runtime.egress_wire import Connection
from holdfast.workers.sdk.errors import NetworkError
from holdfast.workers.sdk.web.headers import Headers

# How long an edge keeps a parked upstream (and we the connection that it came by).
PARKED_S = 31.0


class Lender(Protocol):
    """Who has the connections (`egress.Egress`)."""

    unread: Unread

    def give_back(self, connection: Connection) -> None:
        """Its answer has been read to the end."""

    def drop(self, connection: Connection) -> None:
        """It is of no use any more."""

    def forget(self, connection: Connection) -> None:
        """The same, on whatever thread its answer was forgotten."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An answer. `body` None: there is none, not even an empty one; `parked`: the upstream of an upgrade that succeeded."""

    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]
    body: AnswerBody | None
    parked: Parked | None = None


@dataclass(slots=True, eq=False)
class Parked:
    """An upstream that has answered 101 and waits in the edge, by its token, until a session or a client's tunnel takes it.

    Ending the connection that it came by drops it, so that is kept as long as the edge keeps the upstream.
    """

    token: str
    headers: list[tuple[bytes, bytes]]
    connection: Connection
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    @classmethod
    def of(cls, headers: list[tuple[bytes, bytes]], connection: Connection) -> Parked:
        """By a 101; what its head says between the edge and us is left out of `headers`. Raises NetworkError where there is no token."""
        token = next((value for name, value in headers if name.lower() == b"holdfast-parked"), None)
        if token is None:
            connection.abort()
            raise NetworkError("The edge switched protocols and did not say where the connection is.")
        kept = [(name, value) for name, value in headers if not name.lower().startswith(b"holdfast-")]
        return cls(token.decode("latin-1"), kept, connection)

    def __post_init__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PARKED_S, self.close)

    @property
    def protocol(self) -> str:
        """The subprotocol that was agreed on, or ""."""
        return Headers.from_wire(self.headers).get("sec-websocket-protocol") or ""

    @property
    def extensions(self) -> str:
        """The extensions that were agreed on, or ""."""
        return Headers.from_wire(self.headers).get("sec-websocket-extensions") or ""

    def close(self) -> None:
        """Let the connection go; the upstream with it, if nobody has taken that."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.connection.abort()


class AnswerBody:
    """The body of an answer: an async iterator of bytes. Its connection is given back at its end, closed if it is dropped."""

    def __init__(self, connection: Connection, lender: Lender) -> None:
        self._connection: Connection | None = connection
        self._lender = lender
        self._is_given_up = False
        lender.unread.add(self)

    def __aiter__(self) -> AnswerBody:
        return self

    async def __anext__(self) -> bytes:
        if self._is_given_up:
            raise NetworkError("Response closed due to connection limit")
        if (connection := self._connection) is None:
            raise StopAsyncIteration
        self._lender.unread.discard(self)
        try:
            data = await connection.more()
        except BaseException:
            self.close()
            raise
        if data is None:
            self._connection = None
            self._lender.give_back(connection)
            raise StopAsyncIteration
        self._lender.unread.add(self)
        return data

    def give_up(self) -> None:
        """Nobody has read it for long, and its connection is wanted: whoever reads on is told."""
        self._is_given_up = True
        self.close()

    def close(self) -> None:
        """Nobody reads on: the connection is closed, and whoever sends is told by that."""
        self._lender.unread.discard(self)
        if (connection := self._connection) is not None:
            self._connection = None
            self._lender.drop(connection)

    def __del__(self) -> None:
        self._lender.unread.discard(self)
        if self._connection is not None:
            self._lender.forget(self._connection)


class Unread:
    """Answers that nobody is reading, the one left alone longest first. They are not kept alive by that."""

    def __init__(self) -> None:
        self._bodies: dict[int, weakref.ref[AnswerBody]] = {}

    def add(self, body: AnswerBody) -> None:
        """Nobody reads it now."""
        self._bodies[id(body)] = weakref.ref(body)

    def discard(self, body: AnswerBody) -> None:
        """Somebody does, or it is over."""
        self._bodies.pop(id(body), None)

    def oldest(self) -> AnswerBody | None:
        """The first, if there is any."""
        return next(filter(None, (known() for known in self._bodies.values())), None)
