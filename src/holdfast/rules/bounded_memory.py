"""What was made of texts lately, so that who asks again for the same text gets the same thing.

Law 1: memory is bounded: beyond `max_chars` the texts that were asked for longest ago are forgotten, an eighth at once, so that
they are rarely counted anew: to remember one more costs about the same, however many are remembered.
Law 2: any thread may ask, and none waits for another: each step on the dictionary is one that the interpreter does whole. At
worst two make the same thing at once, one of them for nothing, and a text more is remembered until they are counted anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Made = TypeVar("Made")

# What each text counts for beside its characters, so that there are some thousands at most.
EACH_CHARS = 256


class BoundedMemory(Generic[Key, Made]):
    """What was made, by what it was made of; `chars_of` says how many characters that counts for."""

    __slots__ = ("_by_key", "_chars", "_chars_of", "_makings", "_max_chars")

    def __init__(self, chars_of: Callable[[Key], int], *, max_chars: int) -> None:
        self._chars_of = chars_of
        self._max_chars = max_chars
        # Those asked for longest ago first.
        self._by_key: dict[Key, Made] = {}
        self._chars = self._makings = 0

    def found_or_made(self, key: Key, make: Callable[[], Made]) -> Made:
        """What was made of `key`, by `make` if nothing is remembered. Raises what that raises, and remembers nothing then."""
        found = self._by_key.pop(key, None)
        if found is not None:
            self._by_key[key] = found
            return found
        self._makings += 1
        made = self._by_key[key] = make()
        self._chars += self._chars_of(key)
        if self._chars > self._max_chars:
            self._forget_the_oldest()
        return made

    def counts(self) -> tuple[int, int, int]:
        """How many are remembered, how many characters they count for, and how often one was to be made."""
        keys = tuple(self._by_key)
        return len(keys), sum(map(self._chars_of, keys)), self._makings

    def _forget_the_oldest(self) -> None:
        keys = tuple(self._by_key)
        self._chars = sum(map(self._chars_of, keys))
        if self._chars <= self._max_chars:
            return
        for key in keys:
            if self._chars <= self._max_chars * 7 // 8:
                return
            self._by_key.pop(key, None)
            self._chars -= self._chars_of(key)
