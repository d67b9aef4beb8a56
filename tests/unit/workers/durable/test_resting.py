"""Objects whose sockets are put away while they are not in memory: what their code finds when they wake, with real sessions on a link's books."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.channel.records import ToEdge
from holdfast.workers.channel.session import Session
from holdfast.workers.durable.resting import COLLECT_EVERY_S, COLLECT_SOCKETS, QUIET_S, TRIES, Resting
from holdfast.workers.runtime.sockets import WebSocketPair
from holdfast.workers.sdk.entrypoints import DurableObject
from holdfast.workers.sdk.response import Response
from tests.unit.workers.durable.stage import Stage, stage, until

kept: list[Any] = []


class Room(DurableObject):
    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new()
        user = str(len(self.ctx.getWebSockets()))
        self.ctx.acceptWebSocket(server, [f"user:{user}", "all"])
        server.serializeAttachment({"user": user})
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:  # noqa: N802
        if message == "keep":
            kept.append(ws)
        sockets = self.ctx.getWebSockets()
        again = self.ctx.getWebSockets(f"user:{ws.deserializeAttachment()['user']}")
        names = ",".join(one.deserializeAttachment()["user"] for one in sockets)
        at = self.ctx.getWebSocketAutoResponseTimestamp(ws)
        ws.send(
            f"{names} {self.ctx.getTags(ws)} {again == [ws]} {any(one is ws for one in kept)} {at and at.timestamp()}"
        )

    async def webSocketClose(self, ws: Any, code: int, reason: str, was_clean: bool) -> None:  # noqa: N802
        for one in self.ctx.getWebSockets():
            if one is not ws:
                one.send(f"{ws.deserializeAttachment()['user']} left with {code}")


class Link:
    """The books of a link; what is written to it."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self.asleep: dict[int, Any] = {}
        self.in_flight = self.messages_out = 0
        self.sent: list[tuple[int, bytes]] = []

    def write(self, kind: int, sid: int, payload: bytes, **_: Any) -> None:
        if kind == ToEdge.TEXT:
            self.sent.append((sid, payload))

    def acknowledge(self, session: Session) -> None: ...

    def joined(self, group: int) -> None: ...

    def left(self, session: Session) -> None:
        del self.sessions[session.sid]

    def session(self, sid: int) -> Any:
        """As a link finds it."""
        if sid in self.asleep:
            self.asleep[sid].rouse()
        return self.sessions[sid]

    def says(self, sid: int, text: str) -> None:
        """The client of a socket sends."""
        session = self.session(sid)
        session.received += 1
        session.socket.arrived(text, session.received)

    def ends(self, sid: int, code: int) -> None:
        """The client of a socket closes."""
        session = self.session(sid)
        session.received = session.last_seq = session.received + 1
        session.socket.ended(code, "", was_clean=True, seq=session.received)


async def room_of(scene: Stage, count: int) -> Link:
    """An object with sockets 1 to `count`."""
    link = Link()
    for sid in range(1, count + 1):
        answer = await scene.stub().fetch("http://edge/", headers={"Upgrade": "websocket"})
        half = answer.web_socket
        half.use()
        link.sessions[sid] = Session(sid, link)
        assert half.opened(link.sessions[sid])
    return link


async def asleep(scene: Stage) -> None:
    """The object leaves memory, and its sockets are put away as far as they may."""
    await scene.sleep_all()
    for _ in range(TRIES):
        scene.objects.sweep(asyncio.get_running_loop().time())


async def test_what_wakes_an_object_finds_its_sockets_as_they_were(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        link = await room_of(scene, 3)
        await asleep(scene)
        assert (sorted(link.asleep), link.sessions, scene.objects.figures().sockets) == ([1, 2, 3], {}, 3)
        link.asleep[2].answered(2, 1_500)
        link.says(2, "hello")
        await until(lambda: link.sent)
        assert link.sent == [(2, b"0,1,2 ['user:1', 'all'] True False 1.5")]
        link.sent.clear()
        await asleep(scene)
        assert sorted(link.asleep) == [1, 2, 3]
        link.says(1, "hello")
        await until(lambda: link.sent)
        assert link.sent == [(1, b"0,1,2 ['user:0', 'all'] True False None")]


async def test_the_end_of_a_socket_that_is_put_away_is_told_to_its_object(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        link = await room_of(scene, 2)
        await asleep(scene)
        link.ends(1, 4001)
        await until(lambda: link.sent)
        assert link.sent == [(2, b"0 left with 4001")]
        await until(lambda: scene.objects.figures().sockets == 1)
        await asleep(scene)
        assert (sorted(link.asleep), link.sessions) == ([2], {})


async def test_a_request_that_wakes_an_object_lets_its_sockets_be_until_they_are_asked_for(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        link = await room_of(scene, 2)
        await asleep(scene)
        answer = await scene.stub().fetch("http://edge/", headers={"Upgrade": "websocket"})
        assert answer.status == 101
        assert (sorted(link.sessions), scene.objects.figures().sockets) == ([1, 2], 3)


async def test_a_socket_that_user_code_keeps_is_found_by_it_as_the_same(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        link = await room_of(scene, 2)
        link.says(1, "keep")
        await until(lambda: link.sent)
        await asleep(scene)
        assert (sorted(link.sessions), link.asleep) == ([1, 2], {})
        link.sent.clear()
        link.says(1, "again")
        await until(lambda: link.sent)
        assert link.sent == [(1, b"0,1 ['user:0', 'all'] True True None")]
        kept.clear()
        await asleep(scene)
        assert sorted(link.asleep) == [1, 2]


class Rester:
    """An object that puts its sockets away when it is asked for the nth time."""

    instance = None
    socket_count = 1

    def __init__(self, at: int) -> None:
        self.left = at
        self.asked = 0

    def rest(self) -> bool:
        self.asked += 1
        self.left -= 1
        return self.left <= 0

    def settle(self) -> object:
        """It has put nothing away."""
        return None


@pytest.mark.parametrize(("at", "asked"), [(1, 1), (3, 3), (TRIES + 5, TRIES)])
def test_an_object_is_asked_some_times_and_then_left_alone(at: int, asked: int) -> None:
    resting, one = Resting(lambda: None), Rester(at)
    resting.add(one)
    for now in range(TRIES * 3):
        resting.sweep(float(now))
    assert one.asked == asked


async def test_what_is_made_again_after_a_rush_is_found_by_its_sockets_and_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.workers.durable.resting.COLLECT_SOCKETS", 3)
    async with stage(tmp_path, Room=Room) as scene:
        link = await room_of(scene, 3)
        await asleep(scene)
        assert scene.channels.settled == 0
        scene.objects.sweep(asyncio.get_running_loop().time() + QUIET_S)
        assert scene.channels.settled == 1
        assert sorted(link.asleep) == [1, 2, 3]
        link.says(2, "hello")
        await until(lambda: link.sent)
        assert link.sent == [(2, b"0,1,2 ['user:1', 'all'] True False None")]
        answer = await scene.stub().fetch("http://edge/", headers={"Upgrade": "websocket"})
        assert (answer.status, scene.objects.figures().known, scene.objects.figures().sockets) == (101, 1, 4)


@pytest.mark.parametrize(
    ("rests", "expected"),
    [
        # When how many sockets are put away (seconds, sockets), and when it is done.
        ([(0, COLLECT_SOCKETS - 1)], []),
        ([(0, COLLECT_SOCKETS)], [QUIET_S]),
        ([(0, COLLECT_SOCKETS), (3, COLLECT_SOCKETS)], [3 + QUIET_S]),
        # A rush that does not end.
        ([(at, COLLECT_SOCKETS) for at in range(40)], [COLLECT_EVERY_S, 2 * COLLECT_EVERY_S]),
        ([(0, COLLECT_SOCKETS), (10, COLLECT_SOCKETS)], [QUIET_S, QUIET_S + COLLECT_EVERY_S]),
    ],
)
def test_memory_is_given_back_when_a_rush_is_over_and_not_too_often(
    rests: list[tuple[int, int]], expected: list[float]
) -> None:
    done: list[float] = []
    now = 0.0
    resting = Resting(lambda: done.append(now))
    for second in range(100):
        now = float(second)
        for at, sockets in rests:
            if at == second:
                one = Rester(1)
                one.socket_count = sockets
                resting.add(one)
        resting.sweep(now)
    assert done == expected
