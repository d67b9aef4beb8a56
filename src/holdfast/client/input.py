"""The lines a person types, or a program pipes in.

Law: both are asynchronous iterators of lines without their ends, over when the input is. Leaving one early leaves
nothing behind that could hold up the end of the process.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress

from prompt_toolkit import PromptSession

_READ_BYTES = 64 * 1024


async def typed_lines() -> AsyncIterator[str]:
    """Lines from a prompt, until Ctrl-D or Ctrl-C. An empty line is none: it is how a person asks whether it lives."""
    # The line is shown again, with its time, once it is sent.
    session: PromptSession[str] = PromptSession("> ", erase_when_done=True)
    while True:
        try:
            line = await session.prompt_async()
        except (EOFError, KeyboardInterrupt):
            return
        if line:
            yield line


async def piped_lines(descriptor: int) -> AsyncIterator[str]:
    """Lines read from `descriptor` (a file, which no event loop can wait for, as well as a pipe), as UTF-8.

    A thread reads, one piece ahead at most. It reads the descriptor, not `sys.stdin`: a thread inside of that object
    holds its lock, and the interpreter could not end.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

    def read() -> None:
        # The loop has ended, or the descriptor is gone: there is nobody to read for.
        with suppress(RuntimeError, OSError, CancelledError):
            while True:
                piece = os.read(descriptor, _READ_BYTES)
                asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()
                if not piece:
                    return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    rest = b""
    while piece := await pieces.get():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
