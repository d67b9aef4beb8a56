"""A condition of a program of which nobody knows whether it holds, among the numbers of those that do.

Law: it is the number, so whoever only counts need not know; whoever acts must look (`isinstance`), and fail closed.
"""

from __future__ import annotations

from typing import Self


class Undecidable(int):
    """The number of a condition of which nobody knows whether it holds, and why: a sentence without its stop."""

    why: str

    @classmethod
    def of(cls, number: int, why: str) -> Self:
        """The number, with the reason."""
        made = cls(number)
        made.why = why
        return made

    def __radd__(self, first: int) -> Undecidable:
        """Where it stands after `first` others."""
        return Undecidable.of(first + int(self), self.why)
