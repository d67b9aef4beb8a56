"""`python -m holdfast.workers.runtime`: the process of one script, started by its host (`holdfast.workers.host`)."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from holdfast.model.worker_messages import VARIABLE
from holdfast.workers.runtime import isolation
from holdfast.workers.runtime.host_link import HostLink
from holdfast.workers.runtime.process import Process
from holdfast.workers.runtime.turns import Selector, Turns

# How long the host may take to take the last words.
FINISH_S = 2.0


def main() -> int:
    """Be a script's process, until it has retired; the exit status."""
    number = os.environ.get(VARIABLE, "")
    if not number.isdigit():
        sys.stderr.write(f"{VARIABLE}: expected the number of a descriptor, got {number!r}\n")
        return 2
    host = HostLink(socket.socket(fileno=int(number)))
    isolation.scrub_environment()
    isolation.tell_hangs()
    turns = Turns()
    loop = asyncio.SelectorEventLoop(Selector(turns))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_run(host, turns))
    host.finish(FINISH_S)
    # Threads of user code that do not end must not keep the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _run(host: HostLink, turns: Turns) -> None:
    await Process(host, turns).run()


if __name__ == "__main__":
    raise SystemExit(main())
