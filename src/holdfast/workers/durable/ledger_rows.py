"""The table of an object's ledger: what each commit wrote down, one row, or several where it is much.

| column | what |
|---|---|
| `slot` | its number; a row is written over when nothing in it is of use |
| `last` | the number of the newest output there was: rows of one commit have the same |
| `entries` | outputs (`outbox.py`), or a piece of them: those of one commit are put together in the order of their slots |
| `handled` | traces of events (`traces.py`) |

Law 1: a row that is free says nothing that anybody needs. Pieces of one commit are free together, and gone together: half of them could not be read.
Law 2: what a version before wrote, which had a table for outputs and one for traces, is found, and taken over with the first commit; those
tables stay, empty, so that such a version opens the file too. Where it wrote again after that, what it wrote is the newest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from holdfast.workers.durable.traces import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.store.objects.file import ObjectFile
    from holdfast.workers.durable.traces import Event

# Rows that are deleted along with one commit: more than come about with it, and no more than a moment's work.
DELETED_AT_ONCE = 16
# Traces in one row: each takes at most 20 bytes.
MAX_TRACES = 65_536

_TABLE = " CREATE TABLE IF NOT EXISTS _cf_OWED (slot INTEGER PRIMARY KEY, last INTEGER, entries BLOB, handled BLOB)"
_INSERT = " INSERT OR REPLACE INTO _cf_OWED VALUES (?, ?, ?, ?)"
# A third cheaper where the row is there, as it nearly always is.
_UPDATE = " UPDATE _cf_OWED SET last = ?2, entries = ?3, handled = ?4 WHERE slot = ?1"

_SPAN = 2**64


class Mark(Protocol):
    """How far links were at one moment."""

    def is_passed(self) -> bool:
        """Whether all that had been said by then is with the kernel, which gives it to the edge whatever becomes of us."""


class Row:
    """A row that is in the file, or about to be: the bytes of its outputs, how many of its traces are of use. `mark` is None while it is
    not known what has become of what it says."""

    __slots__ = ("is_inherited", "is_kept", "is_piece", "mark", "size", "slot", "traces")

    def __init__(self, slot: int, size: int, *, is_piece: bool = False, is_inherited: bool = False) -> None:
        self.slot, self.size = slot, size
        self.is_piece, self.is_inherited = is_piece, is_inherited
        self.traces = 0
        self.mark: Mark | None = None
        # For its traces alone: its outputs are gone.
        self.is_kept = False


class Rows:
    """The table in one file. `found` once, before anything is written."""

    __slots__ = ("_file", "_former_slots", "_former_traces", "_free", "_free_pieces", "_is_made", "_top")

    def __init__(self, file: ObjectFile) -> None:
        self._file = file
        self._is_made = False
        # The highest slot there is.
        self._top = 0
        self._free: set[int] = set()
        self._free_pieces: set[int] = set()
        # What a version before wrote and is not taken over yet: by how much its slots rise, the rows of its traces.
        self._former_slots: int | None = None
        self._former_traces: list[tuple[int, list[Event]]] = []

    def found(self) -> tuple[list[tuple[Row, Sequence[Event]]], int]:
        """All rows, each with its traces; and the highest number of an output. Raises StorageError."""
        rows: list[tuple[Row, Sequence[Event]]] = []
        newest = 0
        tables = _tables(self._file)
        self._is_made = "_cf_OWED" in tables
        if self._is_made:
            found = self._file.read(" SELECT slot, last, length(entries), handled FROM _cf_OWED").fetchall()
            for slot, last, size, handled in found:
                newest, self._top = max(newest, last), max(self._top, slot)
                rows.append((self._inherited(slot, size), list(unpacked(handled)) if handled else ()))
        if (former := self._former(tables)) is not None:
            sizes, of_former = former
            newest = max(newest, of_former)
            for row, _ in rows:
                row.size = 0
            rows += ((self._inherited(slot, size), ()) for slot, size in sizes)
        rows += self._traces_of_before()
        return rows, newest

    def put(
        self, last: int, pieces: Sequence[bytes | memoryview], traces: Sequence[Event]
    ) -> list[tuple[Row, Sequence[Event]]]:
        """Write down what a commit has; the rows, and which of the traces are in each. Raises StorageError."""
        self._make()
        count = max(len(pieces), (len(traces) + MAX_TRACES - 1) // MAX_TRACES)
        rows = []
        for at, slot in enumerate(self._slots(count)):
            piece = pieces[at] if at < len(pieces) else b""
            of_row = traces[at * MAX_TRACES : (at + 1) * MAX_TRACES]
            self._put(slot, last, piece, packed(of_row) if of_row else b"")
            rows.append((Row(slot, len(piece), is_piece=len(pieces) > 1), of_row))
        self._delete()
        return rows

    def empty(self, row: Row) -> None:
        """Only its traces are of use. Raises StorageError."""
        self._make()
        self._file.write(" UPDATE _cf_OWED SET entries = x'' WHERE slot = ?", (row.slot,))
        row.size = 0

    def free(self, row: Row) -> None:
        """Nothing in it is."""
        (self._free_pieces if row.is_piece else self._free).add(row.slot)

    def _put(self, slot: int, last: int, entries: bytes | memoryview, handled: bytes) -> None:
        row = (slot, last, entries, handled)
        if slot > self._top:
            self._top = slot
            self._file.write(_INSERT, row)
        elif self._file.write(_UPDATE, row).rowcount == 0:
            # Whoever deleted it: it is wanted again.
            self._file.write(_INSERT, row)

    def _slots(self, count: int) -> list[int]:
        """So many for one commit, in order: those that are free first."""
        if count == 1 and not self._free_pieces:
            return [self._free.pop() if self._free else self._top + 1]
        slots: list[int] = []
        for free in (self._free_pieces, self._free):
            while free and len(slots) < count:
                slots.append(free.pop())
        return [*sorted(slots), *range(self._top + 1, self._top + 1 + count - len(slots))]

    def _delete(self) -> None:
        while self._free_pieces:
            self._file.write(" DELETE FROM _cf_OWED WHERE slot = ?", (self._free_pieces.pop(),))
        for _ in range(min(len(self._free), DELETED_AT_ONCE)):
            self._file.write(" DELETE FROM _cf_OWED WHERE slot = ?", (self._free.pop(),))

    def _inherited(self, slot: int, size: int) -> Row:
        # Which of them are pieces is not looked at: they are free together in any case, and all of them gone at once.
        return Row(slot, size, is_piece=True, is_inherited=True)

    # What a version before wrote.

    def _former(self, tables: set[str]) -> tuple[list[tuple[int, int]], int] | None:
        """Its outputs: the slots that they are going to have, and their sizes; and the highest number."""
        if "_cf_OUTBOX" not in tables:
            return None
        rows = self._file.read(" SELECT slot, last, length(entries) FROM _cf_OUTBOX").fetchall()
        if not rows:
            return None
        rise = self._former_slots = self._top
        self._top += max(slot for slot, _, _ in rows)
        return [(slot + rise, size) for slot, _, size in rows], max(last for _, last, _ in rows)

    def _traces_of_before(self) -> Iterator[tuple[Row, Sequence[Event]]]:
        if not self._file.exists:
            return
        found = self._file.read(" SELECT sid, seq FROM _cf_HANDLED").fetchall()
        events = [(sid % _SPAN, seq) for sid, seq in found]
        for at in range(0, len(events), MAX_TRACES):
            self._top += 1
            of_row = events[at : at + MAX_TRACES]
            self._former_traces.append((self._top, of_row))
            yield self._inherited(self._top, 0), of_row

    def _make(self) -> None:
        if not self._is_made:
            self._file.write(_TABLE)
            self._is_made = True
        if self._former_slots is not None:
            rise, self._former_slots = self._former_slots, None
            self._file.write(" UPDATE _cf_OWED SET entries = x''")
            self._file.write(" INSERT INTO _cf_OWED SELECT slot + ?, last, entries, x'' FROM _cf_OUTBOX", (rise,))
            self._file.write(" DELETE FROM _cf_OUTBOX")
        if self._former_traces:
            traces, self._former_traces = self._former_traces, []
            for slot, events in traces:
                self._file.write(_INSERT, (slot, 0, b"", packed(events)))
            self._file.write(" DELETE FROM _cf_HANDLED")


def rows_of(file: ObjectFile) -> list[tuple[int, int, bytes]]:
    """(which table, last number, encoded outputs or a piece of them) of all that a file has, oldest first. Raises StorageError."""
    tables = _tables(file)
    if "_cf_OUTBOX" in tables:
        former = file.read(" SELECT 0, last, entries FROM _cf_OUTBOX ORDER BY last, slot").fetchall()
        if former:
            return former
    if "_cf_OWED" not in tables:
        return []
    return file.read(" SELECT 1, last, entries FROM _cf_OWED WHERE length(entries) > 0 ORDER BY last, slot").fetchall()


def newest_in(file: ObjectFile) -> int:
    """The number of the newest output that there was, 0 for none: edges know no higher one. Its row may have been emptied since. Raises StorageError."""
    newest = 0
    for table in _tables(file):
        (last,) = file.read(f" SELECT max(last) FROM {table}").fetchone()  # noqa: S608  one of two names
        newest = max(newest, last or 0)
    return newest


def _tables(file: ObjectFile) -> set[str]:
    if not file.exists:
        return set()
    names = file.read(" SELECT name FROM sqlite_schema WHERE name IN ('_cf_OWED', '_cf_OUTBOX')")
    return {name for (name,) in names.fetchall()}
