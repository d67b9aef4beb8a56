"""A TCP relay between two real ends, which can chop and delay everything that passes (`Relay(chops=True)`).

Law 1: it changes when bytes arrive and in which pieces, never which bytes.
Law 2: FIN passes as FIN and RST as RST, each direction by itself.
Law 3: the delays are the network under test, 0 to 1 ms a byte; no test waits by them.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Self

from tests.integration.waiting import LIMIT_S

# Longest delay of one byte, in seconds. With 0.5 ms a byte on average, a kilobyte takes half a second.
LONGEST_DELAY_S = 0.001
# Longest that bytes take each, on average. On a busy machine a delay is far longer than it should be: what is late then follows
# without one, for limits of who reads it are not what is under test.
LONGEST_EACH_S = 0.002


class Relay:
    """Listens on 127.0.0.1 while entered, and passes connections on to `to`, which may be set later."""

    def __init__(self, to: tuple[str, int] = ("127.0.0.1", 9), *, chops: bool = False, seed: int = 0) -> None:
        self.to = to
        self.chops = chops
        self.connections = 0
        self.port = 0
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._server: asyncio.Server | None = None
        # The loop itself holds tasks only weakly; one whose two directions both wait could be collected.
        self._tasks: set[asyncio.Task[None] | None] = set()

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(LIMIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    async def _start(self) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # `_stop` cancels; asyncio.streams would log a cancelled task as an exception nobody handled.
            self._tasks.add(task := asyncio.current_task())
            with contextlib.suppress(asyncio.CancelledError):
                await self._pass_on(reader, writer)
            self._tasks.discard(task)

        self._server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.to)
        except OSError:
            reset(writer)
            return
        for end in (writer, far_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        finally:
            for end in (writer, far_writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        due = 0.0
        try:
            while data := await reader.read(4096):
                due = max(due, self._loop.time())
                for piece in pieces(data) if self.chops else [data]:
                    writer.write(piece)
                    await writer.drain()
                    due += LONGEST_EACH_S
                    if self.chops and self._loop.time() < due:
                        await self._delay()
            writer.write_eof()
        except OSError:
            reset(writer)

    async def _delay(self) -> None:
        passed = self._loop.create_future()
        self._loop.call_later(self._random.uniform(0, LONGEST_DELAY_S), passed.set_result, None)
        await passed


def pieces(data: bytes) -> Iterator[bytes]:
    """The single bytes of `data`."""
    return (data[at : at + 1] for at in range(len(data)))


def reset(writer: asyncio.StreamWriter) -> None:
    """End with RST instead of FIN."""
    linger = struct.pack("ii", 1, 0)
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
