"""Snapshots as they lie in a frame: every zone as the bytes it was sent in.

Law 1: these are the messages of `model.control_link` with the same tags and fields, so what is written here is read
there. Only the zones are left as they came: ten thousand take 25 ms to decode at once, with the GIL held all the while,
and 3 ms to find.
Law 2: the bytes of a zone are what the edge keeps of it, and what its journal writes: they need no second encoding, and
fields that a newer control wrote are not lost.
"""

from __future__ import annotations

import msgspec

from holdfast.model.control_link import AskReport, CloseConnections, LinkError, Message, Welcome, decoded
from holdfast.model.zone_document import ZoneDocument


class RawSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`SnapshotDocument`, its zones undecoded."""

    source: str
    revision: int
    zones: tuple[msgspec.Raw, ...] = ()


class RawFull(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="full"):
    """`FullSnapshot`, its zones undecoded."""

    snapshot: RawSnapshot


class RawDelta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="delta"):
    """`Delta`, its zones undecoded."""

    source: str
    base: int
    revision: int
    zones: tuple[msgspec.Raw, ...] = ()
    removed: tuple[str, ...] = ()


class _Identity(msgspec.Struct, frozen=True):
    """What a zone is called, whatever else it says."""

    id: str
    name: str = ""


_FROM_CONTROL: msgspec.msgpack.Decoder[RawFull | RawDelta | Welcome | CloseConnections | AskReport] = (
    msgspec.msgpack.Decoder(RawFull | RawDelta | Welcome | CloseConnections | AskReport)
)
_CHANGES: msgspec.msgpack.Decoder[RawFull | RawDelta] = msgspec.msgpack.Decoder(RawFull | RawDelta)
_ZONES: msgspec.msgpack.Decoder[ZoneDocument] = msgspec.msgpack.Decoder(ZoneDocument)
_IDENTITIES: msgspec.msgpack.Decoder[_Identity] = msgspec.msgpack.Decoder(_Identity)
_ENCODER = msgspec.msgpack.Encoder()


def message_from_control(body: bytes) -> RawFull | RawDelta | Welcome | CloseConnections | AskReport | Message:
    """The message in a frame's body that control sent. Raises LinkError."""
    try:
        return _FROM_CONTROL.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A message of the other direction, or none: said in the words of the protocol.
        return decoded(body)


def change_in(body: bytes) -> RawFull | RawDelta:
    """The full snapshot or the delta in a frame's body. Raises LinkError."""
    try:
        return _CHANGES.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LinkError(f"a frame holds neither a full snapshot nor a delta: {error}") from error


def zone_in(raw: bytes) -> ZoneDocument:
    """The zone in its bytes. Raises ValueError, a sentence, where a newer control says what this edge cannot read."""
    try:
        return _ZONES.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the document of the zone cannot be read: {error}") from error


def identity_in(raw: bytes) -> tuple[str, str]:
    """The id and the name of the zone in its bytes. Raises LinkError."""
    try:
        identity = _IDENTITIES.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LinkError(f"a snapshot holds a zone without an id: {error}") from error
    return identity.id, identity.name


def body_of(change: RawFull | RawDelta) -> bytes:
    """The body of the frame that says `change`."""
    return _ENCODER.encode(change)


def raw_of(zone: ZoneDocument) -> msgspec.Raw:
    """`zone` as it lies in a frame."""
    return msgspec.Raw(_ENCODER.encode(zone))
