"""One message to many sockets of an object: one record to each edge, and one entry in the outbox.

Law: a socket that has ended meanwhile, or whose client is in this process, is no reason for the others not to get it.
"""

from contextvars import Context
from typing import Any

from holdfast.workers.channel.records import ToEdge
from holdfast.workers.durable.outbox import Outbox
from holdfast.workers.durable.services import Channels


class Broadcast:
    """A message to many, which is sent when it is called (`outbox.Output`)."""

    __slots__ = ("_channels", "_data", "_drop", "_max_backlog_bytes", "_number", "_sockets")

    def __init__(
        self, channels: Channels, sockets: list[Any], data: str | bytes, *, drop: bool, max_backlog_bytes: int
    ) -> None:
        """`sockets` are `runtime.sockets.WebSocket`."""
        self._channels, self._sockets, self._data = channels, sockets, data
        self._drop, self._max_backlog_bytes = drop, max_backlog_bytes
        self._number = 0

    def __call__(self) -> None:
        """Send it."""
        sessions = []
        for ws in self._sockets:
            if (session := ws.session) is not None:
                sessions.append(session)
            else:
                # Its client is in this process, or its answer has not gone out yet.
                Context().run(ws.send, self._data)
        self._channels.broadcast(
            sessions,
            self._data,
            drop=self._drop,
            max_backlog_bytes=self._max_backlog_bytes,
            number=self._number,
        )

    def note(self, outbox: Outbox) -> None:
        """What other processes can send again is written down."""
        sids = [ws.session.sid for ws in self._sockets if ws.session is not None]
        if sids:
            self._number = outbox.add(
                ToEdge.MANY, sids, self._data, drop=self._drop, max_backlog_bytes=self._max_backlog_bytes
            )
