"""Where sockets that an edge opens find their other end: by the ticket of their 101, by the token they were parked with, by their binding.

Law 1: a ticket or a token is good once, and for TICKET_S: a client that never comes leaves nothing behind, and its peer hears of it.
Law 2: tickets are random, so that a channel that is not an edge's could not guess one.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from holdfast.workers.runtime.sockets import WebSocket

if TYPE_CHECKING:
    from holdfast.workers.channel.binding import Binding
    from holdfast.workers.channel.session import Session
    from holdfast.workers.runtime.incoming import SocketOwner
    from holdfast.workers.runtime.services import Far

# Between our 101 and the question of our edge for it, which comes at once. As long as an edge keeps a parked connection.
TICKET_S = 30.0

Ask = Callable[[str], Coroutine[Any, Any, bool]]


class Reception:
    """Implements `channel.intake.Reception`. `owner` is who has hibernatable sockets (None: no object)."""

    def __init__(self, owner: SocketOwner | None = None) -> None:
        self.owner = owner
        self._expected: dict[str, tuple[Far, asyncio.TimerHandle]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._came = asyncio.Event()

    @property
    def expected(self) -> int:
        """How many sockets are expected."""
        return len(self._expected)

    async def settled(self, limit_s: float) -> None:
        """Wait until everything that is expected has come, or the limit is over: a client whose upgrade was answered has nobody else to come to."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._expected:
                    self._came.clear()
                    await self._came.wait()

    def ticket(self, half: Far) -> str:
        """A ticket for the client of `half`, which is returned with a 101."""
        ticket = secrets.token_hex(16)
        self._expect(ticket, half)
        return ticket

    def adopt(self, half: Far, token: str, ask: Ask) -> None:
        """Expect the parked connection `token`, and ask its edge for it; `half` is lost if there is no such edge."""
        self._expect(token, half)

        async def asked() -> None:
            if not await ask(token):
                self.not_adopted(token)

        # Nobody's task: it must go on whatever becomes of the object that began it.
        task = asyncio.Task(asked(), loop=asyncio.get_running_loop())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def opened(self, session: Session, ticket: str) -> bool:
        """The client with this ticket, or the connection with this token, is there."""
        if (found := self._expected.pop(ticket, None)) is None:
            return False
        half, timer = found
        timer.cancel()
        self._came.set()
        return half.opened(session)

    def resumed(self, session: Session, binding: Binding, *, is_closed: bool = False) -> bool:
        """A hibernatable socket of a process before this one. `is_closed`: user code has closed it there, and its client is yet to answer."""
        if self.owner is None:
            return False
        ws = WebSocket.resumed(session, binding, self.owner)
        ws.goes_on(is_closed=is_closed)
        return self.owner.resumed(ws, binding)

    def not_adopted(self, token: str) -> None:
        """Nobody has the connection that `adopt` asked for."""
        if (found := self._expected.pop(token, None)) is not None:
            half, timer = found
            timer.cancel()
            self._came.set()
            half.lost()

    def _expect(self, name: str, half: Far) -> None:
        timer = asyncio.get_running_loop().call_later(TICKET_S, self.not_adopted, name)
        self._expected[name] = (half, timer)
