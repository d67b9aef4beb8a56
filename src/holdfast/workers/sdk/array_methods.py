"""What JavaScript's arrays can do, for Python's sequences: `map`, `filter`, `slice` and their like.

Law 1: callbacks get (item, position, array), or as many of them as they take.
Law 2: what gives an array in JavaScript gives one of the class that it is called on; the array itself stays, but for what fills or cuts it there.
Law 3: what is there under Python's own name (`index`, `sort`, `reverse`, `pop`) is Python's. There is no `keys`: Python takes what has it
for a mapping, and an array of pairs is what dictionaries are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from holdfast.workers.sdk.arity import as_many
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.proxied import Constructed

_ABSENT = object()


class ArrayMethods(Constructed):
    """Mixed into a class that is a sequence, and is made of an iterable. It comes last: what the others have is theirs."""

    if TYPE_CHECKING:

        def __len__(self) -> int: ...
        def __getitem__(self, position: int) -> Any: ...  # noqa: ANN401 - an item
        def __iter__(self) -> Iterator[Any]: ...

    @property
    def length(self) -> int:
        """How many items."""
        return len(self)

    def at(self, position: int) -> Any:  # noqa: ANN401 - an item
        """The item there, from the end if negative; None where there is none."""
        return self[position] if -len(self) <= position < len(self) else None

    def entries(self) -> list[tuple[int, Any]]:
        """(position, item) pairs."""
        return list(enumerate(self))

    def values(self) -> list[Any]:
        """The items."""
        return list(self)

    def forEach(self, visit: Callable[..., object]) -> None:  # noqa: N802 - JavaScript's name
        """Call for each item."""
        for _ in self._visited(visit):
            pass

    def map(self, convert: Callable[..., Any]) -> Any:  # noqa: ANN401 - one of its class
        """What `convert` makes of each."""
        return self._made(made for _, _, made in self._visited(convert))

    def filter(self, wanted: Callable[..., object]) -> Any:  # noqa: ANN401 - as above
        """Those that are wanted."""
        return self._made(item for _, item, is_so in self._visited(wanted) if is_so)

    def every(self, wanted: Callable[..., object]) -> bool:
        """Whether all are."""
        return all(is_so for _, _, is_so in self._visited(wanted))

    def some(self, wanted: Callable[..., object]) -> bool:
        """Whether one is."""
        return any(is_so for _, _, is_so in self._visited(wanted))

    def findIndex(self, wanted: Callable[..., object]) -> int:  # noqa: N802 - JavaScript's name
        """The position of the first that is wanted, or -1."""
        return next((at for at, _, is_so in self._visited(wanted) if is_so), -1)

    def findLast(self, wanted: Callable[..., object]) -> Any:  # noqa: ANN401, N802 - an item, and JavaScript's name
        """The last that is wanted; None without one."""
        found = [item for _, item, is_so in self._visited(wanted) if is_so]
        return found[-1] if found else None

    def reduce(self, join: Callable[..., Any], first: Any = _ABSENT) -> Any:  # noqa: ANN401 - whatever it makes
        """All joined into one, from the left. TypeError of none without a first."""
        items = list(enumerate(self))
        if first is _ABSENT:
            if not items:
                raise JsTypeError("Reduce of empty array with no initial value")
            first = items.pop(0)[1]
        for at, item in items:
            first = as_many(join, first, item, at, self)
        return first

    def includes(self, item: object) -> bool:
        """Whether it is in there."""
        return any(item == one for one in self)

    def indexOf(self, item: object, start: int = 0) -> int:  # noqa: N802 - JavaScript's name
        """Its first position from `start` on, or -1."""
        return next((at for at, one in enumerate(self) if at >= start and one == item), -1)

    def lastIndexOf(self, item: object) -> int:  # noqa: N802 - JavaScript's name
        """Its last position, or -1."""
        return max((at for at, one in enumerate(self) if one == item), default=-1)

    def slice(self, start: int = 0, end: int | None = None) -> Any:  # noqa: ANN401 - one of its class
        """A copy of a part."""
        return self._made(list(self)[start:end])

    def toReversed(self) -> Any:  # noqa: ANN401, N802 - one of its class, and JavaScript's name
        """A copy, last first."""
        return self._made(list(self)[::-1])

    def toString(self) -> str:  # noqa: N802 - JavaScript's name
        """The items' texts, with commas between."""
        return ",".join(map(str, self))

    def object_keys(self) -> list[str]:
        """As Pyodide's proxies have it."""
        return [str(at) for at in range(len(self))]

    def object_values(self) -> list[Any]:
        """As Pyodide's proxies have it."""
        return list(self)

    def object_entries(self) -> list[tuple[str, Any]]:
        """As Pyodide's proxies have it."""
        return [(str(at), item) for at, item in enumerate(self)]

    def _visited(self, visit: Callable[..., Any]) -> Iterator[tuple[int, Any, Any]]:
        """Each position and item, and what the callback says of it, asked when that is wanted."""
        for at, item in enumerate(list(self)):
            yield at, item, as_many(visit, item, at, self)

    def _made(self, items: Iterable[Any]) -> Any:  # noqa: ANN401 - one of its class
        return type(self)(list(items))  # type: ignore[call-arg]  # the class it is mixed into takes them


def in_order(items: Iterable[Any], compare: Callable[[Any, Any], float] | None) -> list[Any]:
    """Numbers by size, or as `compare(a, b)` has them."""
    return sorted(items) if compare is None else sorted(items, key=cmp_to_key(compare))  # type: ignore[arg-type]  # of any sign


class ListMethods(ArrayMethods):
    """The same, and what changes how long a list is."""

    def find(self, wanted: Callable[..., object]) -> Any:  # noqa: ANN401 - an item
        """The first that is wanted; None without one."""
        return next((item for _, item, is_so in self._visited(wanted) if is_so), None)

    def join(self, separator: str = ",") -> str:
        """The items' texts, joined; of None no text."""
        return separator.join("" if item is None else str(item) for item in self)

    def concat(self, *others: Any) -> Any:  # noqa: ANN401 - one of its class
        """A copy with what is in other lists, or with other items, after it."""
        more = [item for other in others for item in (other if isinstance(other, (list, tuple)) else [other])]
        return self._made([*self, *more])

    def flat(self, depth: int = 1) -> Any:  # noqa: ANN401 - as above
        """A copy with the items of lists in it in their place."""
        return self._made(_flat(self, depth))

    def flatMap(self, convert: Callable[..., Any]) -> Any:  # noqa: ANN401, N802 - as above, and JavaScript's name
        """What `convert` makes of each, lists opened."""
        return self.map(convert).flat()

    def push(self, *items: Any) -> int:  # noqa: ANN401 - anything
        """Append; the new length."""
        self[len(self) :] = items  # type: ignore[index]  # it is a list
        return len(self)

    def unshift(self, *items: Any) -> int:  # noqa: ANN401 - anything
        """Put before the first; the new length."""
        self[:0] = items  # type: ignore[index]  # as above
        return len(self)

    def shift(self) -> Any:  # noqa: ANN401 - an item
        """Take the first out; None without one."""
        return self.pop(0) if len(self) else None  # type: ignore[attr-defined]  # as above

    def splice(self, start: int, count: int | None = None, *items: Any) -> Any:  # noqa: ANN401 - one of its class
        """Take `count` items out at `start` (all from there without), and put others in; what was taken out."""
        begin = max(len(self) + start, 0) if start < 0 else min(start, len(self))
        end = len(self) if count is None else min(begin + max(count, 0), len(self))
        taken = self._made(list(self)[begin:end])
        self[begin:end] = items  # type: ignore[index]  # as above
        return taken

    def fill(self, item: Any, start: int = 0, end: int | None = None) -> Any:  # noqa: ANN401 - itself
        """Have it everywhere between; this list."""
        for at in range(*slice(start, end).indices(len(self))):
            self[at] = item  # type: ignore[index]  # as above
        return self


def _flat(items: Iterable[Any], depth: int) -> Iterator[Any]:
    for item in items:
        if isinstance(item, (list, tuple)) and depth > 0:
            yield from _flat(item, depth - 1)
        else:
            yield item
