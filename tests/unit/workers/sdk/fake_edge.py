"""An edge's way out as a script's process sees it: HTTP/1.1 on a Unix socket, where the path of a request chooses what happens.

`/echo` (the body back), `/redirect/<status>?<location>`, `/gzip`, `/reset` (no answer), `/half` (an answer cut short), `/garbage`,
`/early` (an answer before the body was read), `/silent` (none until `release`), `/stream` (a chunk, the rest after `release`),
`/close` (no second request), `/upgrade` (parked), `/upgrade-untold` (a 101 without a token), `/status/<n>`; anything else 404.
"""

import asyncio
import gzip
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11

from holdfast.model.worker_egress import Egress, read_egress
from tests.unit.workers.sdk.hearing import Heard, some_turns

TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass
class Asked:
    """A request that arrived. `path` is what follows the host in its target."""

    method: str
    target: str
    path: str
    headers: dict[str, str]
    egress: Egress
    body: bytes = b""


@dataclass
class FakeEdge:
    """What has arrived, and the event that lets `/silent` and `/stream` go on."""

    path: str
    asked: Heard = field(default_factory=Heard)
    connections: int = 0
    ended: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def last(self) -> Asked:
        """The newest request."""
        newest: Asked = self.asked[-1]
        return newest

    async def was_asked(self, path: str) -> None:
        """Wait for a request."""
        await self.asked.until(lambda asked: any(one.path == path for one in asked))


@asynccontextmanager
async def fake_edge() -> AsyncIterator[FakeEdge]:
    """One that runs, for the code inside."""
    with tempfile.TemporaryDirectory(prefix="hf") as directory:
        edge = FakeEdge(str(Path(directory) / "egress.sock"))
        tasks: set[asyncio.Task[None]] = set()
        writers: set[asyncio.StreamWriter] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            edge.connections += 1
            writers.add(writer)
            task = asyncio.get_running_loop().create_task(_serve(edge, reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: writers.discard(writer))

        server = await asyncio.start_unix_server(accept, edge.path)
        try:
            yield edge
        finally:
            server.close()
            # What was accepted last may not have come here yet.
            await some_turns()
            for task in list(tasks):
                task.cancel()
            for writer in list(writers):
                writer.transport.abort()
            await some_turns()


class _Peer:
    """One connection, with the state of HTTP on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.http = h11.Connection(h11.SERVER)

    async def event(self) -> Any:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(65_536))
        return event

    async def send(self, *events: Any) -> None:
        for event in events:
            self.writer.write(self.http.send(event) or b"")
        await self.writer.drain()

    async def body(self) -> bytes:
        whole = b""
        while not isinstance(event := await self.event(), h11.EndOfMessage):
            whole += bytes(event.data)
        return whole

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        fields += [] if status in {204, 304} else [("Content-Length", str(len(body)))]
        await self.send(h11.Response(status_code=status, headers=fields))
        await self.send(*([h11.Data(data=body)] if body else []), h11.EndOfMessage())


async def _serve(edge: FakeEdge, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = _Peer(reader, writer)
    path = ""
    try:
        while isinstance(request := await peer.event(), h11.Request):
            fields = {name.decode(): value.decode() for name, value in request.headers}
            target = request.target.decode()
            path = "/" + target.split("/", 3)[3]
            told = read_egress(fields.pop("holdfast-egress"))
            edge.asked.append(Asked(request.method.decode(), target, path, fields, told))
            if not await _answered(edge, peer, path):
                break
            peer.http.start_next_cycle()
    except (h11.ProtocolError, ConnectionError):
        pass
    finally:
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()
        edge.ended.put_nowait(path)


async def _answered(edge: FakeEdge, peer: _Peer, path: str) -> bool:
    """Answer; whether the connection can be used again."""
    match path.split("/")[1].partition("?")[0]:
        case "echo":
            edge.last.body = await peer.body()
            await peer.answer(200, edge.last.body, X_Method=edge.last.method, X_Fields=json.dumps(edge.last.headers))
        case "redirect":
            status, _, location = path.split("/", 2)[2].partition("?")
            edge.last.body = await peer.body()
            await peer.answer(int(status), b"moved", Location=location)
        case "gzip":
            await peer.body()
            await peer.answer(200, gzip.compress(b"inflated"), Content_Encoding="gzip")
        case "status":
            await peer.body()
            await peer.answer(int(path.split("/")[2]), b"")
        case "close":
            await peer.body()
            await peer.answer(200, b"bye", Connection="close")
            return False
        case _:
            return await _misbehaved(edge, peer, path)
    return True


async def _misbehaved(edge: FakeEdge, peer: _Peer, path: str) -> bool:
    if path not in {"/early", "/upgrade", "/upgrade-untold"}:
        await peer.body()
    match path:
        case "/half":
            await peer.send(h11.Response(status_code=200, headers=[("Content-Length", "10")]), h11.Data(data=b"abc"))
        case "/garbage":
            peer.writer.write(b"this is no HTTP\r\n\r\n")
        case "/early":
            await peer.answer(413, b"too much")
            await peer.reader.read()
        case "/silent":
            await edge.release.wait()
            await peer.answer(200, b"at last")
            return True
        case "/stream":
            await peer.send(h11.Response(status_code=200, headers=[]), h11.Data(data=b"first"))
            await edge.release.wait()
            await peer.send(h11.Data(data=b"second"), h11.EndOfMessage())
        case "/upgrade" | "/upgrade-untold":
            fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Protocol", "chat")]
            told = [("Holdfast-Parked", TOKEN)] if path == "/upgrade" else []
            await peer.send(h11.InformationalResponse(status_code=101, headers=[*fields, *told]))
            await peer.reader.read()
        case "/reset":
            pass
        case _:
            await peer.answer(404, b"nowhere")
            return True
    return False
