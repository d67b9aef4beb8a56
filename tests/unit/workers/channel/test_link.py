"""One connection to an edge: what goes out together, what stops reading, what ends it."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from holdfast.workers.channel import link as links
from holdfast.workers.channel.link import Link
from holdfast.workers.channel.records import (
    HEADER,
    FromEdge,
    ProcessHello,
    Reader,
    Record,
    RecordError,
    ToEdge,
    close,
    record,
)
from holdfast.workers.channel.session import Session
from holdfast.workers.channel.waiting import CHUNK_BYTES

GREETING = ProcessHello(version=1, script="s", script_version="v", pid=1)
HELLO = record(FromEdge.HELLO, payload=msgspec.msgpack.encode({"version": 1, "edge": "0badcafe", "loop": 2}))


class FakeHub:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.marked: list[Link] = []
        self.told: list[int] = []
        self.reasons: list[str] = []
        self.changed = asyncio.Event()
        self.error: Exception | None = None

    def greeted(self, link: Link) -> None:
        self.greeted_by = (link.edge, link.loop)

    def arrived(self, link: Link, records: list[Record]) -> None:
        if self.error is not None:
            raise self.error
        self.records += records
        self.changed.set()

    def wrote(self, link: Link) -> None:
        self.marked.append(link)

    def before_bind(self, link: Link, group: int) -> None:
        self.told.append(group)

    def emptied(self, link: Link) -> None:
        self.told.append(0)

    def ended(self, link: Link, reason: str, *, is_fault: bool) -> None:
        self.is_fault = is_fault
        self.reasons.append(reason)
        self.changed.set()

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(30):
            while not what():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(0)
        yield ours, theirs


async def _read(theirs: socket.socket, length: int) -> bytes:
    data, loop = b"", asyncio.get_running_loop()
    async with asyncio.timeout(30):
        while len(data) < length:
            data += await loop.sock_recv(theirs, 1 << 20)
    return data


async def test_both_sides_say_hello_and_records_are_given_on(ends: Any) -> None:
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    link.flush()
    said = await _read(ends[1], 20)
    assert said[4] == ToEdge.HELLO
    assert msgspec.msgpack.decode(said[20:])["script"] == "s"
    ends[1].send(HELLO + record(FromEdge.TEXT, 7, b"a", seq=1))
    await hub.until(lambda: hub.records)
    assert hub.records == [(FromEdge.TEXT, 0, 7, 1, "a")]
    assert (link.edge, link.loop) == ("0badcafe", 2)
    link.end("test")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (record(FromEdge.TEXT, 7, b"a"), "first record"),
        (record(FromEdge.HELLO, payload=b"\xc1"), "HELLO"),
        (HELLO + HEADER.pack(2**31, 4, 0, 0, 1, 1), "at most"),
    ],
)
async def test_an_edge_that_does_not_keep_to_the_protocol_is_left(ends: Any, sent: bytes, reason: str) -> None:
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    ends[1].send(sent)
    await hub.until(lambda: hub.reasons)
    assert reason in hub.reasons[0]
    assert link.is_over


async def test_a_hub_that_cannot_take_a_record_ends_the_link_too(ends: Any) -> None:
    hub = FakeHub()
    hub.error = RecordError("nobody's")
    Link(ends[0], hub, GREETING)
    ends[1].send(HELLO + record(FromEdge.TEXT, 7, b"a"))
    await hub.until(lambda: hub.reasons)
    assert "nobody's" in hub.reasons[0]


async def test_acknowledgements_go_out_last_and_once_a_session(ends: Any) -> None:
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    link.flush()
    await _read(ends[1], 20)
    session = Session(7, link)
    for seq in (1, 2, 3):
        session.ack(seq)
    session.send("out")
    link.flush()
    data = await _read(ends[1], 43)
    assert data == record(ToEdge.TEXT, 7, b"out") + record(ToEdge.ACK, 7, seq=3)
    assert len(hub.marked) == 2
    link.end("test")


async def test_nothing_is_read_while_too_much_waits_to_go_out(ends: Any) -> None:
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    size = links.HIGH_BYTES + 2 * CHUNK_BYTES
    link.write(ToEdge.BINARY, 7, bytes(size))
    link.flush()
    assert link.waiting_bytes > links.HIGH_BYTES
    ends[1].send(HELLO + record(FromEdge.TEXT, 7, b"a", seq=1))
    await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, lambda: None), 30)
    assert hub.records == []
    taken = await _read(ends[1], size)
    assert len(taken) > size
    await hub.until(lambda: hub.records)
    assert link.waiting_bytes == 0
    link.end("test")


async def test_a_link_whose_edge_takes_nothing_is_given_up(ends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_WAITING_BYTES", 1 << 20)
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    link.write(ToEdge.BINARY, 7, bytes(4 << 20))
    link.flush()
    assert link.is_over
    assert "untaken" in hub.reasons[0]


class Heard:
    """Who has a socket: what it is told at the end."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, str, bool, int]] = []

    def arrived(self, data: str | bytes, seq: int) -> None:
        raise AssertionError((data, seq))

    def ended(self, code: int, reason: str, *, was_clean: bool, seq: int) -> None:
        self.ends.append((code, reason, was_clean, seq))

    def broke(self, error: str, seq: int) -> None:
        raise AssertionError((error, seq))

    def auto_answered(self, at_ms: int) -> None:
        raise AssertionError(at_ms)


@pytest.mark.parametrize("most", ["MAX_SOCKET_BYTES", "MAX_WAITING_BYTES"], ids=["of one", "of all"])
async def test_a_socket_that_is_sent_far_more_than_its_edge_takes_is_closed_alone(
    most: str, ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "FAREWELL_S", 60.0)
    monkeypatch.setattr(links, "MAX_SOCKET_BYTES", 1 << 20)
    if most == "MAX_WAITING_BYTES":
        monkeypatch.setattr(links, "MAX_WAITING_BYTES", 2 << 20)
        monkeypatch.setattr(links, "MAX_SOCKET_BYTES_OF_MANY", 600_000)
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    sockets = [Heard(), Heard(), Heard()]
    for sid, socket_ in enumerate(sockets):
        link.sessions[sid] = Session(sid, link)
        link.sessions[sid].socket = socket_
    flooded = [link.sessions[0]] if most == "MAX_SOCKET_BYTES" else [link.sessions[0], link.sessions[1]]
    other = link.sessions[2]
    other.send("before")
    link.flush()
    sent = 0
    while not all(session.is_over for session in flooded):
        for session in flooded:
            session.send(b"%7d" % sent + bytes(99_993))
        sent += 1
        link.flush()
        assert sent < 100
    other.send("behind")
    assert [socket_.ends for socket_ in sockets] == [
        *([(1013, "too much waits to be taken", False, 0)] for _ in flooded),
        *([] for _ in sockets[len(flooded) :]),
    ]
    leaving = asyncio.create_task(link.leave())
    reader, records = Reader(), list[Record]()
    while not records or records[-1][0] != ToEdge.BYE:
        records += reader.feed(await _read(ends[1], 1))
    ends[1].close()
    await asyncio.wait_for(leaving, 30)
    assert hub.reasons == ["the edge closed it"]
    assert [one[4] for one in records if one[0] == ToEdge.TEXT] == [b"before", b"behind"]
    for session in flooded:
        *messages, end = [
            one for one in records if one[2] == session.sid and one[0] != ToEdge.HELLO and one[0] != ToEdge.BYE
        ]
        assert (end[0], end[4]) == (ToEdge.ABORT, close(1013, "too much waits to be taken"))
        # None is missing between.
        assert [int(one[4][:7]) for one in messages] == list(range(len(messages)))
        assert len(messages) < sent


async def test_it_leaves_behind_everything_it_has_to_say(ends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "FAREWELL_S", 60.0)
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    session = Session(7, link)
    session.send("last")
    session.ack(4)
    leaving = asyncio.create_task(link.leave())
    data = await _read(ends[1], 20 + 20 + 24 + 20)
    assert data.endswith(record(ToEdge.TEXT, 7, b"last") + record(ToEdge.ACK, 7, seq=4) + record(ToEdge.BYE))
    ends[1].close()
    await asyncio.wait_for(leaving, 30)
    assert hub.reasons == ["the edge closed it"]


async def test_the_hub_is_asked_before_the_first_socket_of_a_group(ends: Any) -> None:
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    sessions = [Session(number, link) for number in range(3)]
    for session in sessions[:2]:
        session.bind(5, b"", is_hibernatable=True)
    assert (hub.told, link.has(5)) == ([5], True)
    for session in sessions[:2]:
        session.over()
    assert not link.has(5)
    sessions[2].bind(5, b"", is_hibernatable=True)
    # 0: it has none of any object meanwhile.
    assert hub.told == [5, 0, 5]
    link.end("test")


async def test_what_is_sent_leaves_though_the_loop_does_not_come_round(ends: Any) -> None:
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    for _ in range(80):
        link.write(ToEdge.BINARY, 7, bytes(64 * 1024))
    assert ends[1].recv(1 << 16) != b""
    link.end("test")


async def test_nothing_is_read_while_too_many_events_are_with_their_handlers(
    ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "MAX_IN_FLIGHT", 2)
    hub = FakeHub()
    link = Link(ends[0], hub, GREETING)
    session = Session(7, link)

    def arrived(_: Link, records: list[Record]) -> None:
        for record_ in records:
            session.received, link.in_flight = record_[3], link.in_flight + 1
        hub.records += records
        hub.changed.set()

    hub.arrived = arrived  # type: ignore[assignment, method-assign]
    ends[1].send(HELLO + b"".join(record(FromEdge.TEXT, 7, b"a", seq=seq) for seq in (1, 2)))
    await hub.until(lambda: len(hub.records) == 2)
    ends[1].send(record(FromEdge.TEXT, 7, b"a", seq=3))
    await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, lambda: None), 30)
    assert len(hub.records) == 2
    session.ack(1)
    link.flush()
    await hub.until(lambda: len(hub.records) == 3)
    assert link.in_flight == 2
    session.over()
    assert link.in_flight == 0
    link.end("test")


async def test_a_mark_is_passed_when_the_acknowledgement_before_it_is_with_the_kernel(ends: Any) -> None:
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    link = Link(ends[0], FakeHub(), GREETING)
    session = Session(7, link)
    link.sessions[7] = session
    link.flush()
    session.send(b"x" * 1_000_000)
    session.received = 3
    session.ack(3)
    assert link.has_waiting
    mark = link.mark()
    link.flush()
    assert not link.has_passed(mark)
    # Nothing comes twice: the acknowledgement, the mark's own doing, is the last of what the edge gets.
    told = await _read(ends[1], mark)
    assert link.has_passed(mark)
    assert HEADER.unpack(told[-HEADER.size :])[1] == ToEdge.ACK
    assert len(told) == mark
    link.end("test")
