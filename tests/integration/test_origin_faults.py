"""Faults of the origin by their own codes, for programs as JSON and for people as a page (docs/errors.md)."""

import hashlib
import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.conftest import StartEdge
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, Frame, close
from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS
from tests.integration.waiting import LIMIT_S


def ask(edge: Edge, data: bytes) -> tuple[wire.Answer, bytes]:
    with wire.connect(edge.plain) as client:
        return client.request(data)


def check_json(answer: wire.Answer, body: bytes, status: int, code: int | None = None) -> None:
    """The answer is the promised JSON for this status."""
    said = json.loads(body)
    assert answer.status == said["status"] == status
    assert "json" in answer.value("Content-Type")
    assert answer.value("cf-error-type") == str(code or status)
    assert answer.value("cf-error-origin") == said["side"] == "origin"
    assert said["error_code"] == (code or status)
    assert said["ray_id"] == answer.ray
    assert said["host"] == "example.test"
    assert said["detail"].endswith(".")
    assert answer.value("Cache-Control") == "no-store"


@contextmanager
def refusing() -> Iterator[socket.socket]:
    """A socket whose port refuses: bound, so that nobody else takes it, and not listening yet."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_refused_connection_is_521(start_edge: StartEdge) -> None:
    with refusing() as server:
        edge = start_edge(url_of(server))
        check_json(*ask(edge, wire.upgrade("/echo")), 521)
        check_json(*ask(edge, wire.request("GET", "/", "Accept: application/json")), 521)


def test_a_missing_unix_socket_is_521(start_edge: StartEdge) -> None:
    edge = start_edge("unix:/nowhere/at/all.sock")
    assert ask(edge, wire.upgrade("/echo"))[0].status in {521, 523}


def test_no_route_is_523(start_edge: StartEdge) -> None:
    # The kernel refuses a TCP connection to a multicast address itself (ENETUNREACH): nothing leaves this machine.
    edge = start_edge("http://224.0.0.1:80")
    check_json(*ask(edge, wire.upgrade("/echo")), 523)


def test_a_name_that_does_not_exist_is_530_with_1016(start_edge: StartEdge) -> None:
    # RFC 6761 §6.4: `.invalid` never exists.
    edge = start_edge("http://nothing.invalid:80")
    check_json(*ask(edge, wire.upgrade("/echo")), 530, 1016)


def test_the_addresses_of_a_name_are_tried_in_turn(start_edge: StartEdge, origin: Origin) -> None:
    edge = start_edge(f"http://localhost:{origin.port}")
    assert ask(edge, wire.request("GET", "/status/200"))[0].status == 200


@pytest.mark.parametrize(
    "path",
    ["/empty", "/garbage", "/half-head", "/huge-head", "/reset-first", "/both-framings", "/two-lengths", "/folded"],
)
@pytest.mark.parametrize("kind", ["upgrade", "ordinary"])
def test_an_answer_that_is_no_http_is_520(edge: Edge, path: str, kind: str) -> None:
    data = wire.upgrade(path) if kind == "upgrade" else wire.request("GET", path, "Accept: application/json")
    answer, body = ask(edge, data)
    check_json(answer, body, 520)
    assert b"not HTTP" not in body.split(b"detail")[0]


def test_what_a_broken_origin_sent_does_not_reach_the_client(edge: Edge) -> None:
    _, body = ask(edge, wire.upgrade("/garbage"))
    assert b"this is not HTTP" not in body


def test_a_wrong_101_is_502(edge: Edge) -> None:
    check_json(*ask(edge, wire.upgrade("/bad-accept")), 502)


def test_an_unasked_101_is_not_passed_on(edge: Edge) -> None:
    # RFC 9110 §7.8: a server must not switch to a protocol that was not asked for.
    answer, _ = ask(edge, wire.request("GET", "/bad-accept", "Accept: application/json"))
    assert answer.status in {502, 520}


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (None, False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("text/html;q=0.5, application/json", True),
        ("text/html, application/json;q=0.5", False),
        ("application/json;q=0, text/html", False),
    ],
)
def test_people_get_a_page_and_programs_json(edge: Edge, accept: str | None, is_json: bool) -> None:
    answer, body = ask(edge, wire.request("GET", "/empty", *([f"Accept: {accept}"] if accept else [])))
    assert answer.status == 520
    if is_json:
        check_json(answer, body, 520)
        return
    page = body.decode()
    assert answer.value("Content-Type").startswith("text/html")
    assert answer.value("cf-error-type") == "520"
    assert answer.value("cf-error-origin") == "origin"
    assert answer.ray in page
    assert "520" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(""", page), (
        "the page must need nothing else"
    )
    assert len(body) < 16 * 1024


def test_a_page_shows_a_hostile_path_as_text(edge: Edge) -> None:
    answer, body = ask(edge, wire.request("GET", "/empty/<script>alert(1)</script>?\"'><img/src=x>"))
    assert answer.status == 520
    assert b"<script>alert" not in body
    assert b"<img" not in body


def test_head_of_an_error_has_no_body(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.request("HEAD", "/empty"))
        assert answer.status == 520
        assert client.request(wire.request("GET", "/status/200"))[0].status == 200


def test_an_origin_that_comes_back_is_used_again(start_edge: StartEdge) -> None:
    with refusing() as server:
        edge = start_edge(url_of(server))
        assert ask(edge, wire.upgrade("/echo"))[0].status == 521
        server.listen()
        server.settimeout(LIMIT_S)
        with wire.connect(edge.plain) as client:
            client.send(wire.request("GET", "/"))
            taken, _ = server.accept()
            with taken:
                taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                assert client.read_body(client.read_answer()) == b"ok"


def test_a_failed_request_is_in_the_log(edge: Edge) -> None:
    answer, _ = ask(edge, wire.upgrade("/empty"))
    record = edge.record(lambda record: record.get("ray_id") == answer.ray)
    assert (record["event"], record["status"]) == ("request_failed", 520)
    assert record["reason"]


@pytest.mark.slow
def test_an_origin_that_never_accepts_is_522(start_edge: StartEdge) -> None:
    """A full accept queue drops SYNs, as a dead host does: the edge gives up after 19 s."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003  # socket's own signature
            filler.connect_ex(listener.getsockname())
        edge = start_edge(url_of(listener))
        with wire.connect(edge.plain) as client:
            client.sock.settimeout(2 * LIMIT_S)
            answer, body = client.request(wire.upgrade("/echo"))
    check_json(answer, body, 522)
    assert answer.value("Retry-After")


def test_an_origin_that_answers_tls_with_http_is_525(start_edge: StartEdge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, wire_to(start_edge, server) as client:
        server.settimeout(LIMIT_S)
        client.send(wire.upgrade("/echo"))
        taken, _ = server.accept()
        with taken:
            taken.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            answer = client.read_answer()
            check_json(answer, client.read_body(answer), 525)


@contextmanager
def wire_to(start_edge: StartEdge, server: socket.socket) -> Iterator[wire.Wire]:
    """A connection to a new edge whose origin is `server`, by https."""
    with wire.connect(start_edge(f"https://127.0.0.1:{server.getsockname()[1]}", "--ssl", "full").plain) as client:
        yield client


def test_an_origin_without_a_common_cipher_is_525(start_edge: StartEdge, authority: Authority) -> None:
    tls = authority.issue("127.0.0.1").server_context()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("AES256-SHA256")  # RSA key exchange, which no modern client offers
    with Origin(PATHS, tls=tls) as old:
        edge = start_edge(old.url, "--origin-ca", authority.file)
        check_json(*ask(edge, wire.upgrade("/echo")), 525)


def test_an_origin_whose_authority_is_unknown_is_526(start_edge: StartEdge, authority: Authority) -> None:
    with Origin(PATHS, tls=authority.issue("127.0.0.1").server_context()) as unknown:
        check_json(*ask(start_edge(unknown.url), wire.upgrade("/echo")), 526)


def test_an_origin_with_a_certificate_for_another_name_is_526(start_edge: StartEdge, authority: Authority) -> None:
    with Origin(PATHS, tls=authority.issue("other.test").server_context()) as other:
        check_json(*ask(start_edge(other.url, "--origin-ca", authority.file), wire.upgrade("/echo")), 526)


def test_an_origin_with_an_expired_certificate_is_526(start_edge: StartEdge, authority: Authority) -> None:
    expired = authority.issue("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    with Origin(PATHS, tls=expired.server_context()) as old:
        check_json(*ask(start_edge(old.url, "--origin-ca", authority.file), wire.upgrade("/echo")), 526)


@pytest.mark.parametrize("mode", [("--ssl", "full"), ()])
def test_an_https_origin_serves_sockets_and_requests(
    start_edge: StartEdge, authority: Authority, token: str, mode: tuple[str, ...]
) -> None:
    """Unverified with `full`, whatever its certificate; verified by the authority that `--origin-ca` names."""
    names = ("other.test",) if mode else ("127.0.0.1",)
    with Origin(PATHS, tls=authority.issue(*names).server_context()) as secure:
        edge = start_edge(secure.url, *(mode or ("--origin-ca", authority.file)))
        with wire.websocket(edge.plain, f"/early?{token}") as (client, answer):
            assert client.read_message() == b"first"
            assert client.read_message() == bytes(300)
            big = Frame(BINARY, bytes(300_000))
            client.send_frame(big)
            assert client.read_frame() == big
            client.send_frame(close(1000, "bye"))
            assert client.read_close().close_reason == "bye"
        assert edge.closed(answer.ray).origin_close_code == 1000
        assert ask(edge, wire.request("GET", "/chunked"))[1] == b"one,two,three"
        body = bytes(3_000_000)
        assert ask(edge, wire.request("POST", "/upload", body=body))[1].decode() == hashlib.sha256(body).hexdigest()
