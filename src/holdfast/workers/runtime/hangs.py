"""Where user code stood that had the loop for too long: told before the host ends the process.

The host sends SIGPROF, leaves it a moment, and then ends the process whatever it does (`workers.host.hosted`).

Law 1: code that lets signals in is told in one line of the log, of the ray and the entrypoint that ran, and what `cut` writes comes with it.
Law 2: code that does not (a long call of the C library's) leaves its stack in a file of the process's directory, which the host reads.
Law 3: it costs nothing until the signal comes, and the process ends by it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from holdfast.model.worker_messages import STACK_NAME
from holdfast.workers.runtime import console
from holdfast.workers.runtime.host_link import HostLink
from holdfast.workers.runtime.loading import user_stack

# How long the host may take to take it: it waits little longer itself.
TELL_S = 0.8
NOT_LOADED = "RuntimeError: the Worker was not loaded in time: its module had not come to its end, and was ended here"
TOO_LONG = "RuntimeError: the Worker exceeded its time: its event did not let the loop go, and was ended here"


class Hangs:
    """Tells it. `root` is where the user's code is; `cut` is told the ray of what ran, once there is something that runs."""

    def __init__(self, host: HostLink, directory: Path) -> None:
        self.root = Path("/")
        self.cut: Callable[[str], None] | None = None
        self._host = host
        self._file = os.open(directory / STACK_NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def listen(self) -> None:
        """From now on, on the main thread."""
        signal.signal(signal.SIGPROF, self._told)
        # The first that the signal comes to, which then calls the other.
        faulthandler.register(signal.SIGPROF, file=self._file, all_threads=False, chain=True)

    def _told(self, _number: int, frame: FrameType | None) -> None:
        self._host.at_rest(lambda: self._end(frame))

    def _end(self, frame: FrameType | None) -> None:
        try:
            ray, entrypoint = console.who()
            # Code that prints without an end has filled what waits for the host.
            self._host.make_room()
            console.let_go()
            text = f"{user_stack(frame, self.root)}\n{NOT_LOADED if self.cut is None else TOO_LONG}"
            self._host.log("error", text, ray=ray, entrypoint=entrypoint, kind="exception", fields={"where": "time"})
            if self.cut is not None:
                self.cut(ray)
            self._host.finish(TELL_S)
            os.ftruncate(self._file, 0)
        finally:
            faulthandler.unregister(signal.SIGPROF)
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.raise_signal(signal.SIGPROF)
