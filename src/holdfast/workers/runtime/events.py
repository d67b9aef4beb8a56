"""Events as listeners of a WebSocket get them, and the listeners: the part of the DOM's EventTarget that a WebSocket needs.

Law 1: `on<type>` is called first, then listeners in the order they were added, each once.
Law 2: what one of them raises is told to `failed`, and the others are called all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

Listener = Callable[[Any], Any]
# Types of the events a WebSocket has.
TYPES = ("open", "message", "close", "error")


class Event:
    """Something that happened to `target`."""

    type = ""

    def __init__(self, target: object) -> None:
        self.target = self.currentTarget = target

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.endswith("arget"))
        return f"{type(self).__name__}({told})"


class OpenEvent(Event):
    """It may be sent on."""

    type = "open"


class MessageEvent(Event):
    """A message: `data` is `str` or an ArrayBuffer (`bytes`)."""

    type = "message"

    def __init__(self, target: object, data: object) -> None:
        super().__init__(target)
        self.data = data


class CloseEvent(Event):
    """It is closed: `code` 1005 without one, 1006 without a Close frame."""

    type = "close"

    def __init__(self, target: object, code: int, reason: str, was_clean: bool) -> None:
        super().__init__(target)
        self.code, self.reason, self.wasClean = code, reason, was_clean

    @property
    def was_clean(self) -> bool:
        """Whether both sides sent a Close frame."""
        return self.wasClean


class ErrorEvent(Event):
    """It failed: `message` says how, `error` is an exception."""

    type = "error"

    def __init__(self, target: object, error: BaseException) -> None:
        super().__init__(target)
        self.error, self.message = error, str(error)


class Listeners:
    """Who hears of the events of one target."""

    __slots__ = ("_by_type",)

    def __init__(self) -> None:
        self._by_type: dict[str, dict[Listener, bool]] = {}

    def add(self, event_type: str, listener: object, *, once: bool) -> None:
        """Add it; one that is there stays where it is. TypeError if it cannot be called."""
        if not callable(listener):
            raise TypeError(f"addEventListener: expected something to call, got {type(listener).__name__}")
        self._by_type.setdefault(event_type, {}).setdefault(listener, once)

    def remove(self, event_type: str, listener: object) -> None:
        """Remove it, if it is there."""
        self._by_type.get(event_type, {}).pop(cast("Listener", listener), None)

    def of(self, event_type: str) -> list[Listener]:
        """Those to call now, without those that are to be called once from now on."""
        if (listeners := self._by_type.get(event_type)) is None:
            return []
        called = list(listeners)
        for listener in called:
            if listeners[listener]:
                del listeners[listener]
        return called
