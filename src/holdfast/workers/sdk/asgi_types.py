"""The shapes of ASGI 3: an application, what it receives and sends, and how it may end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from holdfast.workers.sdk.cancellation import is_cancelled
from holdfast.workers.sdk.entrypoints import DurableObjectAbort

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class ClientGone(OSError):
    """The client is not there any more: raised by `send`, as ASGI 2.4 asks."""


def was_ended(raised: BaseException) -> bool:
    """Whether an application has raised this since it was ended: with its handler, or its object."""
    return isinstance(raised, GeneratorExit | DurableObjectAbort) or is_cancelled(raised)


def failure_of(raised: BaseException) -> Exception:
    """What an application has raised, or what says so where that is no Exception: of `sys.exit()`, of a task that it awaits and that was cancelled."""
    if isinstance(raised, Exception):
        return raised
    error = RuntimeError(f"The application raised {raised!r}")
    error.__cause__ = raised
    return error


def says_client_has_gone(error: BaseException) -> bool:
    """Whether an application's error is the answer to ClientGone: frameworks raise their own for it, which is nobody's fault."""
    seen: BaseException | None = error
    for _ in range(20):
        if seen is None or isinstance(seen, ClientGone):
            break
        seen = seen.__cause__ or seen.__context__
    return isinstance(seen, ClientGone)
