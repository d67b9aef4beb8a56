"""Plain functions of ASGI applications in a Durable Object: they run in place, as all code of the object does.

Frameworks on anyio (Starlette, FastAPI) give them to threads. There they would use the object's storage and sockets while its other code
does, and what they wrote would be nobody's turn. Outside of objects they go to threads as ever, where one that blocks holds up nobody.

Law: what is replaced is `anyio.to_thread.run_sync`, once a process, when an application answers in an object; the options of who calls that
are heard where it goes to a thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from holdfast.workers.durable.current import CURRENT


def run_in_place() -> None:
    """Have them do so, where the application's framework is on anyio and this is code of an object."""
    to_thread = sys.modules.get("anyio.to_thread")
    if CURRENT.get() is None or to_thread is None or getattr(to_thread.run_sync, "is_ours", False):
        return
    apart: Callable[..., Any] = to_thread.run_sync

    async def run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401 - its result
        if CURRENT.get() is None:
            return await apart(func, *args, **options)
        from holdfast.workers.sdk.stacks import on_stacks  # noqa: PLC0415 - see in_place.py

        return await on_stacks(func, args)

    run_sync.is_ours = True  # type: ignore[attr-defined]  # so that it is done once
    to_thread.run_sync = run_sync  # type: ignore[attr-defined]  # it is a module
