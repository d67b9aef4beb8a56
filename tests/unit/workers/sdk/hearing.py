"""What a test has heard, waited for without a clock: a list that says when something is added."""

import asyncio
from collections.abc import Callable
from typing import Any

# Longest any test waits for something that should happen at once. The machine may be busy with other tests.
LIMIT_S = 30.0


class Heard(list[Any]):
    """A list; `until` waits for what is to be in it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def reset(self) -> None:
        """Begin anew, on the loop that runs now."""
        self.clear()
        self._changed = asyncio.Event()

    def append(self, item: Any) -> None:
        """Add it, and wake who waits."""
        super().append(item)
        self._changed.set()

    async def until(self, look: Callable[[list[Any]], object]) -> None:
        """Wait until `look(self)` is true. TimeoutError after LIMIT_S."""
        async with asyncio.timeout(LIMIT_S):
            while not look(self):
                self._changed.clear()
                await self._changed.wait()


async def some_turns() -> None:
    """Let the loop run what is ready, and what that makes ready."""
    for _ in range(5):
        await asyncio.to_thread(bool)
