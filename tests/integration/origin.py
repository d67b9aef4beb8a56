"""The one fake origin: sockets and bytes, no library, and a path that chooses its behaviour (`origin_paths`).

Law 1: it remembers every byte that arrived, in order, by connection (`Seen`), before any behaviour looks at it. So a
test can prove what reached the origin, and what did not.
Law 2: it runs in a thread of its own; tests talk to it through `Seen` and wait by `changes`, never by time.
Law 3: it is itself checked against a real client without the edge (`test_origin.py`).
"""

import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.integration.waiting import LIMIT_S, Changes

# Bytes remembered of one request. Beyond it only the count goes on, so that a large upload does not fill the tests' memory.
KEEP_BYTES = 16 * 1024 * 1024
# More than asyncio needs from the kernel's news of a connection to a request head.
_TURNS = 20
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


def accept_key(key: str) -> str:
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


@dataclass(frozen=True, slots=True)
class Head:
    """A request head as it was received."""

    raw: bytes
    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _version = lines[0].split(" ", 2)
        pairs = (line.split(":", 1) for line in lines[1:])
        return cls(raw, method, target, tuple((name, value.strip()) for name, value in pairs))

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name: str, default: str = "") -> str:
        return next(iter(self.values(name)), default)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def words(self) -> list[str]:
        """The path's segments, without the base path that one test configures."""
        return [unquote(word) for word in self.path.removeprefix("/base").split("/") if word]


@dataclass(slots=True)
class Seen:
    """What one connection brought. Written by the origin's thread, read by tests."""

    number: int
    changes: Changes
    heads: list[Head] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    received_count: int = 0
    room: int = KEEP_BYTES
    sent_count: int = 0
    ended: str | None = None  # "eof" | "reset", once the edge has ended its direction
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None

    def until(self, look: Callable[["Seen"], object], *, what: str, limit_s: float = LIMIT_S) -> None:
        """Wait until `look(self)` is truthy."""
        self.changes.until(lambda: look(self), what=f"origin connection {self.number}: {what}", limit_s=limit_s)

    def release(self) -> None:
        """Let a behaviour that waits (`/slow`, `/stall`, `/held`) go on."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.let_go.set)

    @property
    def after_head(self) -> bytes:
        """What arrived after the first request head."""
        return bytes(self.received).partition(b"\r\n\r\n")[2]

    def after(self, token: str) -> bytes:
        """What arrived after the request head with `token` in it, on a connection that may have carried others before."""
        return bytes(self.received).partition(token.encode())[2].partition(b"\r\n\r\n")[2]


class RecordingReader(asyncio.StreamReader):
    """A StreamReader that notes every byte in `Seen` as the kernel gives it, read by a behaviour or not."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(limit=256 * 1024)
        self._seen = seen

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # asyncio gives it bytes
        seen = self._seen
        seen.received_count += len(data)
        seen.received += data[: seen.room]
        seen.room = max(0, seen.room - len(data))
        super().feed_data(data)
        seen.changes.announce()

    def feed_eof(self) -> None:
        self._seen.ended = self._seen.ended or "eof"
        super().feed_eof()
        self._seen.changes.announce()

    def set_exception(self, exc: Exception) -> None:
        self._seen.ended = self._seen.ended or "reset"
        super().set_exception(exc)
        self._seen.changes.announce()


@dataclass(slots=True)
class Exchange:
    """One request on one connection, as a behaviour gets it."""

    origin: "Origin"
    seen: Seen
    head: Head
    reader: RecordingReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        self.seen.sent_count += len(data)
        self.seen.changes.announce()

    def reset(self) -> None:
        """End with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


# A behaviour returns whether the connection may carry another request.
Behaviour = Callable[[Exchange], Awaitable[bool]]


def registry(paths: dict[str, Behaviour]) -> Callable[[str], Callable[[Behaviour], Behaviour]]:
    """A decorator that registers a behaviour in `paths` for all paths that begin with `/word`."""

    def path(word: str) -> Callable[[Behaviour], Behaviour]:
        def register(behaviour: Behaviour) -> Behaviour:
            paths[word] = behaviour
            return behaviour

        return register

    return path


class Origin:
    """The fake origin server. Use as a context manager; it listens on a loopback address or a Unix socket while inside."""

    def __init__(
        self,
        behaviours: dict[str, Behaviour],
        *,
        tls: ssl.SSLContext | None = None,
        unix: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._behaviours = behaviours
        self._tls = tls
        self._unix = unix
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="origin", daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.changes = Changes()
        self.connections: list[Seen] = []
        # What `/play?id=X` sends after its 101, byte for byte: set by the test before it connects.
        self.scripts: dict[str, bytes] = {}
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        if self._unix is not None:
            return f"unix:{self._unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        return (self.host, self.port)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(LIMIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    def find(self, token: str, *, limit_s: float = LIMIT_S) -> Seen:
        """The connection on which a request with `token` in its head arrived, waiting for it."""
        return self.changes.until(lambda: self.look_up(token), what=f"a request with {token!r}", limit_s=limit_s)

    def look_up(self, token: str) -> Seen | None:
        """The same, without waiting; None if there is none."""
        return next((seen for seen in list(self.connections) if self._has(seen, token)), None)

    def head(self, token: str) -> Head:
        """The request head with `token` in it, waiting for it."""
        seen = self.find(token)
        return next(head for head in seen.heads if token.encode() in head.raw)

    def received_anywhere(self, needle: bytes) -> bool:
        """Whether these bytes arrived on any connection."""
        return any(needle in seen.received for seen in list(self.connections))

    def settle(self) -> None:
        """Return when all is read that had been sent to it: to accept, to read and to note it takes some turns of the loop."""

        async def take_turns() -> None:
            for _ in range(_TURNS):
                turn = self._loop.create_future()
                self._loop.call_soon(turn.set_result, None)
                await turn

        asyncio.run_coroutine_threadsafe(take_turns(), self._loop).result(LIMIT_S)

    @staticmethod
    def _has(seen: Seen, token: str) -> bool:
        return any(token.encode() in head.raw for head in list(seen.heads))

    async def _start(self) -> None:
        def protocol() -> asyncio.StreamReaderProtocol:
            seen = Seen(number=len(self.connections), changes=self.changes, loop=self._loop)
            self.connections.append(seen)
            reader = RecordingReader(seen)

            async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                # `_stop` cancels; StreamReaderProtocol would log a cancelled task as an exception nobody handled.
                with contextlib.suppress(asyncio.CancelledError):
                    await self._serve(seen, reader, writer)

            return asyncio.StreamReaderProtocol(reader, serve)

        if self._unix is not None:
            self._server = await self._loop.create_unix_server(protocol, self._unix)
        else:
            self._server = await self._loop.create_server(protocol, self.host, self.port, ssl=self._tls, backlog=4096)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, seen: Seen, reader: RecordingReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        # The other end resetting or leaving early is what many tests do; it is noted in `seen.ended`.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while await self._exchange(seen, reader, writer):
                pass
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            writer.close()
            await writer.wait_closed()
        self._writers.discard(writer)

    async def _exchange(self, seen: Seen, reader: RecordingReader, writer: asyncio.StreamWriter) -> bool:
        head = Head.parse(await reader.readuntil(b"\r\n\r\n"))
        seen.heads.append(head)
        self.changes.announce()
        word = head.words[0] if head.words else ""
        behaviour = self._behaviours.get(word, self._behaviours["status"])
        goes_on = await behaviour(Exchange(self, seen, head, reader, writer))
        seen.room = KEEP_BYTES
        return goes_on
