"""Whose a CancelledError is: asyncio's, to a task that is to end, or user code's own, which is an exception like any other.

User code raises one by itself where it awaits a task that it has cancelled before. Who took that for its own cancellation would tell nobody, and whoever
waits for the outcome would wait for ever.
"""

from __future__ import annotations

import asyncio


def is_cancelled(error: BaseException) -> bool:
    """Whether the task that runs is cancelled by this."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
