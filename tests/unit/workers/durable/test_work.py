"""What keeps an instance in memory beside its events, and how it ends."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.durable.work import WAIT_UNTIL_LIMIT_S, Work
from tests.unit.workers.durable.stage import until


class Scene:
    def __init__(self) -> None:
        self.touches = 0
        self.failures: list[BaseException] = []
        self.work = Work(self._touched, self.failures.append)
        self.open = asyncio.Event()

    def _touched(self) -> None:
        self.touches += 1

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def task(self, coroutine: Any, name: str) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self.work.owns(task, coroutine)
        return task

    async def fails(self) -> None:
        await self.open.wait()
        raise LookupError("no")


async def test_tasks_and_holds_are_reasons_until_they_have_ended() -> None:
    scene = Scene()
    task = scene.task(scene.open.wait(), "of its own")
    release = scene.work.hold("a timer")
    assert scene.work.reasons(scene.now) == ["task of its own", "a timer"]
    release()
    release()
    assert (scene.work.reasons(scene.now + 1e9), scene.touches) == (["task of its own"], 1)
    scene.open.set()
    await task
    await until(lambda: scene.touches == 2)
    assert not scene.work.is_there(scene.now)


@pytest.mark.parametrize("is_task", [False, True])
async def test_what_wait_until_waits_for_is_a_reason_for_a_while_and_its_exception_is_told(is_task: bool) -> None:
    scene = Scene()
    if is_task:
        scene.work.wait_until(scene.task(scene.fails(), "of its own"))
    else:
        scene.work.wait_until(scene.fails())
    assert len(scene.work.reasons(scene.now)) == 1
    assert not scene.work.is_there(scene.now + WAIT_UNTIL_LIMIT_S + 1)
    scene.open.set()
    await until(lambda: scene.failures)
    assert [str(error) for error in scene.failures] == ["no"]
    assert not scene.work.is_there(scene.now)


async def test_what_is_there_already_is_not_waited_for() -> None:
    scene = Scene()
    scene.work.wait_until(5)
    assert not scene.work.is_there(scene.now)


async def test_with_the_instance_all_of_it_ends_and_nobody_is_told() -> None:
    scene = Scene()
    begun, fails, never = (scene.task(one, "task") for one in (scene.open.wait(), scene.fails(), scene.open.wait()))
    scene.work.wait_until(fails)
    scene.work.hold("a timer")
    await asyncio.wait([begun], timeout=0)
    scene.open.set()
    scene.work.end()
    await asyncio.wait([begun, fails, never])
    await until(lambda: not scene.work.is_there(scene.now))
    assert scene.failures == []
