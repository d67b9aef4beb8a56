"""Work that is done again and again until control stops.

Law: stopping ends the pause and never the work: a statement that is under way ends in its own time, since a connection to
the database that is left in the middle of one cannot be closed in good order.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Pacing:
    """When to do it again, and whether."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    async def pause(self, seconds: float) -> bool:
        """Wait for `seconds`, or until it is time to stop; whether to go on."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return not self._stopping.is_set()

    def stop(self) -> None:
        """End every pause, now and from now on."""
        self._stopping.set()
