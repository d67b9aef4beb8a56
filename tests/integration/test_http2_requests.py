"""Ordinary requests over HTTP/2 (RFC 9113): they are decided about and carried out as those over HTTP/1.1."""

import hashlib
import os
from collections.abc import Iterator

import pytest

from tests.integration.certificates import Authority
from tests.integration.edge import Edge
from tests.integration.http2 import Http2, connected
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE

CANCEL, INTERNAL_ERROR, PROTOCOL_ERROR = 8, 2, 1


@pytest.fixture
def client(edge: Edge, authority: Authority) -> Iterator[Http2]:
    with connected(edge.tls, authority.trusting()) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/status/200", 200, PAGE),
        ("GET", "/status/404", 404, PAGE),
        ("HEAD", "/length?bytes=1000", 200, b""),
        ("GET", "/length?bytes=0", 200, b""),
        ("GET", "/length?bytes=1000000", 200, None),
        ("GET", "/until-close", 200, PAGE * 100),
        ("GET", "/old", 200, PAGE),
    ],
)
def test_answers_reach_the_client_whole(client: Http2, method: str, path: str, status: int, body: bytes | None) -> None:
    stream = client.request(method, path)
    assert (stream.status, stream.ended, stream.reset) == (status, True, None)
    assert stream.value("cf-ray")
    if body is None:
        assert len(stream.data) == int(stream.value("content-length"))
    else:
        assert bytes(stream.data) == body


def test_trailers_of_an_origin_reach_the_client(client: Http2) -> None:
    stream = client.request("GET", "/trailers", ("te", "trailers"))
    assert stream.ended
    assert stream.trailers


def test_interim_answers_reach_the_client_before_the_final_one(client: Http2) -> None:
    stream = client.request("GET", "/103")
    assert [dict(fields)[":status"] for fields in stream.interim] == ["102", "103"]
    assert stream.status == 200


def test_no_field_about_a_connection_reaches_a_client(client: Http2) -> None:
    names = {name for name, _ in client.request("GET", "/hop-by-hop").fields}
    assert not names & {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


def test_the_origin_gets_what_the_client_asked_in_terms_of_http_1_1(client: Http2, origin: Origin, token: str) -> None:
    client.request("POST", f"/dump?{token}", ("cookie", "a=1"), ("x-one", "1"), ("cookie", "b=2"), body=b"body")
    head = origin.head(token)
    assert (head.method, head.target) == ("POST", f"/dump?{token}")
    assert head.values("Host") == ["example.test"]
    assert head.values("Cookie") == ["a=1; b=2"]
    assert head.values("Transfer-Encoding") == ["chunked"]


@pytest.mark.parametrize("has_length", [True, False])
def test_a_large_body_reaches_the_origin_whole(client: Http2, has_length: bool) -> None:
    body = os.urandom(1_000_000)
    fields = [("content-length", str(len(body)))] if has_length else []
    stream = client.request("POST", "/upload" if has_length else "/dump", *fields, body=body)
    assert hashlib.sha256(body).hexdigest() in bytes(stream.data).decode()


@pytest.mark.parametrize("path", ["/cut-short", "/cut-chunk"])
def test_an_answer_that_is_cut_is_seen_to_be(client: Http2, path: str) -> None:
    stream = client.request("GET", path)
    assert (stream.ended, stream.reset) == (False, INTERNAL_ERROR)


def test_what_an_origin_does_wrong_is_explained(client: Http2) -> None:
    stream = client.request("GET", "/reset-first")
    assert stream.status == 520
    assert stream.value("cf-error-type") == "520"
    assert stream.data


def test_an_answer_that_comes_early_ends_the_upload_and_nothing_else(client: Http2) -> None:
    number = client.begin("POST", "/early-answer", ends=False)
    client.send(number, bytes(10_000))
    stream = client.answer(number)
    assert (stream.status, bytes(stream.data)) == (413, PAGE)
    assert client.request("GET", "/status/200").status == 200


REFUSED = [
    ("a host that differs", [(":authority", "example.test"), ("host", "other.test")], 400),
    ("another scheme", [(":authority", "example.test"), (":scheme", "http")], 400),
    ("no host at all", [], 400),
    ("user and password", [(":authority", "me@example.test")], 400),
    ("a space before a value", [(":authority", "example.test"), ("x-one", " 1")], 400),
    ("trace", [(":authority", "example.test"), (":method", "TRACE")], 405),
    ("a target that is too long", [(":authority", "example.test"), (":path", "/" + "a" * 17_000)], 414),
    ("a head that is too large", [(":authority", "example.test"), ("x-large", "a" * 33_000)], 431),
]


@pytest.mark.parametrize(("fields", "status"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_refused_over_1_1_is_refused(
    edge: Edge, authority: Authority, fields: list[tuple[str, str]], status: int
) -> None:
    base = {":method": "GET", ":scheme": "https", ":path": "/"}
    given = base | {name: value for name, value in fields if name.startswith(":")}
    rest = [(name, value) for name, value in fields if not name.startswith(":")]
    with connected(edge.tls, authority.trusting(), checks=False) as client:
        stream = client.answer(client.begin_raw([*given.items(), *rest]))
        assert (stream.status, stream.ended) == (status, True)
        assert client.request("GET", "/status/200").status == 200


MALFORMED = [
    ("a name in upper case", ("X-Upper", "1")),
    ("connection", ("connection", "close")),
    ("transfer-encoding", ("transfer-encoding", "chunked")),
    ("upgrade", ("upgrade", "websocket")),
    ("te", ("te", "gzip")),
    ("a line break in a value", ("x-one", "1\r\nx-two: 2")),
    ("a second path", (":path", "/other")),
    ("a status", (":status", "200")),
]


@pytest.mark.parametrize("field", [case[1] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_what_is_malformed_resets_its_stream_or_ends_its_connection(
    edge: Edge, authority: Authority, field: tuple[str, str]
) -> None:
    head = [(":method", "GET"), (":scheme", "https"), (":authority", "example.test"), (":path", "/malformed"), field]
    with connected(edge.tls, authority.trusting(), checks=False) as client:
        number = client.begin_raw(head)
        while not (client.streams[number].is_over or client.ended):
            client.read()
        assert client.streams[number].reset == PROTOCOL_ERROR or client.goaway == PROTOCOL_ERROR
        assert client.streams[number].status == 0


def test_a_body_that_is_not_as_long_as_said_is_no_request(client: Http2, origin: Origin, token: str) -> None:
    number = client.begin("POST", f"/dump?{token}", ("content-length", "10"), ends=False)
    client.send(number, b"12345", ends=True)
    assert client.answer(number).reset == PROTOCOL_ERROR
    assert client.streams[number].status == 0
