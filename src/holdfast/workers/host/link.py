"""The host's end of the link to one process, and the pipe in which that process's output comes: bytes and lines, without waiting.

Law 1: nothing here blocks: what a process does not take waits here, and that is little (`Load`, and a word or two after it). Nor does one that
says something without end keep the host from the others: of each a little is heard in a turn.
Law 2: the end of a link is told once: "" where the process closed it, else a sentence that says how it broke the protocol.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from holdfast.model.worker_messages import (
    MAX_LOG_CHARACTERS,
    HostMessage,
    ProcessMessage,
    WorkerLinkError,
    line,
    process_messages,
)

_READ_BYTES = 256 * 1024
# What is heard of a process that has ended, at most: more than a socket holds (net.core.wmem_max). Whoever it left its end to might write on.
_READS_AT_THE_END = 64


class Link:
    """A stream socket whose other end a process has."""

    def __init__(
        self,
        ours: socket.socket,
        heard: Callable[[ProcessMessage], None],
        ended: Callable[[str], None],
    ) -> None:
        ours.setblocking(False)  # noqa: FBT003  socket's own signature
        self._socket, self._heard, self._ended = ours, heard, ended
        self._reader = process_messages()
        self._unsent = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(ours, self.read)
        self._is_open = True

    def tell(self, message: HostMessage) -> None:
        """Say this, as soon as the process takes it. Raises WorkerLinkError where it is too long."""
        encoded = line(message)
        if not self._is_open:
            return
        is_idle = not self._unsent
        self._unsent += encoded
        if is_idle:
            self._write()

    def read(self) -> bool:
        """Hear what has come, and no more of it than one call is for; whether there may be more."""
        if not self._is_open:
            return False
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if not data:
            self._give_up("")
            return False
        try:
            for message in self._reader.feed(data):
                self._heard(message)
        except WorkerLinkError as error:
            self._give_up(f"it does not keep to the protocol: {error}")
        return self._is_open

    def read_to_the_end(self) -> None:
        """Hear all that the process has said, which has ended."""
        for _ in range(_READS_AT_THE_END):
            if not self.read():
                return

    def close(self) -> None:
        """Let go of it."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # Its end is heard of by reading.
            self._unsent.clear()
            sent = 0
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._socket, self._write)
        elif self._is_open:
            self._loop.remove_writer(self._socket)

    def _give_up(self, sentence: str) -> None:
        self.close()
        self._ended(sentence)


class OutputPipe:
    """What a process prints, line by line. A line that is too long comes in parts."""

    def __init__(self, reading: int, printed: Callable[[str], None]) -> None:
        os.set_blocking(reading, False)
        self._descriptor, self._printed = reading, printed
        self._pending = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(reading, self.read)
        self._is_open = True

    def read(self) -> None:
        """Hear what has come. One call reads no more than a pipe holds, so that a flood lets others have their turn."""
        if not self._is_open:
            return
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > MAX_LOG_CHARACTERS or not data:
            lines, self._pending = [*lines, *([self._pending] if self._pending else [])], b""
        for text in lines:
            self._printed(text.decode("utf-8", "replace"))
        if not data:
            self.close()

    def close(self) -> None:
        """Let go of it."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
