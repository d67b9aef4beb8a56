"""What listeners get, in which order and how often."""

import pytest

from holdfast.workers.runtime.events import CloseEvent, ErrorEvent, Listeners, MessageEvent, OpenEvent


def test_listeners_are_called_in_order_and_once_each() -> None:
    listeners = Listeners()
    first, second = print, repr
    for one in (first, second, first):
        listeners.add("message", one, once=False)
    assert listeners.of("message") == [first, second]
    listeners.remove("message", first)
    listeners.remove("close", first)
    assert listeners.of("message") == [second]
    assert listeners.of("close") == []


def test_a_listener_for_once_is_gone_after_its_event() -> None:
    listeners = Listeners()
    listeners.add("open", print, once=True)
    assert listeners.of("open") == [print]
    assert listeners.of("open") == []


def test_what_cannot_be_called_is_no_listener() -> None:
    with pytest.raises(TypeError, match="got int"):
        Listeners().add("message", 7, once=False)


def test_events_tell_what_they_are() -> None:
    target = object()
    assert OpenEvent(target).target is target
    assert MessageEvent(target, "a").data == "a"
    closed = CloseEvent(target, 1000, "bye", was_clean=True)
    assert (closed.code, closed.reason, closed.wasClean, closed.was_clean) == (1000, "bye", True, True)
    assert repr(closed) == "CloseEvent(code=1000, reason='bye', wasClean=True)"
    failed = ErrorEvent(target, ValueError("no"))
    assert (failed.type, failed.message) == ("error", "no")
