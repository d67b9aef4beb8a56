"""Who has the sessions of a link that are put away, by their numbers: a dictionary for numbers that mostly follow each other.

Of ten thousand sessions a `dict` has the numbers as objects of their own, each where there was room when its socket was opened; together with
the entries that is as much as is kept of the sockets themselves. An edge numbers them one after the other, so here it is an entry for PAGE of them.

Law: what one session costs alone is bounded: a page that nobody is on any more is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

# 8 bytes each; a page with its number and its entry takes about 250.
PAGE = 16
_NUMBER_BYTES = 8

T = TypeVar("T")


class Sleepers(Generic[T]):
    """Number -> who; of a `dict` what a link asks for."""

    __slots__ = ("_count", "_pages")

    def __init__(self) -> None:
        self._pages: dict[int, list[T | None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        for number, page in self._pages.items():
            yield from (number * PAGE + place for place, one in enumerate(page) if one is not None)

    def __contains__(self, sid: int) -> bool:
        return self.get(sid) is not None

    def __setitem__(self, sid: int, one: T) -> None:
        number, place = divmod(sid, PAGE)
        if (page := self._pages.get(number)) is None:
            page = self._pages[number] = [None] * PAGE
        self._count += page[place] is None
        page[place] = one

    def get(self, sid: int) -> T | None:
        """Who has it, if anybody has."""
        page = self._pages.get(sid // PAGE)
        return None if page is None else page[sid % PAGE]

    def pop(self, sid: int, default: None = None) -> T | None:
        """Who had it, if anybody had: nobody has it any more."""
        number, place = divmod(sid, PAGE)
        if (page := self._pages.get(number)) is None or (one := page[place]) is None:
            return default
        page[place] = None
        self._count -= 1
        if page.count(None) == PAGE:
            del self._pages[number]
        return one

    def settle(self) -> object:
        """Have all of it in memory that is taken now: what it was put between may have gone since. What it was until now."""
        before = self._pages
        self._pages = {another(number): list(page) for number, page in before.items()}
        return before

    def any(self) -> T | None:
        """One of those who have some; None where nobody has."""
        return next((one for page in self._pages.values() for one in page if one is not None), None)


def another(number: int) -> int:
    """The same number of at most 64 bits as an object that is made now."""
    return int.from_bytes(number.to_bytes(_NUMBER_BYTES))
