"""A Worker's process as an origin: what it may say about a client's WebSocket, and what nobody else may."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from holdfast._native import Certificate, WorkerTarget
from holdfast.edge import answers
from holdfast.edge.decision import Forward, Respond
from holdfast.model.fault import Fault
from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.frames import TEXT, Frame, close
from tests.integration.http2 import connected
from tests.integration.in_process import Running, ask, of, running
from tests.integration.origin import Head
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.origin_paths import PATHS
from tests.integration.script_process import (
    ScriptProcess,
    agrees,
    egress,
    egress_connection,
    fetch,
    passing,
    says,
    script_process,
    shared,
)
from tests.integration.session_channel import listening, taking
from tests.integration.waiting import LIMIT_S, poll

DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    pair = authority.issue("example.test")
    return Certificate(names=["example.test"], chain_pem=pair.cert.read_bytes(), key_pem=pair.key.read_bytes())


def told(fault: Fault) -> Respond:
    return answers.answer(fault, now=0)


def own_fields(answer: wire.Answer) -> list[str]:
    return [name for name, _ in answer.fields if name.lower().startswith("holdfast-")]


def test_only_the_edge_itself_says_something_to_a_process(directory: Path) -> None:
    answered = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nHoldfast-Session: t\r\nHoldfast-Pass: p\r\nX-Kept: 1\r\n\r\nok"
    with script_process(directory, says(answered)) as script, running(script.decide) as edge:
        forged = ("holdfast-context: forged", "Holdfast-Egress: forged", "Connection: close")
        answer, body = ask(edge.address, wire.request("GET", "/a", *forged))
    assert (answer.status, body, answer.value("X-Kept"), own_fields(answer)) == (200, b"ok", "1", [])
    (head,) = script.heads
    assert (head.target, head.values("Holdfast-Context"), head.values("Holdfast-Egress")) == ("/a", ["true"], [])


def test_a_process_may_refuse_a_websocket_with_any_answer(directory: Path) -> None:
    answered = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\nWWW-Authenticate: Basic\r\n\r\nno no"
    with script_process(directory, says(answered)) as script, running(script.decide) as edge:
        answer, body = ask(edge.address, wire.upgrade("/"))
    assert (answer.status, body, answer.value("WWW-Authenticate")) == (401, b"no no", "Basic")


@pytest.mark.parametrize(
    ("offered", "answered", "agreed"),
    [
        ([OFFER], [], [DEFLATE]),
        ([OFFER], ["Sec-WebSocket-Extensions: "], []),
        ([], [], []),
        (["Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9"], [], []),
    ],
    ids=["offered", "refused", "not offered", "not to be met"],
)
def test_the_edge_agrees_to_compression_for_a_session(
    directory: Path, offered: list[str], answered: list[str], agreed: list[str]
) -> None:
    handler = agrees("Holdfast-Session: t1", "Sec-WebSocket-Protocol: chat", "Set-Cookie: a=b", *answered)
    with (
        script_process(directory, handler) as script,
        listening(script.target) as channels,
        running(script.decide) as edge,
        taking(channels),
        wire.websocket(edge.address, "/", "Sec-WebSocket-Protocol: chat", *offered) as (_, answer),
    ):
        assert answer.values("Sec-WebSocket-Extensions") == agreed
        assert (answer.value("Sec-WebSocket-Protocol"), answer.value("Set-Cookie")) == ("chat", "a=b")
        assert own_fields(answer) == []


def test_what_is_said_of_sessions_is_believed_of_no_other_origin(origin: FakeOrigin, token: str) -> None:
    said = f"/echo?{token}&cookie=a%0d%0aHoldfast-Session:%20t"
    with (
        running(lambda _: Forward(origin=of(origin))) as edge,
        wire.websocket(edge.address, said) as (client, answer),
    ):
        assert own_fields(answer) == []
        client.send_frame(Frame(TEXT, b"hi"))
        assert client.read_message() == b"hi"


GONE = (500, 1101, "The Worker's process has failed, or is not there.")
SLOW = (503, 1102, "The Worker did not answer in time.")
THREW = (500, 1101, "The Worker threw an exception.")
OVER = (503, 1102, "The Worker exceeded its limits.")


def failing(code: str) -> str:
    """The answer of a process about its user code."""
    return f"HTTP/1.1 500 x\r\nHoldfast-Fault: {code}\r\nContent-Length: 4\r\n\r\nnone"


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (lambda connection, _: connection.close(), GONE),
        (says(failing("1101")), THREW),
        (says(failing("1102")), OVER),
        (says("HTTP/1.1 2"), SLOW),
        (says(""), SLOW),
        (says("nonsense\r\n\r\n"), GONE),
        (agrees(), GONE),
        (agrees("Holdfast-Pass: 00000000000000000000000000000000"), GONE),
        (agrees("Holdfast-Session: t", "Sec-WebSocket-Protocol: other"), GONE),
    ],
    ids=["ends", "throws", "over limits", "half", "silent", "nonsense", "neither", "unknown token", "protocol"],
)
def test_a_process_that_fails_is_told_as_a_worker_that_does(
    directory: Path, handler: Any, expected: tuple[int, int, str]
) -> None:
    # Who is to answer has a busy machine's time for it.
    limit_s = 0.3 if expected == SLOW else LIMIT_S
    with (
        script_process(directory, handler, answer_timeout_s=limit_s) as script,
        running(script.decide, told) as edge,
    ):
        answer, body = ask(edge.address, wire.upgrade("/"))
    problem = json.loads(body)
    assert (answer.status, problem["error_code"], problem["detail"]) == expected
    assert own_fields(answer) == []


def test_a_fault_is_believed_of_no_other_origin(origin: FakeOrigin) -> None:
    with running(lambda _: Forward(origin=of(origin)), told) as edge:
        answer, _ = ask(
            edge.address, wire.request("GET", "/status/200?cookie=a%0d%0aHoldfast-Fault:%201101", "Connection: close")
        )
    assert (answer.status, own_fields(answer)) == (200, [])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_ordinary_request_that_throws_is_told_alike(directory: Path, method: str) -> None:
    with script_process(directory, says(failing("1101"))) as script, running(script.decide, told) as edge:
        answer, _ = ask(edge.address, wire.request(method, "/", "Connection: close"))
    assert (answer.status, answer.value("cf-error-type"), own_fields(answer)) == (500, "1101", [])


def test_what_cannot_be_sent_again_is_not_sent_to_a_process_that_may_be_about_to_end(directory: Path) -> None:
    with (
        script_process(directory, says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as script,
        running(script.decide) as edge,
        wire.connect(edge.address) as client,
    ):
        for method, connections in (("GET", 1), ("GET", 1), ("POST", 2), ("PUT", 2), ("POST", 3)):
            assert client.request(wire.request(method, "/"))[0].status == 200
            assert (method, script.connections) == (method, connections)


@pytest.mark.parametrize(
    "data", [wire.request("GET", "/"), wire.request("POST", "/"), wire.upgrade("/")], ids=["GET", "POST", "ws"]
)
def test_what_a_process_has_not_read_goes_to_the_next(directory: Path, data: bytes) -> None:
    refusing = says("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with script_process(directory, refusing) as script, running(script.decide, told) as edge:
        for unread, status, connections in ((0, 403, 1), (2, 403, 3), (9, 500, 5)):
            script.unread, before = unread, script.connections
            with wire.connect(edge.address) as client:
                assert client.request(data)[0].status == status
            assert script.connections - before == connections


def test_what_a_process_may_have_begun_goes_to_no_other(directory: Path) -> None:
    with (
        script_process(directory, lambda connection, _: connection.close()) as script,
        running(script.decide, told) as edge,
    ):
        for data in (wire.request("GET", "/"), wire.request("POST", "/", body=b"x"), wire.upgrade("/")):
            before = script.connections
            assert ask(edge.address, data)[0].status == 500
            assert script.connections - before == 1
        script.unread = 1
        assert ask(edge.address, wire.request("POST", "/", body=b"x"))[0].status == 500


def test_no_limit_of_origins_holds_back_what_user_code_takes_time_for(directory: Path) -> None:
    everybody = threading.Barrier(5)

    def together(connection: socket.socket, head: Head) -> None:
        everybody.wait(LIMIT_S)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with (
        script_process(directory, together) as script,
        running(script.decide, max_pending_connects=1) as edge,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(wire.connect(edge.address)) for _ in range(5)]
        for client in clients:
            client.send(wire.upgrade("/"))
        assert [client.read_answer().status for client in clients] == [403] * 5


def test_a_process_that_is_not_there_is_told_so_too(directory: Path) -> None:
    with script_process(directory, says("")) as script, running(script.decide, told) as edge:
        script.close()
        for data in (wire.upgrade("/"), wire.request("GET", "/")):
            assert ask(edge.address, data)[0].value("cf-error-type") == "1101"


@contextmanager
def passed_on(
    directory: Path, origin: FakeOrigin, target: str, **options: Any
) -> Iterator[tuple[Running, ScriptProcess]]:
    """An edge whose every client gets, by way of a script, a WebSocket to `target` at the fake origin."""
    dialled = options.pop("dialled", None) or of(origin)
    with egress(directory) as (listener, path):
        handler = passing(path, f"http://o.test{target}", "X-By: script")
        with script_process(directory, handler) as script:

            def decide(request: Any) -> Forward:
                return Forward(origin=dialled, park=script.target) if request.is_egress else script.decide(request)

            with running(decide, told, egress_fd=shared(listener), **options) as edge:
                yield edge, script


def test_what_a_script_passes_on_is_joined_with_its_client(directory: Path, origin: FakeOrigin, token: str) -> None:
    target = f"/early?{token}"
    with passed_on(directory, origin, target) as (edge, _):
        with wire.websocket(edge.address, "/", first=Frame(TEXT, b"soon").from_client().encode()) as (client, answer):
            assert (answer.value("X-By"), own_fields(answer)) == ("script", [])
            assert client.read_message() == b"first"
            assert client.read_message() == bytes(300)
            assert client.read_message() == b"soon"
            client.send_frame(Frame(TEXT, b"more"))
            assert client.read_message() == b"more"
            assert statistics(edge, "websockets_parked_taken") == 1
        poll(lambda: statistics(edge, "egress_connections_open") == 0, what="the script's connection to end")
    assert origin.head(token).values("Holdfast-Egress") == []


def test_a_client_is_told_what_the_origin_behind_the_script_agreed_to(
    directory: Path, origin: FakeOrigin, token: str
) -> None:
    target = f"/echo?{token}&protocol=chat&extensions=permessage-deflate;server_no_context_takeover"
    with passed_on(directory, origin, target) as (edge, _):
        lines = (OFFER, "Sec-WebSocket-Protocol: chat, other")
        with wire.websocket(edge.address, "/", *lines) as (_, answer):
            assert answer.values("Sec-WebSocket-Protocol") == ["chat"]
            assert answer.values("Sec-WebSocket-Extensions") == ["permessage-deflate; server_no_context_takeover"]
    asked = origin.head(token).values("Sec-WebSocket-Extensions")
    assert asked == ["permessage-deflate; server_no_context_takeover"]


def test_a_websocket_over_http2_is_passed_on_alike(
    directory: Path, origin: FakeOrigin, authority: Authority, certificate: Certificate
) -> None:
    options: dict[str, Any] = {"is_tls": True, "certificates": [certificate], "threads": 1}
    with (
        passed_on(directory, origin, "/echo", **options) as (edge, _),
        connected(edge.address, authority.trusting()) as client,
    ):
        socket_ = client.open_websocket("/")
        assert socket_.stream.value("x-by") == "script"
        socket_.send(Frame(TEXT, b"hi"))
        assert socket_.frame().payload == b"hi"


def test_tls_with_an_origin_outlives_its_parking(directory: Path, leaf: Pair, authority: Authority) -> None:
    with FakeOrigin(PATHS, tls=leaf.server_context()) as secure:
        dialled = of(secure, scheme="https", server_name="example.test", ca_pem=authority.file.read_bytes())
        with (
            passed_on(directory, secure, "/early", dialled=dialled) as (edge, _),
            wire.websocket(edge.address, "/") as (client, _),
        ):
            assert client.read_message() == b"first"
            client.send_frame(Frame(TEXT, b"more"))
            assert [client.read_message(), client.read_message()] == [bytes(300), b"more"]


def test_clients_of_every_thread_get_what_any_thread_has_parked(directory: Path, origin: FakeOrigin) -> None:
    with ExitStack() as stack:
        ends = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64)) for _ in range(2)]
        addresses = [end.getsockname() for end in ends]
        options: dict[str, Any] = {"threads": 2, "listeners": [(end.detach(), False) for end in ends]}
        edge, script = stack.enter_context(passed_on(directory, origin, "/echo", **options))
        for at in range(40):
            client, _ = stack.enter_context(wire.websocket(addresses[at % 2], f"/{at}"))
            client.send_frame(Frame(TEXT, b"%d" % at))
            assert client.read_message() == b"%d" % at
        assert len(script.heads) == 40
        assert (statistics(edge, "websockets_parked_taken"), statistics(edge, "tunnels_open")) == (40, 40)
        poll(lambda: statistics(edge, "egress_connections_open") == 0, what="the script's connections to end")


def test_a_client_that_goes_while_its_script_decides_leaves_nothing_behind(directory: Path, origin: FakeOrigin) -> None:
    with egress(directory) as (listener, path):

        def hesitating(connection: socket.socket, head: Head) -> None:
            with suppress(OSError):
                assert connection.recv(1) == b""
            passing(path, "http://o.test/echo")(connection, head)

        with script_process(directory, hesitating) as script:

            def decide(request: Any) -> Forward:
                return Forward(origin=of(origin), park=script.target) if request.is_egress else script.decide(request)

            with running(decide, told, egress_fd=shared(listener)) as edge:
                with wire.connect(edge.address) as client:
                    client.send(wire.upgrade("/"))
                    poll(lambda: script.heads, what="the request to reach the script")
                poll(lambda: statistics(edge, "websockets_parked") == 1, what="a WebSocket to be parked")
                assert statistics(edge, "websockets_parked_taken") == 0


@pytest.mark.parametrize("retires", ["near", "far", "both"])
def test_what_one_edge_has_parked_reaches_a_client_of_another(
    directory: Path, origin: FakeOrigin, retires: str
) -> None:
    """A release between a client's request and what its script fetches for it, or between that and its answer."""
    is_parked, has_retired = threading.Event(), threading.Event()
    (directory / "far").mkdir()
    (directory / "near").mkdir()
    with egress(directory / "far") as (far_socket, path), egress(directory / "near") as (near_socket, _):

        def hesitate() -> None:
            is_parked.set()
            has_retired.wait(LIMIT_S)

        handler = passing(path, "http://o.test/early", before=hesitate)
        with script_process(directory, handler) as script, ExitStack() as stack:

            def decide(request: Any) -> Forward:
                return Forward(origin=of(origin), park=script.target) if request.is_egress else script.decide(request)

            near = stack.enter_context(running(decide, told, egress_fd=shared(near_socket)))
            far = stack.enter_context(running(decide, told, egress_fd=shared(far_socket)))
            client = stack.enter_context(wire.connect(near.address))
            client.send(wire.upgrade("/") + Frame(TEXT, b"soon").from_client().encode())
            assert is_parked.wait(LIMIT_S)
            for edge in {"near": [near], "far": [far], "both": [near, far]}[retires]:
                edge.edge.retire()
            assert statistics(far, "connections_open") == 1
            has_retired.set()
            answer = client.read_answer()
            assert (answer.status, own_fields(answer)) == (101, [])
            assert [client.read_message() for _ in range(3)] == [b"first", bytes(300), b"soon"]
            assert [statistics(edge, "tunnels_open") for edge in (near, far)] == [1, 1]
            client.send_frame(close(1000, "done"))
            assert client.read_close().close_code == 1000
            client.end()
            assert client.read_to_end() == b""
            poll(lambda: statistics(far, "tunnels_open") == 0, what="the far edge's part to end")
            records = [line for line in near.stop() if line["event"] == "websocket_closed"]
    assert [(record["origin"], record["why"]) for record in records] == [("o", "close_frame")]


def test_an_edge_that_stops_waits_for_nothing_that_is_parked(directory: Path, origin: FakeOrigin) -> None:
    target = WorkerTarget(script="chat", channel=str(directory / "c.sock"))
    decision = Forward(origin=of(origin), park=target)
    with (
        egress(directory) as (listener, path),
        running(lambda _: decision, egress_fd=shared(listener)) as edge,
        egress_connection(path) as script,
    ):
        script.send(upgrade_of("http://o.test/echo"))
        assert script.read_answer().status == 101
        edge.edge.stop(grace_s=3600)
        assert script.read_to_end() == b""


def test_a_token_is_good_for_the_script_that_fetched_alone(directory: Path, origin: FakeOrigin) -> None:
    other = WorkerTarget(script="other", channel=str(directory / "other.sock"))
    dialled = of(origin)
    with (
        egress(directory) as (listener, path),
        script_process(directory, passing(path, "http://o.test/echo")) as script,
    ):

        def decide(request: Any) -> Forward:
            return Forward(origin=dialled, park=other) if request.is_egress else script.decide(request)

        with running(decide, told, egress_fd=shared(listener)) as edge:
            assert ask(edge.address, wire.upgrade("/"))[0].value("cf-error-type") == "1101"


def test_what_is_parked_ends_with_the_connection_that_asked(directory: Path, origin: FakeOrigin, token: str) -> None:
    target = WorkerTarget(script="chat", channel=str(directory / "c.sock"))
    decision = Forward(origin=of(origin), park=target)
    with (
        egress(directory) as (listener, path),
        running(lambda _: decision, egress_fd=shared(listener)) as edge,
    ):
        with egress_connection(path) as script:
            script.send(upgrade_of(f"http://o.test/echo?{token}"))
            answer = script.read_answer()
            assert (answer.status, len(answer.value("Holdfast-Parked"))) == (101, 32)
            assert statistics(edge, "websockets_parked_now") == 1
        poll(lambda: statistics(edge, "websockets_parked_now") == 0, what="what was parked to be closed")
        origin.find(token).until(lambda seen: seen.ended, what="the end of its connection")


def test_an_origin_that_refuses_is_answered_to_the_script_as_it_is(directory: Path, origin: FakeOrigin) -> None:
    target = WorkerTarget(script="chat", channel=str(directory / "c.sock"))
    decision = Forward(origin=of(origin), park=target)
    with (
        egress(directory) as (listener, path),
        running(lambda _: decision, told, egress_fd=shared(listener)) as edge,
        egress_connection(path) as script,
    ):
        answer, _ = script.request(upgrade_of("http://o.test/status/403"))
        assert (answer.status, answer.values("Holdfast-Parked")) == (403, [])
        # The connection can be used for what is fetched next.
        assert script.request(fetch("http://o.test/status/200"))[0].status == 200
        assert statistics(edge, "websockets_parked") == 0


def test_without_a_place_to_park_it_a_websocket_is_the_script_s_own(directory: Path, origin: FakeOrigin) -> None:
    with (
        egress(directory) as (listener, path),
        running(lambda _: Forward(origin=of(origin)), egress_fd=shared(listener)),
        egress_connection(path) as script,
    ):
        script.send(upgrade_of("http://o.test/echo"))
        assert script.read_answer().status == 101
        script.send_frame(Frame(TEXT, b"hi"))
        assert script.read_message() == b"hi"


def upgrade_of(url: str) -> bytes:
    return wire.upgrade(url, host=url.partition("://")[2].partition("/")[0])


def statistics(edge: Running, name: str) -> int:
    return edge.edge.statistics()[name]
