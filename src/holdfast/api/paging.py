"""Pages of lists: `page` and `per_page`, as every list takes them.

Law: a page beyond the last is empty. The official SDKs ask for the next page until they get an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

# SQLite and PostgreSQL count rows in 64 bits; the product of page and size must stay within.
_MAX_PAGE = 10_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """Page `number` (from 1) of pages of `size`."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many come before it."""
        return (self.number - 1) * self.size


def paged(*, largest: int, default: int) -> type[Page]:
    """The annotation of a parameter that reads `page`, and `per_page` up to `largest`.

    The original documents five as the least for most lists, and takes fewer: its own older command line asks for one.
    """

    # Defaults and not annotations: those are texts here, and could not name what only this function knows.
    number = Query(1, ge=1, le=_MAX_PAGE)
    size = Query(default, ge=1, le=largest)

    def read(page: int = number, per_page: int = size) -> Page:
        return Page(page, per_page)

    return Annotated[Page, Depends(read)]  # type: ignore[return-value]  # an annotation is no type to mypy
