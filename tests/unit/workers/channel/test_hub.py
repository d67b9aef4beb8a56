"""A hub between real Unix sockets, with edges that the tests play and a reception that takes what is good."""

import asyncio
import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.channel import away
from holdfast.workers.channel import hub as hubs
from holdfast.workers.channel.binding import Binding, encode
from holdfast.workers.channel.hub import MAX_NAMES, Channels
from holdfast.workers.channel.keepers import Keepers
from holdfast.workers.channel.link import Link
from holdfast.workers.channel.records import (
    MAX_PAYLOAD_BYTES,
    FromEdge,
    ProcessHello,
    Reader,
    Record,
    RecordError,
    ToEdge,
    many,
    record,
)
from holdfast.workers.channel.session import Session
from holdfast.workers.sdk.sending import MAX_MESSAGE_BYTES

GREETING = ProcessHello(version=1, script="s", script_version="v", pid=1)
# Beyond what the kernel gives (proc(5), `pid_max`).
ENDED_PID = 1 << 30
BINDING = Binding(class_name="Room", object_id="0" * 15 + "5" + "0" * 48)


class FakeSocket:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[tuple[Any, ...]] = []

    def arrived(self, data: str | bytes, seq: int) -> None:
        self.events.append((data, seq))

    def ended(self, code: int, reason: str, *, was_clean: bool, seq: int) -> None:
        self.events.append(("closed", code, was_clean, seq))

    def broke(self, error: str, seq: int) -> None:
        self.events.append(("failed", error, seq))

    def auto_answered(self, at_ms: int) -> None:
        self.events.append(("auto", at_ms))


class FakeReception:
    """Takes sockets whose ticket begins with "good"."""

    def __init__(self) -> None:
        self.sockets: list[FakeSocket] = []
        self.bindings: list[Binding] = []
        self.not_there: list[str] = []
        self.closed: list[int] = []
        self.is_hibernatable = True

    def opened(self, session: Session, ticket: str) -> bool:
        if not ticket.startswith("good"):
            return False
        self._take(session)
        session.bind(5, encode(BINDING), is_hibernatable=self.is_hibernatable)
        return True

    def resumed(self, session: Session, binding: Binding, *, is_closed: bool) -> bool:
        self.closed += [session.sid] * is_closed
        self.bindings.append(binding)
        self._take(session)
        return binding.class_name == "Room"

    def not_adopted(self, token: str) -> None:
        self.not_there.append(token)

    def _take(self, session: Session) -> None:
        socket = FakeSocket(session)
        session.socket = socket
        self.sockets.append(socket)


class Edge:
    """A connection of an edge to the hub under test."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(0)
        self.path = path
        self._reader = Reader()
        self._records: list[Record] = []

    async def connect(self, *, edge: str = "0badcafe", loop: int = 0) -> "Edge":
        await asyncio.get_running_loop().sock_connect(self.socket, str(self.path))
        self.send(
            FromEdge.HELLO,
            payload=msgspec.msgpack.encode({"version": 1, "edge": edge, "loop": loop, "pid": os.getpid()}),
        )
        return self

    def send(self, kind: int, sid: int = 0, payload: bytes = b"", *, seq: int = 0, flags: int = 0) -> None:
        self.socket.send(record(kind, sid, payload, seq=seq, flags=flags))

    def resumed(
        self, sid: int, state: bytes, *, next_seq: int = 1, taken: int = 0, number: int = 0, flags: int = 1
    ) -> None:
        self.send(FromEdge.RESUMED, sid, struct.pack("<QI", taken, number) + state, seq=next_seq, flags=flags)

    async def until(self, kind: int) -> Record:
        """The next record of this kind; others are passed over."""
        async with asyncio.timeout(30):
            while True:
                while self._records:
                    if (found := self._records.pop(0))[0] == kind:
                        return found
                data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 20)
                assert data, f"the hub closed the link before a record of kind {kind}"
                self._records += self._reader.feed(data)

    def close(self) -> None:
        self.socket.close()


class Stage:
    """A hub, and what it is connected with."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "channel.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.reception = FakeReception()
        self.reports: list[str] = []
        self.edges: list[Edge] = []
        self.hub = Channels(self.reception, GREETING, report=self.reports.append)

    async def edge(self, **who: Any) -> Edge:
        """An edge that is connected."""
        edge = Edge(self.path)
        self.edges.append(edge)
        return await edge.connect(**who)

    async def serve(self, **options: Any) -> Edge:
        """An edge that is connected and keeps nothing, and a hub that serves it."""
        edge = await self.edge()
        edge.send(FromEdge.READY)
        await self.gather(**options)
        return edge

    async def gather(self, **options: Any) -> None:
        await self.hub.gather(self.listener, **options)
        self.hub.release()

    async def open(self, edge: Edge, sid: int = 7) -> FakeSocket:
        """A socket that was opened."""
        edge.send(FromEdge.OPENED, sid, b"good")
        await edge.until(ToEdge.BIND)
        return self.reception.sockets[-1]

    async def close(self) -> None:
        for edge in self.edges:
            edge.close()
        await self.hub.retire()
        self.listener.close()


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    # Whoever comes, comes in time, however busy the machine is. A test that waits for an end of these sets its own.
    for module, limit in ((hubs, "GATHER_S"), (hubs, "RETURN_S"), (hubs, "LINK_S"), (away, "RESUME_S")):
        monkeypatch.setattr(module, limit, 60.0)
    stage = Stage(tmp_path)
    yield stage
    await stage.close()


async def _turns(what: Any) -> None:
    """Let the loop come round until `what()`."""
    async with asyncio.timeout(30):
        while not what():
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def test_a_socket_is_bound_and_gets_its_events_once(stage: Stage) -> None:
    edge = await stage.serve()
    found = await stage.open(edge)
    edge.send(FromEdge.TEXT, 7, b"a", seq=1)
    edge.send(FromEdge.TEXT, 7, b"a", seq=1)
    edge.send(FromEdge.BINARY, 7, b"b", seq=2)
    edge.send(FromEdge.AUTO_ANSWERED, 7, struct.pack("<Q", 99))
    edge.send(FromEdge.FAILED, 7, b"broken", seq=3)
    edge.send(FromEdge.CLOSED, 7, struct.pack("<HB", 1000, 1), seq=4)
    await _turns(lambda: len(found.events) == 5)
    assert found.events == [("a", 1), (b"b", 2), ("auto", 99), ("failed", "broken", 3), ("closed", 1000, True, 4)]
    found.session.ack(4)
    assert (await edge.until(ToEdge.ACK))[2:4] == (7, 4)
    assert found.session.is_over


async def test_a_ticket_that_nobody_gave_is_answered_unknown(stage: Stage) -> None:
    edge = await stage.serve()
    edge.send(FromEdge.OPENED, 7, b"bad")
    assert (await edge.until(ToEdge.UNKNOWN))[2] == 7


async def test_events_wait_until_every_link_that_is_there_has_said_what_it_keeps(stage: Stage) -> None:
    first, second = await stage.edge(loop=0), await stage.edge(loop=1)
    first.resumed(7, encode(BINDING), next_seq=3)
    first.send(FromEdge.READY)
    first.send(FromEdge.TEXT, 7, b"waits", seq=3)
    serving = asyncio.create_task(stage.gather())
    await _turns(lambda: stage.reception.sockets)
    second.resumed(8, encode(BINDING))
    await _turns(lambda: len(stage.reception.sockets) == 2)
    assert stage.reception.sockets[0].events == []
    second.send(FromEdge.READY)
    await asyncio.wait_for(serving, 30)
    assert stage.reception.sockets[0].events == [("waits", 3)]
    assert stage.reports == []


async def test_an_edge_that_says_nothing_holds_up_nobody_for_long(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "GATHER_S", 0.05)
    await stage.edge()
    await asyncio.wait_for(stage.gather(), 30)
    assert "not every edge" in stage.reports[0]


async def test_a_loop_that_kept_sockets_is_waited_for_until_it_is_back_or_its_edge_has_ended(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "keepers"
    # As a process that was killed has left it: loops of an edge that lives, and of one that does not.
    before = Keepers(path, stage.reports.append)
    before.add(("0badcafe", 1), os.getpid())
    before.add(("dead0000", 0), ENDED_PID)
    first = await stage.edge(loop=0)
    first.resumed(7, encode(BINDING))
    first.send(FromEdge.READY)
    first.send(FromEdge.TEXT, 7, b"waits", seq=1)
    serving = asyncio.create_task(stage.gather(keepers=Keepers(path, stage.reports.append)))
    await _turns(lambda: stage.reception.sockets)
    second = await stage.edge(loop=1)
    second.resumed(8, encode(BINDING), flags=3)
    await _turns(lambda: len(stage.reception.sockets) == 2)
    assert not serving.done()
    assert stage.reception.sockets[0].events == []
    second.send(FromEdge.READY)
    await asyncio.wait_for(serving, 30)
    await _turns(lambda: stage.reception.sockets[0].events == [("waits", 1)])
    assert (stage.reports, stage.reception.closed) == ([], [8])
    assert set(Keepers(path, stage.reports.append).missed) == {("0badcafe", 0), ("0badcafe", 1)}


async def test_a_loop_that_does_not_come_back_is_waited_for_once_and_so_long(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "RETURN_S", 0.1)
    path = tmp_path / "keepers"
    Keepers(path, stage.reports.append).add(("0badcafe", 3), os.getpid())
    await asyncio.wait_for(stage.gather(keepers=Keepers(path, stage.reports.append)), 30)
    assert "not every edge that keeps sockets" in stage.reports[0]
    assert not Keepers(path, stage.reports.append).missed


async def test_a_loop_is_written_down_from_its_first_socket_until_its_last_is_done_with(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "keepers"
    edge = await stage.serve(keepers=Keepers(path, stage.reports.append))

    def missed() -> list[tuple[str, int]]:
        return list(Keepers(path, stage.reports.append).missed)

    assert missed() == []
    one, other = await stage.open(edge, 7), await stage.open(edge, 8)
    assert missed() == [("0badcafe", 0)]
    for found in (one, other):
        assert missed() == [("0badcafe", 0)]
        edge.send(FromEdge.CLOSED, found.session.sid, struct.pack("<HB", 1000, 1), seq=1)
        await _turns(lambda found=found: found.events)
        found.session.ack(1)
    assert missed() == []
    await stage.open(edge, 9)
    assert missed() == [("0badcafe", 0)]
    await stage.hub.retire(is_last=True)
    assert missed() == []


async def test_what_an_edge_kept_and_nobody_wants_is_answered_unknown(stage: Stage) -> None:
    edge = await stage.edge()
    edge.resumed(7, encode(Binding(class_name="Gone", object_id=BINDING.object_id)))
    edge.resumed(8, b"\xc1")
    edge.send(FromEdge.READY)
    await stage.gather()
    assert [(await edge.until(ToEdge.UNKNOWN))[2] for _ in range(2)] == [7, 8]
    assert "no binding" in stage.reports[0]


async def test_a_session_lives_through_the_loss_of_its_link(stage: Stage) -> None:
    edge = await stage.serve()
    found = await stage.open(edge)
    edge.send(FromEdge.TEXT, 7, b"a", seq=1)
    await _turns(lambda: found.events)
    edge.close()
    await _turns(lambda: found.session.link is None)
    found.session.send("meanwhile")
    found.session.ack(1)
    again = await stage.edge()
    again.resumed(7, encode(BINDING), next_seq=1, taken=0)
    again.send(FromEdge.TEXT, 7, b"a", seq=1)
    again.send(FromEdge.TEXT, 7, b"b", seq=2)
    again.send(FromEdge.READY)
    assert (await again.until(ToEdge.TEXT))[4] == b"meanwhile"
    assert (await again.until(ToEdge.ACK))[3] == 1
    await _turns(lambda: len(found.events) == 2)
    assert found.events == [("a", 1), ("b", 2)]


async def test_a_loop_that_connects_anew_takes_its_sessions_along(stage: Stage) -> None:
    edge = await stage.serve()
    found = await stage.open(edge)
    again = await stage.edge()
    again.resumed(7, encode(BINDING), next_seq=1)
    again.send(FromEdge.READY)
    again.send(FromEdge.TEXT, 7, b"by the new link", seq=1)
    await _turns(lambda: found.events)
    assert found.events == [("by the new link", 1)]
    assert stage.reception.bindings == []
    assert stage.hub.statistics()["links"] == 1


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_session_that_does_not_come_back_ends_as_a_disconnect(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, comes_back: bool
) -> None:
    monkeypatch.setattr(away, "RESUME_S", 60.0 if comes_back else 0.01)
    edge = await stage.serve()
    found = await stage.open(edge)
    edge.close()
    if comes_back:
        (await stage.edge()).send(FromEdge.READY)
    await _turns(lambda: found.events)
    assert found.events == [("closed", 1006, False, 0)]
    assert stage.hub.statistics()["sessions_away"] == 0


async def test_a_session_that_cannot_hibernate_ends_with_its_link(stage: Stage) -> None:
    stage.reception.is_hibernatable = False
    edge = await stage.serve()
    found = await stage.open(edge)
    edge.close()
    await _turns(lambda: found.events)
    assert found.events == [("closed", 1006, False, 0)]


async def test_an_event_that_has_ended_a_process_is_passed_over(stage: Stage) -> None:
    edge = await stage.edge()
    edge.resumed(7, encode(BINDING), next_seq=4)
    edge.send(FromEdge.READY)
    await stage.gather(poison=frozenset({(7, 4)}))
    edge.send(FromEdge.TEXT, 7, b"kills", seq=4)
    edge.send(FromEdge.TEXT, 7, b"b", seq=5)
    assert (await edge.until(ToEdge.ACK))[3] == 4
    found = stage.reception.sockets[0]
    await _turns(lambda: found.events)
    assert found.events == [("b", 5)]


def test_the_longest_message_for_most_sockets_fits_into_a_record() -> None:
    assert len(many(list(range(MAX_NAMES)), b"")) + MAX_MESSAGE_BYTES <= MAX_PAYLOAD_BYTES


async def test_a_broadcast_is_one_record_a_link(stage: Stage) -> None:
    edge = await stage.serve()
    sockets = [await stage.open(edge, sid) for sid in (7, 8, 9)]
    sockets[2].session.over()
    stage.hub.broadcast([one.session for one in sockets], "hi", drop=True, max_backlog_bytes=10)
    _, flags, _, _, payload = await edge.until(ToEdge.MANY)
    assert (flags, payload) == (2, struct.pack("<IQQI", 2, 7, 8, 10) + b"hi")
    assert [one.session.buffered_bytes for one in sockets] == [2, 2, 0]


async def test_an_answer_of_a_group_goes_ahead_of_its_first_socket(stage: Stage) -> None:
    edge = await stage.serve()
    stage.hub.set_auto(5, "ping", "pong")
    edge.send(FromEdge.OPENED, 7, b"good")
    assert (await edge.until(ToEdge.AUTO))[2:] == (5, 0, b"\x01\x04\0\0\0pingpong")
    await edge.until(ToEdge.BIND)
    stage.hub.set_auto(5, None)
    assert (await edge.until(ToEdge.AUTO))[4] == b"\0\0\0\0\0"


@pytest.mark.parametrize(
    ("kind", "payload", "seq", "told"),
    [(FromEdge.TEXT, b"a", 2, "expected 1"), (FromEdge.OPENED, b"good", 0, "opened twice")],
)
async def test_an_edge_that_leaves_something_out_is_left(
    stage: Stage, kind: int, payload: bytes, seq: int, told: str
) -> None:
    edge = await stage.serve()
    found = await stage.open(edge)
    edge.send(kind, 7, payload, seq=seq)
    await _turns(lambda: found.session.link is None)
    assert told in stage.reports[0]
    assert found.events == []


class FakeSleeper:
    """Has a session of a hub put away."""

    def __init__(self, found: FakeSocket) -> None:
        self.session, self.link = found.session, found.session.link
        self.answers: list[tuple[int, int]] = []
        self.link.asleep[self.session.sid] = self  # type: ignore[union-attr]
        del self.link.sessions[self.session.sid]  # type: ignore[union-attr]

    def rouse(self) -> None:
        self.link.asleep.pop(self.session.sid)  # type: ignore[union-attr]
        self.link.sessions[self.session.sid] = self.session  # type: ignore[union-attr]

    def answered(self, sid: int, at_ms: int) -> None:
        self.answers.append((sid, at_ms))


@pytest.mark.parametrize(
    ("kind", "payload", "told"),
    [
        (FromEdge.TEXT, b"a", ("a", 1)),
        (FromEdge.FAILED, b"broken", ("failed", "broken", 1)),
        (FromEdge.CLOSED, struct.pack("<HB", 1000, 1), ("closed", 1000, True, 1)),
    ],
)
async def test_an_event_rouses_a_session_that_is_put_away(stage: Stage, kind: int, payload: bytes, told: Any) -> None:
    edge = await stage.serve()
    found = await stage.open(edge)
    FakeSleeper(found)
    assert (stage.hub.statistics()["sessions"], stage.hub.statistics()["sessions_hibernatable"]) == (1, 1)
    edge.send(kind, 7, payload, seq=1)
    await _turns(lambda: found.events)
    assert found.events == [told]
    assert stage.hub.session(7) is found.session


async def test_an_answer_of_the_edge_rouses_no_session_that_is_put_away(stage: Stage) -> None:
    edge = await stage.serve()
    sleeper = FakeSleeper(await stage.open(edge))
    edge.send(FromEdge.AUTO_ANSWERED, 7, struct.pack("<Q", 99))
    await _turns(lambda: sleeper.answers)
    assert sleeper.answers == [(7, 99)]
    assert stage.hub.session(7) is None


async def test_a_session_that_is_put_away_lives_through_the_loss_of_its_link(stage: Stage) -> None:
    edge = await stage.serve()
    found = await stage.open(edge)
    FakeSleeper(found)
    edge.close()
    await _turns(lambda: found.session.link is None)
    again = await stage.edge()
    again.resumed(7, encode(BINDING), next_seq=1, taken=0)
    again.send(FromEdge.READY)
    again.send(FromEdge.TEXT, 7, b"a", seq=1)
    await _turns(lambda: found.events)
    assert found.events == [("a", 1)]


async def test_a_number_of_a_session_that_is_put_away_cannot_be_opened_again(stage: Stage) -> None:
    edge = await stage.serve()
    FakeSleeper(await stage.open(edge))
    edge.send(FromEdge.OPENED, 7, b"good")
    await _turns(lambda: stage.reports)
    assert "opened twice" in stage.reports[0]


async def test_a_backlog_is_told_to_its_session(stage: Stage) -> None:
    edge = await stage.serve()
    found = await stage.open(edge)
    found.session.send("12345")
    edge.send(FromEdge.BACKLOG, 7, struct.pack("<QQ", 5, 3))
    await _turns(lambda: found.session.taken_bytes == 5)
    assert found.session.buffered_bytes == stage.hub.statistics()["unsent_bytes"] == 3


async def test_a_parked_connection_is_asked_of_its_own_edge(stage: Stage) -> None:
    edge = await stage.serve()
    other = await stage.edge(edge="00000001")
    other.send(FromEdge.READY)
    await _turns(lambda: stage.hub.statistics()["links"] == 2)
    assert await stage.hub.adopt("00000001.good")
    assert (await other.until(ToEdge.ADOPT))[4] == b"00000001.good"
    other.send(FromEdge.ADOPT_FAILED, payload=b"00000001.good")
    await _turns(lambda: stage.reception.not_there)
    edge.send(FromEdge.TEXT, 99, b"of nobody")
    assert stage.reception.not_there == ["00000001.good"]


async def test_there_may_be_no_edge_that_keeps_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LINK_S", 0.01)
    await stage.serve()
    assert not await stage.hub.adopt("ffffffff.good")


async def test_retiring_says_goodbye_on_every_link(stage: Stage) -> None:
    edge = await stage.serve()
    retiring = asyncio.create_task(stage.hub.retire())
    await edge.until(ToEdge.BYE)
    edge.close()
    await asyncio.wait_for(retiring, 30)
    assert stage.hub.statistics()["links"] == 0


async def test_who_retires_last_gives_up_the_sockets_that_edges_would_keep(stage: Stage) -> None:
    edge = await stage.serve()
    asleep = await stage.open(edge)
    FakeSleeper(asleep)
    retiring = asyncio.create_task(stage.hub.retire(is_last=True))
    assert (await edge.until(ToEdge.UNKNOWN))[2] == 7
    await edge.until(ToEdge.BYE)
    edge.close()
    await asyncio.wait_for(retiring, 30)


RECORDS = st.lists(
    st.tuples(
        st.sampled_from([*(int(kind) for kind in FromEdge), 99]),
        st.integers(0, 255),
        st.integers(0, 3),
        st.integers(0, 2**32 - 1),
        st.sampled_from([b"good", encode(BINDING), struct.pack("<Q", 1) + encode(BINDING)]) | st.binary(max_size=20),
    ).map(lambda one: (*one[:4], one[4].decode("utf-8", "replace") if one[0] == FromEdge.TEXT else one[4])),
    max_size=12,
)


@given(records=RECORDS)
def test_no_records_raise_anything_but_a_record_error_and_none_is_given_twice(records: list[Record]) -> None:
    async def run() -> None:
        reception = FakeReception()
        hub = Channels(reception, GREETING, report=lambda _: None)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            link = Link(ours, hub, GREETING)
            with contextlib.suppress(RecordError):
                hub.took(link, records)
            assert link.in_flight == sum(one.received - one.acknowledged for one in link.sessions.values())
            link.end("test")
        for found in reception.sockets:
            numbers = [event[-1] for event in found.events if event[0] != "auto"]
            assert numbers == sorted(set(numbers))

    asyncio.run(run())
