"""Handlers that run through, suspend, raise and are cancelled, with and without tasks of their own."""

import asyncio
import gc
import struct
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_messages import TURN_FILE_BYTES, TURN_FORMAT
from holdfast.workers.runtime.pump import Pump
from holdfast.workers.runtime.turns import Turns, see_event

VALUE: ContextVar[int] = ContextVar("value", default=0)


class Stage:
    """A pump, and what it told."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.rests = 0
        self.faults: list[BaseException] = []
        self.changed = asyncio.Event()
        self.turns = Turns()
        self.pump = Pump(at_rest=self._rest, failed=self.faults.append, turns=self.turns)

    def start(self, function: Callable[..., Any], *args: object, context: Context | None = None) -> Any:
        return self.pump.start(function, args, context or copy_context(), self._done)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.done) < count:
                self.changed.clear()
                await self.changed.wait()

    def _rest(self) -> None:
        self.rests += 1
        self.changed.set()

    def _done(self, result: Any, error: BaseException | None) -> None:
        self.done.append(error if error is not None else result)
        self.changed.set()


async def test_handlers_run_in_order_and_none_has_a_task_of_its_own_that_needs_none() -> None:
    stage, tasks = Stage(), set()

    async def handler(number: int) -> int:
        tasks.add(asyncio.current_task())
        return number

    for number in range(5):
        stage.start(handler, number)
    stage.start(lambda: "a plain function")
    await stage.until(6)
    assert stage.done == [0, 1, 2, 3, 4, "a plain function"]
    assert len(tasks) == 1
    assert stage.rests == 1


class Had:
    """What a handler has."""


@pytest.mark.parametrize("suspends", [False, True])
async def test_what_a_handler_had_is_let_go_of_when_its_exception_was_told_of(*, suspends: bool) -> None:
    stage = Stage()
    had: list[weakref.ref[Had]] = []
    gate = asyncio.Event()
    if not suspends:
        gate.set()

    async def handler() -> None:
        kept = Had()
        had.append(weakref.ref(kept))
        await gate.wait()
        raise ValueError("with all that it had")

    gc.disable()
    try:
        stage.start(handler)
        stage.start(gate.set)
        await stage.until(2)
        stage.done.clear()
        stage.start(lambda: "next")
        await stage.until(1)
        assert had[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("is_careful", [False, True])
async def test_a_careful_pump_lets_what_a_handler_leaves_behind_come_before_the_next_handler(
    *, is_careful: bool
) -> None:
    stage, seen = Stage(), list[str]()
    gate = asyncio.Event()
    if is_careful:
        stage.pump.be_careful(60)

    async def handler(number: int, *, waits: bool) -> None:
        seen.append(f"handler {number}")
        asyncio.get_running_loop().call_soon(seen.append, f"behind {number}")
        if waits:
            await gate.wait()

    for number in range(3):
        stage.start(partial(handler, waits=number == 1), number, context=of_event(number + 1))
    await stage.until(2)
    gate.set()
    await stage.until(3)
    careful = [f"{what} {number}" for number in range(3) for what in ("handler", "behind")]
    assert (seen == careful) is is_careful


async def test_a_pump_is_careful_for_a_while() -> None:
    stage = Stage()
    stage.pump.be_careful(-1)
    for number in range(3):
        stage.start(lambda one: one, number, context=of_event(number + 1))
    await stage.until(3)
    assert stage.done == [0, 1, 2]
    stage.start(lambda: stage.pump.start(lambda: None, (), of_event(5), stage._done), context=of_event(4))
    await stage.until(5)
    assert stage.rests == 4


@pytest.mark.parametrize("ends", ["by itself", "too late", "with the care"])
async def test_a_careful_pump_begins_no_event_before_the_one_before_has_ended_or_takes_too_long(ends: str) -> None:
    stage, gate = Stage(), asyncio.Event()
    stage.pump.be_careful(60, 60 if ends != "too late" else 0.01)
    stage.start(gate.wait, context=of_event(1))
    stage.start(lambda: "the next", context=of_event(2))
    # Whoever it waits for is no event of a socket.
    stage.start(lambda: "a call")
    await stage.until(1)
    if ends == "by itself":
        stage.start(gate.set)
        await stage.until(4)
        assert stage.done == ["a call", None, True, "the next"]
        return
    if ends == "with the care":
        assert await quiet(stage) == ["a call"]
        stage.pump.be_bold()
    await stage.until(2)
    assert stage.done == ["a call", "the next"]
    gate.set()
    await stage.until(3)


async def quiet(stage: Stage) -> list[Any]:
    """What was done after some turns of the loop."""
    for _ in range(20):
        turn = asyncio.get_running_loop().create_future()
        turn.get_loop().call_soon(turn.set_result, None)
        await turn
    return list(stage.done)


def of_event(seq: int) -> Context:
    """A context of an event of a socket."""
    context = copy_context()
    context.run(see_event, 7, seq)
    return context


@given(suspends=st.lists(st.booleans(), min_size=1, max_size=12))
def test_the_order_of_beginning_is_the_order_of_start_whoever_suspends(suspends: list[bool]) -> None:
    async def run() -> None:
        stage, began = Stage(), []
        gate = asyncio.Event()

        async def handler(number: int, *, waits: bool) -> int:
            began.append(number)
            if waits:
                await gate.wait()
            return number

        for number, waits in enumerate(suspends):
            stage.start(lambda n=number, w=waits: handler(n, waits=w))
        async with asyncio.timeout(30):
            while not stage.rests:
                stage.changed.clear()
                await stage.changed.wait()
        assert began == list(range(len(suspends)))
        assert stage.done == [number for number, waits in enumerate(suspends) if not waits]
        assert stage.pump.suspended == suspends.count(True)
        gate.set()
        await stage.until(len(suspends))
        assert sorted(stage.done) == began
        assert stage.pump.suspended == 0

    asyncio.run(run())


async def test_timeouts_and_task_groups_work_in_a_handler() -> None:
    stage = Stage()
    never = asyncio.get_running_loop().create_future()

    async def timed() -> str:
        try:
            async with asyncio.timeout(0.01):
                await never
        except TimeoutError:
            return "timed out"
        return "not"

    async def grouped() -> list[int]:
        async def one(number: int) -> int:
            return number

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(3)]
        return [task.result() for task in tasks]

    stage.start(timed)
    stage.start(grouped)
    stage.start(lambda: "third")
    await stage.until(3)
    assert set(map(str, stage.done)) == {"timed out", "[0, 1, 2]", "third"}


async def test_each_handler_has_its_own_context_from_step_to_step() -> None:
    stage = Stage()
    gate = asyncio.Event()

    async def handler(number: int) -> tuple[int, int, int]:
        before = VALUE.get()
        VALUE.set(number)
        await gate.wait()
        inside = await asyncio.create_task(_read())
        return before, VALUE.get(), inside

    async def _read() -> int:
        return VALUE.get()

    for number in (1, 2, 3):
        stage.start(handler, number)
    await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, lambda: None), 30)
    gate.set()
    await stage.until(3)
    assert stage.done == [(0, 1, 1), (0, 2, 2), (0, 3, 3)]
    assert VALUE.get() == 0


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()])
async def test_whatever_a_handler_raises_is_told_and_the_next_one_runs(error: BaseException) -> None:
    stage = Stage()

    async def raising() -> None:
        raise error

    async def late() -> None:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        raise error

    stage.start(raising)
    stage.start(late)
    stage.start(lambda: "next")
    await stage.until(3)
    assert stage.done == [error, "next", error]


async def test_a_handler_is_cancelled_where_it_is_suspended() -> None:
    stage = Stage()
    never = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def handler() -> None:
        try:
            await never
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def cancels_itself() -> None:
        itself.cancel()
        await never

    started = stage.start(handler)
    itself = stage.start(cancels_itself)
    before = stage.start(lambda: seen.append("never"))
    before.cancel()
    await stage.until(2)
    started.cancel()
    await stage.until(3)
    assert all(isinstance(error, asyncio.CancelledError) for error in stage.done)
    assert seen == ["cancelled"]
    started.cancel()
    stage.start(lambda: "goes on")
    await stage.until(4)
    assert stage.done[-1] == "goes on"


async def test_a_fault_in_done_is_told_and_stops_nothing() -> None:
    stage = Stage()

    def done(_result: object, _error: BaseException | None) -> None:
        raise LookupError("ours")

    stage.pump.start(lambda: None, (), copy_context(), done)
    stage.start(lambda: "next")
    await stage.until(1)
    assert [type(error) for error in stage.faults] == [LookupError]


async def test_who_hears_of_an_error_can_ask_whose_it_was() -> None:
    seen: list[int] = []
    ended = asyncio.Event()
    pump = Pump(at_rest=ended.set, failed=lambda _: None, turns=Turns(), known=(VALUE,))

    def fails() -> None:
        VALUE.set(7)
        raise ValueError("no")

    for function in (fails, lambda: VALUE.set(8)):
        pump.start(function, (), copy_context(), lambda _result, _error: seen.append(VALUE.get()))
    await asyncio.wait_for(ended.wait(), 30)
    assert seen == [7, 0]


async def test_a_handler_may_start_others() -> None:
    stage = Stage()

    def outer() -> str:
        stage.start(lambda: "inner")
        return "outer"

    stage.start(outer)
    await stage.until(2)
    assert stage.done == ["outer", "inner"]


async def test_an_awaitable_that_is_no_coroutine_is_awaited() -> None:
    stage = Stage()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stage.start(lambda: future)
    future.set_result(7)
    await stage.until(1)
    assert stage.done == [7]


async def test_each_step_of_a_handler_is_marked_as_its_events(tmp_path: Path) -> None:
    path, stage = tmp_path / "turn", Stage()
    path.write_bytes(bytes(TURN_FILE_BYTES))
    stage.turns.use(str(path))
    seen: list[tuple[int, int, int]] = []

    def look() -> None:
        _, sid, seq, is_running = struct.unpack_from(TURN_FORMAT, path.read_bytes())
        seen.append((sid, seq, is_running))

    async def handler() -> None:
        look()
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        # Whatever the loop does meanwhile.
        loop.call_soon(stage.turns.rest)
        loop.call_soon(woken.set)
        await woken.wait()
        look()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        look()

    context = copy_context()
    context.run(see_event, 7, 3)
    stage.start(handler, context=context)
    await stage.until(1)
    assert seen == [(7, 3, 1)] * 3


async def test_an_exception_that_cannot_be_looked_at_is_told_by_its_name() -> None:
    class Unreadable(Exception):
        def __getattribute__(self, name: str) -> Any:
            raise KeyError(name)

    async def handler() -> None:
        raise Unreadable

    stage = Stage()
    stage.start(handler)
    stage.start(lambda: 2)
    await stage.until(2)
    assert str(stage.done[0]) == "Unreadable: an exception that cannot be read (KeyError)"
    assert (stage.done[1], stage.faults) == (2, [])
