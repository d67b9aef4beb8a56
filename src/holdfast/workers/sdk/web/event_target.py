"""Events and targets as user code makes them: `js.Event`, `js.MessageEvent`, `js.CloseEvent`, `js.ErrorEvent`, `js.CustomEvent`, `js.EventTarget`.

Law: a target calls its listeners in the order they were added, each once; what one raises is the caller's of `dispatchEvent`.

Source: DOM §2. Events of WebSockets are `runtime.events`: the same attributes, and instances of these classes too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from holdfast.workers.runtime import events
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.values import options_of

# Of one target, so that a loop that adds a new function each time is told.
MAX_LISTENERS = 10_000


class _KnowsTheRuntimes(type):
    """`isinstance(event, js.MessageEvent)` holds for what a WebSocket tells its listeners, too."""

    runtime: type

    def __instancecheck__(cls, instance: object) -> bool:
        return super().__instancecheck__(instance) or isinstance(instance, cls.runtime)


class Event(metaclass=_KnowsTheRuntimes):
    """Something that happens: `Event.new("saved")`."""

    runtime: ClassVar[type] = events.Event
    # Attributes that `init` may set, with what they are without.
    members: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, type: str, init: object = None, **given: object) -> None:  # noqa: A002 - the standard's name
        options = options_of(init, given)
        self.type = str(type)
        self.cancelable = bool(options.get("cancelable"))
        self.bubbles = bool(options.get("bubbles"))
        self.target: Any = None
        self.currentTarget: Any = None
        self.defaultPrevented = self.is_stopped = False
        for name, default in self.members.items():
            setattr(self, name, options.get(name, default))

    @classmethod
    def new(cls, type: str, init: object = None, **given: object) -> Event:  # noqa: A002 - the standard's name
        """As the constructor."""
        return cls(type, init, **given)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what the members are
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def preventDefault(self) -> None:  # noqa: N802 - the platform's name
        """What would follow by itself shall not, where the event is cancelable."""
        self.defaultPrevented = self.defaultPrevented or self.cancelable

    def stopImmediatePropagation(self) -> None:  # noqa: N802 - the platform's name
        """Call no further listener."""
        self.is_stopped = True

    def stopPropagation(self) -> None:  # noqa: N802 - the platform's name
        """Nothing: targets here are in no tree."""

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("type", *self.members))
        return f"{type(self).__name__}({told})"


class CustomEvent(Event):
    """One with a `detail`."""

    runtime = type("NoneOfTheRuntime", (), {})
    members: ClassVar[Mapping[str, Any]] = {"detail": None}


class MessageEvent(Event):
    """A message: `data`."""

    runtime = events.MessageEvent
    members: ClassVar[Mapping[str, Any]] = {"data": None, "origin": "", "lastEventId": "", "source": None}


class CloseEvent(Event):
    """A connection is closed: `code`, `reason`, `wasClean`."""

    runtime = events.CloseEvent
    members: ClassVar[Mapping[str, Any]] = {"code": 0, "reason": "", "wasClean": False}


class ErrorEvent(Event):
    """Something failed: `message`, `error`."""

    runtime = events.ErrorEvent
    members: ClassVar[Mapping[str, Any]] = {"message": "", "error": None, "filename": "", "lineno": 0, "colno": 0}


class EventTarget:
    """What has listeners."""

    def __init__(self) -> None:
        self._listeners = events.Listeners()
        self._count = 0

    @classmethod
    def new(cls) -> EventTarget:
        """As the constructor."""
        return cls()

    def addEventListener(self, type: str, listener: object, options: object = None) -> None:  # noqa: A002, N802
        """Call `listener(event)` for each event of this type; `options`: `{"once": True}`. TypeError if it cannot be called."""
        self._count += 1
        if self._count > MAX_LISTENERS:
            raise JsTypeError(f"addEventListener: expected at most {MAX_LISTENERS} calls on one EventTarget")
        once = options.get("once") if isinstance(options, Mapping) else getattr(options, "once", False)
        self._listeners.add(str(type), listener, once=bool(once))

    def removeEventListener(self, type: str, listener: object, _options: object = None) -> None:  # noqa: A002, N802
        """Call it no longer."""
        self._count = max(self._count - 1, 0)
        self._listeners.remove(str(type), listener)

    def dispatchEvent(self, event: Any) -> bool:  # noqa: ANN401, N802 - an event of either kind
        """Call the listeners of its type; whether nobody prevented what would follow. TypeError for what is no event."""
        if not isinstance(event, Event):
            raise JsTypeError(f"dispatchEvent: expected an Event, got {type(event).__name__}")
        event.target = event.currentTarget = self
        for listener in self._listeners.of(event.type):
            listener(event)
            if getattr(event, "is_stopped", False):
                break
        return not getattr(event, "defaultPrevented", False)

    add_event_listener, remove_event_listener = addEventListener, removeEventListener
    dispatch_event = dispatchEvent
