"""Keys and values of an object, checked and encoded: what the asynchronous and the synchronous API have in common.

Law 1: an operation acts when it is called, in one piece: nothing else of the object runs between its parts.
Law 2: the host is asked before (`check`) and told after each write (`wrote`); an error of the file reaches user code as a JsException,
       and one after which the file is of no use resets the object.
Law 3: what several keys are put or deleted by happens for all of them or for none.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.store.objects.errors import StorageBroken, StorageError
from holdfast.store.objects.kv import KeyValues, Range
from holdfast.workers.durable.errors import StorageReset
from holdfast.workers.sdk.errors import JsException, JsRangeError, JsTypeError
from holdfast.workers.sdk.sending import as_text
from holdfast.workers.sdk.values import JsMap
from holdfast.workers.values import decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from holdfast.store.objects.file import ObjectFile

# Most keys in one call, and most bytes of a key and its value together: the original's numbers.
MAX_PAIRS = 128
MAX_PAIR_BYTES = 2 * 1024 * 1024

_RANGE_OPTIONS = {
    "start": "start",
    "startAfter": "start_after",
    "start_after": "start_after",
    "end": "end",
    "prefix": "prefix",
    "reverse": "is_reverse",
    "limit": "limit",
}


class StorageHost(Protocol):
    """The instance whose storage this is (`instance.Instance`)."""

    def check(self) -> None:
        """Raise what broke the instance, if it is broken."""

    def used(self) -> None:
        """The step that runs used the storage."""

    def wrote(self, *, confirmed: bool = True) -> None:
        """There was a write; outputs wait until it is durable, unless it was not to be `confirmed`."""

    def confirmed(self) -> Awaitable[None]:
        """All writes so far are durable."""

    def exclusive(self, callback: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:
        """Run the callback with no other event of the object, and no commit, until it has ended."""

    def break_(self, error: BaseException) -> None:
        """The instance is of no use any more."""


class Keys:
    """The keys of one object's file."""

    __slots__ = ("_file", "_host", "_kv")

    def __init__(self, file: ObjectFile, host: StorageHost) -> None:
        self._file, self._host = file, host
        self._kv = KeyValues(file)

    def get(self, key: object) -> Any:  # noqa: ANN401 - what was put
        """The value, None if there is none."""
        name = key if type(key) is str and key.isascii() else _key(key)
        self._host.check()
        try:
            data = self._kv.get(name)
        except StorageError as error:
            raise translated(error, self._host) from error
        return None if data is None else decode(data)

    def get_many(self, keys: Iterable[object]) -> JsMap:
        """What there is of these keys, in order of keys."""
        names = sorted(set(_several(keys)))
        self._host.check()
        found = JsMap()
        with translating(self._host):
            for name in names:
                if (data := self._kv.get(name)) is not None:
                    found[name] = decode(data)
        return found

    def put(self, key: object, value: object, *, confirmed: bool = True) -> None:
        """Keep the value under the key."""
        name = key if type(key) is str and key.isascii() else _key(key)
        data = _encoded(name, value)
        self._host.check()
        try:
            self._kv.put(name, data)
        except StorageError as error:
            raise translated(error, self._host) from error
        self._host.wrote(confirmed=confirmed)

    def put_many(self, entries: Mapping[Any, object], *, confirmed: bool = True) -> None:
        """Keep all of them, or none."""
        pairs = [(name, _encoded(name, value)) for name, value in zip(_several(entries), entries.values(), strict=True)]
        self._host.check()
        if pairs:
            with translating(self._host), whole(self._file):
                for name, data in pairs:
                    self._kv.put(name, data)
            self._host.wrote(confirmed=confirmed)

    def delete(self, key: object, *, confirmed: bool = True) -> bool:
        """Whether there was such a key."""
        return self.delete_many((key,), confirmed=confirmed) == 1

    def delete_many(self, keys: Iterable[object], *, confirmed: bool = True) -> int:
        """How many of the keys there were."""
        names = _several(keys)
        self._host.check()
        with translating(self._host):
            if not names or not self._file.exists:
                return 0
            if len(names) == 1:
                count = int(self._kv.delete(names[0]))
            else:
                with whole(self._file):
                    count = sum(self._kv.delete(name) for name in names)
        self._host.wrote(confirmed=confirmed)
        return count

    def list(self, options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Keys and values of a range, in order; read at once, decoded as they are taken."""
        keys = range_of(options)
        self._host.check()
        with translating(self._host):
            pairs = self._kv.list(keys)
        return ((name, decode(data)) for name, data in pairs)


def translated(error: StorageError, host: StorageHost) -> JsException:
    """The error as user code gets it. The object is reset if its file is of no use any more."""
    if isinstance(error, StorageBroken):
        reset = StorageReset(f"Durable Object reset because its storage failed: {error}")
        host.break_(reset)
        return reset
    return JsException(str(error))


@contextmanager
def translating(host: StorageHost) -> Iterator[None]:
    """Errors of the file in here are raised as user code gets them."""
    try:
        yield
    except StorageError as error:
        raise translated(error, host) from error


@contextmanager
def whole(file: ObjectFile) -> Iterator[None]:
    """What is written in here is written altogether or not at all."""
    depth = file.begin_nested()
    try:
        yield
    except BaseException:
        # The error that led here says more than one of a file that is broken by now.
        with suppress(StorageError):
            file.end_nested(depth, keep=False)
        raise
    file.end_nested(depth, keep=True)


def range_of(options: Mapping[str, Any]) -> Range:
    """The options of `list()`. Raises JsTypeError for what cannot be meant; names it does not have are left out, as in JavaScript."""
    given = {_RANGE_OPTIONS[name]: value for name, value in options.items() if name in _RANGE_OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    if "start" in given and "start_after" in given:
        raise JsTypeError("list() cannot be called with both start and startAfter values.")
    for name in {"start", "start_after", "end", "prefix"} & given.keys():
        given[name] = _key(given[name])
    if "limit" in given:
        limit = given["limit"]
        if not isinstance(limit, (int, float)) or not isfinite(limit) or int(limit) <= 0:
            raise JsTypeError("List limit must be positive.")
        given["limit"] = int(limit)
    if "is_reverse" in given:
        given["is_reverse"] = bool(given["is_reverse"])
    return Range(**given)


def _key(key: object) -> str:
    """The key as text. Raises JsTypeError where it is neither text nor number."""
    if (text := as_text(key)) is None:
        raise JsTypeError(f"a key must be a string, got {type(key).__name__}")
    return text


def _several(keys: Iterable[object]) -> list[str]:
    names = [_key(key) for key in keys]
    if len(names) > MAX_PAIRS:
        raise JsRangeError(f"Maximum number of key value pairs is {MAX_PAIRS}. {len(names)} pairs were provided.")
    return names


def _encoded(key: str, value: object) -> bytes:
    data = encode(value)
    size = len(key.encode(errors="surrogatepass")) + len(data)
    if size > MAX_PAIR_BYTES:
        raise JsRangeError(f"Values cannot be larger than {MAX_PAIR_BYTES} bytes. A value of size {size} was provided.")
    return data
