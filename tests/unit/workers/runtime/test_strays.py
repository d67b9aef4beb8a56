"""What fails where nobody waits for it, and whose it was."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.model.worker_egress import RequestContext
from holdfast.model.worker_messages import DurableObjectBinding, Log
from holdfast.workers.durable.tasks import task_factory
from holdfast.workers.runtime import console, strays
from holdfast.workers.sdk.context import Invocation, running
from tests.integration.runtime_process import ScriptUnderTest, script

RAY = "0123456789abcdef"
WORKER = """
import asyncio, gc, threading
import js
from workers import DurableObject, Response, WorkerEntrypoint

def fails():
    raise ValueError("on purpose")
async def failing():
    fails()
async def told():
    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    del task
    gc.collect()
class Room(DurableObject):
    async def fetch(self, request):
        await self.ctx.storage.setAlarm(1)
        return Response("set")
    async def alarm(self):
        print("alarmed")
        fails()
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        match request.url.rpartition("/")[2].replace("-", " "):
            case "task":
                self.ctx.waitUntil(told())
            case "timer":
                js.setTimeout(fails, 1)
            case "callback":
                asyncio.get_running_loop().call_later(0.001, fails)
            case "thread":
                thread = threading.Thread(target=lambda: (print("in a thread"), fails()))
                thread.start()
                thread.join()
            case "alarm":
                return await self.env.ROOM.getByName("x").fetch(request)
            case "all tasks":
                mine = asyncio.create_task(asyncio.sleep(60))
                [one.cancel() for one in asyncio.all_tasks() if one is not asyncio.current_task()]
                await asyncio.wait([mine])
                return Response(f"{mine.cancelled()}")
            case "stop":
                asyncio.get_running_loop().stop()
            case "cancelled":
                raise asyncio.CancelledError
        return Response("hello")
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ScriptUnderTest]:
    with script(tmp_path, WORKER) as under_test:
        yield under_test


@pytest.mark.parametrize(
    ("how", "title"),
    [
        ("task", "Task exception was never retrieved"),
        ("timer", "Uncaught exception in a timer: on purpose"),
        ("callback", "Exception in callback"),
        ("thread", "Uncaught exception in a thread"),
    ],
)
def test_what_a_request_left_behind_fails_by_its_ray_in_one_line(worker: ScriptUnderTest, how: str, title: str) -> None:
    process = worker.serving()
    assert worker.client.ask(f"/{how}").status == 200
    told = process.hear(Log, containing="on purpose")
    assert (told.kind, told.level, told.ray, told.entrypoint) == ("exception", "error", RAY, "Default")
    lines = told.message.splitlines()
    assert lines[0].startswith(title)
    assert (lines[1], lines[-1]) == ("Traceback (most recent call last):", "ValueError: on purpose")


def test_what_a_thread_prints_is_of_who_started_it(worker: ScriptUnderTest) -> None:
    process = worker.serving()
    assert worker.client.ask("/thread").status == 200
    printed = process.hear(Log, containing="in a thread")
    assert (printed.ray, printed.entrypoint) == (RAY, "Default")


def test_a_cancellation_that_a_handler_raises_itself_is_an_exception_of_its(worker: ScriptUnderTest) -> None:
    process = worker.serving()
    assert worker.client.ask("/cancelled").status == 500
    assert process.hear(Log, containing="CancelledError").ray == RAY


def test_who_ends_all_tasks_ends_its_own_alone(worker: ScriptUnderTest) -> None:
    worker.serving()
    assert worker.client.ask("/all-tasks").body == b"True"
    assert worker.client.ask("/hello").body == b"hello"


def test_who_stops_the_loop_is_told_that_it_cannot_be_stopped(worker: ScriptUnderTest) -> None:
    process = worker.serving()
    assert worker.client.ask("/stop").status == 500
    assert process.hear(Log, containing="The event loop of a Worker cannot be stopped").ray == RAY
    assert worker.client.ask("/hello").body == b"hello"


async def test_all_tasks_of_another_loop_are_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "all_tasks", asyncio.all_tasks)
    monkeypatch.setattr(asyncio.tasks, "all_tasks", asyncio.all_tasks)
    strays.hide_tasks()

    async def count() -> int:
        task = asyncio.create_task(asyncio.Event().wait())
        return len(asyncio.all_tasks() & {task, asyncio.current_task()})

    assert await asyncio.to_thread(asyncio.run, count()) == 2
    # Of nobody's request there are none: as while modules are imported.
    assert asyncio.all_tasks() == set()
    invocation = Invocation(env=None, wait_until=lambda _: None, request=RequestContext(ray=RAY, script="k"))
    before = running.set(invocation)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    running.reset(before)


def test_each_run_of_an_alarm_has_a_ray_of_its_own(worker: ScriptUnderTest) -> None:
    process = worker.serving(durable_objects=(DurableObjectBinding(name="ROOM", class_name="Room"),))
    assert worker.client.ask("/alarm").status == 200
    printed = process.hear(Log, containing="alarmed")
    failed = process.hear(Log, containing="on purpose")
    assert printed.ray
    assert printed.ray != RAY
    assert (failed.kind, failed.ray, failed.entrypoint) == ("exception", printed.ray, "Room")


def test_a_task_and_a_callback_tell_whose_they_are() -> None:
    async def nothing() -> None:
        """Done at once."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory)
        invocation = Invocation(env=None, wait_until=lambda _: None, request=RequestContext(ray=RAY, script="k"))
        before = running.set(invocation)
        task, handle = loop.create_task(nothing()), loop.call_soon(asyncio.sleep, 0)
        handle.cancel()
        running.reset(before)
        assert strays.whose({"task": task}) == strays.whose({"handle": handle}) == (RAY, "")
        assert strays.whose({"future": loop.create_future()}) == strays.whose({}) == ("", "")
        await task

    asyncio.run(scenario())


def test_a_thread_that_exits_is_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    told: list[tuple[str, str, str]] = []
    strays.watch_threads(lambda error, ray, name: told.append((repr(error), ray, name)))

    def leave() -> None:
        raise SystemExit(3)

    def fail() -> None:
        raise ValueError("x")

    token = console.own_ray.set("r")
    for target in (leave, fail):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    console.own_ray.reset(token)
    assert told == [("ValueError('x')", "r", "")]


def test_a_thread_of_a_pool_is_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    strays.watch_threads(lambda *_: None)
    token = console.own_ray.set("first")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        console.own_ray.reset(token)
        assert pool.submit(console.who).result() == ("", "")
