"""ASGI's lifespan: once a process, tolerant of applications that know none."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.workers.sdk import lifespans
from holdfast.workers.sdk.asgi_types import Message, Receive, Scope, Send
from holdfast.workers.sdk.lifespans import shut_down, state_of


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    yield
    await shut_down(5)
    assert not lifespans._lives


class App:
    """Answers the lifespan with the messages that it is given, one for each that it receives."""

    def __init__(self, *answers: Message) -> None:
        self.answers, self.heard = list(answers), []  # type: list[Message], list[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        scope["state"]["db"] = len(self.heard)
        for answer in self.answers:
            self.heard.append((await receive())["type"])
            await send(answer)


UP, DOWN = {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}


async def test_it_is_started_once_and_each_request_has_its_own_copy_of_the_state() -> None:
    app = App(UP, DOWN)
    first, second = await asyncio.gather(state_of(app), state_of(app))
    assert first == second == {"db": 0}
    assert first is not second
    await shut_down(5)
    assert app.heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_one_that_knows_no_lifespan_is_served_without() -> None:
    async def raises(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("path")

    async def returns(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    assert await state_of(raises) == {}
    assert await state_of(returns) == {}


async def test_one_that_failed_to_start_is_started_again_for_the_next_request() -> None:
    app = App({"type": "lifespan.startup.failed", "message": "no database"})
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no database"):
            await state_of(app)
    assert app.heard == ["lifespan.startup"] * 2
    with pytest.raises(RuntimeError, match="ASGI lifespan startup failed"):
        await state_of(App({"type": "lifespan.startup.failed", "message": ""}))


async def test_one_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifespans, "STARTUP_TIMEOUT_S", 0.01)

    async def slow(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        await receive()

    with pytest.raises(TimeoutError):
        await state_of(slow)


async def test_a_shutdown_that_fails_or_hangs_holds_up_nobody_for_longer_than_the_limit() -> None:
    failing = App(UP, {"type": "lifespan.shutdown.failed", "message": "bad"})
    await state_of(failing)

    async def hangs(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(UP)
        await asyncio.Event().wait()

    async def crashes(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(UP)
        await receive()
        raise ValueError("crash")

    apps: list[Any] = [hangs, crashes]
    for app in apps:
        await state_of(app)
    async with asyncio.timeout(30):
        await shut_down(0.05)
    assert failing.heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_nonsense_is_not_taken_for_a_start() -> None:
    assert await state_of(App({"type": "lifespan.nonsense"})) == {"db": 0}
