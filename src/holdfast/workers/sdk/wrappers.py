"""`pyodide.ffi.wrappers`, listeners and timers by the names that Pyodide gives them: there they keep proxies alive, here there are none to keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.workers.sdk.web.timing import clearInterval, clearTimeout, setInterval, setTimeout

__all__ = [
    "add_event_listener",
    "clear_interval",
    "clear_timeout",
    "remove_event_listener",
    "set_interval",
    "set_timeout",
]

clear_timeout, clear_interval = clearTimeout, clearInterval


def add_event_listener(elt: Any, event: str, listener: Callable[[Any], object]) -> None:  # noqa: ANN401 - whatever has listeners
    """Call `listener(event)` for each event of this type."""
    elt.addEventListener(event, listener)


def remove_event_listener(elt: Any, event: str, listener: Callable[[Any], object]) -> None:  # noqa: ANN401 - as above
    """Call it no longer."""
    elt.removeEventListener(event, listener)


def set_timeout(callback: Callable[[], object], timeout: float) -> int:
    """Call it once, after `timeout` ms; its number, for `clear_timeout`."""
    return setTimeout(callback, timeout)


def set_interval(callback: Callable[[], object], interval: float) -> int:
    """Call it every `interval` ms; its number, for `clear_interval`."""
    return setInterval(callback, interval)
