"""All objects of a script: what is counted, who leaves, and a retirement that loses nothing."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.workers.durable import objects
from holdfast.workers.durable.errors import ObjectReset
from holdfast.workers.durable.ids import IdSpace
from holdfast.workers.durable.owner import LOCK_NAME
from holdfast.workers.runtime.sockets import WebSocket
from holdfast.workers.sdk.errors import JsTypeError
from tests.unit.workers.durable.stage import (
    EVENTS,
    NOW_MS,
    ByHand,
    Echo,
    Session,
    Stage,
    Writer,
    events,
    stage,
    told,
    turn,
    until,
)


class Room(Echo):
    """Waits in its handler until it is told."""

    async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: N802  the platform's name
        await self.ctx.storage.put("last", message)
        if message == "wait":
            EVENTS["began"].set()
            await EVENTS["go on"].wait()
        ws.send(message)

    async def last(self) -> Any:
        return await self.ctx.storage.get("last")

    async def names(self) -> list[str]:
        return [self.env["name"], type(self).__name__]


async def test_figures_count_what_is_there(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        for name in ("a", "b"):
            await scene.client(scene.stub(name))
        figures = scene.objects.figures()
        assert (figures.live, figures.known, figures.sockets) == (2, 2, 2)
        assert figures.happened == {"woken": 2}
        assert set(scene.objects.reasons()) == {f"Room {scene.stub(name).id}" for name in ("a", "b")}


async def test_constructors_get_the_bindings_and_files_lie_under_the_namespace(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        scene.objects.env = {"name": "value"}
        assert scene.objects.env == {"name": "value"}
        assert scene.objects.channels is scene.channels
        assert await scene.stub().names() == ["value", "Room"]
        session = await scene.client(scene.stub())
        session.says("x")
        await until(lambda: session.acks)
        assert (tmp_path / "chat-Room" / f"{scene.stub().id}.sqlite").exists()


async def test_a_class_that_the_script_does_not_have_has_no_namespace(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        with pytest.raises(KeyError):
            scene.objects.namespace("Nope")


async def test_a_retirement_lets_handlers_end_and_leaves_the_rest_to_the_next_process(tmp_path: Path) -> None:
    EVENTS.update({"began": asyncio.Event(), "go on": asyncio.Event()})
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("wait")
        await EVENTS["began"].wait()
        retiring = asyncio.ensure_future(scene.objects.retire(5.0))
        await turn()
        session.says("later")
        assert not retiring.done()
        EVENTS["go on"].set()
        await retiring
        assert (session.sent, session.acks) == (["wait"], [1])
        assert session.aborted is None
        async with stage(tmp_path, Room=Room) as successor:
            assert await successor.stub().last() == "wait"


async def test_a_handler_that_does_not_end_is_not_waited_for(tmp_path: Path) -> None:
    EVENTS.update({"began": asyncio.Event(), "go on": asyncio.Event()})
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("wait")
        await EVENTS["began"].wait()
        await scene.objects.retire(0.01)
        assert session.acks == []
        assert "handlers still run" in scene.texts[0]
        EVENTS["go on"].set()


async def test_the_lock_is_held_from_the_start_to_the_end(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        assert (tmp_path / LOCK_NAME).exists()
        assert scene.objects.owner is not None
        assert scene.objects.owner.epoch == 1
    async with stage(tmp_path, Room=Room) as scene:
        assert scene.objects.owner is not None
        assert scene.objects.owner.epoch == 2


async def test_an_object_that_was_asked_for_and_never_came_to_anything_is_forgotten(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        kind = scene.objects._kinds["Room"]
        scene.objects.actor(kind, kind.ids.from_name("never"))
        assert scene.objects.figures().known == 1
        scene.objects.sweep(asyncio.get_running_loop().time())
        assert scene.objects.figures().known == 0


async def test_a_name_that_is_learnt_later_is_kept(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        rooms = scene.objects.namespace("Room")
        named = rooms.idFromName("a")
        kind = scene.objects._kinds["Room"]
        actor = scene.objects.actor(kind, rooms.idFromString(str(named)))
        assert actor.id.name is None
        assert scene.objects.actor(kind, named) is actor
        assert actor.id.name == "a"


async def test_objects_that_are_somebody_elses_now_are_stopped_at_once(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        (tmp_path / LOCK_NAME).rename(tmp_path / "moved away")
        scene.objects._guard()
        assert session.aborted is not None
        assert scene.objects.figures().live == 0
        assert "not this process's any more" in scene.texts[0]
        session.says("x")
        assert session.sent == []


class Sleeper(Room):
    """Tells its sockets of its alarm."""

    async def set(self, in_ms: int) -> None:
        await self.ctx.storage.setAlarm(NOW_MS + in_ms)

    async def alarm(self) -> None:
        for ws in self.ctx.getWebSockets():
            ws.send("woken")


async def test_a_class_that_is_renamed_keeps_ids_files_alarms_and_sockets(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        session = await scene.client(scene.stub())
        session.says("before")
        await scene.stub().set(10)
        await until(lambda: session.acks)
        digits, binding = str(scene.stub().id), session.socket.binding
    async with stage(tmp_path, Lounge=Sleeper, namespaces={"Lounge": "Room"}) as scene:
        stub = scene.stub("a", "Lounge")
        assert str(stub.id) == digits
        assert await stub.last() == "before"
        again = Session()
        socket = WebSocket.resumed(again, binding, scene.objects)  # type: ignore[arg-type]  # as much of one as is used
        assert scene.objects.resumed(socket, binding)
        scene.now_ms = NOW_MS + 10
        assert scene.objects._scheduler is not None
        scene.objects._scheduler.look()
        await until(lambda: again.sent == ["woken"])


async def test_the_alarm_of_an_object_that_is_gone_with_its_class_is_forgotten_and_one_that_waits_is_not(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        for name in ("gone", "waits"):
            stub = scene.stub(name)
            await stub.set(10)
        gone, waits = (str(scene.stub(name).id) for name in ("gone", "waits"))
    async with stage(tmp_path, Other=Sleeper) as scene:
        (tmp_path / "chat-Room" / f"{gone}.sqlite").unlink()
        scene.now_ms = NOW_MS + 10
        table = scene.objects._table
        assert scene.objects._scheduler is not None
        assert table is not None
        scene.objects._scheduler.look()
        await until(lambda: [row.object_id for row in table.due(scene.now_ms, 9)] == [waits])


async def test_a_class_that_came_from_another_script_has_its_ids_files_and_alarms(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        digits = str(scene.stub().id)
        await scene.stub().set(10)
    (tmp_path / "chat-Room").rename(tmp_path / "other-Room")
    (tmp_path / "metadata.sqlite").unlink()
    async with stage(tmp_path, Hall=Sleeper, Room=Sleeper, namespaces={"Hall": "other-Room"}) as scene:
        assert scene.objects._table is not None
        assert [row.class_name for row in scene.objects._table.due(NOW_MS + 10, 9)] == ["other-Room"]
        assert str(scene.stub("a", "Hall").id) != digits
        hall = scene.objects.namespace("Hall")._kind
        assert (hall.unique_key, hall.ids.from_name("a")) == ("other-Room", IdSpace("other-Room").from_name("a"))


async def test_a_retirement_waits_for_objects_that_are_leaving_already(tmp_path: Path) -> None:
    EVENTS.update({"began": asyncio.Event(), "go on": asyncio.Event()})

    class Leaves(Room):
        async def preShutdown(self, info: Any) -> None:  # noqa: N802  the platform's name
            EVENTS["began"].set()
            await EVENTS["go on"].wait()
            await self.ctx.storage.put("last", info.reason)

    async with stage(tmp_path, Room=Leaves) as scene:
        assert await scene.stub().last() is None
        scene.objects.sweep(asyncio.get_running_loop().time() + 11)
        await EVENTS["began"].wait()
        retiring = asyncio.ensure_future(scene.objects.retire(5.0))
        await turn()
        EVENTS["go on"].set()
        await retiring
    async with stage(tmp_path, Room=Room) as scene:
        assert await scene.stub().last() == "inactive"


class Lingering(Echo):
    """Takes its time to leave memory."""

    async def preShutdown(self, info: Any) -> None:  # noqa: N802  the platform's name
        EVENTS["began"].set()
        await EVENTS["go on"].wait()

    async def who(self) -> int:
        return id(self)


async def test_who_calls_while_an_object_leaves_memory_finds_the_one_instance_that_comes_next(tmp_path: Path) -> None:
    events("began", "go on")
    async with stage(tmp_path, Room=Lingering) as scene:
        await scene.stub().who()
        scene.objects.sweep(asyncio.get_running_loop().time() + 11)
        await EVENTS["began"].wait()
        waiting = asyncio.ensure_future(scene.stub().who())
        await turn()
        await turn()
        EVENTS["go on"].set()
        assert await waiting == await scene.stub().who()
        assert (scene.objects.figures().live, scene.objects.figures().known) == (1, 1)


class Anything(Writer):
    """Does what can be done to an object, and lets itself be called by others while it does."""

    async def relays(self, to: str) -> int:
        told: int = await self.ctx.exports.Room.getByName(to).increment()
        return told

    async def falls(self) -> None:
        async def broken() -> None:
            await turn()
            raise ValueError("in there")

        await self.ctx.blockConcurrencyWhile(broken)

    async def moves(self) -> None:
        async def closure(txn: Any) -> None:
            await txn.put("a", 1)
            await turn()
            await txn.put("b", 2)

        await self.ctx.storage.transaction(closure)

    async def forgets(self) -> None:
        self.other = asyncio.get_running_loop().create_task(self.turns())

    async def turns(self) -> None:
        await turn()


CALLS = ("increment", "relays", "falls", "moves", "forgets", "aborts", "nested", "nope")
STEPS = st.one_of(
    st.tuples(st.just("call"), st.sampled_from("ab"), st.sampled_from(CALLS)),
    st.tuples(st.just("say"), st.sampled_from("ab"), st.sampled_from(["write", "fail", "echo"])),
    st.tuples(st.sampled_from(["connect", "leave"]), st.sampled_from("ab"), st.just("")),
    st.tuples(st.sampled_from(["commit", "hibernate", "turn"]), st.just(""), st.just("")),
)


class Drive:
    """A stage, a disk by hand, and everything that was begun on them."""

    def __init__(self, scene: Stage) -> None:
        self.scene = scene
        self.disk = ByHand()
        scene.objects.services.disk = self.disk
        self.promises: list[asyncio.Future[Any]] = []
        self.sessions: dict[str, list[Session]] = {"a": [], "b": []}
        self.connecting: list[asyncio.Task[None]] = []

    async def step(self, kind: str, name: str, what: str) -> None:
        match kind:
            case "call":
                args = ("b" if name == "a" else "a",) if what == "relays" else ()
                self.promises.append(asyncio.ensure_future(getattr(self.scene.stub(name), what)(*args)))
            case "say" if self.sessions[name]:
                self.sessions[name][-1].says(what)
            case "leave" if self.sessions[name]:
                self.sessions[name].pop().ends()
            case "connect":
                self.connecting.append(asyncio.ensure_future(self.connect(name)))
            case "commit":
                self.disk.run()
            case "hibernate":
                self.scene.objects.sweep(asyncio.get_running_loop().time() + 11)
            case _:
                pass
        await turn()

    async def connect(self, name: str) -> None:
        try:
            self.sessions[name].append(await self.scene.client(self.scene.stub(name)))
        except (ValueError, ObjectReset):
            # The object was reset while it was asked.
            return

    async def ends(self) -> None:
        """All that was begun ends, and nothing is left."""

        def is_done() -> bool:
            self.disk.run()
            return all(one.done() for one in (*self.promises, *self.connecting))

        await until(is_done)
        for one in self.promises:
            if not one.cancelled() and (error := one.exception()) is not None:
                assert isinstance(error, ValueError | ObjectReset | JsTypeError), repr(error)

        def is_quiet() -> bool:
            self.disk.run()
            self.scene.objects.sweep(asyncio.get_running_loop().time() + 11)
            return not self.scene.objects._live and not self.scene.objects._crowd.leaving

        await until(is_quiet)
        for session in (*self.sessions["a"], *self.sessions["b"]):
            assert session.aborted or (session.acks or [0])[-1] == session.seq


@pytest.mark.timeout(600)
@settings(max_examples=60)
@given(st.lists(STEPS, max_size=25))
# What comes on a socket of an object that was reset makes no second instance of it.
@example([("connect", "a", ""), ("call", "a", "aborts"), ("call", "b", "relays"), ("say", "a", "write")])
def test_whatever_happens_to_objects_everybody_is_told_and_nothing_is_left(steps: list[tuple[str, str, str]]) -> None:
    async def scene(directory: Path) -> None:
        async with stage(directory, Room=Anything) as built:
            drive = Drive(built)
            for step in steps:
                await drive.step(*step)
            await drive.ends()

    with TemporaryDirectory() as directory:
        asyncio.run(scene(Path(directory)))


class Stuck(Writer):
    """Is in the middle of something when its process has to go."""

    async def preShutdown(self, info: Any) -> None:  # noqa: N802  the platform's name
        await self.ctx.storage.put("last hours", 1)
        await asyncio.get_running_loop().create_future()


async def test_who_waits_for_a_handler_that_is_ended_is_told(tmp_path: Path) -> None:
    events("began", "never")
    async with stage(tmp_path, Room=Writer) as scene:
        session = await scene.client(scene.stub())
        waiting = asyncio.ensure_future(scene.stub().blocked("never"))
        await EVENTS["began"].wait()
        await scene.objects.retire(0.01)
        await told(waiting, ObjectReset, "no longer active")
        assert session.aborted is None


async def test_a_transaction_that_is_open_at_a_retirement_is_undone_and_its_file_free(tmp_path: Path) -> None:
    events("began", "open")
    async with stage(tmp_path, Room=Writer) as scene:
        waiting = asyncio.ensure_future(scene.stub().transfer(fails=False))
        await EVENTS["began"].wait()
        await scene.objects.retire(0.01)
        await told(waiting, ObjectReset, "no longer active")
        async with stage(tmp_path, Room=Writer) as successor:
            assert await successor.stub().keys() == []
            assert await successor.stub().increment() == 1


async def test_last_hours_that_outlast_a_retirement_hold_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LEAVE_LEAST_S", 0.01)
    async with stage(tmp_path, Room=Stuck) as scene:
        assert await scene.stub().increment() == 1
        await scene.objects.retire(0.01)
        async with stage(tmp_path, Room=Writer) as successor:
            assert await successor.stub().increment() == 2
