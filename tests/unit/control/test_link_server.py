"""Control's end of the control link, met by edges of all kinds: quick, silent, hostile, gone."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from holdfast.api.context import Closing
from holdfast.control import link_server
from holdfast.control.figures import MOST_GONE, Figures
from holdfast.control.link_server import LinkServer
from holdfast.control.publisher import Publisher
from holdfast.errors import SetupError
from holdfast.model.connection import ConnectionEvent
from holdfast.model.connection_messages import (
    AskConnection,
    ConnectionEvents,
    QuestionRefused,
    Retired,
    WatchConnections,
)
from holdfast.model.control_link import (
    VERSION,
    Applied,
    AskReport,
    CloseConnections,
    ConnectionsClosed,
    FrameReader,
    FullSnapshot,
    Hello,
    Message,
    Refused,
    Report,
    Resync,
    Welcome,
    frame,
)
from holdfast.model.zone_document import Kind
from holdfast.store.database import Database
from holdfast.store.upgrade import upgrade
from tests.unit.connections import OPENED, a_connection
from tests.unit.loop_clock import LoopClock

LIMIT_S = 30.0
HELLO = Hello(version=VERSION, edge="e1", pid=1)


class Peer:
    """One connection to the server, in messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._frames = FrameReader()
        self._waiting: list[Message] = []

    def send(self, message: Message) -> None:
        self.writer.write(frame(message))

    async def next(self) -> Message | None:
        """The next message; None when the server has ended the connection."""
        async with asyncio.timeout(LIMIT_S):
            while not self._waiting:
                data = await self._reader.read(65536)
                if not data:
                    return None
                self._waiting += self._frames.feed(data)
        return self._waiting.pop(0)


class World:
    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self.log: list[tuple[str, Mapping[str, str | int]]] = []
        self.logged = asyncio.Event()
        self.publisher = Publisher(database, check=lambda _: None, log=self.write)
        # The process of the edge that lives, connected or not.
        self.living: int | None = None
        self.server = LinkServer(path, self.publisher, log=self.write, living_edge=lambda: self.living)
        self.peers: list[Peer] = []

    def write(self, event: str, fields: Mapping[str, str | int]) -> None:
        self.log.append((event, fields))
        self.logged.set()

    async def until_logged(self, event: str) -> Mapping[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            while True:
                for name, fields in self.log:
                    if name == event:
                        return fields
                self.logged.clear()
                await self.logged.wait()

    async def connect(self, *first: Message) -> Peer:
        peer = Peer(*await asyncio.open_unix_connection(self.path))
        self.peers.append(peer)
        for message in first:
            peer.send(message)
        return peer

    async def peer(self, pid: int = 1) -> Peer:
        """An edge that has been let in and has its snapshot."""
        peer = await self.connect(Hello(version=VERSION, edge="e1", pid=pid))
        assert isinstance(await peer.next(), Welcome)
        assert isinstance(await peer.next(), FullSnapshot)
        return peer


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    # Whoever answers, answers in time, however busy the machine is. A test that waits for an end of these sets its own.
    for limit in ("ANSWER_LIMIT_S", "JOIN_LIMIT_S", "HELLO_LIMIT_S"):
        monkeypatch.setattr(link_server, limit, LIMIT_S)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/db")
    await upgrade(database)
    world = World(tmp_path / "control.sock", database)
    await world.publisher.load()
    await world.server.start()
    yield world
    await world.server.stop()
    for peer in world.peers:
        peer.writer.close()
        with suppress(OSError):
            await peer.writer.wait_closed()
    await database.close()


async def test_an_edge_is_welcomed_and_gets_everything(world: World) -> None:
    peer = await world.peer()
    peer.send(Resync(revision=0))
    assert isinstance(await peer.next(), FullSnapshot)
    assert world.publisher.subscribers == 1


@pytest.mark.parametrize(("kind", "event"), [("zone", "edge_refused_zone"), ("list", "edge_refused_rules")])
async def test_what_an_edge_refuses_is_a_record(world: World, kind: Kind, event: str) -> None:
    peer = await world.peer()
    peer.send(Refused(revision=1, kind=kind, id="7" * 32, reason="why"))
    assert await world.until_logged(event) == {"edge": "e1", kind: "7" * 32, "reason": "why"}


async def test_every_edge_is_asked_and_the_answers_are_added_up(world: World) -> None:
    peers = [await world.peer() for _ in range(2)]
    asked = asyncio.create_task(world.server.close_zone("z", code=1001, reason="why"))
    for count, peer in enumerate(peers, 1):
        question = await peer.next()
        assert isinstance(question, CloseConnections)
        assert (question.zone_id, question.code, question.reason) == ("z", 1001, "why")
        peer.send(ConnectionsClosed(request_id=question.request_id, count=count))
    assert await asked == Closing(closed=3, edges=2, silent=0)


async def test_an_edge_that_cannot_read_a_question_counts_as_silent_at_once_and_stays(world: World) -> None:
    peer = await world.peer()
    asked = asyncio.create_task(world.server.close_zone("z", code=1001, reason="why"))
    question = await peer.next()
    assert isinstance(question, CloseConnections)
    peer.send(QuestionRefused(request_id=question.request_id, reason="I cannot"))
    assert await asked == Closing(closed=0, edges=0, silent=1, names=("e1 (process 1)",))
    assert await world.until_logged("edge_refused_question") == {"edge": "e1", "reason": "I cannot"}
    assert len(world.server.sessions) == 1


async def test_an_edge_that_goes_while_it_is_asked_is_left_out(world: World) -> None:
    staying, going = await world.peer(), await world.peer()
    asked = asyncio.create_task(world.server.reports())
    question = await staying.next()
    assert isinstance(question, AskReport)
    assert isinstance(await going.next(), AskReport)
    going.writer.close()
    staying.send(Report(request_id=question.request_id, revision=1, statistics={"requests": 5}))
    assert [report.statistics for report in await asked] == [{"requests": 5}]


async def test_what_an_edge_counted_stays_when_it_ends(world: World) -> None:
    ending, silent = await world.peer(1), await world.peer(2)
    # Its last figures come by themselves.
    ending.send(Report(request_id=0, revision=1, statistics={"requests": 5, "tunnels_open": 3}))
    ending.send(Retired(holds_nothing=True))
    ending.writer.close()
    await world.until_logged("edge_disconnected")
    silent.writer.close()
    assert [report.statistics for report in await world.server.reports()] == [{"requests": 5}]


async def closed_by(peer: Peer, count: int) -> None:
    """`peer` says that it told so many WebSockets to close."""
    question = await peer.next()
    assert isinstance(question, CloseConnections)
    peer.send(ConnectionsClosed(request_id=question.request_id, count=count))


async def test_an_edge_that_is_silent_is_counted_and_not_taken_for_one_without_websockets(world: World) -> None:
    talking, _silent = await world.peer(1), await world.peer(2)
    clock = LoopClock(asyncio.get_running_loop())
    asked = asyncio.create_task(world.server.close_zone("z", code=1001, reason="why"))
    await closed_by(talking, 4)
    # When this is heard, that was.
    talking.send(Refused(revision=1, kind="zone", id="7" * 32, reason="why"))
    await world.until_logged("edge_refused_zone")
    clock.passes(LIMIT_S)
    assert await asked == Closing(closed=4, edges=1, silent=1)
    reports = asyncio.create_task(world.server.reports())
    assert isinstance(await talking.next(), AskReport)
    clock.passes(LIMIT_S)
    assert await reports == []


@pytest.mark.parametrize("lives", [True, False])
async def test_an_edge_that_goes_while_it_is_asked_to_close_is_silent_as_long_as_its_process_lives(
    world: World, monkeypatch: pytest.MonkeyPatch, lives: bool
) -> None:
    going = await world.peer(9)
    world.living = 9
    asked = asyncio.create_task(world.server.close_zone("z", code=1001, reason="why"))
    assert isinstance(await going.next(), CloseConnections)
    world.living = 9 if lives else None
    going.writer.close()
    assert await asked == Closing(closed=0, edges=0, silent=int(lives))


async def test_an_edge_that_lives_and_does_not_connect_is_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_server, "JOIN_LIMIT_S", 0.01)
    world.living = 9
    other = await world.peer(1)
    asked = asyncio.create_task(world.server.close_zone("z", code=1001, reason="why"))
    await closed_by(other, 2)
    assert await asked == Closing(closed=2, edges=1, silent=1)


async def test_an_edge_that_connects_in_time_is_asked_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_server, "JOIN_LIMIT_S", LIMIT_S)
    world.living = 9
    asked = asyncio.create_task(world.server.close_zone("z", code=1001, reason="why"))
    await closed_by(await world.peer(9), 2)
    assert await asked == Closing(closed=2, edges=1, silent=0)


async def test_without_any_edge_nothing_is_open(world: World) -> None:
    assert await world.server.close_zone("z", code=1001, reason="why") == Closing(closed=0, edges=0, silent=0)


async def test_to_wait_for_all_is_to_wait_for_the_edge_that_lives_and_what_it_serves(world: World) -> None:
    world.living = 9
    waiting = asyncio.create_task(world.server.until_all_serve(LIMIT_S))
    await world.peer(1)
    peer = await world.peer(9)
    assert world.server.missing_edge() is None
    assert not waiting.done()
    peer.send(Applied(revision=world.publisher.revision))
    world.peers[0].send(Applied(revision=world.publisher.revision))
    async with asyncio.timeout(LIMIT_S / 2):
        await waiting


async def test_the_wait_for_an_edge_that_does_not_come_has_an_end_and_without_one_there_is_no_wait(
    world: World,
) -> None:
    world.living = 9
    async with asyncio.timeout(LIMIT_S):
        await world.server.until_all_serve(0.01)
    assert world.server.missing_edge() == 9
    world.living = None
    async with asyncio.timeout(LIMIT_S):
        await world.server.until_all_serve(10 * LIMIT_S)


async def test_a_writer_waits_until_the_edge_serves_by_what_was_written(world: World) -> None:
    peer = await world.peer()
    (session,) = world.server.sessions
    waiting = asyncio.create_task(session.applied(7))
    peer.send(Applied(revision=6))
    peer.send(Applied(revision=7))
    async with asyncio.timeout(LIMIT_S):
        await waiting


async def test_nobody_waits_for_an_edge_that_is_gone(world: World) -> None:
    peer = await world.peer()
    (session,) = world.server.sessions
    peer.writer.close()
    async with asyncio.timeout(LIMIT_S):
        await session.applied(7)
    assert (await world.until_logged("edge_disconnected"))["edge"] == "e1"


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (frame(Hello(version=99, edge="e", pid=1)), "version 99"),
        (frame(Applied(revision=1)), "the first message of an edge is Hello, and not Applied"),
        (b"\xff\xff\xff\xff", "were announced"),
        (b"GET / HTTP/1.1\r\n\r\n", "was announced"),
        (b"\0\0\0\x01\xc1", "no message of this protocol"),
        (frame(HELLO) + frame(Welcome(version=1)), "does not send Welcome"),
    ],
)
async def test_a_peer_that_does_not_keep_to_the_protocol_is_let_go(world: World, first: bytes, said: str) -> None:
    peer = await world.connect()
    peer.writer.write(first)
    while await peer.next() is not None:
        pass
    refused = str((await world.until_logged("edge_refused"))["reason"])
    assert said.removeprefix("were ").removeprefix("was ") in refused
    assert not world.server.sessions


async def test_only_the_owner_may_reach_the_socket(world: World) -> None:
    assert world.path.stat().st_mode & 0o777 == 0o600


async def test_a_second_control_on_the_same_data_is_refused(world: World) -> None:
    second = LinkServer(world.path, world.publisher, log=world.write)
    with pytest.raises(SetupError, match=r"another control is running"):
        await second.start()
    assert isinstance(await world.peer(), Peer)


async def test_a_socket_that_a_dead_control_left_is_taken_over(world: World) -> None:
    await world.server.stop()
    world.path.touch()
    await world.server.start()
    await world.peer()


async def test_a_path_that_no_socket_can_have_is_refused_in_a_sentence(world: World, tmp_path: Path) -> None:
    server = LinkServer(tmp_path / ("x" * 120), world.publisher, log=world.write)
    with pytest.raises(SetupError, match=r"longer than 107 bytes"):
        await server.start()


async def test_an_edge_of_the_version_before_is_let_in_in_its_own_and_asked_nothing_newer(world: World) -> None:
    old = await world.connect(Hello(version=2, edge="old", pid=2))
    assert await old.next() == Welcome(version=2)
    assert isinstance(await old.next(), FullSnapshot)
    with world.server.watch.watching("z", lambda _: True):
        asked = asyncio.create_task(
            world.server.ask_about_connections(lambda number: AskConnection(request_id=number, id="x"))
        )
        [(session, answer)] = (await asked).items()
        assert (session.edge, answer) == ("old", None)
        closing = asyncio.create_task(world.server.close_zone("z", code=1001, reason="why"))
        await closed_by(old, 3)
        assert await closing == Closing(closed=3, edges=1, silent=0)


@pytest.mark.parametrize("version", [1, VERSION + 1])
async def test_an_edge_of_a_version_that_is_not_known_hears_which_is(world: World, version: int) -> None:
    peer = await world.connect(Hello(version=version, edge="e", pid=1))
    assert await peer.next() == Welcome(version=VERSION)
    assert await peer.next() is None
    assert f"speaks version {version} of the link, we speak 2 to {VERSION}" in str(
        (await world.until_logged("edge_refused"))["reason"]
    )


async def test_an_edge_says_that_it_has_retired_first_of_all_or_later(world: World) -> None:
    await world.connect(Hello(version=VERSION, edge="first", pid=1, is_retired=True))
    later = await world.peer(2)
    later.send(Retired())
    assert await world.until_logged("edge_retired") == {"edge": "e1", "pid": 2}
    assert {session.name for session in world.server.sessions} == {
        "first (process 1, retired)", "e1 (process 2, retired)",
    }  # fmt: skip


@pytest.mark.parametrize(("holds_nothing", "lost"), [(True, 0), (False, 1)])
async def test_only_an_edge_that_goes_with_something_leaves_a_gap(world: World, holds_nothing: bool, lost: int) -> None:
    peer = await world.peer()
    event = ConnectionEvent(at=OPENED, connection=a_connection(1))
    with world.server.watch.watching("z", lambda _: True) as watcher:
        peer.send(Retired())
        peer.send(ConnectionEvents(events=(event,)))
        peer.send(Retired(holds_nothing=holds_nothing))
        peer.writer.close()
        await world.until_logged("edge_disconnected")
        async with asyncio.timeout(LIMIT_S):
            assert await watcher.next() == (lost, [event])
    assert [name for name, _ in world.log].count("edge_retired") == 1


async def test_an_edge_that_comes_hears_what_is_watched_and_its_events_are_passed_on(world: World) -> None:
    with world.server.watch.watching("z", lambda _: True) as watcher:
        peer = await world.peer()
        assert await peer.next() == WatchConnections(zones=("z",))
        event = ConnectionEvent(at=OPENED, connection=a_connection(1))
        peer.send(ConnectionEvents(lost=2, events=(event,)))
        async with asyncio.timeout(LIMIT_S):
            assert await watcher.next() == (2, [event])
    assert await peer.next() == WatchConnections()


async def test_all_that_were_connected_when_control_ended_count_once_to_the_next(world: World, tmp_path: Path) -> None:
    edges = range(1, MOST_GONE + 4)

    async def served() -> int:
        """Have all edges connect, each with a request, to a control of its own; what that counts."""
        figures = Figures(tmp_path / "figures.bin")
        await world.server.stop()
        world.server = LinkServer(world.path, world.publisher, log=world.write, figures=figures)
        await world.server.start()
        peers = [await world.peer(pid) for pid in edges]
        asking = asyncio.create_task(world.server.reports())
        for peer in peers:
            question = await peer.next()
            assert isinstance(question, AskReport)
            peer.send(Report(request_id=question.request_id, revision=1, statistics={"requests": 1}))
        return sum(report.statistics["requests"] for report in await asking)

    assert [await served() for _ in range(2)] == [len(edges), len(edges)]


async def test_the_socket_is_its_owners_alone_from_its_first_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.server.stop()
    # Whatever comes after its first moment comes too late.
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    before = os.umask(0)
    try:
        await world.server.start()
    finally:
        os.umask(before)
    assert stat.S_IMODE(world.path.stat().st_mode) == 0o600
    await world.peer()
