"""What an object has let out after it wrote something, written down with it: so that a process that is killed between the two takes nothing back.

What waits for a commit goes into the object's file in the same transaction, each output under a number that rises for as long as the object
lives. The number goes along with the record; an edge keeps the last one of each socket and tells it to the process that comes next, which sends
what is newer, before anything else of that socket.

Law 1: an output that waited for a commit is in the file exactly if the commit is. What waited for none is not: it has left already.
Law 2: an event whose acknowledgement waited has left its trace with them: it does not run again, and what it sent is not sent twice.
Law 3: what all links have taken is of no use. That costs no transaction of its own: its row is written over with the next one.
Law 4: what is written down is at most MAX_BYTES, with what is still of use; outputs beyond it leave as they are, and may be lost with their
process.

What one commit writes down is one row, or several with the same `last`, in the order of their slots: SQLite is told to take no long values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from holdfast.store.objects.file import ObjectFile
    from holdfast.workers.durable.services import Journal

# What is written down of one object at a time. An edge that leaves more than half of it untaken is slow: others lose nothing by it.
MAX_BYTES = 8 * 1024 * 1024
# A row's part; well below what SQLite is told to take of user code (`store.objects.regulation`).
PIECE_BYTES = 2 * 1024 * 1024
# What a socket's number, and an output's own fields, take.
_SID_BYTES, _ENTRY_BYTES = 9, 24
# On the channel a number has 32 bits, and 0 is none.
_WIRE_NUMBERS = 2**32 - 1

_TABLE = " CREATE TABLE IF NOT EXISTS _cf_OUTBOX (slot INTEGER PRIMARY KEY, last INTEGER, entries BLOB)"
_INSERT = " INSERT OR REPLACE INTO _cf_OUTBOX VALUES (?, ?, ?)"
# A third cheaper where the row is there, as it nearly always is.
_UPDATE = " UPDATE _cf_OUTBOX SET last = ?2, entries = ?3 WHERE slot = ?1"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One output: its number, which kind of record it is (`ToEdge`), whose (several for MANY), and what is in it.

    `data`: the message; the reason of a Close, `code` its code; the state. `is_dropping`, `max_backlog_bytes`: of a MANY.
    """

    number: int
    kind: int
    sids: list[int]
    # `str` or `bytes`, which msgspec's types cannot say.
    data: Any = ""
    code: int = 0
    is_dropping: bool = False
    max_backlog_bytes: int = 0

    @property
    def wire(self) -> int:
        """The number on the channel."""
        return wire_number(self.number)


class Mark(Protocol):
    """How far links were at one moment."""

    def is_passed(self) -> bool:
        """Whether all that had been said by then is with the kernel, which gives it to the edge whatever becomes of us."""


class Output(Protocol):
    """Something that waits for a commit and can be written down."""

    def note(self, outbox: Outbox) -> None:
        """Tell it to the outbox (`add`, `done_with`)."""


class _Row:
    """A row that is in the file, or about to be. `mark` is None while it is not known what has become of it."""

    __slots__ = ("mark", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.mark: Mark | None = None


class Outbox:
    """The outputs in one object's file. `write_down` before a commit, `left` when what waited for it has left."""

    __slots__ = ("_changed", "_done", "_entries", "_file", "_free", "_has_all_sockets", "_inherited", "_is_inheriting", "_is_made", "_is_told",
                 "_journal", "_mark", "_next", "_room", "_rows", "_written")  # fmt: skip

    def __init__(
        self,
        file: ObjectFile,
        journal: Journal,
        *,
        mark: Callable[[], Mark],
        has_all_sockets: Callable[[], bool],
        changed: Callable[[], None],
        is_inheriting: bool = True,
    ) -> None:
        """`mark`: of all links, now. `has_all_sockets`: no socket comes any more that a process before this one had.
        `changed` is called once, before there is anything to be found. `is_inheriting`: what the file has may be of use; where not, as in a
        file that came from another script, whose sockets have ended, it makes room."""
        self._file, self._journal = file, journal
        self._mark, self._has_all_sockets, self._changed = mark, has_all_sockets, changed
        # As `Entry`, but for what is as it is by default.
        self._entries: list[tuple[Any, ...]] = []
        # Session -> up to which of its events all are done with.
        self._done: dict[Any, int] = {}
        self._room = 0
        self._is_told = False
        self._is_inheriting = is_inheriting
        # By slot.
        self._rows: dict[int, _Row] = {}
        self._free: set[int] = set()
        # The slots of the commit that runs.
        self._written: list[int] = []
        # The number of the next output; 0 until the file has been looked at, which is at the first commit with any.
        self._next = 0
        self._is_made = False
        self._inherited: list[int] = []

    def write_down(self, waiting: Iterable[Any]) -> None:
        """Put what waits for the commit that begins now into its transaction. Raises StorageError."""
        for action in waiting:
            note = getattr(action, "note", None)
            if note is not None:
                note(self)
        if self._done:
            done, self._done = self._done, {}
            for session, seq in done.items():
                self._journal.handled(session.sid, range(session.acknowledged + 1, seq + 1))
        if self._entries:
            entries, self._entries = self._entries, []
            self._write(entries)

    def left(self) -> None:
        """The commit has come about, and what waited for it is with the links."""
        if self._written:
            mark = self._mark()
            for slot in self._written:
                self._rows[slot].mark = mark
            self._written = []

    # What outputs tell.

    def add(
        self,
        kind: int,
        sids: list[int],
        data: str | bytes,
        *,
        code: int = 0,
        drop: bool = False,
        max_backlog_bytes: int = 0,
    ) -> int:
        """Write an output down (`kind`: of ToEdge); the number that its record is to have, 0 where there is no room for it."""
        if not self._entries:
            self._begin()
        length = len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode(errors="replace"))
        self._room -= length + _ENTRY_BYTES + _SID_BYTES * len(sids)
        if self._room < 0:
            return 0
        number = self._next
        self._next += 1
        if code or drop or max_backlog_bytes:
            self._entries.append((number, kind, sids, data, code, drop, max_backlog_bytes))
        else:
            self._entries.append((number, kind, sids, data))
        return number % _WIRE_NUMBERS + 1

    def done_with(self, session: Any, seq: int) -> None:  # noqa: ANN401  `channel.session.Session`
        """All events of this session up to `seq` are."""
        self._done[session] = seq

    # Inside.

    def _look(self) -> None:
        rows = rows_of(self._file)
        self._is_made = bool(rows)
        self._next = max((last for _, last, _ in rows), default=0) + 1
        if not self._is_inheriting:
            self._free.update(slot for slot, _, _ in rows)
            return
        # What a process before this one wrote has been sent again by this one, which may be killed as well; what an instance before this
        # one wrote may not have left.
        self._inherited = [slot for slot, _, _ in rows]
        for slot, _, entries in rows:
            self._rows[slot] = _Row(len(entries))

    def _begin(self) -> None:
        """The first output of a commit."""
        if not self._next:
            self._look()
        if self._inherited and self._has_all_sockets():
            # It has been sent again by now; as to what we write ourselves, that has to be with the kernel.
            mark = self._mark()
            for slot in self._inherited:
                self._rows[slot].mark = mark
            self._inherited = []
        room = MAX_BYTES
        passed = []
        for slot, row in self._rows.items():
            if row.mark is not None and row.mark.is_passed():
                passed.append(slot)
            else:
                room -= row.size
        for slot in passed:
            self._free.add(slot)
            del self._rows[slot]
        self._room = room

    def _write(self, entries: list[tuple[Any, ...]]) -> None:
        if not self._is_told:
            self._is_told = True
            self._changed()
        if not self._is_made:
            self._file.write(_TABLE)
            self._is_made = True
        encoded, last = _ENCODER.encode(entries), entries[-1][0]
        if len(encoded) <= PIECE_BYTES:
            self._put(last, encoded)
        else:
            view = memoryview(encoded)
            for at in range(0, len(encoded), PIECE_BYTES):
                self._put(last, view[at : at + PIECE_BYTES])
        while self._free:
            self._file.write(" DELETE FROM _cf_OUTBOX WHERE slot = ?", (self._free.pop(),))

    def _put(self, last: int, piece: bytes | memoryview) -> None:
        slot = 1
        while slot in self._rows:
            slot += 1
        row = (slot, last, piece)
        if slot not in self._free:
            self._file.write(_INSERT, row)
        else:
            self._free.discard(slot)
            if self._file.write(_UPDATE, row).rowcount == 0:
                # Whoever deleted it: it is wanted again.
                self._file.write(_INSERT, row)
        self._rows[slot] = _Row(len(piece))
        self._written.append(slot)


def rows_of(file: ObjectFile) -> list[tuple[int, int, bytes]]:
    """(slot, last number, encoded entries or a piece of them) of all that a file has, oldest first. Raises StorageError."""
    if not file.exists or file.read(" SELECT 1 FROM sqlite_schema WHERE name = '_cf_OUTBOX'").fetchone() is None:
        return []
    return file.read(" SELECT slot, last, entries FROM _cf_OUTBOX ORDER BY last, slot").fetchall()


def entries_in(rows: Iterable[tuple[int, int, bytes]]) -> list[Entry]:
    """What rows as of `rows_of` say, oldest first. Raises msgspec.DecodeError."""
    return [
        entry
        for _, pieces in groupby(rows, key=itemgetter(1))
        for entry in _DECODER.decode(b"".join(map(itemgetter(2), pieces)))
    ]


def wire_number(number: int) -> int:
    """As it goes over the channel."""
    return number % _WIRE_NUMBERS + 1


def was_taken(number: int, *, newest: int, last: int) -> bool:
    """Whether an edge that has `last` (as on the channel; 0 for none) as the last number of a socket has taken this output.

    `newest` is the highest number there is: `last` is at most that.
    """
    return last != 0 and (last - wire_number(number)) % _WIRE_NUMBERS <= newest - number


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Entry])
