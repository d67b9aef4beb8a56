"""Routes of Workers: patterns parsed, and the one found that a request belongs to. Pure.

Law 1: a pattern is `[http[s]://]host[/path]`, with a `*` at the start of its host, at the end of its path, or both, and nowhere
else. Without a path it means "/" alone. The path is compared with the request's path and query, case and all; the host without case.
Law 2: of several that match, the most specific wins: the host decides first (an exact one, else the one with the most
characters beside its `*`), then the path likewise, then a scheme before none.
Law 3: finding it takes two searches in sorted lists, whatever the number of routes; no pattern is looked at by itself.
Law 4: whatever the text, parsing returns a pattern or raises ValueError, a sentence.

Departure: of `example.com/images/*` and `example.com/images*` the original sends `/images/hello` to the second, and calls it a
known issue. Here the longer one wins, which is what its documentation says of every other pair.

Source: Cloudflare, "Workers: Routes".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from holdfast.model.hostname import is_within, parse_hostname

# Longest pattern. Precedent: a target that an edge reads has 16 KiB; nobody routes by more than a part of it.
MAX_CHARS = 2_048
# Routes of one zone. Precedent: the original's quota.
MAX_ROUTES = 1_000
# Script of a route that sends its requests to the origin, past less specific routes.
NO_SCRIPT = ""

_SCHEMES = ("http", "https")
EXPECTED = "a pattern such as example.com/*, *.example.com/api/* or https://chat.example.com/room"

T = TypeVar("T")


class RoutePattern(msgspec.Struct, frozen=True):
    """A pattern, parsed. `scheme` "" is either; `host` is in lower case, without its `*`, which `is_host_open` says; `path` likewise."""

    scheme: str
    host: str
    is_host_open: bool
    path: str
    is_path_open: bool

    def __str__(self) -> str:
        """The one spelling of what it means."""
        scheme = f"{self.scheme}://" if self.scheme else ""
        return f"{scheme}{'*' * self.is_host_open}{self.host}{self.path}{'*' * self.is_path_open}"

    def is_of_zone(self, zone: str) -> bool:
        """Whether hosts of `zone` can match it, and, but for an open host, no others."""
        name = self.host.removeprefix(".")
        return (self.is_host_open and not name) or is_within(name, zone)


def parse_pattern(text: str) -> RoutePattern:
    """The pattern in `text`. Raises ValueError."""
    if not text or len(text) > MAX_CHARS or not text.isprintable() or " " in text:
        raise ValueError(f"expected {EXPECTED}, of at most {MAX_CHARS} characters, got {text[:80]!r}")
    scheme, has_scheme, rest = text.partition("://")
    if not has_scheme:
        scheme, rest = "", text
    elif scheme.lower() not in _SCHEMES:
        raise ValueError(f"expected http:// or https:// or no scheme, got {text[:80]!r}")
    host, slash, path = rest.partition("/")
    return RoutePattern(scheme.lower(), *_host(host, text), *_path(slash + path or "/", text))


def _host(host: str, text: str) -> tuple[str, bool]:
    is_open = host.startswith("*")
    bare = host[1:] if is_open else host
    if "*" in bare:
        raise ValueError(f"expected a * nowhere in the host but at its start, got {text[:80]!r}")
    if is_open and not bare:
        return "", True
    dot = "." if is_open and bare.startswith(".") else ""
    try:
        return dot + parse_hostname(bare.removeprefix(dot), single_label=True), is_open
    except ValueError:
        raise ValueError(f"expected {EXPECTED}, got {text[:80]!r}") from None


def _path(path: str, text: str) -> tuple[str, bool]:
    bare = path.removesuffix("*")
    if "*" in bare:
        raise ValueError(f"expected a * nowhere in the path but at its end, got {text[:80]!r}")
    if "?" in bare or "#" in bare:
        raise ValueError(f"expected a path without a query: a pattern cannot have one, got {text[:80]!r}")
    return bare, bare != path


class _Prefixes(Generic[T]):
    """Values by text: those of prefixes of a text, the longest first, in the time of one search and what is found.

    Between the greatest entry that is not above a text and that text, everything begins with what both begin with; so the
    entries that are prefixes of the text are among that entry and those that it begins with.
    """

    __slots__ = ("_keys", "_shorter", "_values")

    def __init__(self, values: Mapping[str, T]) -> None:
        self._keys = sorted(values)
        self._values = [values[key] for key in self._keys]
        # Where the longest entry is that an entry begins with; -1: nowhere.
        self._shorter: list[int] = []
        open_: list[int] = []
        for place, key in enumerate(self._keys):
            while open_ and not key.startswith(self._keys[open_[-1]]):
                open_.pop()
            self._shorter.append(open_[-1] if open_ else -1)
            open_.append(place)

    def of(self, text: str) -> Iterator[T]:
        """The values of entries that `text` begins with."""
        place = bisect_right(self._keys, text) - 1
        while place >= 0:
            if text.startswith(self._keys[place]):
                yield self._values[place]
            place = self._shorter[place]


class _Paths(Generic[T]):
    """The routes of one host: exact paths, and beginnings of paths; each by scheme."""

    __slots__ = ("_exact", "_open")

    def __init__(self, routes: Sequence[tuple[RoutePattern, T]]) -> None:
        exact: dict[str, dict[str, T]] = {}
        begun: dict[str, dict[str, T]] = {}
        for pattern, value in routes:
            (begun if pattern.is_path_open else exact).setdefault(pattern.path, {})[pattern.scheme] = value
        self._exact, self._open = exact, _Prefixes(begun)

    def of(self, scheme: str, target: str) -> Iterator[T]:
        by_scheme = self._exact.get(target)
        if by_scheme is not None:
            yield from _of_scheme(by_scheme, scheme)
        for by_scheme in self._open.of(target):
            yield from _of_scheme(by_scheme, scheme)


def _of_scheme(values: Mapping[str, T], scheme: str) -> Iterator[T]:
    if scheme in values:
        yield values[scheme]
    if "" in values:
        yield values[""]


class RouteTable(Generic[T]):
    """What each route leads to. Of two with the same pattern, the later one counts."""

    __slots__ = ("_exact", "_open")

    def __init__(self, routes: Iterable[tuple[RoutePattern, T]]) -> None:
        exact: dict[str, list[tuple[RoutePattern, T]]] = {}
        ends: dict[str, list[tuple[RoutePattern, T]]] = {}
        for route in routes:
            pattern = route[0]
            # A host is read backwards, so that its end becomes a beginning.
            (ends if pattern.is_host_open else exact).setdefault(
                pattern.host[::-1] if pattern.is_host_open else pattern.host, []
            ).append(route)
        self._exact = {host: _Paths(found) for host, found in exact.items()}
        self._open = _Prefixes({end: _Paths(found) for end, found in ends.items()})

    def find(self, scheme: str, host: str, target: str) -> T | None:
        """What the most specific route leads to that a request matches; None where none does.

        `host` is in lower case, without a port; `target` is the path, and, where there is a query, "?" and the query.
        """
        paths = self._exact.get(host)
        if paths is not None:
            for found in paths.of(scheme, target):
                return found
        for paths in self._open.of(host[::-1]):
            for found in paths.of(scheme, target):
                return found
        return None
