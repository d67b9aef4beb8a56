"""Listeners of a WebSocket get its events, and what they work at is bounded."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.runtime import hearing
from holdfast.workers.runtime.events import Event, Listener
from holdfast.workers.runtime.hearing import Hearing
from holdfast.workers.runtime.services import services
from holdfast.workers.runtime.sockets import WebSocketPair
from tests.unit.workers.runtime.halves import opened, turns


class Heard:
    """A socket whose events and listeners are given."""

    def __init__(self, *listeners: Listener) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.ends: list[int] = []
        self._listeners = list(listeners)

    def next_given(self) -> tuple[Any, ...] | None:
        return self.events.pop(0) if self.events else None

    def listeners_of(self, event_type: str) -> list[Listener]:
        return self._listeners

    def done(self, seq: int) -> None:
        self.ends.append(seq)

    def closes(self, code: int, reason: str, *, was_clean: bool) -> None:
        self.ends.append(-code)


async def test_each_event_is_given_in_its_class_and_the_close_is_the_last() -> None:
    heard: list[str] = []
    socket = Heard(lambda event: heard.append(repr(event)))
    listening = Hearing(socket)
    task = listening.start()
    socket.events = [("open",), ("message", "a", 1), ("message", b"b", 2), ("error", ValueError("odd"), 3)]
    await turns()
    assert not task.done()
    socket.events = [("close", 4000, "bye", True, 4), ("message", "late", 5)]
    listening.wake()
    await task
    assert heard == [
        "OpenEvent()",
        "MessageEvent(data='a')",
        "MessageEvent(data=b'b')",
        "ErrorEvent(error=ValueError('odd'), message='odd')",
        "CloseEvent(code=4000, reason='bye', wasClean=True)",
    ]
    assert socket.ends == [3, -4000, 4]


async def test_what_a_listener_raises_is_told_and_the_others_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(services, "report", lambda error, where: told.append((str(error), where)))
    called: list[str] = []

    def fails(_: Event) -> None:
        raise ValueError("at once")

    async def fails_later(_: Event) -> None:
        raise ValueError("later")

    socket = Heard(fails, fails_later, lambda event: called.append(event.type))
    socket.events = [("close", 1000, "", True, 1)]
    await Hearing(socket).start()
    await turns(1)
    assert (called, socket.ends) == (["close"], [-1000, 1])
    assert told == [("at once", "a listener of 'close'"), ("later", "a listener of 'close'")]


async def test_what_listeners_still_work_at_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MAX_AT_WORK_BYTES", 2 * (hearing.LISTENER_BYTES + 10))
    client, server = WebSocketPair.new()
    waiting: list[asyncio.Future[None]] = []

    async def works(_: Any) -> None:
        waiting.append(asyncio.get_running_loop().create_future())
        await waiting[-1]

    server.onmessage = works
    server.accept()
    client.use()
    session, _ = opened(client)
    for seq in range(1, 5):
        server.arrived("0123456789", seq)
    await turns()
    assert (len(waiting), session.acknowledged) == (4, 2)
    waiting[0].set_result(None)
    await turns()
    assert session.acknowledged == 2
    waiting[3].set_result(None)
    await turns()
    assert session.acknowledged == 4
    server.arrived("0123456789", 5)
    session.last_seq = 6
    server.ended(1000, "", was_clean=True, seq=6)
    await turns()
    assert (session.acknowledged, session.is_over) == (6, True)
    for one in (waiting[1], waiting[2], waiting[4]):
        one.set_result(None)
    await turns()
    assert session.acknowledged == 6


async def test_a_message_is_done_with_when_its_listener_has_begun_and_an_end_waits_for_that() -> None:
    heard: list[str] = []

    async def begins(event: Event) -> None:
        heard.append(f"{event.type} {socket.ends}")

    socket = Heard(begins)
    socket.events = [("message", "a", 1), ("message", "b", 2), ("close", 4000, "bye", True, 3)]
    await Hearing(socket).start()
    await turns(1)
    assert heard == ["message []", "message []", "close [2, -4000, 3]"]
    assert socket.ends == [2, -4000, 3]
