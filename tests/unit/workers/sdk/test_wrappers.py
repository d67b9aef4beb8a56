"""Listeners and timers by Pyodide's names."""

import asyncio
from typing import Any

from holdfast.workers.sdk import wrappers
from holdfast.workers.sdk.web.event_target import Event, EventTarget


def test_a_listener_is_called_until_it_is_removed() -> None:
    target = EventTarget.new()
    heard: list[Any] = []
    wrappers.add_event_listener(target, "message", heard.append)
    first = Event("message")
    target.dispatchEvent(first)
    target.dispatchEvent(Event("other"))
    wrappers.remove_event_listener(target, "message", heard.append)
    target.dispatchEvent(Event("message"))
    assert heard == [first]


async def test_timers_call_until_they_are_cleared() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    wrappers.clear_timeout(wrappers.set_timeout(lambda: heard.put_nowait("cleared"), 0))
    wrappers.set_timeout(lambda: heard.put_nowait("once"), 0)
    assert await heard.get() == "once"
    again = wrappers.set_interval(lambda: heard.put_nowait("again"), 1)
    assert [await heard.get(), await heard.get()] == ["again", "again"]
    wrappers.clear_interval(again)
    assert heard.empty()
