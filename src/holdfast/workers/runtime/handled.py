"""Which events of WebSockets an object has handled already: so that what the edge sends again after a crash happens once.

The edge keeps an event until it is acknowledged, and sends it again to the next process if this one dies before. Between the commit of
what a handler wrote and the acknowledgement there is a gap; a handler may also be cut off half way, with something written already.
Neither may run again. So the first write of an event puts the event itself, `(sid, seq)`, into the object's file, in the same transaction:

Law 1: an event has left a trace in the file exactly if something that its handler wrote is in the file. One that left none runs (again);
       one that did is acknowledged and skipped.
Law 2: traces are forgotten when nobody can send the event again: the kernel has its acknowledgement, which it gives to the edge whatever
       becomes of this process, or its socket has ended. That costs no transaction of its own: it happens along with a later trace. So a
       file has at most as many traces as the edges keep unacknowledged events (1,024 a socket), and those of the last transactions.
Law 3: what the file has forgotten (a rollback) is forgotten here: what is known is read again from the file.

The event that runs is in the context of its handler (`turns.current_event`), and so in that of every task it starts.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from holdfast.store.objects.errors import StorageError
from holdfast.workers.runtime.turns import current_event

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from holdfast.store.objects.file import ObjectFile
    from holdfast.workers.durable.outbox import Mark

# Traces that are forgotten along with one new one: more than come about with it, and no more than a moment's work.
FORGOTTEN_AT_ONCE = 16

_SIGN, _SPAN = 2**63, 2**64
# Sequence numbers wrap at 32 bits: one is before another if it is less than half of all of them behind it.
_SEQ_SPAN = 2**32
_SEQ_HALF = 2**31
# So many sockets are remembered before it has been looked whether they have left any trace.
MAX_TOLD_BLINDLY = 1024
# So many sockets that have ended are remembered, for what a rollback may bring back of them.
MAX_ENDED = 1024
# Instead of a number: all events of a socket that has ended.
_ALL = -1


class Handled:
    """The traces in one object's file. It asks to be told of each write and each rollback of that file."""

    __slots__ = ("_acknowledged", "_dead", "_ended", "_file", "_leaving", "_mark", "_told", "_traces")

    def __init__(self, file: ObjectFile, mark: Callable[[], Mark]) -> None:
        """`mark`: how far all links go now, acknowledgements included."""
        self._file = file
        self._mark = mark
        self._traces: dict[int, set[int]] | None = None
        self._dead: list[tuple[int, int]] = []
        self._acknowledged: dict[int, int] = {}
        self._ended: set[int] = set()
        # Acknowledged, which the kernel may not have yet: socket -> up to which event, _ALL at its end. Those of before `_leaving`'s mark.
        self._told: dict[int, int] = {}
        self._leaving: tuple[Mark, dict[int, int]] | None = None
        file.before_write = self._note
        file.on_rollback = self._forget

    def was_handled(self, sid: int, seq: int) -> bool:
        """Whether the event has left a trace: then it must not run, and is to be acknowledged. Raises StorageError."""
        traces = self._known()
        return sid in traces and seq in traces[sid]

    def handled(self, sid: int, seqs: Iterable[int]) -> None:
        """These are done with, and what they let out is being written down: they leave a trace though they wrote nothing."""
        traces = self._known()[sid]
        for seq in seqs:
            # Nearly all have written something, and left theirs then.
            if (wrapped := seq % _SEQ_SPAN) not in traces:
                self._leave_trace(sid, wrapped)

    def acknowledged(self, sid: int, seq: int) -> None:
        """The edge is being told that all events of the socket up to this one are done with."""
        if self._told.get(sid) != _ALL:
            self._told[sid] = seq

    def closed(self, sid: int) -> None:
        """The socket has ended, and the edge is being told that its last event is done with."""
        if self._traces is None and len(self._told) >= MAX_TOLD_BLINDLY:
            # An object that reads and never writes: now it is known of whom there are traces at all.
            with suppress(StorageError):
                self._told = {one: seq for one, seq in self._told.items() if one in self._known()}
        if self._traces is None or sid in self._traces:
            self._told[sid] = _ALL
        else:
            self._told.pop(sid, None)
            self._acknowledged.pop(sid, None)
            if self._leaving is not None:
                self._leaving[1].pop(sid, None)

    def retain(self, sids: Collection[int]) -> None:
        """These are all sockets that the object has: traces of others are of no use. Raises StorageError."""
        for sid in self._known().keys() - set(sids):
            self._end(sid)

    def _note(self) -> None:
        """Something is about to be written: whose doing is it?"""
        event = current_event.get()
        if event is not None:
            self._leave_trace(*event)

    def _leave_trace(self, sid: int, seq: int) -> None:
        of_socket = self._known()[sid]
        if seq in of_socket:
            return
        of_socket.add(seq)
        if self._told or self._leaving is not None:
            self._settle()
        if self._dead:
            # A trace that is of no use makes room: one statement for both.
            dead = self._dead.pop()
            self._file.write(
                " UPDATE OR REPLACE _cf_HANDLED SET sid = ?, seq = ? WHERE sid = ? AND seq = ?",
                (_signed(sid), seq, *dead),
            )
            for _ in range(min(len(self._dead), FORGOTTEN_AT_ONCE)):
                self._file.write(" DELETE FROM _cf_HANDLED WHERE sid = ? AND seq = ?", self._dead.pop())
        else:
            self._file.write(" INSERT OR IGNORE INTO _cf_HANDLED VALUES (?, ?)", (_signed(sid), seq))

    def _known(self) -> dict[int, set[int]]:
        """The traces that are of use, by socket; read when first asked for, and after a rollback."""
        if self._traces is None:
            self._traces = defaultdict(set)
            self._dead = []
            if self._file.exists:
                for sid, seq in self._file.read(" SELECT sid, seq FROM _cf_HANDLED").fetchall():
                    self._traces[sid % _SPAN].add(seq)
            for sid, seq in self._acknowledged.items():
                if sid in self._traces:
                    self._bury(sid, {one for one in self._traces[sid] if _is_up_to(one, seq)})
            self._ended &= self._traces.keys()
            for sid in self._ended:
                self._bury(sid, self._traces[sid])
        return self._traces

    def _settle(self) -> None:
        """Forget that of which the kernel has the acknowledgement by now."""
        if len(self._ended) > MAX_ENDED:
            # The file knows of whom there is a trace left.
            self._forget()
        while self._told or self._leaving is not None:
            if self._leaving is None:
                self._leaving, self._told = (self._mark(), self._told), {}
            mark, told = self._leaving
            if not mark.is_passed():
                return
            self._leaving = None
            for sid, seq in told.items():
                if seq == _ALL:
                    self._end(sid)
                else:
                    self._acknowledged[sid] = seq
                    if self._traces is not None and sid in self._traces:
                        self._bury(sid, {one for one in self._traces[sid] if _is_up_to(one, seq)})

    def _end(self, sid: int) -> None:
        self._acknowledged.pop(sid, None)
        if self._traces is None or sid in self._traces:
            self._ended.add(sid)
        if self._traces is not None:
            self._bury(sid, self._traces.get(sid, set()))

    def _bury(self, sid: int, seqs: set[int]) -> None:
        """These are of no use any more."""
        if self._traces is not None and seqs:
            self._dead.extend((_signed(sid), seq) for seq in seqs)
            left = self._traces[sid] - seqs
            if left:
                self._traces[sid] = left
            else:
                del self._traces[sid]

    def _forget(self) -> None:
        self._traces = None


def _signed(sid: int) -> int:
    """As SQLite keeps it: 64 bits with a sign."""
    return sid - _SPAN if sid >= _SIGN else sid


def _is_up_to(seq: int, last: int) -> bool:
    return (last - seq) % _SEQ_SPAN < _SEQ_HALF
