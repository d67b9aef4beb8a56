"""`URLSearchParams`: the names and values of a query or of an urlencoded form.

Law: `URLSearchParams(str(params))` has the same pairs in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl, quote_plus

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.values import JsList

# Pairs of one query; what follows is left out. A head has 16 KiB of target at most, a body is the form parser's.
MAX_PAIRS = 10_000


def pairs_of_query(text: str) -> list[tuple[str, str]]:
    """The pairs of an urlencoded text, percent-decoded, invalid UTF-8 replaced."""
    pieces = text.split("&", MAX_PAIRS)[:MAX_PAIRS]
    return parse_qsl("&".join(piece for piece in pieces if piece), keep_blank_values=True)


class URLSearchParams(Proxied):
    """Names and values of a query, in order; a name may have many."""

    def __init__(self, init: ParamsInit = None) -> None:
        self._on_change: Callable[[str], None] | None = None
        self._pairs: list[tuple[str, str]]
        if isinstance(init, str):
            self._pairs = pairs_of_query(init.removeprefix("?"))
        elif isinstance(init, URLSearchParams):
            self._pairs = init.entries()
        else:
            given = init.items() if isinstance(init, Mapping) else init or ()
            self._pairs = [(str(pair[0]), str(pair[1])) for pair in given]

    @classmethod
    def new(cls, init: ParamsInit = None) -> URLSearchParams:
        """As `js.URLSearchParams.new("a=1")`, or of a mapping, or of pairs."""
        return cls(init)

    def attach(self, on_change: Callable[[str], None]) -> None:
        """Tell `on_change` the whole text after each change."""
        self._on_change = on_change

    def reread(self, query: str) -> None:
        """Be the pairs of another query, telling nobody."""
        self._pairs = pairs_of_query(query)

    @property
    def size(self) -> int:
        """How many pairs."""
        return len(self._pairs)

    def forEach(self, visit: Callable[..., object]) -> None:  # noqa: N802 - JavaScript's name
        """Call `visit(value, name, params)`, or with as many of them as it takes."""
        for name, value in list(self._pairs):
            as_many(visit, value, name, self)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of a name."""
        return next((value for one, value in self._pairs if one == name), default)

    def getAll(self, name: str) -> JsList[str]:  # noqa: N802 - JavaScript's name
        """All values of a name."""
        return JsList(value for one, value in self._pairs if one == name)

    def has(self, name: str, value: str | None = None) -> bool:
        """Whether there is such a name, or such a pair."""
        return any(one == name and value in {None, its} for one, its in self._pairs)

    def append(self, name: str, value: str) -> None:
        """Add a pair."""
        self._pairs.append((str(name), str(value)))
        self._tell()

    def set(self, name: str, value: str) -> None:
        """The one value of a name, where its first one was."""
        place = next((at for at, (one, _) in enumerate(self._pairs) if one == name), len(self._pairs))
        before = self._pairs[:place]
        self._pairs = [*before, (str(name), str(value)), *(pair for pair in self._pairs[place:] if pair[0] != name)]
        self._tell()

    def delete(self, name: str, value: str | None = None) -> None:
        """Remove all of a name, or of a pair."""
        self._pairs = [(one, its) for one, its in self._pairs if one != name or value not in {None, its}]
        self._tell()

    def sort(self) -> None:
        """Sort by name, by UTF-16 code units; values of a name keep their order."""
        self._pairs.sort(key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
        self._tell()

    def keys(self) -> list[str]:
        """Names, as often as they have values."""
        return [name for name, _ in self._pairs]

    def values(self) -> list[str]:
        """Values."""
        return [value for _, value in self._pairs]

    def entries(self) -> list[tuple[str, str]]:
        """(name, value) pairs."""
        return list(self._pairs)

    items = entries

    def toString(self) -> str:  # noqa: N802 - JavaScript's name
        """As a query is written, without "?"."""
        return "&".join(f"{_form_encoded(name)}={_form_encoded(value)}" for name, value in self._pairs)

    __str__ = toString

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(list(self._pairs))

    def __getitem__(self, name: str) -> str:
        # As Pyodide has it for whatever has `get`.
        if (value := self.get(name)) is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return any(one == name for one, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"URLSearchParams({self.toString()!r})"

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change(self.toString())


ParamsInit: TypeAlias = str | Mapping[str, str] | Iterable[tuple[str, str]] | URLSearchParams | None


def _form_encoded(text: str) -> str:
    return quote_plus(text.encode("utf-8", "replace"), safe="*-._").replace("~", "%7E")
