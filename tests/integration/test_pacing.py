"""A storm of clients meets an orderly queue: the origin is never asked for more at once than it is allowed to be."""

import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector

import pytest

from holdfast._native import Origin
from holdfast.edge.decision import Decision, Forward, Respond
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.in_process import running
from tests.integration.origin import accept_key
from tests.integration.waiting import LIMIT_S, Changes, poll

STORM = 600
LIMIT = 16
# As many as an edge lets in: all but a handful of those that it may have.
ALL_AT_ONCE = 1_500
# A storm takes as long as its clients take to be made, on a busy machine.
STORM_LIMIT_S = 50.0


class SlowOrigin:
    """Takes upgrades and answers each only when told to, in the order of their coming."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.unanswered: deque[tuple[socket.socket, bytes]] = deque()
        self.most_at_once = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self._kept: list[socket.socket] = []

    def accept(self) -> None:
        with suppress(OSError), DefaultSelector() as selector:
            selector.register(self.listener, EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.listener:
                        connection = self.listener.accept()[0]
                        self._kept.append(connection)
                        selector.register(connection, EVENT_READ)
                        continue
                    assert isinstance(key.fileobj, socket.socket)
                    selector.unregister(key.fileobj)
                    self.unanswered.append((key.fileobj, key.fileobj.recv(65_536)))
                    self.most_at_once = max(self.most_at_once, len(self.unanswered))
                    self.changes.announce()

    def answer_one(self, *, of: int = 1) -> str:
        """Agree with the one that has waited longest, once so many wait; the host it was asked for."""
        self.changes.until(lambda: len(self.unanswered) >= of, what="upgrades at the origin", limit_s=STORM_LIMIT_S)
        connection, head = self.unanswered.popleft()
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
        fields = {name.lower(): value for name, value in fields.items()}
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(fields["sec-websocket-key"]).encode() + b"\r\n\r\n"
        )
        return fields["host"]

    def close(self) -> None:
        """Once nothing is accepted any more."""
        self.listener.close()
        for connection in self._kept:
            connection.close()


@contextmanager
def slow_origin() -> Iterator[SlowOrigin]:
    origin = SlowOrigin()
    thread = threading.Thread(target=origin.accept, daemon=True)
    thread.start()
    try:
        yield origin
    finally:
        # While it is open: what is closed wakes nobody who waits for it.
        origin.listener.shutdown(socket.SHUT_RDWR)
        thread.join(LIMIT_S)
        assert not thread.is_alive()
        origin.close()


def told(fault: Fault) -> Respond:
    return Respond(status=fault.status, headers=(("X-Kind", fault.kind),), body=b"")


@pytest.mark.timeout(120)
def test_a_storm_is_let_in_bit_by_bit_and_another_zone_s_client_is_not_behind_it() -> None:
    with slow_origin() as origin, ExitStack() as clients:
        host, port = origin.listener.getsockname()
        dialled = Origin(label="o", scheme="http", host=host, port=port, connect_timeout_s=60.0)

        def decide(request: Request) -> Decision:
            return Forward(origin=dialled, zone=request.host)

        with running(decide, told, threads=2, max_pending_connects=LIMIT) as edge:
            storm = [clients.enter_context(wire.connect(edge.address)) for _ in range(STORM)]
            for client in storm:
                client.send(wire.upgrade("/", host="crowd.test"))
            poll(
                lambda: edge.edge.statistics()["origin_connects_waiting"] == STORM - LIMIT,
                what="the storm in the queue",
                limit_s=STORM_LIMIT_S,
            )
            assert edge.edge.statistics()["origin_connects_running"] == LIMIT
            alone = clients.enter_context(wire.connect(edge.address))
            alone.send(wire.upgrade("/", host="alone.test"))
            poll(
                lambda: edge.edge.statistics()["origin_connects_waiting"] == STORM - LIMIT + 1,
                what="the other client in the queue",
            )
            # Each answer lets one in. While all who are let in have come to the origin first, they come in the order of the
            # queue, however late one of the edge's threads is.
            order = [origin.answer_one(of=LIMIT) for _ in range(STORM + 1 - LIMIT)]
            order += [origin.answer_one() for _ in range(LIMIT)]
            assert alone.read_answer().status == 101
            assert {client.read_answer().status for client in storm} == {101}
            poll(lambda: edge.edge.statistics()["origin_connects_running"] == 0, what="the end of the queue")
            figures = edge.edge.statistics()
        # Those that were under way, one of the storm perhaps, and then the other zone's.
        assert order.index("alone.test") <= 2 * LIMIT
        assert origin.most_at_once <= LIMIT
        assert (figures["origin_connects_waiting"], figures["origin_connects_refused"]) == (0, 0)
        assert figures["origin_connects_waited"] == STORM - LIMIT + 1


def test_who_waits_too_long_is_told_that_the_origin_is_busy_and_another_origin_is_not_waited_for() -> None:
    with slow_origin() as busy, slow_origin() as free:
        origins = {
            name: Origin(
                label=name, scheme="http", host="127.0.0.1", port=one.listener.getsockname()[1], connect_timeout_s=0.3
            )
            for name, one in (("busy", busy), ("free", free))
        }
        with (
            running(lambda request: Forward(origin=origins[request.host]), told, max_pending_connects=1) as edge,
            wire.connect(edge.address) as first,
            wire.connect(edge.address) as second,
            wire.connect(edge.address) as third,
        ):
            first.send(wire.upgrade("/", host="busy"))
            poll(lambda: len(busy.unanswered) == 1, what="the first at its origin")
            second.send(wire.upgrade("/", host="busy"))
            third.send(wire.upgrade("/", host="free"))
            assert free.answer_one() == "free"
            assert third.read_answer().status == 101
            refused = second.read_answer()
            assert (refused.status, refused.value("X-Kind")) == (503, "origin_busy")
            assert edge.edge.statistics()["origin_connects_refused"] == 1
            busy.answer_one()
            assert first.read_answer().status == 101


def test_a_client_that_leaves_the_queue_leaves_no_place_behind() -> None:
    with slow_origin() as origin:
        dialled = Origin(label="o", scheme="http", host="127.0.0.1", port=origin.listener.getsockname()[1])
        with (
            running(lambda _: Forward(origin=dialled), told, max_pending_connects=1) as edge,
            wire.connect(edge.address) as first,
            wire.connect(edge.address) as last,
        ):
            first.send(wire.upgrade("/"))
            poll(lambda: len(origin.unanswered) == 1, what="the first at the origin")
            with wire.connect(edge.address) as leaving:
                leaving.send(wire.upgrade("/"))
                poll(lambda: edge.edge.statistics()["origin_connects_waiting"] == 1, what="the second in the queue")
                leaving.reset()
            poll(lambda: edge.edge.statistics()["origin_connects_waiting"] == 0, what="the second gone")
            last.send(wire.upgrade("/"))
            origin.answer_one()
            assert first.read_answer().status == 101
            origin.answer_one()
            assert last.read_answer().status == 101


@contextmanager
def upgrading(address: wire.Address) -> Iterator[wire.Wire]:
    """One that asks as soon as it is connected: an edge that is behind lets no more of those in than it can decide about."""
    with wire.connect(address) as client:
        client.send(wire.upgrade("/"))
        yield client


@pytest.mark.timeout(120)
def test_all_clients_of_the_only_zone_get_in_when_they_come_back_at_once() -> None:
    with slow_origin() as origin, ExitStack() as clients:
        host, port = origin.listener.getsockname()
        dialled = Origin(label="o", scheme="http", host=host, port=port, connect_timeout_s=60.0)
        with running(
            lambda _: Forward(origin=dialled, zone="only"),
            told,
            threads=2,
            # A sixteenth stays free for clients of other zones.
            max_connections=ALL_AT_ONCE * 16 // 15 + LIMIT,
            max_pending_connects=LIMIT,
        ) as edge:
            crowd = [clients.enter_context(upgrading(edge.address)) for _ in range(ALL_AT_ONCE)]
            for _ in crowd:
                origin.answer_one()
            assert {client.read_answer().status for client in crowd} == {101}
            figures = edge.edge.statistics()
        assert origin.most_at_once <= LIMIT
        assert (figures["origin_connects_waiting"], figures["origin_connects_refused"]) == (0, 0)
