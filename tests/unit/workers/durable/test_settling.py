"""An answer of the storage that is awaited by way of a task: no other event comes between it and what its own event does next."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.gates import InputGate, Waiter, gated, stepwise
from holdfast.workers.durable.settling import SETTLING_TURNS
from tests.unit.workers.durable.stage import Echo, stage, turn

Reading = Callable[[Any], Awaitable[int]]


async def _together(storage: Any) -> int:
    number, _ = await asyncio.gather(storage.get("n"), storage.get("m"))
    return number or 0


async def _in_a_task(storage: Any) -> int:
    async def read() -> int:
        return await storage.get("n") or 0

    return await asyncio.create_task(read())


async def _in_time(storage: Any) -> int:
    return await asyncio.wait_for(_in_a_task(storage), 30)


async def _in_a_group(storage: Any) -> int:
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_in_a_task(storage))
    return reading.result()


async def _within_each_other(storage: Any) -> int:
    [[number], _] = await asyncio.gather(asyncio.gather(_in_a_task(storage)), storage.list())
    return number


class Counter(Echo):
    """Counts by reading and writing again."""

    async def counted(self, reading: str) -> int:
        number = await WAYS[reading](self.ctx.storage)
        await self.ctx.storage.put("n", number + 1)
        return number + 1

    async def counted_twice(self, reading: str) -> int:
        await asyncio.gather(self.ctx.storage.put("other", 1), self.counted(reading))
        return await self.counted(reading)


async def _concurrently(storage: Any) -> int:
    number, _ = await asyncio.gather(
        storage.get("n", {"allowConcurrency": True}), storage.get("n", allow_concurrency=True)
    )
    return number or 0


async def _and_waits(storage: Any) -> int:
    number = await storage.get("n") or 0
    await OPENED[0].wait()
    return number


READINGS: list[Reading] = [_together, _in_a_task, _in_time, _in_a_group, _within_each_other]
WAYS = {reading.__name__: reading for reading in (*READINGS, _concurrently, _and_waits)}
OPENED = [asyncio.Event()]


@pytest.mark.parametrize("reading", READINGS)
async def test_a_read_by_way_of_tasks_and_a_write_are_atomic(tmp_path: Path, reading: Reading) -> None:
    async with stage(tmp_path, Room=Counter) as scene:
        stub = scene.stub()
        counted = await asyncio.gather(*(stub.counted(reading.__name__) for _ in range(20)))
        assert sorted(counted) == list(range(1, 21))


async def test_events_that_read_in_different_ways_do_not_mix(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Counter) as scene:
        stub = scene.stub()
        counted = await asyncio.gather(*(stub.counted(reading.__name__) for _ in range(5) for reading in READINGS))
        assert sorted(counted) == list(range(1, 26))
        await asyncio.gather(*(stub.counted_twice(reading.__name__) for reading in READINGS))
        assert await stub.counted("_together") == 36


async def test_concurrency_that_is_allowed_shuts_nobody_out(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Counter) as scene:
        stub = scene.stub()
        counted = await asyncio.gather(*(stub.counted("_concurrently") for _ in range(5)))
        assert counted.count(1) > 1, "others read before the first one wrote"


async def test_an_event_that_waits_for_something_else_lets_others_in(tmp_path: Path) -> None:
    OPENED[0] = asyncio.Event()
    async with stage(tmp_path, Room=Counter) as scene:
        stub = scene.stub()
        waiting = asyncio.ensure_future(stub.counted("_and_waits"))
        assert await stub.counted("_together") == 1
        OPENED[0].set()
        assert await waiting == 1


@pytest.mark.parametrize("reading", ["_and_waits", "_together", "_in_time"])
async def test_what_many_events_write_is_few_commits(tmp_path: Path, reading: str) -> None:
    OPENED[0] = asyncio.Event()
    async with stage(tmp_path, Room=Counter) as scene:
        stub = scene.stub()
        await stub.counted("_together")
        commits = scene.objects._kinds["Room"].tally.happened
        before = commits["commits"]
        counting = [asyncio.ensure_future(stub.counted(reading)) for _ in range(100)]
        await turn()
        OPENED[0].set()
        await asyncio.gather(*counting)
        assert commits["commits"] - before <= 5


async def test_an_event_settles_anew_where_a_commit_came_between() -> None:
    gate = InputGate(lambda: None)
    happened: list[str] = []

    async def uses() -> None:
        gate.is_used = gate.has_branched = True
        await turn()
        happened.append("used")

    async def other() -> None:
        happened.append("other")

    one = asyncio.ensure_future(gated(uses, (), gate, None))
    await turn()
    gate.hold()
    two = asyncio.ensure_future(gated(other, (), gate, None))
    for _ in range(3 * SETTLING_TURNS):
        await turn()
    assert happened == []
    gate.release()
    await asyncio.gather(one, two)
    assert happened == ["used", "other"]
    assert not gate.is_closed


async def test_those_who_wait_while_others_settle_are_not_called_again_and_again() -> None:
    class Watched(InputGate):
        stood = 0

        def _stand(self, waiter: Waiter) -> Generator[Any, Any, BaseException | None]:
            self.stood += 1
            return super()._stand(waiter)

    gate, order, events = Watched(lambda: None), list[int](), 200

    async def uses(number: int) -> None:
        gate.is_used = gate.has_branched = True
        await turn()
        order.append(number)

    await asyncio.gather(*(gated(uses, (number,), gate, None) for number in range(events)))
    assert order == list(range(events))
    # Once for who waits, and a few for who were called beside the one that went on; not each for each.
    assert gate.stood < 5 * events


async def test_nobody_is_shut_out_for_long() -> None:
    gate, never, states = InputGate(lambda: None), asyncio.Event(), list[bool]()

    async def uses() -> None:
        gate.is_used = gate.has_branched = True
        await never.wait()

    waiting = asyncio.ensure_future(gated(uses, (), gate, None))
    for _ in range(SETTLING_TURNS + 2):
        await turn()
        states.append(gate.is_closed)
    assert states[0]
    assert not states[-1]
    waiting.cancel()


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12))
def test_whatever_settles_the_gate_opens_at_last_and_each_step_runs(plan: list[tuple[int, bool]]) -> None:
    async def scenario() -> None:
        gate, ended = InputGate(lambda: None), []

        async def event(turns: int, uses: bool) -> None:
            async def inner() -> None:
                gate.is_used = uses
                for _ in range(turns):
                    await turn()

            await asyncio.ensure_future(stepwise(inner(), gate, None, gate.current))
            gate.is_used = uses
            await turn()
            ended.append(turns)

        await asyncio.gather(*(gated(event, one, gate, None) for one in plan))
        for _ in range(SETTLING_TURNS + 1):
            await turn()
        assert sorted(ended) == sorted(turns for turns, _ in plan)
        assert not gate.is_closed

    asyncio.run(scenario())
