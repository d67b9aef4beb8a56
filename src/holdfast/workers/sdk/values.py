"""Plain Python values that answer to JavaScript's names too, for code that was written against proxies.

Law 1: a JsDict is a `dict`, a JsList a `list`: equal to, and printed as, the plain one. Nothing must be converted.
Law 2: `as_js` copies containers, as crossing the border does on the original; cycles and shared parts stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.array_methods import ListMethods
from holdfast.workers.sdk.buffers import ArrayBuffer, Uint8Array
from holdfast.workers.sdk.proxied import Constructed, Constructor

Value = TypeVar("Value")
Item = TypeVar("Item")


class JsDict(dict[str, Any]):
    """A dictionary whose keys are attributes too; what `dict` itself has comes first."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever user code put there
        try:
            return self[name]
        except KeyError:
            if name == "constructor":
                return Constructor(type(self))
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def to_py(self, **_options: object) -> dict[str, Any]:
        """This, as Pyodide's proxies give what they stand for."""
        return self

    def object_keys(self) -> list[str]:
        """As Pyodide's proxies have it."""
        return list(self)

    def object_values(self) -> list[Any]:
        """As Pyodide's proxies have it."""
        return list(self.values())

    def object_entries(self) -> list[tuple[str, Any]]:
        """As Pyodide's proxies have it."""
        return list(self.items())

    def as_object_map(self, **_options: object) -> JsDict:
        """This: it is a mapping already."""
        return self

    def as_py_json(self) -> JsDict:
        """This: it is plain already."""
        return self


class JsList(list[Item], ListMethods, Generic[Item]):
    """A list with what JavaScript's arrays can do."""

    def to_py(self, **_options: object) -> list[Item]:
        """This, as Pyodide's proxies give what they stand for."""
        return self


class JsMap(dict[Any, Any], Constructed):
    """`js.Map`, and what storage lists: a dictionary with a map's names."""

    @classmethod
    def new(cls, pairs: Iterable[tuple[Any, Any]] = ()) -> JsMap:
        """Of pairs."""
        return cls(pairs)

    @property
    def size(self) -> int:
        """How many."""
        return len(self)

    def set(self, key: object, value: object) -> JsMap:
        """Put it; this map."""
        self[key] = value
        return self

    def has(self, key: object) -> bool:
        """Whether it is there."""
        return key in self

    def delete(self, key: object) -> bool:
        """Remove it; whether it was there."""
        was_there = key in self
        self.pop(key, None)
        return was_there

    def entries(self) -> list[tuple[Any, Any]]:
        """(key, value) pairs."""
        return list(self.items())

    def forEach(self, visit: Callable[..., object]) -> None:  # noqa: N802 - JavaScript's name
        """Call `visit(value, key, map)`, or with as many of them as it takes."""
        for key, value in list(self.items()):
            as_many(visit, value, key, self)

    def to_py(self, **_options: object) -> dict[Any, Any]:
        """This: it is a dictionary already."""
        return self

    def as_object_map(self, **_options: object) -> JsMap:
        """This, as Pyodide's proxies have it."""
        return self


def as_js(value: object) -> Any:  # noqa: ANN401 - the same value, only richer
    """`value` with its dictionaries, sequences and bytes as the classes of here. Other objects are what they were."""
    return _converted(value, {})


def _converted(value: object, done: dict[int, tuple[object, object]]) -> object:
    if (known := done.get(id(value))) is not None:
        return known[1]
    if type(value) is bytes or isinstance(value, memoryview):
        return ArrayBuffer(value)
    if type(value) is bytearray:
        return Uint8Array(value)
    if isinstance(value, dict):
        mapping = JsDict()
        done[id(value)] = (value, mapping)
        for key, item in value.items():
            mapping[key] = _converted(item, done)
        return mapping
    if isinstance(value, (list, tuple)) and type(value) in {list, tuple, JsList}:
        items: JsList[object] = JsList()
        done[id(value)] = (value, items)
        items.extend(_converted(item, done) for item in value)
        return items
    return value


def options_of(init: object, given: Mapping[str, object]) -> dict[str, Any]:
    """Options as JavaScript's constructors take them: an object, a mapping or pairs as `init`, keywords over it."""
    if init is None:
        options: dict[str, Any] = {}
    elif isinstance(init, Mapping):
        options = dict(cast("Mapping[str, Any]", init))
    elif isinstance(init, (list, tuple)):
        options = dict(cast("list[tuple[str, Any]]", init))
    else:
        options = dict(_attributes(init))
    return {**options, **given}


# What is read of an object that is no mapping: another Request or Response as options, as the standard allows.
_OPTION_NAMES = ("status", "statusText", "headers", "method", "redirect", "webSocket", "cf", "signal")


def _attributes(init: object) -> Iterator[tuple[str, object]]:
    for name in _OPTION_NAMES:
        if (value := getattr(init, name, None)) is not None:
            yield name, value
