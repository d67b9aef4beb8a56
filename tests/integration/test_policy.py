"""The native boundary: `holdfast._native` driven with policies of the tests' own, in this process, over real sockets.

What is held here is the contract of `_native.pyi`: one call a request, values only, and closed where the policy fails.
"""

import os
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from holdfast._native import Certificate, Edge, Origin
from holdfast.edge.decision import Forward, Respond
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.in_process import ask, fine, nobody, origin_that, running
from tests.integration.waiting import LIMIT_S, poll

# The length of the queue before the policy, and the most that is taken from it at once (policy.rs).
QUEUED, BATCH = 1024, 64


def test_a_request_is_asked_about_once_with_everything_it_said() -> None:
    asked: list[Request] = []

    def decide(request: Request) -> Respond:
        asked.append(request)
        return fine(request)

    with running(decide) as edge:
        answer, body = ask(
            edge.address, wire.request("GET", "/a/b?c=d&e", "X-One: caf\xe9", "x-one:two", host="H.Test:81")
        )
    (request,) = asked
    assert (answer.status, answer.value("X-By"), body) == (200, "policy", b"fine")
    assert (request.method, request.scheme, request.version) == ("GET", "http", "HTTP/1.1")
    assert (request.host, request.path, request.query) == ("h.test", "/a/b", "c=d&e")
    assert request.headers == (("Host", "H.Test:81"), ("X-One", "caf\xe9"), ("x-one", "two"))
    assert (request.client_ip, request.edge_port) == ("127.0.0.1", edge.address[1])
    assert (request.tls, request.is_upgrade, request.ray) == (None, False, answer.ray)


@pytest.mark.parametrize("data", [wire.upgrade("/"), wire.request("GET", "/")], ids=["upgrade", "ordinary"])
def test_an_upgrade_is_told_from_an_ordinary_request(data: bytes) -> None:
    asked: list[Request] = []

    def decide(request: Request) -> Respond:
        asked.append(request)
        return Respond(status=403)

    with running(decide) as edge:
        assert ask(edge.address, data)[0].status == 403
    assert [request.is_upgrade for request in asked] == [b"Upgrade: websocket" in data]


def raises(_: Request) -> Respond:
    raise LookupError("the policy has lost its mind")


BAD_DECISIONS: dict[str, Callable[[Request], object]] = {
    "an exception": raises,
    "nothing": lambda _: None,
    "another type": lambda _: "allow",
    "an origin of another type": lambda _: Forward(origin="http://127.0.0.1"),  # type: ignore[arg-type]
    "a status that ends no exchange": lambda _: Respond(status=101),
    "a status out of range": lambda _: Respond(status=70_000),
    "a header that splits": lambda _: Respond(status=200, headers=(("X-A", "1\r\nX-B: 2"),)),
    "a name that is none": lambda _: Respond(status=200, headers=(("X A", "1"),)),
    "a forward that splits": lambda _: Forward(origin=nobody(), set_headers=(("X-A", "1\n"),)),
}


@pytest.mark.parametrize("decide", BAD_DECISIONS.values(), ids=BAD_DECISIONS)
def test_a_policy_that_fails_refuses_the_request_and_is_logged(decide: Callable[[Request], object]) -> None:
    with running(decide) as edge:
        for data in (wire.upgrade("/"), wire.request("GET", "/", "Connection: close")):
            assert ask(edge.address, data)[0].status == 500
        lines = edge.stop()
    assert [line["event"] for line in lines] == ["edge_notice"] * 2
    assert all("the policy failed" in line["message"] for line in lines)


def test_the_traceback_of_a_failed_policy_is_in_the_log() -> None:
    with running(raises) as edge:
        ask(edge.address)
        (line,) = edge.stop()
    assert "the policy has lost its mind" in line["message"]
    assert "in raises" in line["message"]


def test_the_answer_to_a_fault_is_the_policys() -> None:
    faults: list[Fault] = []

    def answer(fault: Fault) -> Respond:
        faults.append(fault)
        return Respond(status=fault.status, body=b"explained")

    with running(lambda _: Forward(origin=nobody()), answer) as edge:
        answered, body = ask(edge.address)
    (fault,) = faults
    assert (answered.status, body) == (521, b"explained")
    assert (fault.status, fault.code, fault.origin, fault.request.path) == (521, 521, "nobody", "/")
    assert "refused" in fault.reason


@pytest.mark.parametrize("data", [wire.upgrade("/"), wire.request("GET", "/", "Connection: close")], ids=["ws", "http"])
def test_an_origin_that_accepts_and_says_nothing_is_524_after_its_time(data: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = Origin(
            label="silent", scheme="http", host="127.0.0.1", port=silent.getsockname()[1], answer_timeout_s=0.2
        )
        with running(lambda _: Forward(origin=origin), lambda fault: Respond(status=fault.status)) as edge:
            assert ask(edge.address, data)[0].status == 524


def test_a_fault_that_cannot_be_explained_keeps_its_status() -> None:
    with running(lambda _: Forward(origin=nobody()), raises) as edge:
        answered, body = ask(edge.address)
    assert answered.status == 521
    assert b"refused" in body


def test_requests_beyond_the_queue_are_refused_at_once_and_the_others_decided() -> None:
    release = threading.Event()

    def decide(request: Request) -> Respond:
        assert release.wait(LIMIT_S)
        return fine(request)

    with running(decide) as edge, ExitStack() as stack:
        clients = [stack.enter_context(wire.connect(edge.address)) for _ in range(QUEUED + BATCH + 1)]
        # Nobody is let in while half of the queue is taken.
        poll(lambda: edge.edge.statistics()["connections_accepted"] == len(clients), what="every connection")
        for client in clients:
            client.send(wire.request("GET", "/", "Connection: close"))
        # More than the queue and a batch hold can only be refused, while the policy still decides about its first: whoever
        # it was that came last.
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.sock, selectors.EVENT_READ, client)
            answered = selector.select(LIMIT_S)
        assert answered, "nobody is refused"
        refused = answered[0][0].data
        answer = refused.read_answer()
        assert (answer.status, answer.value("Retry-After")) == (503, "1")
        release.set()
        statuses = [client.read_answer().status for client in clients if client is not refused]
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= QUEUED


def test_an_edge_starts_once_and_stops_as_often_as_asked() -> None:
    with running(fine) as edge:
        with pytest.raises(RuntimeError, match="started"):
            edge.edge.start()
        edge.stop()
        edge.edge.stop(grace_s=1)
        assert edge.edge.statistics() == {}


def test_statistics_count_what_happened() -> None:
    with running(fine) as edge:
        ask(edge.address)
        counted = edge.edge.statistics()
    assert (counted["connections_accepted"], counted["requests"], counted["policy_asked"]) == (1, 1, 1)
    assert (counted["policy_waiting"], counted["tunnels_open"], counted["log_dropped"]) == (0, 0, 0)


BAD_ORIGINS: dict[str, dict[str, Any]] = {
    "scheme": {"scheme": "ftp", "host": "h", "port": 1},
    "port": {"scheme": "http", "host": "h"},
    "host, addresses, unix_path": {"scheme": "http"},
    "host, addresses, unix_path ": {"scheme": "http", "host": "h", "addresses": ["192.0.2.1"], "port": 1},
    "addresses": {"scheme": "http", "addresses": ["h"], "port": 1},
    "addresses ": {"scheme": "http", "addresses": ["[::1]"], "port": 1},
    "port ": {"scheme": "http", "addresses": ["::1"]},
    "server_name": {"scheme": "https", "host": "h", "port": 1, "server_name": "not a name"},
    "host": {"scheme": "https", "host": "not a host", "port": 1},
    "base_path": {"scheme": "http", "host": "h", "port": 1, "base_path": "app"},
    "ca_pem": {"scheme": "https", "host": "h", "port": 1, "ca_pem": b"no pem"},
    "connect_timeout_s": {"scheme": "http", "host": "h", "port": 1, "connect_timeout_s": 0.0},
    "answer_timeout_s": {"scheme": "http", "host": "h", "port": 1, "answer_timeout_s": float("nan")},
}


@pytest.mark.parametrize(("argument", "given"), BAD_ORIGINS.items(), ids=BAD_ORIGINS)
def test_a_bad_origin_is_refused_by_the_argument_s_name(argument: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument.strip()}: "):
        Origin(label="bad", **given)


def test_a_certificate_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="certificate"):
        Certificate(names=["a.test"], chain_pem=b"no pem", key_pem=b"no pem")


BAD_EDGES: dict[str, dict[str, Any]] = {
    "threads": {"threads": 0},
    "colo": {"colo": "lo"},
    "max_connections": {"max_connections": 1},
    "log_fd": {"log_fd": -1},
    "listeners": {"listeners": [(-1, False)]},
}


@pytest.mark.parametrize(("argument", "changed"), BAD_EDGES.items(), ids=BAD_EDGES)
def test_a_bad_edge_is_refused_by_the_argument_s_name(argument: str, changed: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        given: dict[str, Any] = {
            "listeners": [(listener.detach(), False)],
            "threads": 1,
            "decide": fine,
            "answer": fine,
        }
        with pytest.raises(ValueError, match=f"^{argument}: "):
            Edge(**given | changed)


@pytest.mark.parametrize(("method", "dialled"), [("GET", 1), ("HEAD", 2)])
def test_a_connection_is_not_used_again_after_an_answer_to_head(method: str, dialled: int) -> None:
    # A body that a broken origin sends to HEAD all the same would be the next client's answer.
    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if head[:4] == b"HEAD" else b"ok"))

    with origin_that(answer) as (origin, connections), running(lambda _: Forward(origin=origin)) as edge:
        assert ask(edge.address, wire.request(method, "/", "Connection: close"))[0].status == 200
        assert ask(edge.address, wire.request("GET", "/", "Connection: close"))[1] == b"ok"
        assert len(connections) == dialled


@pytest.mark.parametrize("data", [wire.upgrade("/"), wire.request("GET", "/", "Connection: close")], ids=["ws", "http"])
def test_an_origin_that_sends_interim_answers_for_ever_is_520(data: bytes) -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")

    def explain(fault: Fault) -> Respond:
        return Respond(status=fault.status)

    with (
        origin_that(answer) as (origin, _),
        running(lambda _: Forward(origin=origin), explain) as edge,
        wire.connect(edge.address) as client,
    ):
        client.send(data)
        statuses = [client.read_answer().status]
        while statuses[-1] < 200:
            statuses.append(client.read_answer().status)
    assert statuses == [102] * 64 + [520]


def test_a_log_that_takes_nothing_does_not_keep_the_edge_from_ending() -> None:
    with running(raises) as edge:
        writer = os.open(f"/proc/self/fd/{edge.log}", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(65_536))
        ask(edge.address)
        edge.edge.stop(grace_s=1)
        # Lets the thread of the log go, which is in its write still.
        os.close(writer)
        os.close(edge.log)
