"""How long a client of the API may keep the server waiting: uvicorn's protocol with a limit for each part of a request.

Law 1: a client that owes us something, a head or the rest of a body, owes it for a limited time; then it is cut.
Law 2: a client that waits for us is never cut by this.

uvicorn limits only the silence between two requests of one connection (`timeout_keep_alive`), so a thousand connections
that send nothing would take every place there is, for good.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# From the connection, or the last answer, to the end of the head. Precedent: the edge's own 10 s.
HEAD_LIMIT_S = 10.0
# From the head to the end of the body, which the API keeps small.
BODY_LIMIT_S = 30.0


class LimitedProtocol(H11Protocol):
    """One connection of a client."""

    # What the client owes by h11's word -> for how long.
    limits: ClassVar[dict[type, float]] = {h11.IDLE: HEAD_LIMIT_S, h11.SEND_BODY: BODY_LIMIT_S}

    _owed: type | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """asyncio's call: the client is there."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """asyncio's call: the client has sent something."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """uvicorn's call: an answer has been written."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's call: the client is gone."""
        self._owe(None)
        super().connection_lost(exc)

    def _look(self) -> None:
        state = self.conn.their_state
        owed = state if state in self.limits and not self.transport.is_closing() else None
        if owed is not self._owed:
            self._owe(owed)

    def _owe(self, owed: type | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._owed = owed
        self._timer = None if owed is None else self.loop.call_later(self.limits[owed], self.transport.abort)
