"""User code that waits in place on the loop."""

import asyncio
import gc
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk import ffi, stacks
from holdfast.workers.sdk.stacks import CannotWait, on_stacks

where: ContextVar[str] = ContextVar("where", default="outside")


async def later(value: Any, *, after: Awaitable[Any] | None = None) -> Any:
    if after is not None:
        await after
    return value


def doubled(work: Awaitable[int]) -> int:
    """Plain code deep below a handler."""
    return 2 * ffi.run_sync(work)


@pytest.fixture
async def future() -> "asyncio.Future[int]":
    return asyncio.get_running_loop().create_future()


async def test_plain_and_async_code_waits_in_place() -> None:
    async def handler(number: int) -> int:
        before = doubled(later(number))
        await asyncio.wait_for(later(None), 30)
        return before + doubled(later(1))

    assert await on_stacks(handler, (2,)) == 6
    assert await on_stacks(doubled, (later(3),)) == 6
    assert await on_stacks(lambda: "waits for nothing", ()) == "waits for nothing"


async def test_stacks_within_stacks_go_on_from_wherever_they_are_gone_on_with() -> None:
    async def inner(number: int) -> int:
        found = 0
        for one in range(3):
            found += doubled(pause(one))
            await pause(one)
        return found + number

    async def outer() -> int:
        before = doubled(pause(1))
        found: int = await on_stacks(inner, (before,))
        found += ffi.run_sync(on_stacks(doubled, (pause(5),)))
        return found + doubled(pause(1))

    assert await on_stacks(outer, ()) == await on_stacks(on_stacks, (outer, ())) == 20


# What code may do: each step a way to wait, and what is waited for.
PLANS: st.SearchStrategy[list[tuple[str, Any]]] = st.recursive(
    st.just([]),
    lambda inner: st.lists(st.tuples(st.sampled_from(["await", "in place", "stack", "task"]), inner), max_size=4),
    max_leaves=12,
)


async def followed(plan: list[tuple[str, Any]]) -> int:
    """How many steps it has, each taken."""
    taken = 0
    for way, inner in plan:
        taken += await pause(1)
        match way:
            case "await":
                taken += await followed(inner)
            case "in place":
                taken += ffi.run_sync(followed(inner))
            case "stack":
                taken += await on_stacks(followed, (inner,))
            case _:
                taken += await asyncio.create_task(on_stacks(followed, (inner,)))
    return taken


def steps_of(plan: list[tuple[str, Any]]) -> int:
    return sum(1 + steps_of(inner) for _, inner in plan)


@given(PLANS, PLANS)
def test_however_code_waits_within_code_that_waits_it_comes_to_the_same(
    plan: list[tuple[str, Any]], other: list[tuple[str, Any]]
) -> None:
    async def both() -> list[int]:
        return list(await asyncio.gather(on_stacks(followed, (plan,)), on_stacks(followed, (other,))))

    assert asyncio.run(both()) == [steps_of(plan), steps_of(other)]


async def pause(value: int) -> int:
    """A value that is there only when the loop has been round."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, value)
    return await future


async def test_others_run_while_somebody_waits(future: "asyncio.Future[int]") -> None:
    seen: list[str] = []

    def first() -> int:
        seen.append("first begins")
        found = doubled(future)
        seen.append("first goes on")
        return found

    async def second() -> None:
        seen.append("second")
        future.set_result(5)

    assert (await asyncio.gather(on_stacks(first, ()), on_stacks(second, ())))[0] == 10
    assert seen == ["first begins", "second", "first goes on"]


async def test_what_fails_is_raised_where_it_is_waited_for_and_what_is_raised_comes_out() -> None:
    async def fails() -> None:
        raise ValueError("of the work")

    def handler() -> str:
        with pytest.raises(ValueError, match="of the work"):
            ffi.run_sync(fails())
        assert ffi.run_sync(5) == 5  # type: ignore[arg-type]  # as careless code does
        raise KeyError("of the handler")

    with pytest.raises(KeyError, match="of the handler"):
        await on_stacks(handler, ())


async def test_variables_of_context_are_those_of_the_task() -> None:
    async def handler() -> list[str]:
        token = where.set("handler")
        ffi.run_sync(later(None))
        found = [where.get()]
        await later(None)
        where.reset(token)
        return [*found, where.get()]

    assert await asyncio.get_running_loop().create_task(on_stacks(handler, ())) == ["handler", "outside"]


async def test_who_is_cancelled_hears_of_it_where_he_waits(future: "asyncio.Future[int]") -> None:
    ended: list[str] = []

    def handler() -> None:
        try:
            doubled(future)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    task = asyncio.ensure_future(on_stacks(handler, ()))
    await later(None, after=asyncio.wait({task}, timeout=0))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (ended, future.cancelled()) == (["cancelled"], True)


async def test_a_handler_that_nobody_awaits_any_more_ends(future: "asyncio.Future[int]") -> None:
    ended: list[str] = []

    def stubborn() -> None:
        for _ in range(2):
            try:
                doubled(future)
            except BaseException as error:  # noqa: BLE001 - it holds on to its life
                ended.append(type(error).__name__)

    steps = on_stacks(stubborn, ())
    steps.send(None)
    steps.close()
    gc.collect()
    assert ended == ["GeneratorExit", "GreenletExit"]


async def test_where_nothing_can_be_put_aside_it_is_refused() -> None:
    with pytest.raises(CannotWait, match="use `await`"):
        stacks.wait(asyncio.get_running_loop().create_future())
    assert not stacks.can_wait()

    def handler() -> list[bool]:
        able = [ffi.can_run_sync()]
        with stacks.held("a transaction"):
            able.append(ffi.can_run_sync())
            with pytest.raises(CannotWait, match="cannot wait in a transaction: nothing may come between"):
                ffi.run_sync(later(1))
        return [*able, ffi.can_run_sync()]

    assert await on_stacks(handler, ()) == [True, False, True]
