"""Ordinary HTTP beside the WebSockets: a site and its sockets share a host name (RFC 9110, RFC 9112)."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from select import select

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.conftest import StartEdge
from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE, chunk
from tests.integration.waiting import LIMIT_S, poll


def dump(body: bytes) -> dict[str, object]:
    said = json.loads(body)
    assert isinstance(said, dict)
    return said


def test_many_requests_share_a_client_connection(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        for path in ("/status/200", "/chunked", "/length?bytes=1000", "/status/404", "/trailers", "/dump"):
            answer, _ = client.request(wire.request("GET", path))
            assert answer.version == "HTTP/1.1"
            assert "close" not in answer.value("Connection").lower()
            assert answer.ray


def test_pipelined_requests_are_answered_in_order(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        client.send(b"".join(wire.request("GET", f"/status/{code}") for code in (200, 404, 401, 503)))
        for code in (200, 404, 401, 503):
            answer = client.read_answer()
            assert (answer.status, client.read_body(answer)) == (code, PAGE)


def test_requests_one_after_another_share_an_origin_connection(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        seen = [dump(client.request(wire.request("GET", "/dump"))[1])["connection"] for _ in range(10)]
    assert len(set(seen)) <= 3, seen


def test_an_origin_connection_is_pooled_across_clients(start_edge: StartEdge, origin: Origin) -> None:
    edge = start_edge(origin.url, "--threads", "1")
    seen = set()
    for _ in range(10):
        with wire.connect(edge.plain) as client:
            seen.add(dump(client.request(wire.request("GET", "/dump"))[1])["connection"])
    assert len(seen) <= 3, seen


def test_a_pooled_connection_the_origin_has_closed_is_not_the_clients_problem(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        for _ in range(20):
            answer, body = client.request(wire.request("GET", "/close-after"))
            assert (answer.status, body) == (200, PAGE)


def test_a_request_that_is_not_idempotent_is_sent_only_once(edge: Edge, origin: Origin, token: str) -> None:
    # RFC 9110 §9.2.2: a proxy must not repeat a POST of its own accord once it may have been acted on.
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.request("POST", f"/reset-first?{token}", body=b"once"))
    assert answer.status in {502, 520}
    assert sum(token in head.target for seen in origin.connections for head in seen.heads) == 1


@pytest.mark.parametrize("size", [0, 1, 65_535, 5_000_000])
def test_a_body_by_length_arrives_whole(edge: Edge, size: int) -> None:
    body = os.urandom(size)
    with wire.connect(edge.plain) as client:
        answer, said = client.request(wire.request("POST", "/upload", f"Content-Length: {size}", body=body))
        assert answer.status == 200
        assert said.decode() == hashlib.sha256(body).hexdigest()


def test_a_chunked_body_arrives_whole_with_its_trailers(edge: Edge) -> None:
    parts = [b"a", b"bb" * 5000, os.urandom(100_000)]
    data = b"".join(map(chunk, parts)) + b"0\r\nX-Digest: abc\r\n\r\n"
    with wire.connect(edge.plain) as client:
        head = wire.request("POST", "/dump", "Transfer-Encoding: chunked", "Trailer: X-Digest")
        said = dump(client.request(head + data)[1])
    assert said["body_sha256"] == hashlib.sha256(b"".join(parts)).hexdigest()
    assert said["trailers"] == ["X-Digest: abc"]
    assert "transfer-encoding: chunked" in str(said["head"]).lower()
    assert "content-length" not in str(said["head"]).lower()


def test_chunk_extensions_are_dropped_and_the_body_kept(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        head = wire.request("POST", "/dump", "Transfer-Encoding: chunked")
        said = dump(client.request(head + b'5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n')[1])
    assert said["body_sha256"] == hashlib.sha256(b"hello").hexdigest()


def test_an_upload_reaches_the_origin_while_it_is_sent(edge: Edge, origin: Origin, token: str) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("POST", f"/dump?{token}", "Transfer-Encoding: chunked") + chunk(b"first part"))
        origin.find(token).until(lambda seen: b"first part" in seen.after(token), what="the first chunk")
        client.send(chunk(b"second part") + b"0\r\n\r\n")
        assert client.read_answer().status == 200


def test_an_answer_reaches_the_client_while_it_is_sent(edge: Edge, origin: Origin, token: str) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("GET", f"/held?{token}"))
        answer = client.read_answer()
        assert "chunked" in answer.value("Transfer-Encoding")
        chunks = client.read_chunks()
        assert next(chunks) == b"first"
        origin.find(token).release()
        assert b"".join(chunks) == b"second"


@pytest.mark.parametrize("path", ["/chunked", "/trailers"])
def test_a_chunked_answer_arrives_whole(edge: Edge, path: str) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("GET", path, "TE: trailers", "Connection: TE"))
        body = client.read_body(client.read_answer())
        assert body == (b"body" if path == "/trailers" else b"one,two,three")
        assert client.trailers == (["X-Digest: abc"] if path == "/trailers" else [])


@pytest.mark.parametrize("path", ["/until-close", "/old"])
def test_a_body_that_ends_with_the_origins_connection_arrives_whole(edge: Edge, path: str) -> None:
    with wire.connect(edge.plain) as client:
        answer, body = client.request(wire.request("GET", path))
        assert body == PAGE * (100 if path == "/until-close" else 1)
        assert answer.version == "HTTP/1.1"
        if answer.value("Transfer-Encoding"):
            assert client.request(wire.request("GET", "/status/200"))[0].status == 200


def test_an_http_1_0_client_gets_no_chunks(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        client.send(b"GET /chunked HTTP/1.0\r\nHost: example.test\r\n\r\n")
        answer = client.read_answer()
        assert not answer.values("Transfer-Encoding")
        assert client.read_to_end() == b"one,two,three"


def test_an_http_1_0_client_may_keep_its_connection(edge: Edge) -> None:
    ask = b"GET /length?bytes=10 HTTP/1.0\r\nHost: example.test\r\nConnection: keep-alive\r\n\r\n"
    with wire.connect(edge.plain) as client:
        answer, body = client.request(ask)
        assert len(body) == 10
        if answer.value("Connection").lower() == "keep-alive":
            assert client.request(ask)[0].status == 200


def test_connection_close_is_honoured(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.request("GET", "/status/200", "Connection: close"))
        assert "close" in answer.value("Connection").lower()
        assert client.read_to_end() == b""
        assert not client.was_reset


@pytest.mark.parametrize("path", ["/length?bytes=12345", "/length?bytes=0"])
def test_head_has_the_length_and_no_body(edge: Edge, path: str) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.request("HEAD", path))
        assert answer.value("Content-Length") == path.partition("=")[2]
        assert client.request(wire.request("GET", "/status/200"))[1] == PAGE


@pytest.mark.parametrize("code", [204, 304])
def test_answers_without_a_body_have_none(edge: Edge, code: int) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.request("GET", f"/status/{code}"))
        assert answer.status == code
        assert not answer.values("Transfer-Encoding")
        assert client.request(wire.request("GET", "/status/200"))[1] == PAGE


def test_interim_answers_are_passed_on(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("GET", "/103"))
        answers = [client.read_answer()]
        while answers[-1].status < 200:
            answers.append(client.read_answer())
        assert [answer.status for answer in answers] == [102, 103, 200]
        assert answers[1].values("Link") == ["</style.css>; rel=preload"]
        assert client.read_body(answers[-1]) == PAGE


def test_interim_answers_are_kept_from_http_1_0(edge: Edge) -> None:
    # RFC 9110 §15.2: a server must not send a 1xx to an HTTP/1.0 client.
    with wire.connect(edge.plain) as client:
        client.send(b"GET /103 HTTP/1.0\r\nHost: example.test\r\n\r\n")
        assert client.read_answer().status == 200


def test_a_client_that_expects_100_gets_it_before_it_sends(edge: Edge) -> None:
    body = b"held back until 100"
    with wire.connect(edge.plain) as client:
        client.send(wire.request("POST", "/upload", "Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert client.read_answer().status == 100
        client.send(body)
        answer = client.read_answer()
        while answer.status < 200:
            answer = client.read_answer()
        assert client.read_body(answer).decode() == hashlib.sha256(body).hexdigest()


def test_an_early_refusal_of_a_large_upload_reaches_the_client(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("POST", "/early-answer", f"Content-Length: {1 << 30}") + bytes(100_000))
        answer = client.read_answer()
        assert (answer.status, client.read_body(answer)) == (413, PAGE)


def test_a_large_download_does_not_fill_the_edge(edge: Edge) -> None:
    """256 MiB to a client that reads nothing for a while: the edge holds little of it."""
    size = 256 * 1024 * 1024
    before = edge.anonymous_bytes()
    with wire.connect(edge.plain) as client:
        client.send(wire.request("GET", f"/length?bytes={size}"))
        client.read_answer()
        got = len(client.held)
        assert edge.anonymous_bytes() - before < 8 * 1024 * 1024
        block = memoryview(bytearray(1 << 20))
        while got < size and (count := client.sock.recv_into(block)):
            got += count
    assert got == size
    assert edge.anonymous_bytes() - before < 8 * 1024 * 1024


def test_an_upload_waits_for_an_origin_that_does_not_read(edge: Edge, origin: Origin, token: str) -> None:
    # How much kernels hold is theirs to say, several times their limits on a busy machine: it is not this that is tried.
    most, chunk = 1 << 30, b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    before = edge.anonymous_bytes()
    with wire.connect(edge.plain) as client:
        client.send(wire.request("POST", f"/upload-held?{token}", "Transfer-Encoding: chunked"))
        seen = origin.find(token)
        client.sock.settimeout(0)
        sent = send_until_full(client, chunk, most)
        assert sent < most, "nothing stopped the client"
        assert edge.anonymous_bytes() - before < 8 * 1024 * 1024
        client.sock.settimeout(LIMIT_S)
        seen.release()
        chunks = sent // len(chunk) + 1
        client.sock.sendall(chunk[sent % len(chunk) :] + b"0\r\n\r\n")
        answer = client.read_answer()
        assert client.read_body(answer).decode() == hashlib.sha256(bytes(chunks << 20)).hexdigest()


def send_until_full(client: wire.Wire, chunk: bytes, most: int) -> int:
    """Send this chunk again and again until the connection takes nothing for a whole second; how many bytes went."""
    sent = 0
    while sent < most and select([], [client.sock], [], 1.0)[1]:
        sent += client.sock.send(chunk[sent % len(chunk) :])
    return sent


def test_a_large_upload_over_tls_arrives_whole(edge: Edge, authority: Authority) -> None:
    body = os.urandom(20_000_000)
    with wire.connect(edge.tls, tls=authority.trusting()) as client:
        _, said = client.request(wire.request("PUT", "/upload", body=body))
    assert said.decode() == hashlib.sha256(body).hexdigest()


def test_hop_by_hop_fields_of_the_origin_stay_behind(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.request("GET", "/hop-by-hop"))
    assert not answer.values("X-Private")
    assert not answer.values("Keep-Alive")
    assert answer.values("X-Public") == ["2"]
    assert len(answer.values("CF-Ray")) == 1
    assert answer.ray != "forged"


def test_hop_by_hop_fields_of_the_client_stay_behind(edge: Edge, origin: Origin, token: str) -> None:
    lines = [
        "Connection: keep-alive, X-Private, Host",
        "X-Private: 1",
        "Keep-Alive: 300",
        "Proxy-Authorization: Basic x",
    ]
    lines += ["Proxy-Connection: keep-alive", "TE: gzip, trailers", "X-Public: 2"]
    with wire.connect(edge.plain) as client:
        client.request(wire.request("GET", f"/dump?{token}", *lines))
    head = origin.head(token)
    for name in ("X-Private", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Upgrade"):
        assert not head.values(name), name
    assert "gzip" not in head.value("TE")
    assert head.values("X-Public") == ["2"]
    assert head.values("Host") == ["example.test"]  # RFC 9110 §7.6.1: `Connection: host` must not remove it


def test_an_upgrade_to_something_else_is_an_ordinary_request(edge: Edge, origin: Origin, token: str) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(
            wire.request(
                "GET", f"/dump?{token}", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA"
            )
        )
    assert answer.status == 200
    assert not origin.head(token).values("Upgrade")
    assert not origin.head(token).values("HTTP2-Settings")


@pytest.mark.parametrize("path", ["/cut-short", "/cut-chunk", "/bad-chunk"])
def test_an_answer_that_breaks_off_is_seen_to_break_off(edge: Edge, path: str) -> None:
    # RFC 9112 §8: the client must be able to tell; so no clean end of a chunked body, no padding of a short one.
    with wire.connect(edge.plain) as client:
        try:
            answer, _ = client.request(wire.request("GET", path))
        except wire.EndedError:
            return
    assert answer.status in {502, 520}


def test_a_client_that_leaves_during_a_download_stops_the_origin(edge: Edge, origin: Origin, token: str) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("GET", f"/length?bytes={1 << 34}&{token}"))
        client.read_answer()
        client.reset()
    origin.find(token).until(lambda seen: seen.ended, what="the edge leaving")


def test_a_client_that_leaves_during_an_upload_leaves_no_whole_request_behind(
    edge: Edge, origin: Origin, token: str
) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("POST", f"/upload?{token}", "Content-Length: 100000") + bytes(50_000))
        seen = origin.find(token)
        seen.until(lambda seen: len(seen.after(token)) == 50_000, what="half the body")
    seen.until(lambda seen: seen.ended, what="the edge leaving")
    assert len(seen.after(token)) == 50_000


def test_a_client_that_ends_its_direction_still_gets_its_answer(edge: Edge, origin: Origin, token: str) -> None:
    # RFC 9112 §9.6 lets a client half-close after its last request.
    with wire.connect(edge.plain) as client:
        client.send(wire.request("GET", f"/held?{token}"))
        client.end()
        seen = origin.find(token)
        seen.release()
        answer = client.read_answer()
        assert client.read_body(answer) == b"firstsecond"


def test_the_query_and_odd_targets_reach_the_origin_as_they_are(edge: Edge, origin: Origin, token: str) -> None:
    for target in (f"/dump/a%2Fb/../c//d?x=%20&y=a+b&z=é&{token}-1", f"/dump;v=1/~u/!$&'()*+,;=:@?/?{token}-2"):
        with wire.connect(edge.plain) as client:
            client.send(f"GET {target} HTTP/1.1\r\nHost: example.test\r\n\r\n".encode())
            assert client.read_answer().status == 200
    assert f"GET /dump/a%2Fb/../c//d?x=%20&y=a+b&z=é&{token}-1 ".encode() in origin.head(f"{token}-1").raw
    assert f"GET /dump;v=1/~u/!$&'()*+,;=:@?/?{token}-2 ".encode() in origin.head(f"{token}-2").raw


def test_an_absolute_target_becomes_a_path_and_its_host_wins(edge: Edge, origin: Origin, token: str) -> None:
    # RFC 9112 §3.2.2: the authority of the target replaces the Host field.
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.request("GET", f"http://other.test/dump?{token}", host="example.test"))
    assert answer.status == 200
    assert origin.head(token).values("Host") == ["other.test"]
    assert origin.head(token).target == f"/dump?{token}"


def test_options_asterisk_is_passed_on(edge: Edge, origin: Origin, token: str) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("OPTIONS", "*", f"X-Token: {token}"))
        assert client.read_answer().status < 500
    assert origin.head(token).target == "*"


def test_requests_and_sockets_share_the_edge_under_load(edge: Edge) -> None:
    def visit(number: int) -> int:
        if number % 2:
            with wire.websocket(edge.plain, "/echo") as (client, answer):
                return answer.status
        with wire.connect(edge.plain) as client:
            return client.request(wire.request("GET", "/chunked"))[0].status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(visit, range(400)))
    assert statuses == [101 if n % 2 else 200 for n in range(400)]


def test_nothing_stays_open_after_clients_are_gone(start_edge: StartEdge, origin: Origin) -> None:
    edge = start_edge(origin.url)
    with wire.connect(edge.plain) as client:
        client.request(wire.request("GET", "/status/200"))
    before = edge.open_descriptors()
    for _ in range(50):
        with wire.websocket(edge.plain, "/echo"):
            pass
    poll(lambda: edge.open_descriptors() <= before, what=f"no more than {before} descriptors")
