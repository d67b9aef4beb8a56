"""What a socket asks of its process: one of each a process, set once by `main`.

Law: nothing is reached before it is set; then RuntimeError says which, for a socket outside of a script's process is a fault of ours.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from holdfast.workers.channel.session import Session


class Far(Protocol):
    """The half of a pair that is elsewhere: with a client, or where we connect to (`half.Half`)."""

    def opened(self, session: Session) -> bool:
        """It is there, by this session; whether anybody wants it."""

    def lost(self) -> None:
        """It never came."""


def _adopt_nowhere(_far: Far, _token: str) -> None:
    raise RuntimeError("this process has no channel to an edge")


def _raise(error: BaseException, _where: str) -> None:
    raise error


def _no_ray(_sid: int) -> str:
    return ""


@dataclass(slots=True)
class Services:
    """`adopt(far, token)`: have the edge make the parked connection `token` a session; it reaches `far`, or `far.lost()` is called.
    `report(error, where)`: an exception of user code that nobody else hears of. `ray_of(sid)`: the ray of the request that
    opened a socket, "" where it is not known. `is_retiring`: the process makes room for another one.
    """

    adopt: Callable[[Far, str], None] = _adopt_nowhere
    report: Callable[[BaseException, str], None] = _raise
    ray_of: Callable[[int], str] = _no_ray
    is_retiring: bool = False
    loop: asyncio.AbstractEventLoop | None = None
    thread: int = 0

    def at_home(self, loop: asyncio.AbstractEventLoop) -> None:
        """This thread is the loop's."""
        self.loop, self.thread = loop, threading.get_ident()

    def elsewhere(self, action: Callable[[], None]) -> bool:
        """Whether another thread than the loop's asks; then `action` is done on the loop, soon, in the context of who asks."""
        if self.loop is None or threading.get_ident() == self.thread:
            return False
        self.loop.call_soon_threadsafe(action, context=copy_context())
        return True


services = Services()
