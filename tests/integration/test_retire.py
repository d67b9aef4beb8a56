"""An edge that leaves: it retires beside its successor, and closes its WebSockets one after the other."""

import math
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Self

import pytest

from holdfast._native import Edge
from holdfast.edge.decision import Decision, Forward
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.frames import TEXT, Frame, close
from tests.integration.in_process import Running, fine, of, origin_that, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.waiting import LIMIT_S, poll
from tests.integration.wire import Address, Wire

SERVICE_RESTART = 1012


def to(origin: FakeOrigin) -> Callable[[Request], Decision]:
    dialled = of(origin)
    return lambda _: Forward(origin=dialled, zone="one")


def echo(client: Wire, text: bytes) -> None:
    client.send_frame(Frame(TEXT, text))
    assert client.read_message() == text


def has_left(edge: Running) -> None:
    """Wait until nothing of a client is left in a retired edge."""
    poll(
        lambda: not any(edge.edge.statistics()[name] for name in ("connections_open", "tunnels_open")),
        what="the end of every connection",
    )


class Listeners:
    """Sockets that several edges listen on by copies of their own, as children of one supervisor do. `socket.dup()` would
    make the socket blocking, for all of them."""

    def __init__(self, count: int) -> None:
        self.held = [socket.socket() for _ in range(count)]
        for one in self.held:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(("127.0.0.1", self.held[0].getsockname()[1]))
        for one in self.held:
            one.listen(2048)
        self.address: Address = self.held[0].getsockname()

    def copies(self) -> list[tuple[int, bool]]:
        return [(os.dup(one.fileno()), False) for one in self.held]


@contextmanager
def shared(count: int) -> Iterator[Listeners]:
    with ExitStack() as stack:
        listeners = Listeners(count)
        for one in listeners.held:
            stack.enter_context(one)
        yield listeners


def test_what_is_under_way_ends_as_it_would_have_and_nothing_new_begins(origin: FakeOrigin, token: str) -> None:
    with (
        shared(1) as listeners,
        running(to(origin), listeners=listeners.copies()) as edge,
        wire.websocket(listeners.address, "/echo") as (open_one, _),
        wire.connect(listeners.address) as idle,
        wire.connect(listeners.address) as upgrading,
    ):
        echo(open_one, b"before")
        assert idle.request(wire.request("GET", "/status/200"))[0].status == 200
        upgrading.send(wire.upgrade(f"/slow/{token}"))
        seen = origin.find(token)
        edge.edge.retire()
        edge.edge.retire()
        assert idle.read_to_end() == b""
        assert not idle.was_reset
        seen.release()
        assert upgrading.read_answer().status == 101
        echo(upgrading, b"opened all the same")
        echo(open_one, b"still here")
        # The kernel still takes connections, for whoever comes next.
        with wire.connect(listeners.address) as waiting:
            waiting.send(wire.request("GET", "/status/200", "Connection: close"))
            with running(fine, listeners=listeners.copies()):
                assert waiting.read_answer().status == 200
        for client in (open_one, upgrading):
            client.send_frame(close(1000))
            client.read_close()
            client.sock.close()
        has_left(edge)
        assert edge.edge.statistics()["connections_accepted"] == 3


def test_a_request_in_flight_is_answered_and_told_that_it_is_the_last() -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def answer(connection: socket.socket, _: bytes) -> None:
        asked.set()
        assert may_answer.wait(LIMIT_S)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    with (
        origin_that(answer) as (dialled, _),
        running(lambda _: Forward(origin=dialled)) as edge,
        wire.connect(edge.address) as client,
    ):
        client.send(wire.request("GET", "/"))
        assert asked.wait(LIMIT_S)
        edge.edge.retire()
        may_answer.set()
        head = client.read_answer()
        assert client.read_body(head) == b"hi"
        assert head.value("Connection").lower() == "close"
        assert client.read_to_end() == b""
        client.sock.close()
        has_left(edge)


class Storm:
    """Clients that connect, ask once and leave, again and again; what went wrong is kept."""

    def __init__(self, address: Address, clients: int) -> None:
        self._address = address
        self._is_over = threading.Event()
        self.faults: list[Exception] = []
        self.answered = 0
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(clients)]

    def _ask_on(self) -> None:
        while not self._is_over.is_set():
            try:
                with wire.connect(self._address) as client:
                    answer, body = client.request(wire.request("GET", "/", "Connection: close"))
                    assert (answer.status, body) == (200, b"fine")
                    self.answered += 1
            except (OSError, wire.EndedError, AssertionError) as error:
                self.faults.append(error)

    def goes_on(self) -> None:
        """Wait until some more have been answered."""
        enough = self.answered + 50
        poll(lambda: self.answered > enough, what="answers of the successor")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(LIMIT_S)


def test_no_client_of_a_storm_is_refused_or_reset_while_edges_take_over_from_one_another() -> None:
    with shared(2) as listeners, ExitStack() as edges:
        serving = edges.enter_context(running(fine, listeners=listeners.copies(), threads=2))
        with Storm(listeners.address, clients=12) as storm:
            for _ in range(10):
                successor = edges.enter_context(running(fine, listeners=listeners.copies(), threads=2))
                serving.edge.retire()
                has_left(serving)
                serving.edge.stop(grace_s=LIMIT_S)
                storm.goes_on()
                serving = successor
        assert storm.faults == []


@pytest.mark.parametrize("is_tls", [False, True])
def test_who_waits_to_be_let_in_is_let_in_last_where_nobody_takes_over(is_tls: bool) -> None:
    with ExitStack() as stack:
        with shared(2) as listeners:
            given = [(one, is_tls) for one, _ in listeners.copies()]
            edge = stack.enter_context(running(fine, listeners=given, threads=2))
        # Nobody but the edge has the sockets now. Far more come than it can have accepted when it is told.
        clients = [stack.enter_context(socket.create_connection(listeners.address, LIMIT_S)) for _ in range(200)]
        edge.edge.retire(accept_waiting=True)
        assert edge.edge.statistics()["connections_accepted"] == len(clients)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(listeners.address, LIMIT_S)
        for client in clients:
            # TLS has no meaning for who is told so in plain words.
            client.sendall(wire.request("GET", "/"))
        for client in clients:
            answer = Wire(client)
            assert answer.read_answer().status == (400 if is_tls else 200)
            client.close()
        has_left(edge)


@contextmanager
def clients_of(edge: Running, count: int) -> Iterator[list[Wire]]:
    with ExitStack() as stack:
        yield [stack.enter_context(wire.websocket(edge.address, "/echo"))[0] for _ in range(count)]


def closes(clients: list[Wire]) -> list[tuple[float, int, Frame]]:
    """When which client was told what, in the order in which they were; each answers at once."""
    told: list[tuple[float, int, Frame]] = []
    with DefaultSelector() as selector:
        for number, client in enumerate(clients):
            selector.register(client.sock, EVENT_READ, (number, client))
        while len(told) < len(clients):
            events = selector.select(LIMIT_S)
            assert events, f"only {len(told)} of {len(clients)} were told within {LIMIT_S} s"
            for key, _ in events:
                number, client = key.data
                selector.unregister(client.sock)
                told.append((time.monotonic(), number, client.read_close()))
                client.send_frame(close(SERVICE_RESTART))
                client.sock.close()
    return told


def runs(numbers: list[int]) -> int:
    """How many rising runs these are, merged: each thread keeps to the order, and none waits for another that stands still."""
    tops: list[int] = []
    for number in numbers:
        below = [top for top in tops if top < number]
        if below:
            tops.remove(max(below))
        tops.append(number)
    return len(tops)


@pytest.mark.parametrize(("why", "threads"), [("release", 1), ("drain", 2)])
def test_websockets_are_closed_evenly_over_the_window_the_oldest_first(
    origin: FakeOrigin, why: str, threads: int
) -> None:
    count, window_s = 60, 6.0
    with running(to(origin), threads=threads) as edge, clients_of(edge, count) as clients:
        began = time.monotonic()
        assert edge.edge.close_evenly(why=why, reason="connect again", window_s=window_s) == count  # type: ignore[arg-type]
        told = closes(clients)
        has_left(edge)
        with wire.websocket(edge.address, "/echo") as (late, _):
            assert late.read_close().close_reason == f"{why}: connect again"
        lines = edge.stop()
    assert {(said.close_code, said.close_reason) for _, _, said in told} == {(1012, f"{why}: connect again")}
    assert runs([number for _, number, _ in told]) <= threads
    moments = [at - began for at, _, _ in told]
    behind = [at - window_s * place / count for place, at in enumerate(moments)]
    # Never more ahead than one part of the window; and if a busy machine is behind with some, then not with half of them.
    assert min(behind) >= -window_s / count
    assert statistics.median(behind) <= 1.0
    ended = [line for line in lines if line["event"] == "websocket_closed"]
    assert {(line["closed_by"], line["why"], line["edge_close_code"]) for line in ended} == {("edge", why, 1012)}


def test_a_stop_waits_for_no_client_that_asks_for_nothing() -> None:
    with running(fine) as edge, wire.connect(edge.address) as idle, wire.connect(edge.address) as silent:
        assert idle.request(wire.request("GET", "/"))[0].status == 200
        stopping = threading.Thread(target=edge.edge.stop, kwargs={"grace_s": 86_400}, daemon=True)
        stopping.start()
        assert [idle.read_to_end(), silent.read_to_end()] == [b"", b""]
        stopping.join(LIMIT_S)
        assert not stopping.is_alive()


def test_a_stop_during_the_window_closes_the_rest_at_once(origin: FakeOrigin) -> None:
    with running(to(origin)) as edge, clients_of(edge, 5) as clients:
        edge.edge.close_evenly(why="drain", reason="bye", window_s=86_400)
        stopping = threading.Thread(target=edge.edge.stop, kwargs={"grace_s": LIMIT_S})
        stopping.start()
        assert {said.close_code for _, _, said in closes(clients)} == {1001}
        stopping.join(LIMIT_S)
        assert not stopping.is_alive()


def test_a_shorter_window_takes_the_place_of_a_longer_one(origin: FakeOrigin) -> None:
    with running(to(origin)) as edge, clients_of(edge, 5) as clients:
        edge.edge.close_evenly(why="drain", reason="later", window_s=86_400)
        edge.edge.close_evenly(why="drain", reason="drain: now", window_s=0)
        assert {said.close_reason for _, _, said in closes(clients)} == {"drain: now"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"why": "because"}, "why"),
        ({"order": "newest"}, "order"),
        ({"window_s": -1.0}, "window_s"),
        ({"window_s": math.nan}, "window_s"),
        ({"code": 1006}, "code"),
        ({"reason": "x" * 115}, "reason"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(changed: dict[str, object], named: str) -> None:
    given: dict[str, Any] = {"why": "release", "reason": "bye", "window_s": 1.0}
    with running(fine) as edge, pytest.raises(ValueError, match=f"^{named}: "):
        edge.edge.close_evenly(**given | changed)


def test_an_edge_that_does_not_run_has_nothing_to_retire() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        edge = Edge(listeners=[(listener.detach(), False)], threads=1, decide=fine, answer=fine)
    edge.retire()
    assert edge.close_evenly(why="drain", reason="bye", window_s=0) == 0
