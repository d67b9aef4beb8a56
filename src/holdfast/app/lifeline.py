"""The lifeline: a socket pair between the supervisor and one child.

Law 1: while the supervisor lives, it holds its end. A child whose lifeline has ended is alone, and ends in an orderly way.
Law 2: over it a child says, one message a packet: that it waits for its predecessor to end, that it is ready, with the lines
to print, the sentence it fails with, or how many connections it keeps while it retires. The supervisor says `words`.
Law 3: whatever a child sends, the supervisor reads a message or nothing; it never waits, neither for a child that says
nothing nor for one that reads nothing.

SOCK_SEQPACKET keeps the messages apart and still has an end of stream (unix(7)).
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from holdfast.app.words import Word, decoded, encoded

# Longest message either side makes or takes: a sentence and some lines.
_MAX_MESSAGE_BYTES = 64 * 1024
# Longer than any number of connections.
_MAX_DIGITS = 9
# How long a child waits for a supervisor that does not read (it is stopped, or the machine is).
_SEND_LIMIT_S = 5.0

# fcntl(2), of asm-generic/fcntl.h; Python has no names for them.
_F_SETOWN_EX, _F_OWNER_TID = 15, 0

_PREPARED, _READY, _FAILED, _RETIRING = "prepared", "ready", "failed", "retiring"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The child has loaded all it needs, and waits for what its predecessor has."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The child serves; `lines` are for people to read, once."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The child is about to end, and why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Retiring:
    """The child takes no new connections, and keeps so many."""

    connections: int


Message = Prepared | Ready | Failed | Retiring


def pair() -> tuple[socket.socket, socket.socket]:
    """(the supervisor's end, which never blocks; the child's end)."""
    ours, childs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)  # noqa: FBT003  socket's own signature
    return ours, childs


def messages_of(end: socket.socket) -> Iterator[Message]:
    """What the child has said since the last call; the supervisor's end."""
    while packet := _packet(end):
        kind, *lines = packet.decode("utf-8", "replace").split("\n")
        if kind == _PREPARED:
            yield Prepared()
        elif kind == _READY:
            yield Ready(tuple(lines))
        elif kind == _FAILED:
            yield Failed(" ".join(lines))
        elif kind == _RETIRING and len(lines) == 1 and lines[0].isascii() and lines[0].isdigit():
            yield Retiring(int(lines[0][:_MAX_DIGITS]))


def tell(end: socket.socket, word: Word) -> None:
    """Say `word` to the child; the supervisor's end. One that has so much unread, or is gone, does not hear it: its limit ends it."""
    with suppress(OSError):
        end.send(encoded(word))


def _packet(end: socket.socket) -> bytes:
    """The next packet; b"" where there is none, now or ever."""
    try:
        return end.recv(_MAX_MESSAGE_BYTES)
    except OSError:  # BlockingIOError: none now; ConnectionResetError: the child left something unread
        return b""


class Lifeline:
    """The child's end."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(_SEND_LIMIT_S)
        self._end = end
        # Whether the supervisor is known to be gone.
        self.is_cut = False

    def fileno(self) -> int:
        """The descriptor, which becomes readable when the supervisor is gone."""
        return self._end.fileno()

    def close(self) -> None:
        """Let go of it, as a child that ends does."""
        self._end.close()

    def prepared(self) -> None:
        """Say that this process waits for its predecessor to end."""
        self._say(_PREPARED)

    def ready(self, lines: Sequence[str]) -> None:
        """Say that this process serves."""
        self._say(_READY, *lines)

    def failed(self, sentence: str) -> None:
        """Say why this process is about to end."""
        self._say(_FAILED, sentence)

    def retiring(self, connections: int) -> None:
        """Say that this process takes no new connections, and keeps so many."""
        self._say(_RETIRING, str(connections))

    def signal_when_told(self) -> None:
        """Have the kernel send this thread SIGIO when the supervisor says something, or goes; what it was, `words` says.

        This thread, and not any of the process: one that does not block SIGIO would end the process by it.
        """
        owner = struct.pack("ii", _F_OWNER_TID, threading.get_native_id())
        fcntl.fcntl(self._end, _F_SETOWN_EX, owner)
        fcntl.fcntl(self._end, fcntl.F_SETFL, fcntl.fcntl(self._end, fcntl.F_GETFL) | os.O_ASYNC)

    def words(self) -> Iterator[Word]:
        """What the supervisor has said since the last call. Where it is gone, or says what is unknown here, `is_cut` after."""
        # Not `recv` with MSG_DONTWAIT: a socket that has a time limit waits for it first, and then raises.
        waiting = select.poll()
        waiting.register(self._end, select.POLLIN)
        while not self.is_cut and waiting.poll(0):
            word = decoded(_packet(self._end))
            if word is None:
                self.is_cut = True
            else:
                yield word

    def _say(self, kind: str, *lines: str) -> None:
        # A supervisor that is gone shows as `is_cut`; there is nothing more to do about it here.
        with suppress(OSError):
            self._end.send("\n".join((kind, *lines)).encode("utf-8", "backslashreplace")[:_MAX_MESSAGE_BYTES])
