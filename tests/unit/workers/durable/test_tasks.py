"""Tasks of user code: whose they are, and what they know of themselves. On stacks: `sdk/test_in_place.py`."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextvars import Context, ContextVar
from typing import Any

import pytest

from holdfast.workers.durable.current import CURRENT, SECTION, Section
from holdfast.workers.durable.tasks import Task, task_factory

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


class Played:
    """An object; what it adopts is run by it, and written down."""

    def __init__(self) -> None:
        self.adopted: list[tuple[object, Section | None]] = []
        self.owned: list[tuple[object, object]] = []

    def adopt(self, coroutine: Coroutine[Any, Any, Any], section: Section | None) -> Coroutine[Any, Any, Any]:
        self.adopted.append((coroutine, section))
        return self._run(coroutine)

    async def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return f"held: {await coroutine}"

    def owns(self, task: asyncio.Task[Any], coroutine: Coroutine[Any, Any, Any]) -> None:
        self.owned.append((task, coroutine))


@pytest.fixture
async def loop() -> AsyncIterator[asyncio.AbstractEventLoop]:
    running = asyncio.get_running_loop()
    running.set_task_factory(task_factory)
    yield running
    running.set_task_factory(None)


async def said() -> str:
    return WHOSE.get()


async def test_outside_of_an_object_a_task_is_nobodys(loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(said(), name="mine")
    assert isinstance(task, Task)
    assert (await task, task.get_name()) == ("nobody's", "mine")


async def test_within_one_it_is_that_objects_and_of_the_section_that_runs(loop: asyncio.AbstractEventLoop) -> None:
    played, section, context = Played(), Section(), Context()
    context.run(CURRENT.set, played)  # type: ignore[arg-type]  # what is asked of it
    context.run(SECTION.set, section)
    coroutine = said()
    task: asyncio.Task[Any] = loop.create_task(coroutine, context=context)
    assert await task == "held: nobody's"
    assert played.adopted == [(coroutine, section)]
    assert played.owned == [(task, coroutine)]


async def test_a_task_knows_its_context_and_what_it_was_made_of(loop: asyncio.AbstractEventLoop) -> None:
    played, context = Played(), Context()
    context.run(CURRENT.set, played)  # type: ignore[arg-type]  # what is asked of it
    context.run(WHOSE.set, "theirs")
    coroutine = said()
    task: asyncio.Task[Any] = loop.create_task(coroutine, context=context)
    assert isinstance(task, Task)
    assert (task.get_context() is context, task.made_of is coroutine) == (True, True)
    assert await task == "held: theirs"
