"""How long a client of the API may keep the server waiting, and how often it may connect: uvicorn's protocol with limits.

Law 1: a client that owes us something, a head or the rest of a body, owes it for a limited time; then it is cut.
Law 2: a client that waits for us is never cut by this, nor is one whose connection has become a WebSocket (`stream_limits`).
Law 3: one address takes no more than its part of the places there are. Whoever finds none is told so, and whoever has one
keeps it.
Law 4: when control stops, a client that is about to ask still gets its answer, for LINGER_S, and with it the end of its connection.
Law 5: a handshake of a WebSocket is one where there is a WebSocket; elsewhere it is the ordinary request that it also is.
Law 6: a request whose length is said twice is the last one of its connection: what follows may be another's body (RFC 9112 §6.1).

uvicorn limits only the silence between two requests of one connection (`timeout_keep_alive`), so a thousand connections
that send nothing would take every place there is, for good; its `limit_concurrency` refuses those who are connected, too; and when it
stops, it closes connections whose requests are on their way.
"""

from __future__ import annotations

import asyncio
import re
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from holdfast.api import connection_stream, worker_tail, worker_tails
from holdfast.api.application import PREFIX
from holdfast.api.faults import ApiFault, Complaint
from holdfast.api.rate_limit import asker_of
from holdfast.app.stream_limits import StreamProtocol, written

# From the connection, or the last answer, to the end of the head. Precedent: the edge's own 10 s.
HEAD_LIMIT_S = 10.0
# From the head to the end of the body, which the API keeps small.
BODY_LIMIT_S = 30.0
# How long who is connected may still ask when control stops. A request follows its connection within a round trip or two.
LINGER_S = 1.0
# Connections at once; beyond it 503. The API has a handful of clients, each of which has a rate limit.
MAX_CONNECTIONS = 1_000
# Those of one address (of IPv6: one /64); beyond it 429. Precedents: browsers have 6 to one host, HTTP libraries 100.
MAX_CONNECTIONS_PER_ADDRESS = 200
TOO_MANY_CONNECTIONS = 10429
NO_PLACE = 10503
_RETRY_AFTER_S = 2
_STREAM = re.compile(
    "|".join(
        re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(f"{PREFIX}{path}"))
        for path in (connection_stream.PATH, worker_tail.PATH, worker_tails.SOCKET_PATH)
    )
)


class LimitedProtocol(H11Protocol):
    """One connection of a client."""

    # What the client owes by h11's word -> for how long.
    limits: ClassVar[dict[type, float]] = {h11.IDLE: HEAD_LIMIT_S, h11.SEND_BODY: BODY_LIMIT_S}

    max_connections: ClassVar[int] = MAX_CONNECTIONS
    max_connections_per_address: ClassVar[int] = MAX_CONNECTIONS_PER_ADDRESS

    # Who is connected, "" where that is no address.
    asker: str = ""
    _is_refused: bool = False
    _owed: type | None = None
    _timer: asyncio.TimerHandle | None = None
    _is_ending: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """asyncio's call: the client is there."""
        peer = transport.get_extra_info("peername")
        self.asker = asker_of(peer[0]) if isinstance(peer, tuple) else ""
        if (refused := self._refusal()) is not None:
            self._is_refused = True
            transport.write(written(refused))
            transport.close()
            return
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """asyncio's call: the client has sent something."""
        if self._is_refused:
            # TLS hands on what has come before it is closed.
            return
        super().data_received(data)
        self._look()
        self._end_with_the_answer()

    def on_response_complete(self) -> None:
        """uvicorn's call: an answer has been written."""
        super().on_response_complete()
        self._look()
        self._end_with_the_answer()

    def shutdown(self) -> None:
        """uvicorn's call: control stops."""
        self._is_ending = True
        if self._is_asked():
            super().shutdown()
        else:
            self.loop.call_later(LINGER_S, self._end_unasked)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's call: the client is gone."""
        if not self._is_refused:
            self._owe(None)
            super().connection_lost(exc)

    def _should_upgrade(self) -> bool:
        """uvicorn's question: whether this request is to become a WebSocket."""
        is_stream = self.scope["method"] == "GET" and _STREAM.fullmatch(self.scope["path"]) is not None
        return is_stream and super()._should_upgrade()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """uvicorn's call: this request is the handshake of a WebSocket."""
        super().handle_websocket_upgrade(event)
        if self._is_ending and isinstance(stream := self.transport.get_protocol(), StreamProtocol):
            stream.shutdown()

    def _is_asked(self) -> bool:
        return self.conn.our_state in {h11.SEND_RESPONSE, h11.SEND_BODY}

    def _end_with_the_answer(self) -> None:
        # A handshake that another protocol has been given is none of ours.
        is_ours = self._is_asked() and self.transport.get_protocol() is self
        if is_ours and (self._is_ending or self._has_two_lengths()):
            self.cycle.keep_alive = False

    def _has_two_lengths(self) -> bool:
        return {b"content-length", b"transfer-encoding"} <= {name for name, _ in self.headers}

    def _end_unasked(self) -> None:
        if not self._is_asked() and not self.transport.is_closing():
            super().shutdown()

    def _refusal(self) -> ApiFault | None:
        """Why there is no place for this client; None if there is one."""
        others = self.server_state.connections
        if len(others) >= self.max_connections:
            return _busy(503, NO_PLACE, f"There are {self.max_connections} connections already")
        of_the_same = sum(
            isinstance(one, LimitedProtocol | StreamProtocol) and one.asker == self.asker for one in others
        )
        if self.asker and of_the_same >= self.max_connections_per_address:
            message = f"Your address has {self.max_connections_per_address} connections already"
            return _busy(429, TOO_MANY_CONNECTIONS, message)
        return None

    def _look(self) -> None:
        state = self.conn.their_state
        is_ours = self.transport.get_protocol() is self and not self.transport.is_closing()
        # h11 goes on to wait for the body of a handshake that another protocol has been given.
        owed = state if state in self.limits and is_ours else None
        if owed is not self._owed:
            self._owe(owed)

    def _owe(self, owed: type | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._owed = owed
        self._timer = None if owed is None else self.loop.call_later(self.limits[owed], self.transport.abort)


def _busy(status: int, code: int, message: str) -> ApiFault:
    return ApiFault(status, (Complaint(code, message),), {"Retry-After": str(_RETRY_AFTER_S)})
