"""Header fields of a request or a response: one list, seen as JavaScript's `Headers` and as Python's `HTTPMessage`.

Law 1: one entry for each name, values of the same name joined by ", " (RFC 9110 §5.3); only `set-cookie` has many.
Law 2: names compare without case and are shown in lower case; they go out as they came in, or as user code spelled them.
Law 3: what could not stand in a head (RFC 9110 §5.5: controls, line breaks) is refused where it is set, never later.
Values are isomorphic-decoded (latin-1), as the fetch standard says, so that what passes through keeps its bytes.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.values import JsList

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_FORBIDDEN_IN_VALUE = re.compile(r"[\x00\r\n]")
_MANY = "set-cookie"


class Headers(Proxied):
    """JavaScript's `Headers`: iterates as (name, value) pairs, sorted by name."""

    def __init__(self, init: HeadersInit = None) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._spelling: dict[str, str] = {}
        if isinstance(init, HeadersMessage):
            init = init.js_object
        if isinstance(init, Headers):
            self._pairs, self._spelling = init.copied()
            return
        for name, value in _pairs_of(init):
            self.append(name, value)

    @classmethod
    def new(cls, init: HeadersInit = None) -> Headers:
        """As `js.Headers.new({"a": "b"})`, `js.Headers.new(pairs)`, `js.Headers.new(other)`."""
        return cls(init)

    @classmethod
    def from_wire(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Of a head that a parser of HTTP has accepted; not checked again."""
        made = cls()
        for raw_name, raw_value in pairs:
            made._add(raw_name.decode("latin-1"), raw_value.decode("latin-1"))
        return made

    def wire(self) -> list[tuple[bytes, bytes]]:
        """The fields as they go into a head; what latin-1 cannot say is said in UTF-8."""
        return [(self._spelling.get(name, name).encode("latin-1"), _encoded(value)) for name, value in self._pairs]

    def copied(self) -> tuple[list[tuple[str, str]], dict[str, str]]:
        """Names with values, and how names are spelled, for another one."""
        return list(self._pairs), dict(self._spelling)

    def append(self, name: str, value: str) -> None:
        """Add a value; joined to one that is there. TypeError if name or value cannot stand in a head."""
        self._add(_checked_name(name), _checked_value(value))

    def set(self, name: str, value: str) -> None:
        """The one value of a name."""
        spelled, text = _checked_name(name), _checked_value(value)
        self.delete(spelled)
        self._add(spelled, text)

    def delete(self, name: str) -> None:
        """Remove all of a name; nothing if there is none."""
        lower = name.lower()
        self._pairs[:] = [pair for pair in self._pairs if pair[0] != lower]
        self._spelling.pop(lower, None)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value, several `set-cookie` joined by ", "; None (or `default`) without one."""
        lower = name.lower()
        found = [value for one, value in self._pairs if one == lower]
        return ", ".join(found) if found else default

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        lower = name.lower()
        return any(one == lower for one, _ in self._pairs)

    def getSetCookie(self) -> JsList[str]:  # noqa: N802 - JavaScript's name
        """Each `set-cookie` by itself."""
        return JsList(value for name, value in self._pairs if name == _MANY)

    def getAll(self, name: str) -> JsList[str]:  # noqa: N802 - JavaScript's name
        """Each value of `set-cookie`: Cloudflare's older name for `getSetCookie`, which it allows for no other field."""
        if name.lower() != _MANY:
            raise JsTypeError('getAll() can only be used with the header name "Set-Cookie".')
        return self.getSetCookie()

    def keys(self) -> list[str]:
        """Names, sorted."""
        return [name for name, _ in self]

    def values(self) -> list[str]:
        """Values, in the order of their names."""
        return [value for _, value in self]

    def entries(self) -> list[tuple[str, str]]:
        """(name, value) pairs, sorted by name."""
        return list(self)

    items = entries

    def forEach(self, visit: Callable[..., object]) -> None:  # noqa: N802 - JavaScript's name
        """Call `visit(value, name, headers)`, or with as many of them as it takes."""
        for name, value in self:
            as_many(visit, value, name, self)

    def message(self) -> HeadersMessage:
        """The same fields as `http.client.HTTPMessage`: what is changed there is changed here."""
        return HeadersMessage(self)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(sorted(self._pairs, key=lambda pair: pair[0]))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.has(name)

    def __getitem__(self, name: str) -> str:
        if (value := self.get(name)) is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return sorted(self._pairs) == sorted(other._pairs) if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"

    def _add(self, spelled: str, value: str) -> None:
        name = spelled.lower()
        if name in self._spelling and name != _MANY:
            position = next(at for at, pair in enumerate(self._pairs) if pair[0] == name)
            self._pairs[position] = (name, f"{self._pairs[position][1]}, {value}")
            return
        self._spelling.setdefault(name, spelled)
        self._pairs.append((name, value))


class HeadersMessage(http.client.HTTPMessage, Mapping[str, str]):  # type: ignore[misc]  # the original's class is both
    """`request.headers` of the SDK: read as `HTTPMessage`, and what is set here goes out.

    `message[name] = value` adds to what is there, as HTTPMessage does; `replace_header` and `del` do as they say.
    """

    def __init__(self, headers: Headers) -> None:
        super().__init__()
        self.js_object = headers
        self._headers: list[tuple[str, str]] = headers._pairs  # noqa: SLF001 - one list, two views

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401 - as HTTPMessage's
        self.js_object.append(name, str(value))

    def __delitem__(self, name: str) -> None:
        self.js_object.delete(name)

    def __getitem__(self, name: str) -> str:
        # HTTPMessage gives None where there is none; the original's class is one.
        return cast("str", self.js_object.get(name))

    def add_header(self, _name: str, _value: str, **_params: Any) -> None:  # noqa: ANN401 - as HTTPMessage's
        """Add a value; parameters (`filename="x"`) follow it as HTTPMessage writes them."""
        parts = [_value]
        parts += [f'{key.replace("_", "-")}="{value}"' for key, value in _params.items()]
        self.js_object.append(_name, "; ".join(parts))

    def replace_header(self, _name: str, _value: Any) -> None:  # noqa: ANN401 - as HTTPMessage's
        """Replace the value of a field that is there. KeyError if it is not."""
        if not self.js_object.has(_name):
            raise KeyError(_name)
        self.js_object.set(_name, str(_value))

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable


HeadersInit: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]] | None


def _pairs_of(init: Any) -> Iterable[tuple[str, str]]:  # noqa: ANN401 - told apart here
    if init is None:
        return ()
    if isinstance(init, Mapping):
        return init.items()
    if isinstance(init, (str, bytes)):
        raise JsTypeError("Received unexpected type for headers argument")
    try:
        return [(pair[0], pair[1]) for pair in init]
    except (TypeError, IndexError, KeyError):
        raise JsTypeError("Received unexpected type for headers argument") from None


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.match(name):
        raise JsTypeError(f"Invalid header name: {name!r}.")
    return name


def _checked_value(value: object) -> str:
    # As JavaScript says it.
    text = (str(value).lower() if isinstance(value, bool) else str(value)).strip(" \t\r\n")
    if _FORBIDDEN_IN_VALUE.search(text):
        raise JsTypeError(f"Invalid header value: {text!r}.")
    return text


def _encoded(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")
