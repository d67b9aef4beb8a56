"""Handlers that are run in the callback that started them: first steps there, the rest as tasks; with all that may be asked of a task."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.runtime.pump import Pump
from holdfast.workers.runtime.turns import Turns

VALUE: ContextVar[int] = ContextVar("value", default=0)
Handler = Callable[[], Any]


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Let the loop come round once."""
    yield


class Stage:
    """A pump with a carrier that waits, and what it told."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.done: list[Any] = []
        self.rests = 0
        self.faults: list[BaseException] = []
        self.changed = asyncio.Event()
        self.pump = Pump(at_rest=self._rest, failed=self.faults.append, turns=Turns())
        self.started: list[Any] = []

    async def warm(self) -> None:
        """Until the first carrier waits."""
        self.pump.start(str, (), copy_context(), self._done)
        await self.until(1)
        await turn()
        self.done.clear()
        self.rests = 0

    async def callback(self, *handlers: Handler) -> list[Any]:
        """What was done when the callback that started these returned."""
        told: asyncio.Future[list[Any]] = self.loop.create_future()

        def run() -> None:
            self.pump.hold()
            for handler in handlers:
                self.started.append(self.pump.start(handler, (), copy_context(), self._done))
            self.pump.run()
            told.set_result(list(self.done))

        self.loop.call_soon(run)
        return await told

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.done) < count:
                self.changed.clear()
                await self.changed.wait()

    def _rest(self) -> None:
        self.rests += 1

    def _done(self, result: Any, error: BaseException | None) -> None:
        self.done.append(error if error is not None else result)
        self.changed.set()


async def warm_stage() -> Stage:
    stage = Stage()
    await stage.warm()
    return stage


def returning(value: object) -> Handler:
    async def handler() -> object:
        return value

    return handler


async def test_what_does_not_suspend_is_done_and_at_rest_before_the_callback_returns() -> None:
    stage, tasks = await warm_stage(), set()

    async def handler() -> str:
        tasks.add(asyncio.current_task())
        return "a coroutine"

    assert await stage.callback(handler, lambda: "a plain function", handler) == [
        "a coroutine",
        "a plain function",
        "a coroutine",
    ]
    assert stage.rests == 1
    assert await stage.callback(handler) == ["a coroutine", "a plain function", "a coroutine", "a coroutine"]
    assert len(tasks) == 1
    assert None not in tasks


async def test_before_a_carrier_waits_and_within_a_task_they_are_run_by_the_next_turn() -> None:
    stage = Stage()
    assert await stage.callback(returning(1)) == []
    await stage.until(1)
    await stage.warm()
    stage.pump.hold()
    stage.pump.start(returning(2), (), copy_context(), stage._done)
    stage.pump.run()
    assert stage.done == []
    await stage.until(1)
    assert stage.done == [2]


@given(suspends=st.lists(st.booleans(), min_size=1, max_size=12))
def test_they_begin_in_order_and_none_waits_for_one_that_is_suspended(suspends: list[bool]) -> None:
    async def run() -> None:
        stage, began, gate = await warm_stage(), [], asyncio.Event()

        def handler(number: int, *, waits: bool) -> Handler:
            async def steps() -> int:
                began.append(number)
                if waits:
                    await gate.wait()
                return number

            return steps

        await stage.callback(*(handler(number, waits=waits) for number, waits in enumerate(suspends)))
        await stage.until(suspends.count(False))
        assert stage.done == [number for number, waits in enumerate(suspends) if not waits]
        gate.set()
        await stage.until(len(suspends))
        assert began == list(range(len(suspends)))
        assert sorted(stage.done) == began
        assert stage.pump.suspended == 0
        assert stage.faults == []

    asyncio.run(run())


async def test_after_one_that_was_suspended_a_carrier_waits_again() -> None:
    stage = await warm_stage()

    async def suspended() -> str:
        await turn()
        return "later"

    assert await stage.callback(suspended) == []
    await stage.until(1)
    await turn()
    assert await stage.callback(returning("at once")) == ["later", "at once"]


async def test_timeouts_and_task_groups_work_in_a_first_step() -> None:
    stage = await warm_stage()
    never = stage.loop.create_future()

    async def timed() -> str:
        try:
            async with asyncio.timeout(0):
                await never
        except TimeoutError:
            task = asyncio.current_task()
            return f"timed out, {task.cancelling() if task else None} pending"
        return "not"

    async def grouped() -> list[int]:
        async def one(number: int) -> int:
            return number

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(3)]
        return [task.result() for task in tasks]

    async def failing() -> str:
        async def fails() -> None:
            raise ValueError("no")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await stage.loop.create_future()
        except ExceptionGroup as errors:
            return f"{len(errors.exceptions)} failed"
        return "not"

    await stage.callback(timed, grouped, failing)
    await stage.until(3)
    assert set(map(str, stage.done)) == {"timed out, 0 pending", "[0, 1, 2]", "1 failed"}


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_one_that_is_cancelled_hears_of_it_where_it_waits_however_soon(turns: int) -> None:
    stage = await warm_stage()
    never = stage.loop.create_future()
    heard: list[str] = []

    async def handler() -> str:
        try:
            await never
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise
        return "not"

    def cancels() -> None:
        if turns == 0:
            stage.loop.call_soon(lambda: stage.started[0].cancel())

    await stage.callback(handler, cancels)
    for _ in range(turns):
        await turn()
    stage.started[0].cancel()
    await stage.until(2)
    assert heard == ["cancelled"]
    assert any(isinstance(one, asyncio.CancelledError) for one in stage.done)
    assert never.cancelled()


async def test_who_cancels_its_own_task_harms_nobody_else() -> None:
    stage = await warm_stage()

    async def cancels_itself(awaits: Awaitable[Any] | None) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if awaits is not None:
            await awaits
        return "ended"

    async def other() -> str:
        await turn()
        return "other"

    await stage.callback(lambda: cancels_itself(None), other)
    await stage.until(2)
    assert sorted(stage.done) == ["ended", "other"]
    await stage.warm()
    await stage.callback(lambda: cancels_itself(turn()), other)
    await stage.until(2)
    assert sorted(str(type(one).__name__) for one in stage.done) == ["CancelledError", "str"]


async def test_a_future_that_others_await_too_may_be_awaited_in_a_first_step() -> None:
    stage = await warm_stage()
    shared = stage.loop.create_future()

    async def outside() -> str:
        return str(await shared)

    async def handler() -> str:
        tasks.append(asyncio.create_task(outside()))
        return str(await shared)

    tasks: list[asyncio.Task[str]] = []
    await stage.callback(handler)
    await turn()
    shared.set_result("it")
    await stage.until(1)
    assert stage.done == ["it"]
    assert await tasks[0] == "it"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), StopAsyncIteration()])
async def test_whatever_a_first_step_raises_is_told_and_the_next_one_runs(error: BaseException) -> None:
    stage = await warm_stage()

    def raising() -> None:
        raise error

    assert await stage.callback(raising, returning("next")) == [error, "next"]


async def test_contexts_are_kept_apart_from_the_callback_and_from_each_other() -> None:
    stage = await warm_stage()
    gate = asyncio.Event()

    def handler(number: int) -> Handler:
        async def steps() -> tuple[int, int]:
            before = VALUE.get()
            VALUE.set(number)
            await gate.wait()
            return before, VALUE.get()

        return steps

    await stage.callback(handler(1), handler(2))
    for _ in range(3):
        await turn()
    gate.set()
    await stage.until(2)
    assert sorted(stage.done) == [(0, 1), (0, 2)]
    assert VALUE.get() == 0


async def test_the_carrier_that_waits_may_be_ended_and_another_one_takes_its_place() -> None:
    stage = await warm_stage()
    mine = asyncio.current_task()
    for task in asyncio.all_tasks() - {mine}:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await stage.callback(returning(1))
    await stage.until(1)
    assert stage.done == [1]
