"""What waits to go out to an edge, and what of it is given up when it is far too much: the messages of the sockets that most of it is for.

Law 1: a socket loses all of its messages that wait, and its Close with them, or none: nothing is missing between two that arrive.
Law 2: what else waits stays, in its order. Where messages were there are as many bytes of nothing until their turn comes: what was
written behind them has not passed before what was written ahead of them has.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TypeAlias

from holdfast.workers.channel.records import HEADER, HEADER_BYTES, ToEdge

# About one write.
CHUNK_BYTES = 256 * 1024

# A record; a long one as its head and its payload, which may be that of others too; or so many bytes of nothing.
_Piece: TypeAlias = bytes | tuple[bytes, bytes] | int

_MESSAGES = frozenset({int(ToEdge.TEXT), int(ToEdge.BINARY)})
_GIVEN_UP = _MESSAGES | {int(ToEdge.CLOSE)}


class Waiting:
    """See above. `size`: bytes that wait, those of a chunk that is on its way included."""

    __slots__ = ("_nothing", "_passed", "_pieces", "size")

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque()
        self.size = self._nothing = self._passed = 0

    def put(self, head: bytes, payload: bytes) -> None:
        """A record is behind all others."""
        self._pieces.append(head + payload if len(payload) < CHUNK_BYTES else (head, payload))
        self.size += HEADER_BYTES + len(payload)

    def mark(self) -> int:
        """How far everything goes that is here."""
        return self._passed + self.size + self._nothing

    def has_passed(self, mark: int) -> bool:
        """Whether everything up to there has gone out."""
        return self._passed >= mark

    def next_chunk(self) -> bytes:
        """Whole records, about CHUNK_BYTES of them, to be asked for when those before have gone out; empty where none is left."""
        pieces = self._pieces
        if self.size <= CHUNK_BYTES and not self._nothing:
            chunk = b"".join(pieces)  # type: ignore[arg-type]  # a long record would not be so few bytes
            pieces.clear()
            return chunk
        while pieces and isinstance(pieces[0], int):
            # What was ahead of it has gone out.
            self._passed += pieces[0]
            self._nothing -= pieces[0]
            pieces.popleft()
        parts: list[bytes] = []
        size = 0
        while pieces and size < CHUNK_BYTES and not isinstance(piece := pieces[0], int):
            size += _size(piece)
            parts.extend(piece if isinstance(piece, tuple) else (piece,))
            pieces.popleft()
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def went(self, size: int) -> None:
        """So many bytes of a chunk have gone out."""
        self.size -= size
        self._passed += size

    def clear(self) -> None:
        """Nothing goes out any more."""
        self._pieces.clear()
        self.size = self._nothing = 0

    def larger_than(self, most_bytes: int) -> frozenset[int]:
        """The sockets for each of which more than `most_bytes` of messages wait."""
        sums: Counter[int] = Counter()
        for piece in self._pieces:
            kind, sid = _whose(piece)
            if kind in _MESSAGES:
                sums[sid] += _size(piece)
        return frozenset(sid for sid, size in sums.items() if size > most_bytes)

    def give_up(self, sids: frozenset[int]) -> None:
        """Drop the messages and Closes of these sockets."""
        kept: deque[_Piece] = deque()
        nothing = 0
        for piece in self._pieces:
            kind, sid = _whose(piece)
            if kind in _GIVEN_UP and sid in sids:
                nothing += _size(piece)
                continue
            if nothing:
                kept.append(self._lost(nothing))
                nothing = 0
            kept.append(piece)
        if nothing:
            kept.append(self._lost(nothing))
        self._pieces = kept

    def _lost(self, size: int) -> int:
        self.size -= size
        self._nothing += size
        return size


def _whose(piece: _Piece) -> tuple[int, int]:
    """(kind, socket) of a record; (-1, 0) of nothing."""
    if isinstance(piece, int):
        return -1, 0
    _, kind, _, _, sid, _ = HEADER.unpack_from(piece[0] if isinstance(piece, tuple) else piece)
    return kind, sid


def _size(piece: _Piece) -> int:
    if isinstance(piece, int):
        return piece
    return len(piece[0]) + len(piece[1]) if isinstance(piece, tuple) else len(piece)
