"""Whether a script waits in place (`run_sync`), and what that takes where it does not: nothing.

Law: `stacks.py`, and what that needs, is imported when a script asks for `run_sync`.
A script asks by naming it: whoever has looked it up in a handler already is not on a stack, so its code is read before it is run.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import types
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

# What a script has from `pyodide.ffi`, and what may be the name of that.
NAMES = frozenset({"run_sync", "can_run_sync"})
_MODULES = frozenset({"pyodide", "pyodide.ffi", "ffi"})
_STACKS = "holdfast.workers.sdk.stacks"


class Wanted:
    """`on_stacks` calls user code so that it may wait in place; None where no script of this process wants that."""

    on_stacks: Callable[[Callable[..., Any], tuple[Any, ...]], Awaitable[Any]] | None = None


def want() -> None:
    """From now on handlers may wait in place."""
    from holdfast.workers.sdk.stacks import on_stacks  # noqa: PLC0415 - see above

    Wanted.on_stacks = staticmethod(on_stacks)


def is_named_in(code: types.CodeType) -> bool:
    """Whether code of a module, or of a function in it, names both `run_sync` (or `can_run_sync`) and where that is from. Runs nothing."""
    names: set[object] = set()
    codes = [code]
    while codes:
        one = codes.pop()
        names.update(one.co_names)
        for value in one.co_consts:
            if isinstance(value, types.CodeType):
                codes.append(value)
            elif isinstance(value, str | tuple):
                # Modules and attributes that are asked for by a string, and the names of `from ... import`.
                names.update(value if isinstance(value, tuple) else (value,))
    return not names.isdisjoint(NAMES) and not names.isdisjoint(_MODULES)


async def called(function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - user code's
    """Call user code, async or not, and await what it gives."""
    if Wanted.on_stacks is not None:
        return await Wanted.on_stacks(function, args)
    result = function(*args)
    return await result if inspect.isawaitable(result) else result


def held(where: str) -> AbstractContextManager[None]:
    """Let nothing inside wait in place: nothing may come between. `where` is for the error."""
    # Applications (`wsgi`) may be put on a stack though no script has asked for it.
    stacks = sys.modules.get(_STACKS)
    return contextlib.nullcontext() if stacks is None else stacks.held(where)
