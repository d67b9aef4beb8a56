"""The journal's bytes: what the edge served last, as a full snapshot and the changes since. No I/O.

An entry is a frame of the control link (four bytes of length, big-endian; the message) and the CRC-32 of both, four
bytes. The first entry is a full snapshot, the others are deltas, each on the one before.

Law 1: whatever the bytes are, reading gives the longest run of entries from the start that are whole, undamaged and fit
onto one another. What comes after the first that is not is never read.
Law 2: a delta that is there already changes nothing, so that two writers of the same news do no harm.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import msgspec

from holdfast.edge.link_frames import RawDelta, RawFull, RawSnapshot, body_of, change_in, documents_of, identity_in
from holdfast.model.control_link import MAX_FRAME_BYTES, LinkError
from holdfast.model.zone_document import KINDS, Kind

_LENGTH_BYTES = _CRC_BYTES = 4


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge serves, or served: the bytes of each document by its id, and which revision of which source it is."""

    source: str
    revision: int
    zones: dict[str, bytes] = {}
    accounts: dict[str, bytes] = {}
    lists: dict[str, bytes] = {}
    managed: dict[str, bytes] = {}

    def of(self, kind: Kind) -> dict[str, bytes]:
        """The documents of one kind."""
        found: dict[str, bytes] = getattr(self, KINDS[kind])
        return found

    def snapshot(self) -> RawSnapshot:
        """The same as control would send it."""
        documents = {name: tuple(map(msgspec.Raw, self.of(kind).values())) for kind, name in KINDS.items()}
        return RawSnapshot(source=self.source, revision=self.revision, **documents)

    def full_body(self) -> bytes:
        """The body of the frame that says it all."""
        return body_of(RawFull(snapshot=self.snapshot()))


class Replayed(msgspec.Struct, frozen=True):
    """What a journal says: `served` (None: nothing), from its first `good_bytes` bytes."""

    served: Served | None
    good_bytes: int


def entry(body: bytes) -> bytes:
    """A frame's body as an entry."""
    framed = len(body).to_bytes(_LENGTH_BYTES, "big") + body
    return framed + zlib.crc32(framed).to_bytes(_CRC_BYTES, "big")


def replay(journal: bytes) -> Replayed:
    """What was served when `journal` ended, as far as it can be read."""
    served, good_bytes = None, 0
    for body, end in _bodies(journal):
        try:
            following = _with_change(served, change_in(body))
        except LinkError:
            break
        if following is None:
            break
        served, good_bytes = following, end
    return Replayed(served, good_bytes)


def _bodies(journal: bytes) -> Iterator[tuple[bytes, int]]:
    """The body of each entry that is whole and undamaged, and where the entry ends."""
    start = 0
    while start + _LENGTH_BYTES <= len(journal):
        length = int.from_bytes(journal[start : start + _LENGTH_BYTES], "big")
        crc_at = start + _LENGTH_BYTES + length
        end = crc_at + _CRC_BYTES
        if length > MAX_FRAME_BYTES or end > len(journal):
            return
        if zlib.crc32(memoryview(journal)[start:crc_at]) != int.from_bytes(journal[crc_at:end], "big"):
            return
        yield journal[start + _LENGTH_BYTES : crc_at], end
        start = end


def _with_change(served: Served | None, change: RawFull | RawDelta) -> Served | None:
    """What is served after `change`; None where it does not fit."""
    if isinstance(change, RawFull):
        said = change.snapshot
        everything = {name: _by_id(documents_of(said, kind)) for kind, name in KINDS.items()}
        return Served(source=said.source, revision=said.revision, **everything)
    if served is None or change.source != served.source:
        return None
    if change.revision <= served.revision:
        return served
    if change.base != served.revision:
        return None
    # Changed in place: nobody else has seen it, and a copy for each of many deltas would take the square of their number.
    for kind in KINDS:
        documents = served.of(kind)
        for removed in change.removed:
            documents.pop(removed, None)
        documents.update(_by_id(documents_of(change, kind)))
    return msgspec.structs.replace(served, revision=change.revision)


def _by_id(documents: tuple[msgspec.Raw, ...]) -> dict[str, bytes]:
    copies = map(bytes, documents)
    return {identity_in(copy)[0]: copy for copy in copies}
