"""A Worker that runs what it is told to, for tests of what user code may do: a message, a body or an alarm is the text of a coroutine."""

import asyncio
import socket
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect

from holdfast.model.data_dir import local_home, workers_host_socket
from holdfast.model.worker_host_messages import Answer, Logged, Tail
from holdfast.model.worker_messages import LineReader, Log, line
from tests.integration.waiting import LIMIT_S, PATIENT
from tests.integration.worker_up import ServedWorker

CODE = """
import asyncio, ctypes, os, signal, subprocess, sys, textwrap, threading, time
from js import WebSocketPair, console, setTimeout
from workers import DurableObject, Response, WorkerEntrypoint, fetch

async def told(code, **names):
    scope = {**globals(), **names}
    exec("async def _it():\\n" + textwrap.indent(code, "    "), scope)
    return await scope["_it"]()

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        exec(ctx.storage.kv.get("at birth") or "", {**globals(), "ctx": ctx})

    async def fetch(self, request):
        if request.headers.get("Upgrade") is None:
            return Response(repr(await told(await request.text(), self=self, ctx=self.ctx, env=self.env)))
        client, server = WebSocketPair.new()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if message.startswith("echo "):
            ws.send(message)
        else:
            ws.send(repr(await told(message, self=self, ws=ws, ctx=self.ctx, env=self.env)))

    async def webSocketClose(self, ws, code, reason, was_clean):
        if reason:
            await told(reason, self=self, ws=ws, ctx=self.ctx)

    async def alarm(self):
        await told(self.ctx.storage.kv.get("at alarm"), self=self, ctx=self.ctx)

    async def call(self, code):
        return await told(code, self=self, ctx=self.ctx, env=self.env)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name = request.url.split("/")[3]
        if name != "entry":
            return await self.env.ROOM.getByName(name).fetch(request)
        said = await told(await request.text(), self=self, env=self.env, request=request)
        return said if isinstance(said, Response) else Response(repr(said))
"""


@asynccontextmanager
async def client(served: ServedWorker, name: str) -> AsyncIterator[ClientConnection]:
    """A socket of the object of this name."""
    async with connect(
        f"ws://{served.address}/{name}", ping_interval=None, max_size=None, max_queue=None, **PATIENT
    ) as one:
        yield one


async def heard(one: ClientConnection, *, limit_s: float = LIMIT_S) -> str | bytes:
    """The next message."""
    async with asyncio.timeout(limit_s):
        return await one.recv()


def logged(served: ServedWorker, text: str) -> Log:
    """The first line of the script's log with this in it, of those that are kept and those that come."""
    reader: LineReader[Answer] = LineReader(Answer)
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(LIMIT_S)
        asking.connect(str(workers_host_socket(local_home(served.data))))
        asking.sendall(line(Tail(key=served.status().key, lines=200)))
        while received := asking.recv(65536):
            for answer in reader.feed(received):
                if isinstance(answer, Logged) and text in answer.log.message:
                    return answer.log
    raise AssertionError(f"no line of the log has {text!r}")


def code_of(text: str) -> str:
    """As it is sent."""
    return textwrap.dedent(text).strip()
