"""Sessions whose link is gone, until their edge is back, or is given up; and how far everything is that was sent at one moment.

Law 1: a hibernatable session outlives its link for RESUME_S: an edge that lives comes back at once. One that did not come back, or
came back without it, ends as a disconnect. Others end with their link.
Law 2: while anybody is away, not everything that was sent is with the kernel: what is held for them is not. When they are back, their links
have it, and the kernel when these have passed it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from holdfast.workers.channel.records import GONE
from holdfast.workers.channel.session import Session

if TYPE_CHECKING:
    from holdfast.workers.channel.link import Link

RESUME_S = 2.0
# An edge, and which of its loops.
Key = tuple[str, int]


class Away:
    """See above. False where no loop is away."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sessions: dict[Key, dict[int, Session]] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        # How often somebody has gone away.
        self.times = 0

    def __bool__(self) -> bool:
        return bool(self._sessions)

    def __len__(self) -> int:
        return sum(len(sessions) for sessions in self._sessions.values())

    def add(self, key: Key, sessions: Iterable[Session]) -> None:
        """The link of these is gone."""
        away = self._sessions.setdefault(key, {})
        for session in sessions:
            session.link = None
            if session.is_hibernatable:
                away[session.sid] = session
            else:
                _lose(session)
        self.times += bool(away)
        if away and key not in self._timers:
            self._timers[key] = self._loop.call_later(RESUME_S, self.give_up, key)
        elif not away:
            del self._sessions[key]

    def take(self, key: Key, sid: int) -> Session | None:
        """The session that has come back, if it was there."""
        return self._sessions.get(key, {}).pop(sid, None)

    def give_up(self, key: Key) -> None:
        """Those of this loop that are still away do not come back."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        for session in self._sessions.pop(key, {}).values():
            _lose(session)

    def stop(self) -> None:
        """Give up nobody any more: this process goes, and the next one hears of them."""
        for timer in self._timers.values():
            timer.cancel()


class Mark:
    """How far the links were at one moment."""

    __slots__ = ("_away", "_links", "_marks", "_times")

    def __init__(self, marks: Callable[[], list[tuple[Link, int]]], away: Away) -> None:
        """`marks`: how far each link goes that has anything to send, when it is asked."""
        self._marks, self._away = marks, away
        self._links = marks()
        # Of who is away nothing is known.
        self._times = -1 if away else away.times

    def is_passed(self) -> bool:
        """Whether the kernel has all that was sent until then; what is held for sockets that are away it has not."""
        away = self._away
        if away:
            return False
        if away.times != self._times:
            # Who was away meanwhile is back, or is given up: what was held for them is with their links now.
            self._times, self._links = away.times, self._marks()
        return all(link.has_passed(mark) for link, mark in self._links)


def _lose(session: Session) -> None:
    session.over()
    if session.socket is not None:
        session.socket.ended(1006, GONE, was_clean=False, seq=0)
