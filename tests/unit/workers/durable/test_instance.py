"""An instance: gates around real storage, sections, resets, reasons to stay, the last hours."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from holdfast.store.objects.file import ObjectFile
from holdfast.workers.durable import events as durable_events
from holdfast.workers.durable.current import CURRENT
from holdfast.workers.durable.errors import ObjectReset
from tests.unit.workers.durable.stage import EVENTS, Echo, Writer, events, stage, told, until


async def test_reading_and_then_writing_is_atomic_and_an_await_of_something_else_is_not(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Writer) as scene:
        stub = scene.stub()
        assert list(await asyncio.gather(*(stub.increment() for _ in range(10)))) == list(range(1, 11))
        events("open")
        late = [stub.late_increment() for _ in range(5)]
        assert await stub.count() == 10
        EVENTS["open"].set()
        assert [await one for one in late] == [11] * 5


async def test_abort_resets_tells_callers_and_loses_what_was_not_durable(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Writer) as scene:
        session = await scene.client(scene.stub())
        await told(scene.stub().aborts(), ObjectReset, "enough")
        assert session.aborted is not None
        assert await scene.stub().count() == 0
        assert scene.objects.figures().sockets == 0


async def test_after_an_abort_nothing_leaves_though_nothing_was_written(tmp_path: Path) -> None:
    class Stubborn(Echo):
        def number(self) -> int:
            return 1

        def ends(self) -> None:
            self.ctx.abort("enough")

        def goes_on(self) -> int:
            for ws in self.ctx.getWebSockets():
                with contextlib.suppress(BaseException):
                    self.ctx.abort("enough")
                ws.send("after it")
            return 2

    async with stage(tmp_path, Room=Stubborn) as scene:
        for end in ("ends", "goes_on"):
            session = await scene.client(scene.stub())
            stub = scene.stub()
            assert await stub.number() == 1
            await told(getattr(stub, end)(), ObjectReset, "enough")
            await told(stub.number(), ObjectReset, "enough")
            assert session.aborted is not None
            assert session.sent == []
            assert await scene.stub().number() == 1


async def test_an_exception_in_a_handler_harms_neither_socket_nor_object(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Writer) as scene:
        session = await scene.client(scene.stub())
        session.says("fail")
        session.says("next")
        await until(lambda: session.acks[-1:] == [2])
        assert session.sent == ["next"]
        assert session.aborted is None
        (report,) = scene.reports
        assert "webSocketMessage" in report[1]
        assert str(report[2]) == "in the handler"


async def test_background_work_keeps_an_object_in_memory_and_says_so(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Writer) as scene:
        await scene.stub().works_in_background()
        await scene.sleep_all()
        assert list(scene.objects.reasons().values()) == [["task of its own"]]
        for minutes in (1, 2, 3):
            scene.objects.sweep(asyncio.get_running_loop().time() + minutes * 61)
        (report,) = scene.reports
        assert report[0] == "info"
        assert report[1].endswith("has had no event for 60 s and cannot hibernate: task of its own")
        EVENTS["open"].set()
        await until(lambda: scene.objects.reasons() == {f"Room {scene.stub().id}": []})
        await scene.sleep_all()
        assert scene.objects.figures().live == 0


async def test_what_waits_until_fails_later_is_reported(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Writer) as scene:
        await scene.stub().waits_until()
        await scene.sleep_all()
        assert scene.objects.figures().live == 1
        EVENTS["open"].set()
        await until(lambda: scene.reports)
        assert "waitUntil" in scene.texts[0]


async def test_background_work_beyond_its_limit_is_ended_with_the_instance(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Writer) as scene:
        await scene.stub().waits_until()
        scene.objects.sweep(asyncio.get_running_loop().time() + 16 * 60)
        await until(lambda: scene.objects.figures().live == 0)


async def test_a_reset_ends_background_work_whatever_it_catches(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Writer) as scene:
        await scene.stub().works_in_background()
        actor = next(iter(scene.objects._live))
        assert actor.instance is not None
        task = actor.instance.code.task
        await told(scene.stub().aborts(), ObjectReset, "enough")
        await until(task.done)


async def test_a_timeout_of_events_ends_a_handler_and_leaves_the_socket(tmp_path: Path) -> None:
    class Slow(Echo):
        async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
            self.ctx.setHibernatableWebSocketEventTimeout(5)
            if message == "hang":
                await asyncio.get_running_loop().create_future()
            ws.send(message)

    async with stage(tmp_path, Room=Slow) as scene:
        session = await scene.client(scene.stub())
        for text in ("set", "hang", "next"):
            session.says(text)
            await until(lambda: session.acks[-1:] == [session.seq])
        assert session.sent == ["set", "next"]
        assert scene.reports == []


async def test_a_handler_that_does_not_let_itself_be_cancelled_goes_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_events, "CANCEL_LIMIT_S", 0.005)
    said: list[str] = []

    class Deaf(Echo):
        async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
            self.ctx.setHibernatableWebSocketEventTimeout(5)
            while message == "hang":
                try:
                    await asyncio.get_running_loop().create_future()
                except asyncio.CancelledError:
                    said.append("cancelled")
                except GeneratorExit:
                    said.append("ended")
                    raise
            ws.send(message)

    async with stage(tmp_path, Room=Deaf) as scene:
        session = await scene.client(scene.stub())
        for text in ("set", "hang", "next"):
            session.says(text)
            await until(lambda: session.acks[-1:] == [session.seq])
        assert (session.sent, said) == (["set", "next"], ["cancelled", "ended"])
        assert scene.reports == []


async def test_a_cancellation_that_a_handler_raises_itself_is_reported(tmp_path: Path) -> None:
    class Cancelled(Echo):
        async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
            raise asyncio.CancelledError(message)

    async with stage(tmp_path, Room=Cancelled) as scene:
        session = await scene.client(scene.stub())
        session.says("mine")
        await until(lambda: session.acks == [session.seq])
        assert [(text.partition(" (")[0], repr(error)) for _, text, error in scene.reports] == [
            ("Uncaught exception in webSocketMessage", "CancelledError('mine')")
        ]


async def test_a_timeout_holds_for_the_next_event_though_it_has_come_before_it_was_set(tmp_path: Path) -> None:
    class Changing(Echo):
        async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
            if message in {"5", "0"}:
                self.ctx.setHibernatableWebSocketEventTimeout(int(message))
            elif message == "hang":
                await asyncio.get_running_loop().create_future()
            else:
                await EVENTS["open"].wait()
            ws.send(message)

    events("open")
    async with stage(tmp_path, Room=Changing) as scene:
        session = await scene.client(scene.stub())
        for text in ("5", "hang"):
            session.says(text)
        await until(lambda: session.acks[-1:] == [2])
        session.says("0")
        session.says("waits")
        await until(lambda: session.sent == ["5", "0"])
        asyncio.get_running_loop().call_later(0.05, EVENTS["open"].set)
        await until(lambda: session.sent == ["5", "0", "waits"])
        assert scene.reports == []


async def test_user_code_of_an_object_knows_itself_in_tasks_and_callbacks(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Asks(Echo):
        async def asks(self) -> None:
            asyncio.get_running_loop().call_soon(lambda: seen.append(CURRENT.get()))
            await asyncio.create_task(self.inner())

        async def inner(self) -> None:
            seen.append(CURRENT.get())

    async with stage(tmp_path, Room=Asks) as scene:
        await scene.stub().asks()
        actor = next(iter(scene.objects._live))
        assert seen == [actor.instance, actor.instance]
    assert CURRENT.get() is None


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), ValueError("odd")])
async def test_a_file_that_cannot_be_opened_resets_the_object_and_is_said(tmp_path: Path, error: Exception) -> None:
    def fails(*_: Any) -> Any:
        raise error

    async with stage(tmp_path, Room=Writer) as scene:
        session = await scene.client(scene.stub())
        works, scene.objects.services.open_file = scene.objects.services.open_file, fails
        waiting = asyncio.ensure_future(scene.stub().count())
        await told(waiting, type(error), str(error).partition("] ")[2] or str(error))
        assert session.aborted is not None
        assert "cannot be opened" in scene.texts[0]
        scene.objects.services.open_file = works
        assert await scene.stub().count() == 0


async def test_a_file_that_cannot_even_be_given_up_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: ObjectFile) -> None:
        raise OSError("no rollback")

    async with stage(tmp_path, Room=Writer) as scene:
        monkeypatch.setattr(ObjectFile, "rollback", fails)
        await told(scene.stub().aborts(), ObjectReset, "enough")
        assert any("could not be closed" in text for text in scene.texts)
        monkeypatch.undo()
        assert await scene.stub().count() == 0
