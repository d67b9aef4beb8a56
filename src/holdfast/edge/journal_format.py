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

from holdfast.edge.link_frames import RawDelta, RawFull, RawSnapshot, body_of, change_in, identity_in
from holdfast.model.control_link import MAX_FRAME_BYTES, LinkError

_LENGTH_BYTES = _CRC_BYTES = 4


class ServedZones(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge serves, or served: the bytes of each zone by its id, and which revision of which source it is."""

    source: str
    revision: int
    zones: dict[str, bytes]

    def full_body(self) -> bytes:
        """The body of the frame that says it all."""
        zones = tuple(msgspec.Raw(raw) for raw in self.zones.values())
        return body_of(RawFull(snapshot=RawSnapshot(source=self.source, revision=self.revision, zones=zones)))


class Replayed(msgspec.Struct, frozen=True):
    """What a journal says: `served` (None: nothing), from its first `good_bytes` bytes."""

    served: ServedZones | None
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


def _with_change(served: ServedZones | None, change: RawFull | RawDelta) -> ServedZones | None:
    """What is served after `change`; None where it does not fit."""
    if isinstance(change, RawFull):
        said = change.snapshot
        return ServedZones(source=said.source, revision=said.revision, zones=_by_id(said.zones))
    if served is None or change.source != served.source:
        return None
    if change.revision <= served.revision:
        return served
    if change.base != served.revision:
        return None
    # Changed in place: nobody else has seen it, and a copy for each of many deltas would take the square of their number.
    for zone_id in change.removed:
        served.zones.pop(zone_id, None)
    served.zones.update(_by_id(change.zones))
    return ServedZones(source=served.source, revision=change.revision, zones=served.zones)


def _by_id(zones: tuple[msgspec.Raw, ...]) -> dict[str, bytes]:
    copies = map(bytes, zones)
    return {identity_in(copy)[0]: copy for copy in copies}
