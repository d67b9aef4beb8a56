"""The listening sockets of scripts, kept beyond their host: as messages that nobody has received, in a pair of sockets that the supervisor holds.

A host that is killed takes its descriptors along, but not those that are on their way (unix(7), SCM_RIGHTS): whoever holds the pair holds them. So who
connects meanwhile waits in the kernel's queue for the next host, which receives them first of all, and sends them to itself again.

Law 1: from its first `put` on, one whole set is on its way at any time: the next is sent before the one before is received.
Law 2: what is received is used only where the file that clients connect to is still the one it was kept with: else somebody has bound it anew.
Law 3: where nothing can be kept, the next host binds its own sockets in their place: clients find nobody for that long, and try again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from holdfast.model.data_dir import worker_channel_socket, worker_http_socket
from holdfast.workers.host.sockets import ScriptSockets

# Scripts in one message. The kernel's bound is 253 descriptors (SCM_MAX_FD).
MAX_TOGETHER = 100
_MAX_DESCRIPTORS = 2 * MAX_TOGETHER
_MAX_MESSAGE_BYTES = 64 * 1024


class _One(msgspec.Struct, frozen=True, array_like=True):
    """A script, and which files its two sockets had (their inodes)."""

    key: str
    http: int
    channel: int


class _Message(msgspec.Struct, frozen=True):
    """The part `part` of `parts` of a set, with two descriptors for each script. A later set has a higher number."""

    number: int
    part: int
    parts: int
    scripts: tuple[_One, ...]


class KeptSockets:
    """See above. `pair` are the descriptors of both ends, which this process holds from now on."""

    def __init__(self, data_dir: Path, pair: Sequence[int]) -> None:
        self._data_dir = data_dir
        self._sending, self._receiving = (socket.socket(fileno=descriptor) for descriptor in pair)
        for end in (self._sending, self._receiving):
            end.setblocking(False)  # noqa: FBT003  socket's own signature
        self._number = 0
        # Messages on their way; None while nobody has looked.
        self._parts: int | None = None

    def close(self) -> None:
        """Let go of the pair, not of what is on its way in it."""
        self._sending.close()
        self._receiving.close()

    def take(self) -> dict[str, ScriptSockets]:
        """What a host before this one has kept, by key; {} where there is nothing. It stays kept."""
        sets: dict[int, list[tuple[_Message, list[int]]]] = {}
        self._parts = 0
        for message, descriptors in self._received():
            sets.setdefault(message.number, []).append((message, descriptors))
        whole = [number for number, parts in sets.items() if len(parts) == parts[0][0].parts]
        self._number = max(whole, default=0)
        found = sets.pop(self._number, [])
        _close(descriptor for parts in sets.values() for _, descriptors in parts for descriptor in descriptors)
        held = dict(pair for message, descriptors in found for pair in self._checked(message, descriptors))
        self.put(held)
        return held

    def put(self, held: Mapping[str, ScriptSockets]) -> None:
        """Keep copies of these, and of no others any more."""
        if self._parts is None:
            self._forget_all()
        keys = list(held)
        chunks = [keys[start : start + MAX_TOGETHER] for start in range(0, len(keys), MAX_TOGETHER)]
        stale, self._parts, self._number = self._parts or 0, 0, self._number + 1
        try:
            for part, chunk in enumerate(chunks):
                scripts = tuple(_One(key, *map(_inode, self._paths(key))) for key in chunk)
                message = _Message(number=self._number, part=part, parts=len(chunks), scripts=scripts)
                pairs = (held[key] for key in chunk)
                descriptors = [one.fileno() for pair in pairs for one in (pair.http, pair.channel)]
                socket.send_fds(self._sending, [msgspec.json.encode(message)], descriptors)
                self._parts = part + 1
        except OSError:
            # Too many are on their way: law 3, for all of them alike.
            stale, self._parts = stale + self._parts, 0
        for _, descriptors in self._received(most=stale):
            _close(descriptors)

    def _forget_all(self) -> None:
        """What another host has kept, which has handed them over."""
        for message, descriptors in self._received():
            self._number = max(self._number, message.number)
            _close(descriptors)
        self._parts = 0

    def _received(self, most: int | None = None) -> Iterable[tuple[_Message, list[int]]]:
        while most is None or most > 0:
            try:
                text, descriptors, _, _ = socket.recv_fds(self._receiving, _MAX_MESSAGE_BYTES, _MAX_DESCRIPTORS)
            except OSError:
                return
            for descriptor in descriptors:
                # Python does not ask the kernel for it.
                os.set_inheritable(descriptor, False)  # noqa: FBT003  os's own signature
            if not text:
                return
            most = None if most is None else most - 1
            try:
                yield msgspec.json.decode(text, type=_Message), descriptors
            except msgspec.DecodeError:
                # Of a version that says it otherwise.
                _close(descriptors)

    def _checked(self, message: _Message, descriptors: list[int]) -> Iterable[tuple[str, ScriptSockets]]:
        if len(descriptors) != 2 * len(message.scripts):
            _close(descriptors)
            return
        for script, http, channel in zip(message.scripts, descriptors[::2], descriptors[1::2], strict=True):
            if tuple(map(_inode, self._paths(script.key))) == (script.http, script.channel):
                yield script.key, ScriptSockets(socket.socket(fileno=http), socket.socket(fileno=channel))
            else:
                _close((http, channel))

    def _paths(self, key: str) -> tuple[Path, Path]:
        return worker_http_socket(self._data_dir, key), worker_channel_socket(self._data_dir, key)


def _inode(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_ino
    return 0


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
