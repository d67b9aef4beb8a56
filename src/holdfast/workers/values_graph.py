"""The form of a value that MessagePack alone cannot keep: shared containers, cycles, sets, keys that are no text, long ints.

What MessagePack has no word for is an extension, or an array that begins with an extension (a mark):

    extension  INTEGER (decimal text) · TEXT (UTF-8 with surrogates) · DATETIME (ISO 8601) · REFERENCE (u32, into the table)
    array      [mark SET, members…] · [mark MAP, key, value, …] · [mark TUPLE, members…] · [mark ERROR, class, text, arguments…]

The payload is `[root, entry 0, entry 1, …]`: a container that is met more than once is an entry, and a REFERENCE wherever it is met.

Law: what is encoded can be decoded; both stop at MAX_DEPTH with an error of their own, long before the interpreter does.
"""

from __future__ import annotations

import builtins
import reprlib
from datetime import datetime
from enum import IntEnum
from typing import Any, TypeAlias

import msgspec
from msgspec.msgpack import Ext

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.values import JsDict, JsList
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.values_errors import DataCloneError

# Whatever user code keeps; its types are what this module is about.
Value: TypeAlias = Any

# Deepest nesting of containers. Precedent: JSON parsers stop at 512 (PHP) to 1,000; Python's own stack at 1,000 frames.
MAX_DEPTH = 256
# Most decimal digits of an int: converting them takes time that grows with their square. Precedent: `sys.int_info`, 4,300.
MAX_INT_DIGITS = 4_300


class _Code:
    """Codes of extensions: plain ints, as msgspec wants them."""

    MARK, INTEGER, TEXT, DATETIME, REFERENCE = 1, 2, 3, 4, 5


class _Mark(IntEnum):
    SET, MAP, TUPLE, ERROR = 1, 2, 3, 4


_SET, _MAP, _TUPLE, _ERROR = (Ext(_Code.MARK, bytes([mark])) for mark in _Mark)
_KEYABLE = (str, bytes, int, float, datetime, type(None), tuple, frozenset)
_INT64 = range(-(2**63), 2**64)


def encode_graph(value: object) -> bytes:
    """`value` as the payload of this form. Raises DataCloneError naming what cannot be kept and where it is."""
    try:
        return _encoder.encode(_Lowering(value).payload())
    except _Uncloneable as found:
        raise DataCloneError(found.sentence()) from None


def decode_graph(payload: memoryview) -> Value:
    """The value of a payload that `encode_graph` made. Raises ValueError, TypeError or msgspec's errors for other bytes."""
    parsed = _decoder.decode(payload)
    if not isinstance(parsed, list) or not parsed:
        raise ValueError("expected an array of a root and its entries")
    return _Raising(parsed[1:]).root(parsed[0])


class _Uncloneable(Exception):
    """On its way up from the value that cannot be kept, collecting the steps that lead to it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what, self.steps = what, list[str]()

    def sentence(self) -> str:
        # The outermost steps say enough; a path of 256 would hide the sentence.
        steps = self.steps[::-1][:8]
        place = f" (at value{''.join(steps)}{'…' if len(self.steps) > len(steps) else ''})" if steps else ""
        return f"{self.what}{place}"


def _refusal(value: object) -> _Uncloneable:
    return _Uncloneable(f"{reprlib.repr(value)} of type {type(value).__name__} could not be cloned.")


class _Lowering:
    """One value on its way to MessagePack. First all containers are counted, then each is written where it belongs."""

    def __init__(self, value: object) -> None:
        self._value = value
        self._shared = _met_twice(value)
        self._numbers: dict[int, int] = {}
        self._entries: list[Any] = []

    def payload(self) -> list[Any]:
        root = self._lower(self._value, MAX_DEPTH)
        return [root, *self._entries]

    def _lower(self, value: Value, room: int) -> Value:
        if room == 0:
            raise _Uncloneable(f"A value nested deeper than {MAX_DEPTH} levels could not be cloned.")
        if value is None or isinstance(value, (bool, float)):
            return float(value) if isinstance(value, float) else value
        if isinstance(value, (str, int, bytes, bytearray, memoryview, datetime, BaseException)):
            return self._scalar(value, room)
        if not isinstance(value, (dict, list, tuple, set, frozenset)):
            raise _refusal(value)
        if id(value) not in self._shared:
            return self._container(value, room)
        return Ext(_Code.REFERENCE, self._number(value, room).to_bytes(4, "little"))

    def _scalar(self, value: Value, room: int) -> Value:
        if isinstance(value, str):
            return _text(str(value))
        if isinstance(value, int):
            # Of a subclass the number alone: `in range` would count up to one that is an enumeration's.
            number = int(value)
            return number if number in _INT64 else Ext(_Code.INTEGER, _digits(number))
        if isinstance(value, datetime):
            return Ext(_Code.DATETIME, f"{value.isoformat()}{'~' * value.fold}".encode())
        if isinstance(value, BaseException):
            return self._error(value, room)
        return bytes(value)

    def _number(self, value: Value, room: int) -> int:
        if (number := self._numbers.get(id(value))) is None:
            number = self._numbers[id(value)] = len(self._entries)
            self._entries.append(None)
            self._entries[number] = self._container(value, room)
        return number

    def _container(self, value: Value, room: int) -> Value:
        if isinstance(value, dict):
            return self._dict(value, room)
        if isinstance(value, (set, frozenset)):
            return [_SET, *(self._key(member, room - 1) for member in value)]
        items = []
        for index, member in enumerate(value):
            try:
                items.append(self._lower(member, room - 1))
            except _Uncloneable as found:
                found.steps.append(f"[{index}]")
                raise
        return items

    def _dict(self, value: dict[Any, Any], room: int) -> Value:
        is_by_text = all(type(key) is str and not _has_surrogates(key) for key in value)
        pairs: list[Any] = [_MAP]
        for key, member in value.items():
            try:
                pairs += (key if is_by_text else self._key(key, room - 1)), self._lower(member, room - 1)
            except _Uncloneable as found:
                found.steps.append(f"[{reprlib.repr(key)}]")
                raise
        return dict(zip(pairs[1::2], pairs[2::2], strict=True)) if is_by_text else pairs

    def _key(self, value: Value, room: int) -> Value:
        """A key or a member of a set: it must be hashable when it comes back."""
        if not isinstance(value, _KEYABLE):
            raise _refusal(value)
        if not isinstance(value, (tuple, frozenset)):
            return self._lower(value, room)
        if room == 0:
            raise _Uncloneable(f"A value nested deeper than {MAX_DEPTH} levels could not be cloned.")
        if isinstance(value, frozenset):
            raise _Uncloneable("A set within a set or a key could not be cloned.")
        return [_TUPLE, *(self._key(member, room - 1) for member in value)]

    def _error(self, error: BaseException, room: int) -> Value:
        if not isinstance(error, Exception):
            raise _refusal(error)
        scalars = [arg for arg in error.args if arg is None or isinstance(arg, (str, bytes, int, float))]
        arguments = scalars if len(scalars) == len(error.args) else [str(error)]
        lowered = [self._lower(argument, room) for argument in arguments]
        return [_ERROR, type(error).__name__, _text(str(error)), *lowered]


def _met_twice(value: object) -> set[int]:
    """The ids of the containers that are reached by more than one way, cycles included."""
    seen: set[int] = set()
    twice: set[int] = set()
    left: list[Any] = [value]
    while left:
        one = left.pop()
        if not isinstance(one, (dict, list, tuple, set)):
            continue
        if id(one) in seen:
            twice.add(id(one))
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            left.extend(one.values())
        elif not isinstance(one, set):
            left.extend(one)
    return twice


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text) if not text.isascii() else False


def _text(text: str) -> str | Ext:
    return Ext(_Code.TEXT, text.encode("utf-8", "surrogatepass")) if _has_surrogates(text) else text


def _digits(value: int) -> bytes:
    # 3.3 bits a digit: asked before the conversion, whose time the limit is for.
    if value.bit_length() > MAX_INT_DIGITS * 3.3:
        raise _Uncloneable(f"An int of {value.bit_length()} bits could not be cloned.")
    return b"%d" % value


class _Raising:
    """A payload on its way back: entries are made empty first, so that references to them hold while they are filled."""

    def __init__(self, entries: list[Any]) -> None:
        self._entries = entries
        self._shells: list[Any] = [_shell(entry) for entry in entries]

    def root(self, lowered: Value) -> Value:
        for shell, entry in zip(self._shells, self._entries, strict=True):
            self._fill(shell, entry, MAX_DEPTH)
        return self._raise(lowered, MAX_DEPTH)

    def _raise(self, lowered: Value, room: int) -> Value:
        if room == 0:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(lowered, _Reference):
            return self._shells[lowered]
        if isinstance(lowered, _Marked):
            raise ValueError("a mark stands alone")
        if not isinstance(lowered, (dict, list)):
            return ArrayBuffer(lowered) if type(lowered) is bytes else lowered
        mark = _mark_of(lowered)
        if mark is _Mark.TUPLE:
            return tuple(self._raise(member, room - 1) for member in lowered[1:])
        if mark is _Mark.ERROR:
            return _exception([self._raise(member, room - 1) for member in lowered[1:]])
        shell = _shell(lowered)
        self._fill(shell, lowered, room)
        return shell

    def _fill(self, shell: Value, lowered: Value, room: int) -> None:
        match _mark_of(lowered):
            case _Mark.SET:
                shell.update(self._raise(member, room - 1) for member in lowered[1:])
            case _Mark.MAP:
                keys = [self._raise(key, room - 1) for key in lowered[1::2]]
                values = [self._raise(value, room - 1) for value in lowered[2::2]]
                shell.update(zip(keys, values, strict=True))
            case _ if isinstance(lowered, dict):
                for key, value in lowered.items():
                    shell[key] = self._raise(value, room - 1)
            case _:
                shell.extend([self._raise(member, room - 1) for member in lowered])


class _Reference(int):
    """The number of an entry."""


class _Marked(int):
    """What the array that begins with it is."""


def _mark_of(lowered: Value) -> _Mark | None:
    if type(lowered) is list and lowered and isinstance(lowered[0], _Marked):
        return _Mark(lowered[0])
    return None


def _shell(entry: Value) -> Value:
    mark = _mark_of(entry)
    if mark is _Mark.SET:
        return set()
    if mark is _Mark.MAP or type(entry) is dict:
        return JsDict()
    if mark is None and type(entry) is list:
        return JsList()
    raise ValueError("an entry of the table is no container")


def _exception(parts: list[Any]) -> Exception:
    if len(parts) < 2 or not isinstance(parts[0], str):
        raise ValueError("an error needs a class and a text")
    name, text, *arguments = parts
    found = getattr(builtins, name, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        return Exception(f"{name}: {text}")
    try:
        return found(*arguments)
    except (TypeError, ValueError):
        return Exception(f"{name}: {text}")


def _extension(code: int, data: memoryview) -> Value:
    match code:
        case _Code.MARK if len(data) == 1:
            return _Marked(data[0])
        case _Code.REFERENCE if len(data) == 4:
            return _Reference(int.from_bytes(data, "little"))
        case _Code.INTEGER if len(data) <= MAX_INT_DIGITS + 1:
            return int(bytes(data))
        case _Code.TEXT:
            return bytes(data).decode("utf-8", "surrogatepass")
        case _Code.DATETIME:
            text = bytes(data).decode("ascii")
            return Date.fromisoformat(text.rstrip("~")).replace(fold=int(text.endswith("~")))
        case _:
            pass
    raise ValueError(f"extension {code} of {len(data)} bytes is not of this format")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ext_hook=_extension)
