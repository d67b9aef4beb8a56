"""The lifeline: a socket pair between the supervisor and one child.

Law 1: while the supervisor lives, it holds its end. A child whose lifeline has ended is alone, and ends in an orderly way.
Law 2: over it a child says, one message a packet: that it is ready, with the lines to print, or the sentence it fails with.
Law 3: whatever a child sends, the supervisor reads a message or nothing; and it never waits for one.

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

# Longest message either side makes or takes: a sentence and some lines.
_MAX_MESSAGE_BYTES = 64 * 1024
# How long a child waits for a supervisor that does not read (it is stopped, or the machine is).
_SEND_LIMIT_S = 5.0

# fcntl(2), of asm-generic/fcntl.h; Python has no names for them.
_F_SETOWN_EX, _F_OWNER_TID = 15, 0

_READY, _FAILED = "ready", "failed"


@dataclass(frozen=True, slots=True)
class Ready:
    """The child serves; `lines` are for people to read, once."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The child is about to end, and why."""

    sentence: str


Message = Ready | Failed


def pair() -> tuple[socket.socket, socket.socket]:
    """(the supervisor's end, which never blocks; the child's end)."""
    ours, childs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)  # noqa: FBT003  socket's own signature
    return ours, childs


def messages_of(end: socket.socket) -> Iterator[Message]:
    """What the child has said since the last call; the supervisor's end."""
    while packet := _packet(end):
        kind, *lines = packet.decode("utf-8", "replace").split("\n")
        if kind == _READY:
            yield Ready(tuple(lines))
        elif kind == _FAILED:
            yield Failed(" ".join(lines))


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

    def fileno(self) -> int:
        """The descriptor, which becomes readable when the supervisor is gone."""
        return self._end.fileno()

    def close(self) -> None:
        """Let go of it, as a child that ends does."""
        self._end.close()

    def ready(self, lines: Sequence[str]) -> None:
        """Say that this process serves."""
        self._say(_READY, *lines)

    def failed(self, sentence: str) -> None:
        """Say why this process is about to end."""
        self._say(_FAILED, sentence)

    def signal_when_cut(self) -> None:
        """Have the kernel send this thread SIGIO when the supervisor goes; whether it is gone, `is_cut` says.

        This thread, and not any of the process: one that does not block SIGIO would end the process by it.
        """
        owner = struct.pack("ii", _F_OWNER_TID, threading.get_native_id())
        fcntl.fcntl(self._end, _F_SETOWN_EX, owner)
        fcntl.fcntl(self._end, fcntl.F_SETFL, fcntl.fcntl(self._end, fcntl.F_GETFL) | os.O_ASYNC)

    def is_cut(self) -> bool:
        """Whether the supervisor is gone: it says nothing, so all there can be to read is the end."""
        # Not `recv` with MSG_DONTWAIT: a socket that has a time limit waits for it first, and then raises.
        waiting = select.poll()
        waiting.register(self._end, select.POLLIN)
        return bool(waiting.poll(0))

    def _say(self, kind: str, *lines: str) -> None:
        # A supervisor that is gone shows as `is_cut`; there is nothing more to do about it here.
        with suppress(OSError):
            self._end.send("\n".join((kind, *lines)).encode("utf-8", "backslashreplace")[:_MAX_MESSAGE_BYTES])
