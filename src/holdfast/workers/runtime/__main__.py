"""`python -m holdfast.workers.runtime`: the process of one script, started by its host (`holdfast.workers.host`)."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from holdfast.model.worker_messages import VARIABLE
from holdfast.workers.runtime import console, isolation
from holdfast.workers.runtime.hangs import Hangs
from holdfast.workers.runtime.host_link import HostLink
from holdfast.workers.runtime.process import Process
from holdfast.workers.runtime.turns import Selector, Turns

# How long the host may take to take the last words.
FINISH_S = 2.0


class Loop(asyncio.SelectorEventLoop):
    """One that user code cannot stop: with it everybody would."""

    def __init__(self, selector: Selector) -> None:
        super().__init__(selector)
        self._until: asyncio.Future[Any] | None = None

    def run_until_complete(self, future: Any) -> Any:  # noqa: ANN401  as its base class
        """As any loop does; until then it runs."""
        self._until = asyncio.ensure_future(future, loop=self)
        return super().run_until_complete(self._until)

    def stop(self) -> None:
        """Stop when all has ended. Raises RuntimeError before that."""
        if self._until is not None and not self._until.done():
            raise RuntimeError("The event loop of a Worker cannot be stopped")
        super().stop()


def main() -> int:
    """Be a script's process, until it has retired; the exit status."""
    number = os.environ.get(VARIABLE, "")
    if not number.isdigit():
        sys.stderr.write(f"{VARIABLE}: expected the number of a descriptor, got {number!r}\n")
        return 2
    host = HostLink(socket.socket(fileno=int(number)))
    isolation.scrub_environment()
    # What ends it at once, as a fault of a library's, is told by what it printed.
    faulthandler.enable(file=2)
    hangs = Hangs(host, Path.cwd())
    hangs.listen()
    turns = Turns()
    loop = Loop(Selector(turns))
    asyncio.set_event_loop(loop)
    status = 0
    try:
        loop.run_until_complete(_run(host, turns, hangs))
    except BaseException:  # noqa: BLE001 - a fault of ours, or user code that ended the loop (`sys.exit()` in a task)
        traceback.print_exc(file=sys.__stderr__)
        status = 1
    console.let_go()
    sys.stdout.flush()
    sys.stderr.flush()
    host.finish(FINISH_S)
    # Tasks that heed no cancellation and threads that do not end must not keep the process.
    os._exit(status)


async def _run(host: HostLink, turns: Turns, hangs: Hangs) -> None:
    await Process(host, turns, hangs).run()


if __name__ == "__main__":
    raise SystemExit(main())
