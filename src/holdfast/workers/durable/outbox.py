"""What an object has let out after it wrote something, written down with it: so that a process that is killed between the two takes nothing back.

What waits for a commit goes into the object's file in the same transaction (`ledger.py`), each output under a number that rises for as long
as the object lives. The number goes along with the record; an edge keeps the last one of each socket and tells it to the process that comes
next, which sends what is newer, before anything else of that socket.

Law 1: an output that waited for a commit is in the file exactly if the commit is. What waited for none is not: it has left already.
Law 2: an event whose acknowledgement waited has left its trace with them: it does not run again, and what it sent is not sent twice.
Law 3: what is written down is at most the room that there is (`begin`); outputs beyond it leave as they are, and may be lost with their process.
Law 4: nothing here knows a file or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import msgspec

# A row's part; well below what SQLite is told to take of user code (`store.objects.regulation`).
PIECE_BYTES = 2 * 1024 * 1024
# What a socket's number, and an output's own fields, take.
_SID_BYTES, _ENTRY_BYTES = 9, 24
# On the channel a number has 32 bits, and 0 is none.
_WIRE_NUMBERS = 2**32 - 1


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


class Output(Protocol):
    """Something that waits for a commit and can be written down."""

    def note(self, outbox: Outbox) -> None:
        """Tell it to the outbox (`add`, `done_with`)."""


class Outbox:
    """The outputs that wait for the commit that is about to begin. `begin`, what waits is told, `taken`."""

    __slots__ = ("_done", "_entries", "_room", "next")

    def __init__(self) -> None:
        # As `Entry`, but for what is as it is by default.
        self._entries: list[tuple[Any, ...]] = []
        # Session -> up to which of its events all are done with.
        self._done: dict[Any, int] = {}
        self._room = 0
        # The number of the next output.
        self.next = 1

    def begin(self, room_bytes: int) -> None:
        """So much may be written down with this commit."""
        self._room = room_bytes

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
        length = len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode(errors="replace"))
        self._room -= length + _ENTRY_BYTES + _SID_BYTES * len(sids)
        if self._room < 0:
            return 0
        number = self.next
        self.next += 1
        if code or drop or max_backlog_bytes:
            self._entries.append((number, kind, sids, data, code, drop, max_backlog_bytes))
        else:
            self._entries.append((number, kind, sids, data))
        return number % _WIRE_NUMBERS + 1

    def done_with(self, session: Any, seq: int) -> None:  # noqa: ANN401  `channel.session.Session`
        """All events of this session up to `seq` are."""
        self._done[session] = seq

    def done(self) -> Iterable[tuple[Any, int]]:
        """Sessions, and up to which of its events each is done; they are told once."""
        if not self._done:
            return ()
        done, self._done = self._done, {}
        return done.items()

    def taken(self) -> list[bytes | memoryview]:
        """What was added, encoded, in pieces of at most PIECE_BYTES; none where nothing was. It is told once."""
        if not self._entries:
            return []
        entries, self._entries = self._entries, []
        encoded = _ENCODER.encode(entries)
        if len(encoded) <= PIECE_BYTES:
            return [encoded]
        view = memoryview(encoded)
        return [view[at : at + PIECE_BYTES] for at in range(0, len(encoded), PIECE_BYTES)]


def entries_in(rows: Iterable[tuple[int, int, bytes]]) -> list[Entry]:
    """What rows as of `ledger_rows.rows_of` say, oldest first. Raises msgspec.DecodeError."""
    return [
        entry
        for _, pieces in groupby(rows, key=itemgetter(0, 1))
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
