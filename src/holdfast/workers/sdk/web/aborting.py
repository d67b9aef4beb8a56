"""`AbortController` and `AbortSignal`: taking back what was begun.

Law: a signal is aborted once, with one reason, and tells everybody who asked, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import SimpleNamespace
from typing import Any, TypeVar

from holdfast.workers.sdk.errors import DOMException, JsException

Result = TypeVar("Result")


class AbortSignal:
    """Whether something is to be given up, and why (`reason`, an exception)."""

    def __init__(self) -> None:
        self.reason: Any = None
        self.onabort: Callable[[Any], object] | None = None
        self._told: list[Callable[[Any], object]] = []

    @classmethod
    def timeout(cls, milliseconds: float) -> AbortSignal:
        """A signal that is aborted after so long, with a TimeoutError."""
        signal = cls()
        error = DOMException("The operation was aborted due to timeout", "TimeoutError")
        asyncio.get_running_loop().call_later(milliseconds / 1000, signal.fire, error)
        return signal

    @classmethod
    def abort(cls, reason: object = None) -> AbortSignal:
        """A signal that is aborted."""
        signal = cls()
        signal.fire(reason)
        return signal

    @classmethod
    def any(cls, signals: Iterable[AbortSignal]) -> AbortSignal:
        """A signal that is aborted as soon as one of them is."""
        signal = cls()
        for one in signals:
            if one.aborted:
                signal.fire(one.reason)
            one.addEventListener("abort", lambda event: signal.fire(event.target.reason))
        return signal

    @property
    def aborted(self) -> bool:
        """Whether it is."""
        return self.reason is not None

    def throwIfAborted(self) -> None:  # noqa: N802 - JavaScript's name
        """Raise its reason if it is aborted."""
        if self.aborted:
            raise self.error()

    def addEventListener(self, kind: str, listener: Callable[[Any], object], _options: object = None) -> None:  # noqa: N802
        """Call `listener(event)` when it is aborted; `kind` is "abort"."""
        if kind == "abort":
            self._told.append(listener)

    def removeEventListener(self, kind: str, listener: Callable[[Any], object], _options: object = None) -> None:  # noqa: N802
        """Do not, after all."""
        if kind == "abort" and listener in self._told:
            self._told.remove(listener)

    def error(self) -> BaseException:
        """The reason as an exception."""
        return self.reason if isinstance(self.reason, BaseException) else JsException(str(self.reason))

    def fire(self, reason: object = None) -> None:
        """Abort it; nothing if it is."""
        if self.aborted:
            return
        self.reason = DOMException("The operation was aborted", "AbortError") if reason is None else reason
        event = SimpleNamespace(type="abort", target=self)
        told, self._told = self._told, []
        for listener in [*([self.onabort] if self.onabort else []), *told]:
            listener(event)


class AbortController:
    """Who may abort its `signal`."""

    def __init__(self) -> None:
        self.signal = AbortSignal()

    @classmethod
    def new(cls) -> AbortController:
        """As `js.AbortController.new()`."""
        return cls()

    def abort(self, reason: object = None) -> None:
        """Abort what listens to the signal, with this reason or an AbortError."""
        self.signal.fire(reason)


async def unless_aborted(work: Awaitable[Result], signal: AbortSignal | None) -> Result:
    """What `work` gives, unless the signal is aborted first; then `work` is cancelled, and the reason raised."""
    if signal is None:
        return await work
    task = asyncio.ensure_future(work)
    if signal.aborted:
        task.cancel()

    def cancel(_event: object) -> None:
        task.cancel()

    signal.addEventListener("abort", cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if signal.aborted:
            raise signal.error() from None
        task.cancel()
        raise
    finally:
        signal.removeEventListener("abort", cancel)
