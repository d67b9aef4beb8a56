"""Events and targets of user code."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.workers.runtime import events
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web import event_target
from holdfast.workers.sdk.web.event_target import (
    CloseEvent,
    CustomEvent,
    ErrorEvent,
    Event,
    EventTarget,
    MessageEvent,
)


def test_listeners_are_called_in_their_order_each_once() -> None:
    heard: list[Any] = []
    target = EventTarget.new()
    target.addEventListener("a", heard.append)
    target.addEventListener("a", heard.append)
    target.addEventListener("a", lambda event: heard.append(event.target), {"once": True})
    event = CustomEvent.new("a", {"detail": 5})
    assert target.dispatchEvent(event)
    assert heard == [event, target]
    target.removeEventListener("a", heard.append)
    assert target.dispatchEvent(Event("a"))
    assert len(heard) == 2


def test_an_event_may_be_stopped_and_prevented() -> None:
    heard: list[Any] = []

    def stops(event: Any) -> None:
        event.stopPropagation()
        event.preventDefault()
        event.stopImmediatePropagation()

    target = EventTarget()
    target.add_event_listener("a", stops)
    target.add_event_listener("a", heard.append)
    assert target.dispatch_event(Event("a"))
    assert not target.dispatch_event(Event("a", cancelable=True))
    assert heard == []


def test_events_have_what_their_kind_has() -> None:
    assert (MessageEvent("message", data="x").data, CustomEvent("c").detail) == ("x", None)
    close = CloseEvent.new("close", {"code": 1000, "reason": "r", "wasClean": True})
    assert repr(close) == "CloseEvent(type='close', code=1000, reason='r', wasClean=True)"
    error = ValueError("e")
    assert ErrorEvent("error", {"error": error, "message": "m"}).error is error
    with pytest.raises(AttributeError, match="Event has no 'data'"):
        _ = Event("a").data


@pytest.mark.parametrize(
    ("event", "kinds"),
    [
        (events.MessageEvent(None, "x"), [Event, MessageEvent]),
        (events.CloseEvent(None, 1000, "", was_clean=True), [Event, CloseEvent]),
        (events.ErrorEvent(None, ValueError()), [Event, ErrorEvent]),
        (CustomEvent("a"), [Event, CustomEvent]),
    ],
)
def test_what_a_websocket_tells_is_of_these_kinds(event: object, kinds: list[type]) -> None:
    known = [Event, MessageEvent, CloseEvent, ErrorEvent, CustomEvent]
    assert [kind for kind in known if isinstance(event, kind)] == kinds


def test_what_is_no_event_and_no_listener_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_target, "MAX_LISTENERS", 2)
    target = EventTarget()
    with pytest.raises(JsTypeError, match="expected an Event, got str"):
        target.dispatchEvent("a")
    with pytest.raises(TypeError, match="expected something to call, got int"):
        target.addEventListener("a", 5)
    target.addEventListener("a", print)
    with pytest.raises(JsTypeError, match="at most 2 calls"):
        target.addEventListener("a", repr)
