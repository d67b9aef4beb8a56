"""The native boundary: `holdfast._native` driven with policies of the tests' own, in this process, over real sockets.

What is held here is the contract of `_native.pyi`: one call a request, values only, and closed where the policy fails.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from holdfast._native import Certificate, Edge, Origin
from holdfast.edge.decision import Forward, Respond
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.waiting import LIMIT_S
from tests.integration.wire import Address

# The length of the queue before the policy, and the most that is taken from it at once (policy.rs).
QUEUED, BATCH = 1024, 64


def nobody() -> Origin:
    """An origin that refuses: port 1 on loopback."""
    return Origin(label="nobody", scheme="http", host="127.0.0.1", port=1)


def fine(_: object) -> Respond:
    return Respond(status=200, headers=(("X-By", "policy"),), body=b"fine")


class Running:
    """An edge in this process, and what it logs."""

    def __init__(self, decide: Callable[[Any], Any], answer: Callable[[Any], Any]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.address: Address = self._listener.getsockname()
        self._log, log_fd = os.pipe()
        self.edge = Edge(
            listeners=[(self._listener.detach(), False)], threads=1, decide=decide, answer=answer, log_fd=log_fd
        )
        os.close(log_fd)
        self.edge.start()

    def stop(self) -> list[dict[str, Any]]:
        """End it; the lines it has logged."""
        self.edge.stop(grace_s=LIMIT_S)
        with os.fdopen(self._log) as log:
            return [json.loads(line) for line in log]


@contextmanager
def running(decide: Callable[[Any], Any], answer: Callable[[Any], Any] = fine) -> Iterator[Running]:
    edge = Running(decide, answer)
    try:
        yield edge
    finally:
        edge.edge.stop(grace_s=1)


def ask(address: Address, data: bytes | None = None) -> tuple[wire.Answer, bytes]:
    with wire.connect(address) as client:
        return client.request(data or wire.request("GET", "/", "Connection: close"))


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
        for client in clients:
            client.send(wire.request("GET", "/", "Connection: close"))
        # More than the queue and a batch hold can only be refused, while the policy still decides about its first.
        refused = clients[-1].read_answer()
        assert (refused.status, refused.value("Retry-After")) == (503, "1")
        release.set()
        statuses = [client.read_answer().status for client in clients[:-1]]
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
    "host, unix_path": {"scheme": "http"},
    "host": {"scheme": "https", "host": "not a host", "port": 1},
    "base_path": {"scheme": "http", "host": "h", "port": 1, "base_path": "app"},
    "ca_pem": {"scheme": "https", "host": "h", "port": 1, "ca_pem": b"no pem"},
    "connect_timeout_s": {"scheme": "http", "host": "h", "port": 1, "connect_timeout_s": 0.0},
    "answer_timeout_s": {"scheme": "http", "host": "h", "port": 1, "answer_timeout_s": float("nan")},
}


@pytest.mark.parametrize(("argument", "given"), BAD_ORIGINS.items(), ids=BAD_ORIGINS)
def test_a_bad_origin_is_refused_by_the_argument_s_name(argument: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{argument}: "):
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
