"""What crosses from one object to another: copied, as between processes, so that neither sees the other's changes.

Values are copied part by part, shared parts and circles kept. What has a life (a request, a response, a stream, a socket, a stub) goes
as it is; a function goes as something that calls it back where it lives (`reference`).

Law 1: no container that one side holds is reachable from the other. A tuple arrives as a list, but within a key or a set.
Law 2: an error arrives with its class, message and properties, `remote` True, and where it happened as a note.
Law 3: what is none of these is a DataCloneError that names its type, and nothing has been sent. So is what an object has its storage and its
sockets by: `ctx`, the storage, a cursor (`stays_as`, the original's name of it).
"""

import traceback
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from holdfast.workers.durable.errors import marked
from holdfast.workers.sdk.errors import DOMException, JsException
from holdfast.workers.sdk.values import JsDict

Reference = Callable[[Callable[..., Any]], Any]

ATOMS = frozenset({type(None), bool, int, float, str, bytes, datetime, date, time, timedelta, complex})
# What has a life of its own is of these rooms; user code has no class there.
LIVING = ("holdfast.workers.sdk.", "holdfast.workers.runtime.", "holdfast.workers.durable.", "holdfast.workers.remote.")
PACKAGE = str(Path(__file__).parents[2])
# How deep containers may lie in each other: beyond it Python's own stack would end.
MAX_DEPTH = 200


class Copier:
    """One copy of one message: `reference` makes what stands for a function on the other side."""

    __slots__ = ("_depth", "_known", "_reference")

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._known: dict[int, tuple[object, object]] = {}
        self._depth = 0

    def copy(self, value: Any) -> Any:  # noqa: ANN401  whatever user code sends
        """The value as the other side gets it. Raises DOMException "DataCloneError"."""
        if type(value) in ATOMS:
            return value
        if (known := self._known.get(id(value))) is not None:
            return known[1]
        self._deeper()
        try:
            return self._container(value)
        finally:
            self._depth -= 1

    def _container(self, value: Any) -> Any:  # noqa: ANN401  as above
        if isinstance(value, dict):
            mapping = self._keep(value, JsDict())
            for key, item in value.items():
                dict.__setitem__(mapping, self._key(key), self.copy(item))
            return mapping
        if isinstance(value, list | tuple):
            items: list[Any] = self._keep(value, [])
            items.extend(map(self.copy, value))
            return items
        if isinstance(value, set | frozenset):
            return self._keep(value, set(map(self._key, value)))
        return self._other(value)

    def _key(self, value: Any) -> Any:  # noqa: ANN401  as above
        # What is looked up by has to stay hashable, so a tuple is one on the other side too, unlike elsewhere.
        kind = tuple if isinstance(value, tuple) else frozenset if isinstance(value, frozenset) else None
        if kind is None:
            return self.copy(value)
        self._deeper()
        try:
            return kind(map(self._key, value))
        finally:
            self._depth -= 1

    def _deeper(self) -> None:
        if self._depth >= MAX_DEPTH:
            raise uncopyable(f"A value is nested more than {MAX_DEPTH} deep")
        self._depth += 1

    def _other(self, value: Any) -> Any:  # noqa: ANN401  as above
        # A subclass goes as what it is of: an enumeration's member as its text or number.
        for plain in (str, int, float):
            if isinstance(value, plain):
                return plain(value.value) if hasattr(value, "value") else plain(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        if isinstance(value, Exception):
            return self.error(value)
        if type(value).__module__.startswith(LIVING):
            if (name := getattr(type(value), "stays_as", None)) is not None:
                raise uncopyable(
                    f'Could not serialize object of type "{name}". This type does not support serialization'
                )
            return value
        if callable(value):
            return self._keep(value, self._reference(value))
        raise uncopyable(f"An object of type {type(value).__qualname__} cannot be sent to another object")

    def error(self, error: BaseException) -> BaseException:
        """The error as the caller gets it: a new one of the same class, with the text of where it happened as a note."""
        try:
            return self._same_error(error)
        except BaseException:  # noqa: BLE001  its class is user code, which may refuse whatever is done with it
            return marked(JsException(text_of(error), name=type(error).__name__), remote=True)

    def _same_error(self, error: BaseException) -> BaseException:
        kind = type(error)
        # What has itself in it has its text there; what has it in a property has the copy.
        self._keep(error, text_of(error))
        args = tuple(map(self._or_text, error.args))
        # Of user code's classes the constructor is not called: it may want something else than `args`, and has done its work.
        copy: BaseException = self._keep(
            error, kind(*args) if kind.__module__ == "builtins" else kind.__new__(kind, *args)
        )
        for name, value in vars(error).items():
            if not name.startswith("__"):
                marked(copy, **{name: self._or_text(value)})
        marked(copy, remote=True)
        # Where user code was; the way through the runtime tells nobody anything.
        frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith(PACKAGE)]
        if frames:
            copy.add_note("In the object:\n" + "".join(traceback.format_list(frames)).rstrip())
        return copy

    def _or_text(self, value: object) -> object:
        try:
            return self.copy(value)
        except BaseException:  # noqa: BLE001  as above
            return text_of(value, repr)

    def _keep(self, original: object, copy: Any) -> Any:  # noqa: ANN401  as above
        # The original is kept too: as long as it lives, nothing else has its identity.
        self._known[id(original)] = (original, copy)
        return copy


def copied(value: Any, reference: Reference) -> Any:  # noqa: ANN401  whatever user code sends
    """The value as the other side gets it. Raises DOMException "DataCloneError"."""
    return value if type(value) in ATOMS else Copier(reference).copy(value)


def copied_error(error: BaseException, reference: Reference) -> BaseException:
    """The error as the caller gets it. Raises nothing."""
    return Copier(reference).error(error)


def text_of(value: object, said: Callable[[object], str] = str) -> str:
    """What a value says of itself, or that it cannot."""
    try:
        return said(value)
    except BaseException as error:  # noqa: BLE001  user code's, as `__str__` is
        return f"<{type(value).__name__}, whose text failed: {type(error).__name__}>"


def uncopyable(why: str) -> DOMException:
    """The error for what cannot be copied."""
    return DOMException(f"{why}.", "DataCloneError")
