"""What the evaluation of a rule counts of its work, so that none takes long: steps of 4 ns, 500,000 for one rule and
eight times as many for all rules of a request together.

Law: whoever does something dear counts it before it begins (`spend`). Beyond the last step it is Undecided: nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holdfast._native import Undecided, begin_request, begin_rule, end_request, spend

__all__ = [
    "MAX_MADE_CHARS",
    "Undecided",
    "begin_request",
    "begin_rule",
    "end_request",
    "refuse_too_long",
    "refuse_too_many",
    "spend",
    "spend_on",
]

# The longest target of a request is 16 KiB, and its whole head 32 KiB: only what is made can be longer, and no longer than this.
MAX_MADE_CHARS: Final = 64 * 1024
# The longest target has room for half as many arguments.
MAX_MADE_ITEMS: Final = 16 * 1024


def spend_on(source: str, *, each: int, sixteenths: int) -> None:
    """Count a call of something dear: `each` steps, and so many for 16 characters of `source`. Raises Undecided."""
    spend(each + (len(source) * sixteenths >> 4))


def refuse_too_long(chars: int) -> None:
    """Raises Undecided if a text of so many characters, which is about to be made, is longer than any may be."""
    if chars > MAX_MADE_CHARS:
        raise Undecided(f"a text of {chars:,} characters would have been made; {MAX_MADE_CHARS:,} are allowed")


def refuse_too_many(arrays: Sequence[Sequence[object]]) -> None:
    """Raises Undecided if these arrays together have more elements than any may have."""
    if (items := sum(map(len, arrays))) > MAX_MADE_ITEMS:
        raise Undecided(f"an array of {items:,} elements would have been made; {MAX_MADE_ITEMS:,} are allowed")
