"""Requests made of heads and bodies, answers taken apart again."""

import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from holdfast.workers.runtime.sockets import WebSocketPair
from holdfast.workers.sdk.bridge import parts_of, request_from
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.web.bodies import Payload
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.response import Response as WebResponse
from holdfast.workers.sdk.web.streams import ReadableStream

UPGRADE = [(b"Host", b"a.test"), (b"Upgrade", b"WebSocket")]


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def joined(body: Any) -> bytes:
    return body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])


def plain(method: str = "GET") -> Request:
    return request_from(method, "https://a.test/", [], None)


async def test_a_request_is_its_head_and_its_body() -> None:
    head = [(b"Host", b"a.test"), (b"X-A", b"1"), (b"x-a", b"\xfc"), (b"Content-Length", b"4")]
    request = request_from("POST", "https://a.test/x?y", head, chunks_of(b"bo", b"dy"), cf={"country": "DE"})
    assert (request.method, request.url, request.headers["x-a"]) == ("POST", "https://a.test/x?y", "1, ü")
    assert request.cf is not None
    assert request.cf.country == "DE"
    assert request.js_object.payload.length == 4
    assert await request.text() == "body"
    assert request_from("GET", "https://a.test/", [], None).body is None
    assert await request_from("PUT", "https://a.test/", [], b"x").bytes() == b"x"


def test_an_upgrade_is_seen_in_lower_case_as_on_the_original() -> None:
    assert request_from("GET", "https://a.test/", UPGRADE, None).headers["upgrade"] == "websocket"


async def test_an_answer_is_taken_apart_without_fields_of_framing() -> None:
    parts = parts_of(
        Response(
            "x", 404, "Nope", {"Content-Length": "99", "Transfer-Encoding": "x", "Holdfast-Pass": "y", "X-A": "1"}
        ),
        plain(),
    )
    assert (parts.status, parts.status_text, parts.body, parts.length) == (404, "Nope", b"x", 1)
    assert parts.headers == [(b"X-A", b"1"), (b"content-type", b"text/plain;charset=UTF-8")]
    assert (parts.web_socket, parts.pass_token) == (None, None)
    streamed = parts_of(WebResponse(chunks_of(b"a", b"b")))
    assert (await joined(streamed.body), streamed.length) == (b"ab", None)
    assert parts_of(Response(None, 204)).body is None


@pytest.mark.parametrize("result", [None, "text", 5, {"status": 200}, Response])
def test_what_is_no_answer_is_refused(result: object) -> None:
    with pytest.raises(TypeError, match="did not return a Response object"):
        parts_of(result, plain())


def test_an_error_and_a_body_that_was_read_are_no_answers() -> None:
    with pytest.raises(TypeError, match="no answer to a client"):
        parts_of(WebResponse.error())
    response = Response("x")
    parts_of(response)
    with pytest.raises(OSError, match="Body already used"):
        parts_of(response)


def test_a_websocket_is_an_answer_to_an_upgrade_alone() -> None:
    client, _ = WebSocketPair.new()
    response = Response(None, status=101, web_socket=client, headers={"Sec-WebSocket-Protocol": "chat"})
    with pytest.raises(
        TypeError,
        match=r'^Worker tried to return a WebSocket in a response to a request which did not contain the header "Upgrade: websocket"\.$',
    ):
        parts_of(response, plain())
    parts = parts_of(response, request_from("GET", "https://a.test/", UPGRADE, None))
    assert (parts.status, parts.web_socket, parts.pass_token, parts.headers) == (
        101,
        client,
        None,
        [(b"Sec-WebSocket-Protocol", b"chat")],
    )


def received(raw: bytes, **headers: str) -> WebResponse:
    fields = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    payload = Payload.coded(ReadableStream(chunks_of(raw[:3], raw[3:])), "gzip", length=len(raw))
    return WebResponse.received(200, "", fields, payload, "https://o.test/")


async def test_a_coded_body_is_passed_on_as_it_came() -> None:
    raw = gzip.compress(b"body")
    parts = parts_of(received(raw, content_encoding="gzip"))
    assert (await joined(parts.body), parts.length) == (raw, len(raw))


async def test_without_its_coding_named_it_goes_out_decoded() -> None:
    parts = parts_of(received(gzip.compress(b"body")))
    assert (await joined(parts.body), parts.length) == (b"body", None)


@pytest.mark.parametrize("body", [b"new", None])
async def test_a_plain_body_is_put_into_the_coding_that_is_named(body: bytes | None) -> None:
    answer = WebResponse(chunks_of(b"ne", b"w") if body is None else body, headers={"content-encoding": "gzip"})
    parts = parts_of(answer)
    assert (gzip.decompress(await joined(parts.body)), parts.length) == (b"new", None)


async def test_unless_it_is_in_that_coding_already_or_nobody_can() -> None:
    manual = parts_of(WebResponse(b"coded", headers={"content-encoding": "gzip"}, encodeBody="manual"))
    assert (manual.body, manual.length) == (b"coded", 5)
    unknown = parts_of(WebResponse(b"plain", headers={"content-encoding": "br"}))
    assert (unknown.body, unknown.headers) == (b"plain", [])


@pytest.mark.parametrize(("method", "status", "length"), [("HEAD", 200, 5), ("GET", 304, 5), ("GET", 200, None)])
def test_an_answer_that_has_no_body_says_how_long_it_would_be(method: str, status: int, length: int | None) -> None:
    answer = WebResponse.received(status, "", Headers({"content-length": "5"}), Payload(None), "https://o.test/")
    assert parts_of(answer, plain(method)).length == length


def _forgets_to_answer() -> None:
    return None


async def _is_not_awaited() -> Response:
    return Response("x")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: None, r"got NoneType \(by _forgets_to_answer, test_bridge.py, line \d+\); one of its ways has no `return`$"),
        (_is_not_awaited, r"got coroutine \(by .*\); an `await` is missing$"),
        (lambda: "text", r"got str \(by .*\); `Response\(text\)` makes one$"),
        (lambda: {"a": 1}, r"got dict \(by .*\); `Response.json\(value\)` makes one$"),
        (lambda: 5, r"got int \(by .*\)$"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_with_its_handler_and_what_is_likely_missing(
    made: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(JsTypeError, match=sentence):
        parts_of(made(), by=_forgets_to_answer)


async def test_an_answer_that_has_been_read_is_told_with_its_handler() -> None:
    answer = Response("x")
    await answer.text()
    with pytest.raises(JsTypeError, match=r"read before the Response was returned \(by _forgets_to_answer"):
        parts_of(answer, by=_forgets_to_answer)
