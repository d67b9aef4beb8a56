"""JavaScript's own objects as user code reaches for them: `Object`, `JSON`, `Array`, `Map` and `Set`.

Law: each takes plain Python values and gives plain Python values (dictionaries and lists that answer to JavaScript's names too).
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.errors import DOMException, JsSyntaxError, JsTypeError
from holdfast.workers.sdk.proxied import Constructed
from holdfast.workers.sdk.values import JsDict, JsList, as_js
from holdfast.workers.sdk.values import JsMap as Map
from holdfast.workers.sdk.web.numbers import String


class Object:
    """`js.Object`."""

    @staticmethod
    def new() -> JsDict:
        """An empty one."""
        return JsDict()

    @staticmethod
    def keys(value: object) -> JsList[Any]:
        """The names in a mapping; the positions in a sequence."""
        return JsList(name for name, _ in _entries(value))

    @staticmethod
    def values(value: object) -> JsList[Any]:
        """The values in a mapping; the items of a sequence, or of a WebSocketPair."""
        return JsList(item for _, item in _entries(value))

    @staticmethod
    def entries(value: object) -> JsList[tuple[Any, Any]]:
        """(name, value) pairs."""
        return JsList(_entries(value))

    @staticmethod
    def fromEntries(pairs: Iterable[Any]) -> JsDict:  # noqa: N802 - JavaScript's name
        """An object of pairs, or of a mapping."""
        return JsDict(pairs.items() if isinstance(pairs, Mapping) else ((pair[0], pair[1]) for pair in pairs))

    @staticmethod
    def assign(target: dict[str, Any], *sources: Mapping[str, Any]) -> dict[str, Any]:
        """`target`, with what is in the others."""
        for source in sources:
            target.update(source)
        return target

    @staticmethod
    def freeze(value: object) -> object:
        """The value; nothing is frozen."""
        return value

    @staticmethod
    def create(_prototype: object = None) -> JsDict:
        """An empty one; there are no prototypes."""
        return JsDict()

    seal = freeze
    getOwnPropertyNames = keys  # noqa: N815 - JavaScript's name

    @staticmethod
    def groupBy(items: Iterable[Any], name_of: Callable[..., object]) -> JsDict:  # noqa: N802 - JavaScript's name
        """Lists of items, by what `name_of` calls each."""
        groups = JsDict()
        for position, item in enumerate(items):
            groups.setdefault(str(as_many(name_of, item, position)), JsList()).append(item)
        return groups

    @staticmethod
    def hasOwn(value: object, name: str) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it has such a name."""
        return name in value if isinstance(value, Mapping) else name in getattr(value, "__dict__", {})

    @staticmethod
    def is_(one: object, other: object) -> bool:
        """Whether they are the same: one object, or equal scalars of one type."""
        if one is other:
            return True
        return type(one) is type(other) and isinstance(one, (str, int, float, bytes)) and one == other


# `is` is a word of Python's: `Object.is_`, as Pyodide spells it, or `getattr(Object, "is")`.
setattr(Object, "is", Object.is_)


def _entries(value: object) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if (entries := getattr(value, "object_entries", None)) is not None:
        return list(entries())
    if (values := getattr(value, "object_values", None)) is not None:
        return [(str(position), item) for position, item in enumerate(values())]
    if isinstance(value, Iterable):
        return [(str(position), item) for position, item in enumerate(value)]
    return [(name, item) for name, item in getattr(value, "__dict__", {}).items() if not name.startswith("_")]


class JSON:
    """`js.JSON`."""

    @staticmethod
    def parse(text: str | bytes) -> Any:  # noqa: ANN401 - what the text says
        """The value of a text. SyntaxError (ValueError) for what is no JSON."""
        try:
            return as_js(json.loads(text, parse_constant=_refused))
        except (ValueError, RecursionError) as error:
            raise JsSyntaxError(f"{error}" or "JSON is nested too deep") from None

    @staticmethod
    def stringify(value: object, _replacer: object = None, space: int | str | None = None) -> str:
        """The text of a value: dates as ISO texts, NaN and infinities as null. TypeError for what has none, or a cycle."""
        separators = (",", ":") if not space else (",", ": ")
        dumps = partial(json.dumps, ensure_ascii=False, allow_nan=False, indent=space or None, separators=separators)
        try:
            # Nearly always Python says what JavaScript would, in a fifth of the time that it takes to look at each value.
            text = dumps(value)
        except (TypeError, ValueError, RecursionError):
            text = ""
        if not text or _PYTHONS_NUMBER.search(text):
            try:
                text = dumps(_json_value(value, 0))
            except (ValueError, RecursionError) as error:
                raise JsTypeError(f"Converting circular structure to JSON: {error}") from None
        return _SURROGATES.sub(_well_formed, text)


# Nesting of a value that is written; beyond it, it is taken for a cycle.
_MAX_DEPTH = 500


# What may be a number that JavaScript writes otherwise: 1 for 1.0, 10000000000000000 for 1e+16; also as a key.
_PYTHONS_NUMBER = re.compile(r"[0-9](?:\.0(?![0-9])|e\+)")
# Python's text may have halves of characters, also two that belong together.
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


def _well_formed(found: re.Match[str]) -> str:
    halves = found[0]
    return halves.encode("utf-16", "surrogatepass").decode("utf-16") if len(halves) == 2 else f"\\u{ord(halves):04x}"


def _json_value(value: object, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value.is_integer() and abs(value) < 1e21 else value
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Mapping):
        return {
            name if type(name) is str else String(name): _json_value(item, depth + 1) for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_json_value(item, depth + 1) for item in value]
    if (to_json := getattr(value, "toJSON", None)) is not None:
        return _json_value(to_json(), depth + 1)
    if isinstance(value, datetime):
        return value.isoformat()
    raise JsTypeError(f"JSON.stringify: a {type(value).__name__} has no JSON")


def _refused(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


class Array(JsList[Any]):
    """`js.Array`."""

    @classmethod
    def new(cls, *items: object) -> Array:
        """Of items; of a length, where there is one number."""
        if len(items) == 1 and isinstance(items[0], int):
            return cls([None] * items[0])
        return cls(items)

    @classmethod
    def of(cls, *items: object) -> Array:
        """Of items."""
        return cls(items)

    @classmethod
    def from_(cls, items: Iterable[Any], convert: Callable[[Any], object] | None = None) -> Array:
        """Of what can be gone through, each item converted."""
        return cls(items if convert is None else map(convert, items))

    @staticmethod
    def isArray(value: object) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it is a list."""
        return isinstance(value, (list, tuple))


setattr(Array, "from", Array.from_)

__all__ = ["JSON", "Array", "Map", "Object", "Set", "structuredClone"]


class Set(set[Any], Constructed):
    """`js.Set`."""

    @classmethod
    def new(cls, items: Iterable[Any] = ()) -> Set:
        """Of items."""
        return cls(items)

    @property
    def size(self) -> int:
        """How many."""
        return len(self)

    def has(self, item: object) -> bool:
        """Whether it is there."""
        return item in self

    def delete(self, item: object) -> bool:
        """Remove it; whether it was there."""
        was_there = item in self
        self.discard(item)
        return was_there

    def values(self) -> list[Any]:
        """The items."""
        return list(self)

    keys = values

    def entries(self) -> list[tuple[Any, Any]]:
        """Each item twice, as JavaScript has it."""
        return [(item, item) for item in self]

    def forEach(self, visit: Callable[..., object]) -> None:  # noqa: N802 - JavaScript's name
        """Call `visit(item, item, set)`, or with as many of them as it takes."""
        for item in list(self):
            as_many(visit, item, item, self)

    def to_py(self, **_options: object) -> set[Any]:
        """This: it is a set already."""
        return self


def structuredClone(value: object, _options: object = None) -> Any:  # noqa: ANN401, N802 - the same value again
    """A deep copy. DataCloneError for what cannot be copied."""
    try:
        return as_js(copy.deepcopy(value))
    except (TypeError, RecursionError) as error:
        raise DOMException(f"{type(value).__name__} could not be cloned: {error}", "DataCloneError") from None
