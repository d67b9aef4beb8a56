"""How a WebSocket of the API may be used: uvicorn's protocol with limits.

Law 1: whoever takes nothing of what is written has nothing read from, so that answers to its pings do not pile up.
Law 2: a Close goes out behind what waits, and CLOSE_LIMIT_S later the connection is cut, whatever is still waiting.
Law 3: when control stops, each is closed with 1012 and a reason: a client may connect again.
Law 4: a handshake that cannot be read as one is answered with 400 at once, and nobody waits for the rest of it.
Law 5: until it is let in, nothing more is read of a client; then it may send MAX_PINGS control frames in PING_INTERVAL_S, and
goes with 1008 for more.
Law 6: it counts among the connections of its address as any other does (`http_limits`).

uvicorn waits for a slow client before it even sends a Close, and then has the kernel flush for as long as that takes. Of a
handshake with a body, or with more fields than its library takes, it says nothing at all.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from holdfast.api.envelope import failure
from holdfast.api.faults import ApiFault, fault
from holdfast.api.frame import UNREADABLE
from holdfast.api.rate_limit import asker_of
from holdfast.api.worker_tails import SUBPROTOCOL as UNMASKED_SUBPROTOCOL
from holdfast.app.unmasked import Masking

# Longest message that a client may send; none has a use.
MAX_MESSAGE_BYTES = 4096
# A client that leaves a ping unanswered for as long is gone. Precedent: `websockets` has the same.
PING_INTERVAL_S, PING_LIMIT_S = 20.0, 20.0
# Of one that asks each second, a precedent for a browser's library, ten times as many.
MAX_PINGS = 200
# How long the rest and a Close may take.
CLOSE_LIMIT_S = 5.0
POLICY_VIOLATION, SERVICE_RESTART = 1008, 1012
_WHY = "control is stopping, connect again"


class StreamProtocol(WebSocketsSansIOProtocol):
    """One WebSocket of a client."""

    close_limit_s: ClassVar[float] = CLOSE_LIMIT_S

    # Who is connected, "" where that is no address.
    asker: str = ""
    _cut: asyncio.TimerHandle | None = None
    _pings: int = 0
    _pings_since: float = 0.0
    _masking: Masking | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """uvicorn's call: the handshake has come."""
        peer = transport.get_extra_info("peername")
        self.asker = asker_of(peer[0]) if isinstance(peer, tuple) else ""
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """uvicorn's call: the handshake, whole, and then what the client sends."""
        super().data_received(data if self._masking is None else self._masking.feed(data))
        if not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(written(fault(400, UNREADABLE, "expected a WebSocket handshake without a body")))
            self.transport.close()
        elif not self.handshake_complete:
            self.transport.pause_reading()

    def handle_ping(self) -> None:
        """uvicorn's call: the client has sent a ping, whose pong is ready."""
        now = self.loop.time()
        if now - self._pings_since > PING_INTERVAL_S:
            self._pings, self._pings_since = 0, now
        self._pings += 1
        if self._pings <= MAX_PINGS:
            super().handle_ping()
        elif not self.close_sent:
            self.conn.fail(POLICY_VIOLATION, "too many pings")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self._cut_soon()
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's call: the client is gone."""
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """asyncio's call: too much waits for the client."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio's call: it has taken enough of that."""
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def keepalive_timeout(self) -> None:
        """uvicorn's call: a ping was not answered in time."""
        super().keepalive_timeout()
        self._cut_soon()

    def shutdown(self) -> None:
        """uvicorn's call: the server stops."""
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": SERVICE_RESTART})
            self.conn.send_close(SERVICE_RESTART, _WHY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self._cut_soon()
        super().shutdown()

    async def send(self, message: Any) -> None:  # noqa: ANN401  an ASGI message
        """uvicorn's call: the application sends something."""
        if message["type"] == "websocket.close":
            # Not after what waits has been taken, but behind it.
            self.writable.set()
            self._cut_soon()
        await super().send(message)
        if message["type"] == "websocket.accept" and message.get("subprotocol") == UNMASKED_SUBPROTOCOL:
            self._masking = Masking()
        if message["type"] == "websocket.accept" and not self.read_paused:
            self.transport.resume_reading()

    def _cut_soon(self) -> None:
        if self._cut is None:
            self._cut = self.loop.call_later(self.close_limit_s, self.transport.abort)


def written(refused: ApiFault) -> bytes:
    """A whole HTTP/1.1 answer, after which the connection ends."""
    answer = failure(refused)
    head = [f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}"]
    fields = sorted(answer.headers.items(), key=lambda field: field[0] != "content-type")
    head += [f"{name.title()}: {value}" for name, value in fields]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + bytes(answer.body)
