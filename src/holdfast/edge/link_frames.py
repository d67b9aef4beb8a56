"""Snapshots as they lie in a frame: every document as the bytes it was sent in.

Law 1: these are the messages of `model.control_link` with the same tags and fields, so what is written here is read
there. Only the documents are left as they came: ten thousand zones take 25 ms to decode at once, with the GIL held all the
while, and 3 ms to find.
Law 2: the bytes of a document are what the edge keeps of it, and what its journal writes: they need no second encoding, and
fields that a newer control wrote are not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from holdfast.model.control_link import AskReport, CloseConnections, LinkError, Message, Welcome, decoded
from holdfast.model.rule_documents import AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import KINDS, Document, Kind, ZoneDocument

D = TypeVar("D", bound=Document)


class RawSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`SnapshotDocument`, its documents undecoded."""

    source: str
    revision: int
    zones: tuple[msgspec.Raw, ...] = ()
    accounts: tuple[msgspec.Raw, ...] = ()
    lists: tuple[msgspec.Raw, ...] = ()
    managed: tuple[msgspec.Raw, ...] = ()


class RawFull(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="full"):
    """`FullSnapshot`, its documents undecoded."""

    snapshot: RawSnapshot


class RawDelta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="delta"):
    """`Delta`, its documents undecoded."""

    source: str
    base: int
    revision: int
    zones: tuple[msgspec.Raw, ...] = ()
    accounts: tuple[msgspec.Raw, ...] = ()
    lists: tuple[msgspec.Raw, ...] = ()
    managed: tuple[msgspec.Raw, ...] = ()
    removed: tuple[str, ...] = ()


class _Identity(msgspec.Struct, frozen=True):
    """What a document is called, whatever else it says."""

    id: str
    name: str = ""


_FROM_CONTROL: msgspec.msgpack.Decoder[RawFull | RawDelta | Welcome | CloseConnections | AskReport] = (
    msgspec.msgpack.Decoder(RawFull | RawDelta | Welcome | CloseConnections | AskReport)
)
_CHANGES: msgspec.msgpack.Decoder[RawFull | RawDelta] = msgspec.msgpack.Decoder(RawFull | RawDelta)
_DECODERS: Final[Mapping[type, msgspec.msgpack.Decoder[Any]]] = MappingProxyType(
    {kind: msgspec.msgpack.Decoder(kind) for kind in (ZoneDocument, AccountDocument, ListDocument, ManagedDocument)}
)
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


def documents_of(change: RawSnapshot | RawDelta, kind: Kind) -> tuple[msgspec.Raw, ...]:
    """The documents of one kind that `change` has."""
    found: tuple[msgspec.Raw, ...] = getattr(change, KINDS[kind])
    return found


def document_in(raw: bytes, kind: type[D]) -> D:
    """The document in its bytes. Raises ValueError, a sentence, where a newer control says what this edge cannot read."""
    try:
        document: D = _DECODERS[kind].decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the document cannot be read: {error}") from error
    return document


def identity_in(raw: bytes) -> tuple[str, str]:
    """The id and the name of the document in its bytes; "" for one that has no name. Raises LinkError."""
    try:
        identity = _IDENTITIES.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LinkError(f"a snapshot holds a document without an id: {error}") from error
    return identity.id, identity.name


def body_of(change: RawFull | RawDelta) -> bytes:
    """The body of the frame that says `change`."""
    return _ENCODER.encode(change)


def raw_of(document: Document) -> msgspec.Raw:
    """`document` as it lies in a frame."""
    return msgspec.Raw(_ENCODER.encode(document))
