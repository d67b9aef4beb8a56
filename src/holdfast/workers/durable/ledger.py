"""What an object's file says of its sockets beside what user code wrote: which events were handled (`traces.py`), and what they let out
(`outbox.py`). Each commit writes both down in its own transaction, as one row of one table (`ledger_rows.py`).

`write_down` before a commit, `left` when what waited for it has left.

Law 1: a row is of use until all links have taken its outputs and the acknowledgements of its events: the kernel has them, and gives them to
the edge whatever becomes of this process. Forgetting it costs no transaction of its own: it is written over with a later commit.
Law 2: a row of which only traces are of use (a handler that wrote is suspended) is emptied of its outputs, and stays; a commit looks at none
of those. So it costs what came about since the last one, however many handlers are suspended.
Law 3: what a process before this one wrote down stays until all its sockets are here, and what was sent again has left.
Law 4: of outputs, at most MAX_BYTES are written down with what is still of use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.workers.durable.ledger_rows import Row, Rows
from holdfast.workers.durable.outbox import Outbox
from holdfast.workers.durable.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from holdfast.store.objects.file import ObjectFile
    from holdfast.workers.durable.ledger_rows import Mark

# What is written down of one object at a time. An edge that leaves more than half of it untaken is slow: others lose nothing by it.
MAX_BYTES = 8 * 1024 * 1024


class _Passed:
    """The mark of what is of no use to anybody."""

    @staticmethod
    def is_passed() -> bool:
        return True


class Ledger:
    """See above. It asks to be told of each write, each nested transaction and each rollback of the file."""

    __slots__ = ("_changed", "_emptied", "_file", "_has_all_sockets", "_inherited", "_is_inheriting", "_is_known", "_is_told", "_mark", "_outbox", "_rows",
                 "_sessions", "_traces", "_unmarked", "_waiting")  # fmt: skip

    def __init__(
        self,
        file: ObjectFile,
        *,
        mark: Callable[[], Mark],
        sessions: Callable[[], Collection[Any]],
        has_all_sockets: Callable[[], bool],
        changed: Callable[[], None],
        is_inheriting: bool = True,
    ) -> None:
        """`mark`: of all links, now. `sessions`: of the object's sockets (`channel.session.Session`). `has_all_sockets`: no socket comes
        any more that a process before this one had. `changed` is called once, before there is an output to be found. `is_inheriting`: outputs
        that the file has may be of use; where not, as in a file that came from another script, whose sockets have ended, they make room."""
        self._file = file
        self._mark, self._sessions, self._has_all_sockets = mark, sessions, has_all_sockets
        self._changed, self._is_told = changed, False
        self._is_inheriting = is_inheriting
        self._outbox, self._traces, self._rows = Outbox(), Traces[Row](), Rows(file)
        # Whether it was looked what the file says: at the first commit with anything, or when it is asked.
        self._is_known = False
        # Of which something has to leave, or has not been seen to have left.
        self._waiting: list[Row] = []
        # Of these, what is of no use when all links have what they have now.
        self._unmarked: list[Row] = []
        # To be emptied with the next commit.
        self._emptied: list[Row] = []
        self._inherited: list[Row] = []
        file.before_write = self._traces.note
        file.on_nested, file.on_rollback = self._nested, self._rolled_back

    def write_down(self, waiting: Iterable[Any]) -> None:
        """Put what waits for the commit that begins now, and who wrote, into its transaction. Raises StorageError."""
        outbox, traces = self._outbox, self._traces
        has_begun = False
        for action in waiting:
            note = getattr(action, "note", None)
            if note is not None:
                if not has_begun:
                    has_begun = True
                    self._begin()
                note(outbox)
        for session, seq in outbox.done():
            traces.handled(session.sid, range(session.acknowledged + 1, seq + 1))
        if traces.fresh and not has_begun:
            self._begin()
        pieces = outbox.taken()
        if pieces or traces.fresh:
            self._write(pieces)

    def left(self) -> None:
        """The commit has come about, and what waited for it is with the links."""
        self._settle()

    # What events ask and tell.

    def was_handled(self, sid: int, seq: int) -> bool:
        """Whether the event has left a trace: then it must not run, and is to be acknowledged. Raises StorageError."""
        if not self._is_known:
            self._look()
        return self._traces.has(sid, seq)

    def acknowledged(self, sid: int, seq: int) -> None:
        """The edge is being told that all events of the socket up to this one are done with."""
        self._traces.acknowledged(sid, seq)

    def closed(self, sid: int) -> None:
        """The socket has ended, and the edge is being told that its last event is done with."""
        self._traces.closed(sid)

    # Inside.

    def _look(self) -> None:
        found, newest = self._rows.found()
        self._is_known = True
        self._outbox.next = newest + 1
        acknowledged = {session.sid: session.acknowledged for session in self._sessions()} if found else {}
        are_all = self._has_all_sockets()
        # What a process before this one wrote has been sent again by this one, which may be killed as well; what an instance before this
        # one wrote may not have left.
        for row, events in found:
            self._traces.inherit(row, events, acknowledged, are_all=are_all)
            self._waiting.append(row)
            if self._is_inheriting:
                self._inherited.append(row)
            else:
                row.is_inherited, row.mark = False, _Passed()

    def _begin(self) -> None:
        """Something is going to be written down."""
        if not self._is_known:
            self._look()
        if self._inherited and self._has_all_sockets():
            # It has been sent again by now; as to what we write ourselves, that has to be with the kernel.
            for row in self._inherited:
                row.is_inherited = False
            self._unmarked += self._inherited
            self._inherited = []
        self._settle()
        room, waiting = MAX_BYTES, []
        for row in self._waiting:
            if row.mark is None or not row.mark.is_passed():
                room -= row.size
                waiting.append(row)
            elif not row.traces:
                self._rows.free(row)
            else:
                row.is_kept = True
                if row.size:
                    self._emptied.append(row)
        self._waiting = waiting
        self._outbox.begin(room)

    def _settle(self) -> None:
        """What was acknowledged is of no use when all links have what they have now, nor what left."""
        for row in self._traces.settle():
            if row.is_inherited:
                continue
            if row.is_kept:
                row.is_kept = False
                self._waiting.append(row)
            self._unmarked.append(row)
        if self._unmarked:
            mark = self._mark()
            for row in self._unmarked:
                row.mark = mark
            self._unmarked = []

    def _write(self, pieces: list[bytes | memoryview]) -> None:
        if pieces and not self._is_told:
            self._is_told = True
            self._changed()
        fresh, self._traces.fresh = self._traces.fresh, []
        written = self._rows.put(self._outbox.next - 1, pieces, fresh)
        for row in self._emptied:
            self._rows.empty(row)
        self._emptied = []
        for row, events in written:
            self._traces.written(row, events)
            self._waiting.append(row)
            self._unmarked.append(row)

    def _nested(self) -> None:
        self._traces.nested(self._file.depth)

    def _rolled_back(self) -> None:
        self._traces.rolled_back(self._file.depth)
