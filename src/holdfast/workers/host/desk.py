"""Where control and commands ask the host: the server on the host's Unix socket.

Law 1: who may connect is who may read the data directory: the socket's file has the mode 0600.
Law 2: whoever asks is bounded: MAX_CONNECTIONS at a time, questions of MAX_QUESTION_BYTES, one after the other; one that does not read
its answers is waited for by nobody else.
Law 3: what was asked for is done also where whoever asked is gone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress

from holdfast.model.worker_host_messages import (
    DEPLOY_LIMIT_S,
    KEPT_LINES,
    MAX_ANSWER_BYTES,
    MAX_QUESTION_BYTES,
    Answer,
    Delete,
    Deploy,
    Inherit,
    ListScripts,
    Question,
    Refused,
    Reschedule,
    Restart,
    Tail,
)
from holdfast.model.worker_messages import LineReader, WorkerLinkError, line
from holdfast.workers.host import sockets
from holdfast.workers.host.hosting import Host

MAX_CONNECTIONS = 64


class Desk:
    """The server. `open` it, and `close` it before the host stops."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, listener: socket.socket) -> None:
        """Answer on this socket, which is bound already."""
        self._server = await asyncio.start_unix_server(self._connected, sock=listener)

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= MAX_CONNECTIONS:
            writer.write(line(Refused(error=f"{MAX_CONNECTIONS} others are asking")))
            writer.close()
            return
        task = asyncio.create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        questions: LineReader[Question] = LineReader(Question, max_line_bytes=MAX_QUESTION_BYTES)
        try:
            while data := await reader.read(MAX_QUESTION_BYTES):
                for question in questions.feed(data):
                    await self._take(question, reader, writer)
        except WorkerLinkError as error:
            writer.write(line(Refused(error=str(error))))
        except (ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()

    async def _take(self, question: Question, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match question:
            case Tail():
                await self._tail(question, reader, writer)
            case Inherit():
                await self._hand_over(writer)
            case _:
                writer.write(line(await self._answered(question), max_line_bytes=MAX_ANSWER_BYTES))
                await writer.drain()

    async def _answered(self, question: Deploy | Restart | Delete | Reschedule | ListScripts) -> Answer:
        if isinstance(question, ListScripts):
            return self._host.scripts()
        if isinstance(question, Reschedule):
            return self._host.reschedule(question.key)
        # Not cancelled with whoever asked: it is done or not, but never by half.
        task = asyncio.create_task(self._doing(question))
        try:
            return await asyncio.wait_for(asyncio.shield(task), DEPLOY_LIMIT_S)
        except TimeoutError:
            return Refused(error=f"it was not done within {DEPLOY_LIMIT_S:.0f} s, and goes on")

    def _doing(self, question: Deploy | Restart | Delete) -> Coroutine[None, None, Answer]:
        match question:
            case Deploy():
                return self._host.deploy(question.key, question.version)
            case Restart():
                return self._host.restart(question.key)
            case Delete():
                return self._host.delete(question.key)

    async def _tail(self, question: Tail, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hosted = self._host.script(question.key)
        if hosted is None:
            writer.write(line(Refused(error=f"there is no script {question.key}")))
            return
        woken = asyncio.Event()
        reading = hosted.log.read(woken.set, lines=min(max(question.lines, 0), KEPT_LINES))
        # Whoever tails says nothing more: all that can come is the end.
        ended = asyncio.create_task(reader.read(1))
        ended.add_done_callback(lambda _: woken.set())
        try:
            while not ended.done() and self._host.script(question.key) is hosted:
                await woken.wait()
                woken.clear()
                for answer in reading.take():
                    writer.write(line(answer))
                    await writer.drain()
        finally:
            ended.cancel()
            hosted.log.forget(reading)

    async def _hand_over(self, writer: asyncio.StreamWriter) -> None:
        # A descriptor of its own: asyncio's is not for `sendmsg`.
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as connection:
            connection.settimeout(sockets.HANDOVER_LIMIT_S)
            with suppress(OSError):
                self._host.is_inherited = True
                await asyncio.to_thread(sockets.hand_over, connection, dict(self._host.sockets))
