"""Takes the connections of edges from the script's listening socket.

Law: what cannot be taken (no descriptor is left, or no memory) stays in the kernel's queue, and is tried again PAUSE_S later: the loop is
not told meanwhile, for it would be told in each turn. That is reported once, until a connection is taken again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

# Long enough to cost nothing, short beside what an edge waits for an answer. Precedent: asyncio's own second.
PAUSE_S = 1.0


class Acceptor:
    """See above. `took` gets each connection, on the loop."""

    def __init__(
        self, listener: socket.socket, took: Callable[[socket.socket], None], *, report: Callable[[str], None]
    ) -> None:
        """Take those that wait, and those that come until `stop`."""
        self._listener, self._took, self._report = listener, took, report
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._is_short = False
        self._is_over = False
        listener.setblocking(False)  # noqa: FBT003 - the method takes nothing else
        self._go_on()

    def stop(self) -> None:
        """Take no more; the listener is not closed."""
        self._is_over = True
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._loop.remove_reader(self._listener)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)
        self._accept()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._wait(error)
                return
            self._is_short = False
            self._took(connection)

    def _wait(self, error: OSError) -> None:
        if not self._is_short:
            self._is_short = True
            self._report(f"a link could not be accepted: {error.strerror}; it is tried again each {PAUSE_S:g} s")
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(PAUSE_S, self._go_on)
