"""Which events of WebSockets an object has handled already: so that what the edge sends again after a crash happens once.

The edge keeps an event until it is acknowledged, and sends it again to the next process if this one dies before. Between the commit of
what a handler wrote and the acknowledgement there is a gap; a handler may also be cut off half way, with something written already.
Neither may run again. So the first write of an event is remembered here, and goes into the object's file with the commit (`ledger.py`):

Law 1: an event has left a trace in the file exactly if something that its handler wrote is in the file. One that left none runs (again);
       one that did is acknowledged and skipped.
Law 2: a trace is of use until its event is acknowledged, or its socket has ended; then its row is told of it (`settle`).
Law 3: what a rollback undoes takes its traces with it, and no others: those of before the nested transaction that is undone stay.
Law 4: as many are remembered as the edges keep unacknowledged events (1,024 a socket), and those of the last transactions.

The event that runs is in the context of its handler (`turns.current_event`), and so in that of every task it starts. On the channel, and
here, the numbers of events have 32 bits and wrap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from holdfast.store.objects.errors import StorageError
from holdfast.workers.runtime.turns import current_event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Event = tuple[int, int]

_SEQ_SPAN = 2**32
_SEQ_HALF = 2**31
# Events in one run: more than a row has (`ledger_rows.MAX_TRACES`).
MAX_RUN = 2**20
_NO_TRACES = "expected the traces of events, found {} other bytes"
# Instead of a number: all events of a socket that has ended.
_ALL = -1


class Keeper(Protocol):
    """A row that has traces (`ledger_rows.Row`): how many of them are of use."""

    traces: int


Row = TypeVar("Row", bound=Keeper)


class Traces(Generic[Row]):
    """The traces of one object's events that are of use."""

    __slots__ = ("_at_depth", "_told", "_traces", "fresh")

    def __init__(self) -> None:
        # By socket and number: the row that it is in; None while it is in no row.
        self._traces: dict[int, dict[int, Row | None]] = {}
        # Those of the transaction that is open, in the order in which they came.
        self.fresh: list[Event] = []
        # How many there were when each nested transaction began.
        self._at_depth: list[int] = []
        # Acknowledged since `settle`: socket -> up to which event, _ALL at its end.
        self._told: dict[int, int] = {}

    def has(self, sid: int, seq: int) -> bool:
        """Whether the event has left one."""
        return seq % _SEQ_SPAN in self._traces.get(sid, ())

    def note(self) -> None:
        """Something is about to be written: whose doing is it?"""
        event = current_event.get()
        if event is not None:
            self._leave(*event)

    def handled(self, sid: int, seqs: Iterable[int]) -> None:
        """These are done with, and what they let out is being written down: they leave a trace though they wrote nothing."""
        for seq in seqs:
            self._leave(sid, seq)

    def inherit(self, row: Row, events: Iterable[Event], acknowledged: dict[int, int], *, are_all: bool) -> None:
        """A row of before has these. `acknowledged`: up to which event each of the object's sockets is; `are_all`: it has no others."""
        for sid, seq in events:
            last = acknowledged.get(sid)
            if (are_all if last is None else _is_up_to(seq, last)) or self.has(sid, seq):
                continue
            self._traces.setdefault(sid, {})[seq] = row
            row.traces += 1

    def written(self, row: Row, events: Collection[Event]) -> None:
        """These, which were fresh, are in this row."""
        for sid, seq in events:
            self._traces[sid][seq] = row
        row.traces += len(events)

    def acknowledged(self, sid: int, seq: int) -> None:
        """The edge is being told that all events of the socket up to this one are done with."""
        if sid in self._traces and self._told.get(sid) != _ALL:
            self._told[sid] = seq

    def closed(self, sid: int) -> None:
        """The socket has ended, and the edge is being told that its last event is done with."""
        if sid in self._traces:
            self._told[sid] = _ALL

    def settle(self) -> list[Row]:
        """Forget what is acknowledged; the rows that have no trace of use any more."""
        if not self._told:
            return []
        emptied: list[Row] = []
        told, self._told = self._told, {}
        for sid, last in told.items():
            of_socket = self._traces.get(sid, {})
            for seq in [one for one in of_socket if last == _ALL or _is_up_to(one, last)]:
                if (row := of_socket[seq]) is None:
                    # What it wrote is not committed: its acknowledgement did not wait for that.
                    self._told[sid] = last
                    continue
                del of_socket[seq]
                row.traces -= 1
                if not row.traces:
                    emptied.append(row)
            if not of_socket:
                self._traces.pop(sid, None)
        return emptied

    def nested(self, depth: int) -> None:
        """A nested transaction has begun, as the innermost of so many."""
        del self._at_depth[depth - 1 :]
        self._at_depth.append(len(self.fresh))

    def rolled_back(self, depth: int) -> None:
        """The nested transaction of this depth is undone, or (0) everything that was not committed."""
        kept = self._at_depth[depth - 1] if depth else 0
        for sid, seq in self.fresh[kept:]:
            of_socket = self._traces[sid]
            del of_socket[seq]
            if not of_socket:
                del self._traces[sid]
        del self.fresh[kept:]

    def _leave(self, sid: int, seq: int) -> None:
        seq %= _SEQ_SPAN
        of_socket = self._traces.get(sid)
        if of_socket is None:
            of_socket = self._traces[sid] = {}
        elif seq in of_socket:
            return
        of_socket[seq] = None
        self.fresh.append((sid, seq))


def packed(events: Iterable[Event]) -> bytes:
    """As a row has them: of each run of numbers of a socket the socket, the first one, how many."""
    runs: list[int] = []
    last_sid = following = -1
    for sid, seq in events:
        if sid == last_sid and seq == following:
            runs[-1] += 1
        else:
            runs += (sid, seq, 1)
        last_sid, following = sid, (seq + 1) % _SEQ_SPAN
    return _ENCODER.encode(runs)


def unpacked(blob: bytes) -> Iterator[Event]:
    """What `packed` was given. Raises StorageError for what is nothing of the kind."""
    try:
        runs = _DECODER.decode(blob)
    except msgspec.DecodeError as error:
        raise StorageError(_NO_TRACES.format(len(blob))) from error
    counts = runs[2::3]
    if len(runs) % 3 or (counts and not 0 < min(counts) <= max(counts) <= MAX_RUN):
        raise StorageError(_NO_TRACES.format(len(blob)))
    for sid, first, count in zip(runs[::3], runs[1::3], counts, strict=True):
        for seq in range(first, first + count):
            yield sid, seq % _SEQ_SPAN


def _is_up_to(seq: int, last: int) -> bool:
    return (last - seq) % _SEQ_SPAN < _SEQ_HALF


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[int])
