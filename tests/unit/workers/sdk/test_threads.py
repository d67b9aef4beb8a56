"""Calls from threads are made on the loop."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest

from holdfast.workers.sdk import ffi
from holdfast.workers.sdk.context import ExecutionContext, Invocation, running, wait_until
from holdfast.workers.sdk.threads import Home, is_elsewhere, soon, wherever

who: ContextVar[str] = ContextVar("who", default="nobody")


@pytest.fixture
async def at_home() -> AsyncIterator[None]:
    ffi.at_home(asyncio.get_running_loop())
    yield
    Home.loop = None


class Thing:
    def __init__(self) -> None:
        self.calls: list[tuple[int, str, threading.Thread]] = []

    @wherever
    def call(self, number: int, *, more: int = 0) -> "asyncio.Future[int]":
        self.calls.append((number, who.get(), threading.current_thread()))
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(number + more)
        return future


@pytest.mark.usefixtures("at_home")
async def test_a_thread_has_its_call_made_on_the_loop_with_its_own_context() -> None:
    thing = Thing()

    def in_thread() -> int:
        assert is_elsewhere()
        who.set("a thread")
        made = thing.call(1, more=4)
        assert not thing.calls
        return ffi.run_sync(made)

    assert await asyncio.to_thread(in_thread) == 5
    assert thing.calls == [(1, "a thread", threading.main_thread())]


async def test_on_the_loop_a_call_is_made_when_it_is_made() -> None:
    thing = Thing()
    made = thing.call(1)
    assert (len(thing.calls), made.done(), await made, is_elsewhere()) == (1, True, 1, False)


@pytest.mark.usefixtures("at_home")
async def test_background_work_of_a_thread_is_the_loops() -> None:
    kept: list[object] = []

    def keep(work: object) -> None:
        kept.append((work, threading.current_thread()))

    context = ExecutionContext(keep)
    running.set(Invocation(env=None, wait_until=keep))

    def in_thread() -> None:
        context.waitUntil("first")  # type: ignore[arg-type]  # as above
        wait_until("second")  # type: ignore[arg-type]  # as above

    await asyncio.to_thread(in_thread)
    assert kept == [("first", threading.main_thread()), ("second", threading.main_thread())]


async def test_without_a_loop_to_go_to_a_call_is_made_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # A Worker that another test had in this process has left its own.
    monkeypatch.setattr(Home, "loop", None)
    seen: list[object] = []
    await asyncio.to_thread(soon, seen.append, "here")
    assert seen == ["here"]


@pytest.mark.usefixtures("at_home")
async def test_a_thread_with_a_loop_of_its_own_has_its_call_made_at_home_too() -> None:
    thing = Thing()
    kept: list[object] = []

    async def keep(work: object) -> None:
        kept.append((work, threading.current_thread()))

    async def main() -> list[int]:
        assert is_elsewhere()
        who.set("a loop elsewhere")
        soon(kept.append, "soon")
        first = thing.call(1, more=4)
        assert not thing.calls
        await wherever(keep)("awaited")
        return [await first, *await asyncio.gather(thing.call(2), thing.call(3)), ffi.run_sync(thing.call(4))]

    assert await asyncio.to_thread(asyncio.run, main()) == [5, 2, 3, 4]
    assert thing.calls == [(number, "a loop elsewhere", threading.main_thread()) for number in (1, 2, 3, 4)]
    assert kept == ["soon", ("awaited", threading.main_thread())]


@pytest.mark.usefixtures("at_home")
async def test_what_is_given_up_elsewhere_is_cancelled_at_home() -> None:
    begun, ended = threading.Event(), asyncio.Event()

    @wherever
    async def long() -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async def main() -> None:
        task = asyncio.ensure_future(long())
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await asyncio.to_thread(asyncio.run, main())
    async with asyncio.timeout(30):
        await ended.wait()


async def test_a_home_that_has_ended_is_nobodys() -> None:
    thing = Thing()
    gone = asyncio.new_event_loop()
    gone.close()
    Home.loop = gone
    try:
        assert (is_elsewhere(), await thing.call(1)) == (False, 1)
    finally:
        Home.loop = None
