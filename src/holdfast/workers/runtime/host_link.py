"""The process's end of its link with the host: lines in, lines out.

Law 1: nothing here waits: what the host does not take is kept, up to MAX_WAITING_BYTES; log lines beyond that are counted and left out, and
the next one that is kept says how many. For who has little time for its last words, less is kept (`make_room`).
Law 2: the end of the link is told once, as None.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable

from holdfast.model.worker_messages import (
    MAX_LOG_CHARACTERS,
    HostMessage,
    Log,
    LogKind,
    LogLevel,
    ProcessMessage,
    WorkerLinkError,
    host_messages,
    line,
)

CHUNK_BYTES = 64 * 1024
MAX_WAITING_BYTES = 4 * 1024 * 1024

Heard = Callable[["HostMessage | None"], None]


class HostLink:
    """See above. `heard` is called for each message of the host's, once `listen` was."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)  # noqa: FBT003 - the method takes nothing else
        self._socket = connection
        self._reader = host_messages()
        self._out = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heard: Heard = lambda _: None
        self._is_writing = self._is_over = self._is_at_it = False
        self._afterwards: Callable[[], None] | None = None
        self._left_out = 0
        # Since the start.
        self.lines_left_out = 0
        self._thread = threading.get_ident()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the host has not taken."""
        return len(self._out)

    def listen(self, heard: Heard) -> None:
        """Hear from now on, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._loop.add_reader(self._socket, self._readable)

    def say(self, message: ProcessMessage) -> None:
        """Send a message; from any thread."""
        if self._loop is not None and threading.get_ident() != self._thread:
            # What a thread of user code prints.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.say, message)
            return
        if self._is_over:
            return
        self._is_at_it = True
        try:
            self._out += line(message)
            if not self._is_writing:
                self._write()
        finally:
            self._is_at_it = False
        if self._afterwards is not None:
            act, self._afterwards = self._afterwards, None
            act()

    def at_rest(self, act: Callable[[], None]) -> None:
        """For a handler of a signal, which may come in the midst of a message: act now, or when that is said."""
        if self._is_at_it:
            self._afterwards = act
        else:
            act()

    def log(
        self,
        level: LogLevel,
        message: str,
        *,
        ray: str = "",
        entrypoint: str = "",
        kind: LogKind = "console",
        fields: dict[str, object] | None = None,
    ) -> None:
        """Send a line of the script's log; what is too long is cut."""
        if len(self._out) > MAX_WAITING_BYTES:
            self._left_out += 1
            self.lines_left_out += 1
            return
        if self._left_out:
            message = f"({self._left_out} lines before this one were left out)\n{message}"
            self._left_out = 0
        if len(message) > MAX_LOG_CHARACTERS:
            message = f"{message[: MAX_LOG_CHARACTERS - 40]} … ({len(message)} characters)"
        self.say(
            Log(
                level=level,
                message=message.encode("utf-8", "replace").decode(),
                ts_ms=time.time_ns() // 1_000_000,
                ray=ray,
                entrypoint=entrypoint,
                kind=kind,
                fields=fields or {},
            )
        )

    def make_room(self) -> None:
        """Leave out what waits behind CHUNK_BYTES, and say how much that was: what is said next is to get to the host soon."""
        if end := self._out.find(b"\n", CHUNK_BYTES) + 1:
            count = self._out.count(b"\n", end)
            del self._out[end:]
            self._left_out += count
            self.lines_left_out += count
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self.log("warn", f"({count} lines before this one were left out)")

    def finish(self, limit_s: float) -> None:
        """Block until the host has taken everything or the limit is over; for when the loop is gone."""
        if self._is_over:
            return
        self._socket.settimeout(limit_s)
        # A host that does not take it sees the end of the process all the same.
        with contextlib.suppress(OSError):
            self._socket.sendall(self._out)
        self._is_over = True
        self._socket.close()

    def _write(self) -> None:
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            if self._loop is not None and not self._is_writing:
                self._is_writing = True
                self._loop.add_writer(self._socket, self._write)
            return
        except OSError:
            self._end()
            return
        if self._is_writing and self._loop is not None:
            self._is_writing = False
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            for message in self._reader.feed(data) if data else ():
                self._heard(message)
        except WorkerLinkError:
            data = b""
        if not data:
            self._end()

    def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._out.clear()
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._heard(None)
