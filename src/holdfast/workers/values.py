"""Values as they are kept and sent: a structured clone in bytes, for storage, attachments and calls between processes.

Law 1: `decode(encode(v)) == v` for None, bool, int of any size, float, str (lone surrogates too), bytes, list, dict, set and
       datetime, however nested, and what was one object is one object again, cycles included. A tuple comes back as a list, but
       within a key or a set, a bytearray or memoryview as bytes, an exception as one of the builtin class of its name.
Law 2: what cannot be kept is refused with the place where it stands: nothing is left out or turned into its `repr`.
Law 3: no bytes make `decode` raise anything but DataCloneError, run out of its depth, or take more memory than a small multiple
       of their length.

The first byte is the version and the form. PLAIN: one MessagePack value (the common case: MessagePack's C code does the work).
GRAPH (`values_graph.py`): containers that are met more than once stand in a table, and references name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.values import JsDict, JsList
from holdfast.workers.values_errors import DataCloneError
from holdfast.workers.values_graph import MAX_DEPTH, Value, decode_graph, encode_graph

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_DEPTH", "MAX_VALUE_BYTES", "DataCloneError", "JsDict", "JsList", "decode", "encode"]

# Longest value in bytes; callers with less room say so (`limit_bytes`). As long as a message on the channel may be: 32 MiB.
MAX_VALUE_BYTES = 32 * 1024 * 1024

_PLAIN, _GRAPH = b"\x01", b"\x02"
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_DICTS: frozenset[type] = frozenset((dict, JsDict))
_CONTAINERS: frozenset[type] = _DICTS | frozenset((list, JsList))
_PLAIN_TYPES = _SCALARS | _CONTAINERS
# What comes back as something that answers to JavaScript's names too.
_RICHER = _CONTAINERS | {bytes}
_TEXT = frozenset({str})

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


def encode(value: object, *, limit_bytes: int = MAX_VALUE_BYTES) -> bytes:
    """`value` in bytes, at most `limit_bytes` of them. Raises DataCloneError naming what cannot be kept, and where it is."""
    data = _encoded(value)
    if len(data) > limit_bytes:
        raise DataCloneError(f"A value of {len(data)} bytes could not be cloned: at most {limit_bytes} are possible.")
    return data


def decode(data: bytes | memoryview) -> Value:
    """The value in bytes that `encode` made. Objects are `JsDict`, arrays `JsList`. Raises DataCloneError for any other bytes."""
    form, payload = bytes(data[:1]), memoryview(data)[1:]
    try:
        if form == _PLAIN:
            return _with_attributes(_decoder.decode(payload), MAX_DEPTH)
        if form == _GRAPH:
            return decode_graph(payload)
    except (msgspec.MsgspecError, ValueError, TypeError, LookupError, RecursionError, OverflowError) as error:
        raise DataCloneError(f"A stored value could not be read: {error}") from error
    raise DataCloneError(f"A stored value could not be read: expected format 1 or 2, got {form.hex() or 'nothing'}")


def _encoded(value: object) -> bytes:
    if type(value) in _SCALARS or _is_plain(value):
        try:
            return _PLAIN + _encoder.encode(value)
        except (OverflowError, UnicodeEncodeError, RecursionError):
            pass  # An int over 64 bits, a lone surrogate: the other form has them.
    return _GRAPH + encode_graph(value)


def _is_plain(value: object) -> bool:
    """Whether MessagePack alone keeps `value`: a tree of dicts by text, lists and scalars, no container met twice.

    Level by level, each container judged by the set of its members' types, so that C does the counting.
    """
    if type(value) not in _CONTAINERS:
        return False
    seen: set[int] = set()
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for one in level:
            if id(one) in seen or (type(one) in _DICTS and not _TEXT.issuperset(map(type, one))):
                return False
            seen.add(id(one))
            members = one.values() if type(one) in _DICTS else one
            types = set(map(type, members))
            if not types <= _SCALARS:
                if not types <= _PLAIN_TYPES:
                    return False
                below.extend(_containers(members))
        if not below:
            return True
        level = below
    return False  # Too deep: the other form says where.


def _containers(members: Iterable[Any]) -> list[Any]:
    return [member for member in members if type(member) in _CONTAINERS]


def _with_attributes(value: Value, room: int) -> Value:
    """`value` with JsDict for dict and JsList for list, at most `room` levels deep."""
    if type(value) in _SCALARS:
        return ArrayBuffer(value) if type(value) is bytes else value
    if room == 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if type(value) is dict:
        copy = JsDict(value)
        if not _RICHER.isdisjoint(map(type, value.values())):
            copy.update((key, _with_attributes(member, room - 1)) for key, member in value.items())
        return copy
    if type(value) is list:
        if _RICHER.isdisjoint(map(type, value)):
            return JsList(value)
        return JsList([_with_attributes(member, room - 1) for member in value])
    raise TypeError(f"a {type(value).__name__} is not of this format")
