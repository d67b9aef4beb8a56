"""An object in memory or not: what makes an instance, what becomes of its sockets."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.channel.binding import Binding
from holdfast.workers.durable.errors import ObjectReset
from holdfast.workers.runtime.sockets import WebSocket
from holdfast.workers.runtime.turns import see_event
from tests.unit.workers.durable.stage import Acceptor, Echo, Session, Stage, stage, until


class Room(Echo):
    """Says which instance it is."""

    made = 0
    tags = ("lobby",)
    fails = False

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        if self.fails:
            raise RuntimeError("cannot begin")
        type(self).made += 1
        self.number = type(self).made
        self.closed: list[Any] = []
        # As after a hibernation: what is known of sockets is known in the constructor.
        self.at_start = [(ws.deserializeAttachment(), ctx.getTags(ws)) for ws in ctx.getWebSockets()]

    async def webSocketMessage(self, ws: WebSocket, message: Any) -> None:  # noqa: N802  the platform's name
        if message == "keep":
            ws.serializeAttachment({"name": "Ann"})
        ws.send(f"{self.number} {message}")

    async def webSocketClose(self, ws: WebSocket, code: int, reason: str, wasClean: bool) -> None:  # noqa: N802, N803  the platform's
        self.closed.append(
            (code, reason, wasClean, ws.readyState, ws in self.ctx.getWebSockets(), self.ctx.getTags(ws))
        )

    async def webSocketError(self, ws: WebSocket, error: Any) -> None:  # noqa: N802  the platform's name
        self.closed.append(error)


async def reset(scene: Stage) -> None:
    actor = next(iter(scene.objects._live))
    assert actor.instance is not None
    actor.instance.break_(ObjectReset("reset by the test"))


async def test_a_message_wakes_a_hibernated_object_and_its_sockets_are_as_they_were(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.says("keep")
        await until(lambda: session.acks == [1])
        first = await scene.stub().number
        await scene.sleep_all()
        assert (scene.objects.figures().live, scene.objects.figures().sockets) == (0, 1)
        session.says("again")
        await until(lambda: session.acks == [1, 2])
        assert session.sent == [f"{first} keep", f"{first + 1} again"]
        assert await scene.stub().at_start == [[{"name": "Ann"}, ["lobby"]]]


async def test_an_object_that_is_asked_now_and_then_stays(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        number = await scene.stub().number
        scene.objects.sweep(asyncio.get_running_loop().time() + 9)
        assert await scene.stub().number == number


async def test_an_object_without_sockets_leaves_nothing_behind(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        _ = await scene.stub().number
        await scene.sleep_all()
        assert scene.objects.figures().known == 0
        assert scene.objects.figures().happened["evicted"] == 1


async def test_objects_in_memory_are_told_by_what_they_have_handled_most_first(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub("busy"))
        for count in range(1, 4):
            session.says("hello")
            await until(lambda: session.acknowledged == count)  # noqa: B023  waited for in its own turn
        _ = await scene.stub("quiet").number
        busy, quiet = scene.objects.busiest()
        assert (busy.name, busy.sockets, busy.events, busy.class_name) == ("busy", 1, 4, "Room")
        assert (quiet.name, quiet.sockets, quiet.events, quiet.errors) == ("quiet", 0, 1, 0)
        assert busy.id == str(scene.stub("busy").id)
        await scene.sleep_all()
        assert scene.objects.busiest() == ()
        (room,) = scene.objects.classes().values()
        assert (room["events_websocket"], room["events_request"], room["events_call"]) == (3, 1, 1)
        assert (room["woken"], room["hibernated"], room["evicted"], room["asleep"], room["sockets"]) == (2, 1, 1, 1, 1)


async def test_the_end_of_a_socket_is_told_with_the_socket_still_there_and_then_it_is_gone(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.ends(4010, "x")
        await until(lambda: session.acks == [1])
        assert await scene.stub().closed == [[4010, "x", True, 3, True, ["lobby"]]]
        assert scene.objects.figures().sockets == 0


async def test_an_end_that_has_ended_a_process_makes_no_object_and_has_no_handler_run(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        one, other = [await scene.client(scene.stub()) for _ in range(2)]
        number = await scene.stub().number
        one.skipped_seq = 1
        one.ends(4010, "x")
        await until(lambda: one.acks == [1])
        assert (await scene.stub().closed, one.closed) == ([], (4010, "x"))
        await scene.sleep_all()
        other.skipped_seq = 1
        other.ends(4011, "y")
        assert (other.acks, other.closed, scene.objects.figures().sockets) == ([1], (4011, "y"), 0)
        assert scene.objects.figures().happened["woken"] == 1
        assert await scene.stub().number == number + 1


async def test_who_has_the_loop_while_an_object_is_made_is_known(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        begun: list[object] = []

        def wakes(*event: int) -> Callable[[], None]:
            begun.append(event)
            return lambda: begun.append("made")

        scene.objects.services.wakes = wakes
        session.says("awake")
        await until(lambda: session.acks == [1])
        await scene.sleep_all()
        session.says("asleep")
        await until(lambda: session.acks == [1, 2])
        assert begun == [(session.sid, 2), "made"]


async def test_an_error_of_a_socket_is_told(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        session.socket.broke("protocol error", 1)
        await until(lambda: session.acks == [1])
        (told,) = await scene.stub().closed
        assert "protocol error" in str(told)


async def test_a_reset_closes_all_sockets_and_the_next_call_makes_a_new_instance(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        sessions = [await scene.client(scene.stub()) for _ in range(3)]
        first = await scene.stub().number
        await reset(scene)
        text = "Durable Object connection closed because the object was reset."
        assert [one.aborted for one in sessions] == [(1011, text)] * 3
        assert scene.objects.figures().sockets == 0
        assert await scene.stub().number == first + 1
        # What comes of them after all is nobody's.
        sessions[0].ends()
        assert scene.objects.figures().happened["reset"] == 1


async def test_a_constructor_that_fails_tells_the_caller_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        monkeypatch.setattr(Room, "fails", True)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="cannot begin"):
                await scene.stub().number
        monkeypatch.setattr(Room, "fails", False)
        assert await scene.stub().number == Room.made


async def test_a_constructor_that_fails_on_waking_takes_the_sockets_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        await scene.sleep_all()
        monkeypatch.setattr(Room, "fails", True)
        session.says("hello")
        assert session.aborted is not None
        assert (session.sent, scene.objects.figures().sockets) == ([], 0)
        monkeypatch.setattr(Room, "fails", False)


async def test_an_object_without_handlers_of_sockets_acknowledges_all_the_same(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Acceptor) as scene:
        session = await scene.client(scene.stub())
        session.says("anybody?")
        session.ends()
        await until(lambda: session.acks[-1:] == [2])
        assert scene.objects.figures().sockets == 0


@pytest.mark.parametrize("name", ["web_socket_message", "websocket_message", "on_webSocketMessage"])
async def test_handlers_may_be_named_as_python_names_things_and_as_the_original_did_before(
    tmp_path: Path, name: str
) -> None:
    async def hear(self: Any, ws: WebSocket, message: Any) -> None:
        ws.send(f"{name} {message}")

    async with stage(tmp_path, Room=type("Room", (Acceptor,), {name: hear})) as scene:
        session = await scene.client(scene.stub())
        session.says("x")
        await until(lambda: session.sent == [f"{name} x"])


async def test_sockets_of_a_process_before_this_one_stand_in_the_order_of_their_acceptance(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        digits = str(scene.stub().id)
        sessions = []
        for accepted_ms in (5, 1, 3):
            session = Session()
            binding = Binding("Room", digits, "a", ("lobby",), None, accepted_ms, "http://edge/", "")
            socket = WebSocket.resumed(session, binding, scene.objects)  # type: ignore[arg-type]  # as much of one as is used
            assert scene.objects.resumed(socket, binding)
            sessions.append(session)
        sessions[0].says("hello")
        await until(lambda: sessions[0].acks == [1])
        actor = next(iter(scene.objects._live))
        assert [ws.accepted_ms for ws in actor.sockets] == [1, 3, 5]
        assert actor.id.name == "a"


async def test_a_socket_of_a_class_that_is_no_more_is_wanted_by_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        binding = Binding("Gone", "0" * 64)
        socket = WebSocket.resumed(Session(), binding, scene.objects)  # type: ignore[arg-type]  # as much of one as is used
        assert not scene.objects.resumed(socket, binding)


async def test_what_came_during_the_last_hours_is_for_the_next_instance(tmp_path: Path) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    class Leaves(Room):
        async def preShutdown(self, info: Any) -> None:  # noqa: N802  the platform's name
            started.set()
            await go.wait()

    async with stage(tmp_path, Room=Leaves) as scene:
        session = await scene.client(scene.stub())
        first = await scene.stub().number
        scene.objects.sweep(asyncio.get_running_loop().time() + 11)
        await started.wait()
        session.says("x")
        assert session.sent == []
        go.set()
        await until(lambda: session.acks == [1])
        assert session.sent == [f"{first + 1} x"]


class Counter(Echo):
    """Writes for each message, and says what it has."""

    async def webSocketMessage(self, ws: WebSocket, message: Any) -> None:  # noqa: N802  the platform's name
        count = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", count)
        ws.send(f"{count}")


def take_over(scene: Stage, session: Session) -> Session:
    """The same socket in the next process: its edge sends again what was not acknowledged."""
    again = Session()
    again.sid = session.sid
    binding = Binding("Room", str(scene.stub().id), "a", ("lobby",), None, 1, "http://edge/", "")
    socket = WebSocket.resumed(again, binding, scene.objects)  # type: ignore[arg-type]  # as much of one as is used
    assert scene.objects.resumed(socket, binding)
    return again


async def test_what_was_handled_before_a_crash_is_acknowledged_and_not_handled_again(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Counter) as scene:
        scene.objects.services.event_seen = see_event
        session = await scene.client(scene.stub())
        session.says("one")
        session.says("two")
        await until(lambda: session.acks[-1:] == [2])
    async with stage(tmp_path, Room=Counter) as scene:
        scene.objects.services.event_seen = see_event
        again = take_over(scene, session)
        # The acknowledgements of the first two were lost with their process.
        for text in ("one", "two", "three"):
            again.says(text)
        await until(lambda: again.acks[-1:] == [3])
        assert (session.sent, again.sent) == (["1", "2"], ["3"])
        again.ends()
        await until(lambda: again.acks[-1:] == [4])


async def test_traces_of_sockets_that_never_came_again_are_forgotten(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Counter) as scene:
        scene.objects.services.event_seen = see_event
        session = await scene.client(scene.stub())
        session.says("one")
        await until(lambda: session.acks == [1])
    async with stage(tmp_path, Room=Counter) as scene:
        scene.objects._settled_at = 0.0
        other = await scene.client(scene.stub())
        other.says("two")
        await until(lambda: other.acks == [1])
        actor = next(iter(scene.objects._live))
        assert actor.instance is not None
        assert actor.instance.ledger is not None
        assert not actor.instance.ledger.was_handled(session.sid, 1)


async def test_the_end_of_a_socket_is_acknowledged_after_the_messages_before_it(tmp_path: Path) -> None:
    go = asyncio.Event()

    class Slow(Echo):
        async def webSocketMessage(self, ws: WebSocket, message: Any) -> None:  # noqa: N802  the platform's name
            await go.wait()

    async with stage(tmp_path, Room=Slow) as scene:
        session = await scene.client(scene.stub())
        session.says("slow")
        session.ends()
        await until(lambda: scene.objects.figures().sockets == 0)
        assert session.acks == []
        go.set()
        await until(lambda: session.acks == [2])
