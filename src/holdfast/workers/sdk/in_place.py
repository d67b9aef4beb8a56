"""Whether a script waits in place (`run_sync`), and what that takes where it does not: nothing.

Law: `stacks.py`, and what that needs, is imported when a script asks for `run_sync`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any


class Wanted:
    """`on_stacks` calls user code so that it may wait in place; None where no script of this process wants that."""

    on_stacks: Callable[[Callable[..., Any], tuple[Any, ...]], Awaitable[Any]] | None = None


def want() -> None:
    """From now on handlers may wait in place."""
    from holdfast.workers.sdk.stacks import on_stacks  # noqa: PLC0415 - see above

    Wanted.on_stacks = staticmethod(on_stacks)


async def called(function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - user code's
    """Call user code, async or not, and await what it gives."""
    if Wanted.on_stacks is not None:
        return await Wanted.on_stacks(function, args)
    result = function(*args)
    return await result if inspect.isawaitable(result) else result


def held(where: str) -> AbstractContextManager[None]:
    """Let nothing inside wait in place: nothing may come between. `where` is for the error."""
    if Wanted.on_stacks is None:
        return contextlib.nullcontext()
    from holdfast.workers.sdk import stacks  # noqa: PLC0415 - see in_place.py

    return stacks.held(where)
