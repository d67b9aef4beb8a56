"""What a process before this one let its objects' sockets have, and was killed before their edges took it: found, and sent again.

Which objects are to be looked at is in a file of names that outlives the process: the objects that have an outbox (`ledger.py`) and are in
memory, or left it a moment ago. So a start looks at few of many thousand files, and one after an orderly end at none.

Law 1: an object's name is in the file before its outbox is, and for as long as anything in there may be of use.
Law 2: what is owed to a socket goes out before anything newer of it: as soon as its edge has told of it, and before any event happens.
Law 3: names are for the kernel, not for the disk: a power cut takes the sockets with it, and nobody is owed anything.
Law 4: whatever is in the file, it can be read; an outbox that cannot be read is reported, and harms nobody.
"""

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from holdfast.store.objects.errors import StorageError
from holdfast.workers.channel.records import ToEdge
from holdfast.workers.durable.ledger import Ledger
from holdfast.workers.durable.ledger_rows import Mark, newest_in, rows_of
from holdfast.workers.durable.outbox import Entry, entries_in, was_taken
from holdfast.workers.durable.services import Channels

FILE_NAME = ".outboxes"
# The first name of the object's class, and its id's digits.
Key = tuple[str, str]
# What is kept, after a start, for sockets whose edges are late; all objects together.
MAX_BYTES = 64 * 1024 * 1024
# The file is written anew when it has so many lines more than names.
SPARE_LINES = 1024


class Names:
    """The names in the file. `left` are those that a process before this one left there."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._descriptor = _opened(self._path)
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            self.left = _keys(file.read())
        self._names = set(self.left)
        self._lines = len(self._names)

    def __contains__(self, key: Key) -> bool:
        return key in self._names

    def add(self, key: Key) -> None:
        """It has an outbox, or is about to."""
        if key not in self._names:
            self._names.add(key)
            self._lines += 1
            os.write(self._descriptor, _line(key))

    def discard(self, keys: Iterable[Key]) -> None:
        """Nothing in their outboxes is of use."""
        self._names.difference_update(keys)
        if self._lines > 2 * len(self._names) + SPARE_LINES:
            # Where there is no room for another, the longer one is as good.
            with suppress(OSError):
                self._write_anew()

    def _write_anew(self) -> None:
        beside = self._path.with_name(f"{FILE_NAME}.new")
        beside.write_bytes(b"".join(map(_line, self._names)))
        descriptor = _opened(beside)
        beside.replace(self._path)
        os.close(self._descriptor)
        self._descriptor, self._lines = descriptor, len(self._names)

    def close(self, *, is_all_out: bool) -> None:
        """This process ends; `is_all_out`: its edges have everything."""
        if is_all_out:
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


class Left:
    """What one object's outbox has: for each socket, what its edge has not taken."""

    def __init__(self, entries: list[Entry], newest: int) -> None:
        """`entries` in the order of their numbers; `newest`: the highest that there was, also of what is not among them any more."""
        self._entries = [(entry, frozenset(entry.sids)) for entry in entries]
        self._newest = newest

    def send(self, sockets: Collection[Any], channels: Channels) -> int:
        """Send these sockets (`runtime.sockets.WebSocket`) what they are owed; how many outputs that were."""
        by_sid = {ws.session.sid: ws for ws in sockets}
        sent = 0
        for entry, sids in self._entries:
            named = by_sid.keys() & sids
            owed = [ws for sid in named if self._is_owed(entry, (ws := by_sid[sid]).session.last_number)]
            if owed:
                _send(entry, owed, channels)
                sent += 1
        return sent

    def _is_owed(self, entry: Entry, last: int) -> bool:
        return not was_taken(entry.number, newest=self._newest, last=last)


class Owed:
    """See above. One for a process, from when the objects are its own."""

    def __init__(
        self,
        directory: Path,
        channels: Channels,
        *,
        has_all_sockets: Callable[[], bool],
        report: Callable[[str, str, BaseException | None], None],
    ) -> None:
        self._names = Names(directory)
        self._channels = channels
        self._has_all_sockets, self._report = has_all_sockets, report
        self._left: dict[Key, Left] = {}
        self._room = MAX_BYTES
        # Objects that have left memory: how far the links were then.
        self._asleep: dict[Key, Mark] = {}

    @property
    def keys(self) -> frozenset[Key]:
        """The objects that may owe something."""
        return frozenset(self._names.left)

    def drop(self, key: Key) -> None:
        """There is no such object here any more: it was deleted, or moved, with its sockets."""
        self._names.discard((key,))

    def read(self, key: Key, file: Any) -> None:  # noqa: ANN401  `store.objects.ObjectFile`, which is closed afterwards
        """Look into an object's file."""
        try:
            rows = rows_of(file)
            self._room -= sum(len(encoded) for _, _, encoded in rows)
            entries = entries_in(rows) if self._room >= 0 else []
            newest = newest_in(file)
        except (StorageError, msgspec.DecodeError) as error:
            self._report("error", f"what {key[0]} {key[1]} had sent before its process ended cannot be read", error)
            return
        finally:
            file.close()
        if self._room < 0:
            self._report(
                "error", f"{key[0]} {key[1]}: more than {MAX_BYTES >> 20} MiB are owed by all objects together", None
            )
        self._left[key] = Left(entries, newest)
        self._asleep.setdefault(key, self._channels.mark())

    def resumed(self, key: Key, sockets: Collection[Any]) -> None:
        """These sockets of the object are there: they get what they are owed."""
        left = self._left.get(key)
        if left is not None and (sent := left.send(sockets, self._channels)):
            self._report("debug", f"{sent} messages that {key[0]} {key[1]} had sent are sent again", None)
            if key in self._asleep:
                # Its name is of use until those have left.
                self._asleep[key] = self._channels.mark()

    def ledger(self, key: Key, file: Any, sessions: Callable[[], Collection[Any]]) -> Ledger:  # noqa: ANN401  `store.objects.ObjectFile`
        """The ledger of an object that is in memory, with these sessions of its sockets."""
        return Ledger(
            file,
            mark=self._channels.mark,
            sessions=sessions,
            has_all_sockets=self._has_all_sockets,
            changed=partial(self._changed, key),
            is_inheriting=key in self._names,
        )

    def slept(self, key: Key) -> None:
        """It has left memory."""
        if key in self._names:
            self._asleep[key] = self._channels.mark()

    def sweep(self) -> None:
        """Forget what is of no use."""
        if not self._has_all_sockets():
            return
        self._left.clear()
        passed = [key for key, mark in self._asleep.items() if mark.is_passed()]
        for key in passed:
            del self._asleep[key]
        if passed:
            self._names.discard(passed)

    def close(self, *, is_all_out: bool) -> None:
        """This process ends; `is_all_out`: its edges have everything."""
        self._names.close(is_all_out=is_all_out)

    def _changed(self, key: Key) -> None:
        self._asleep.pop(key, None)
        self._names.add(key)


def _send(entry: Entry, sockets: list[Any], channels: Channels) -> None:
    number = entry.wire
    match entry.kind:
        case ToEdge.TEXT | ToEdge.BINARY | ToEdge.MANY:
            channels.broadcast(
                [ws.session for ws in sockets],
                entry.data,
                drop=entry.is_dropping,
                max_backlog_bytes=entry.max_backlog_bytes,
                number=number,
            )
        case ToEdge.CLOSE:
            for ws in sockets:
                ws.goes_on(is_closed=True)
                ws.session.close(entry.code, str(entry.data), number)
        case ToEdge.STATE if isinstance(entry.data, bytes):
            for ws in sockets:
                ws.goes_on(state=entry.data)
                ws.session.keep(entry.data, number)
        case _:
            # A newer process wrote it.
            pass


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _line(key: Key) -> bytes:
    return f"{key[0]} {key[1]}\n".encode()


def _keys(data: bytes) -> set[Key]:
    pairs = (line.split(" ") for line in data.decode("utf-8", "replace").splitlines())
    return {(pair[0], pair[1]) for pair in pairs if len(pair) == 2}
