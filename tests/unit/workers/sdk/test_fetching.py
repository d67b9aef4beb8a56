"""`fetch()` over a real Unix socket: redirects, codings, credentials, upgrades, and answers that are only passed on."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from http import HTTPMethod
from typing import Any

import pytest

from holdfast.workers.runtime import egress
from holdfast.workers.sdk.bridge import parts_of, request_from
from holdfast.workers.sdk.errors import DOMException, JsTypeError, NetworkError
from holdfast.workers.sdk.fetching import MAX_REDIRECTS, fetch, js_fetch
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.web.aborting import AbortController
from holdfast.workers.sdk.web.request import Request as WebRequest
from holdfast.workers.sdk.web.response import Response as WebResponse
from holdfast.workers.sdk.web.urls import URL
from tests.unit.workers.sdk.fake_edge import TOKEN, FakeEdge, fake_edge


@pytest.fixture
async def edge() -> AsyncIterator[FakeEdge]:
    async with fake_edge() as running:
        way = egress.configure(running.path, "abcdef012345")
        yield running
        way.close()


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_an_answer_is_fetched_in_every_way(edge: FakeEdge) -> None:
    for answer in (
        await fetch("https://a.test/echo", method="POST", body="hü", headers={"X-A": "1"}),
        await fetch(Request("https://a.test/echo", method=HTTPMethod.POST, body="hü", headers=[("X-A", "1")])),
        await fetch(Request("https://a.test/echo"), method="POST", body="hü", headers={"X-A": "1"}),
        await fetch(URL("https://a.test/echo"), {"method": "POST", "body": "hü", "headers": {"X-A": "1"}}),
        await fetch("https://a.test/echo", {"method": "PUT", "body": "hü"}, method="POST", headers={"X-A": "1"}),
        await fetch(
            "https://a.test/echo", Request("https://b.test", {"method": "POST", "body": "hü", "headers": {"X-A": "1"}})
        ),
        await fetch(WebRequest("https://a.test/echo"), {"method": "POST", "body": "hü", "headers": [["X-A", "1"]]}),
    ):
        assert (answer.status, answer.ok, answer.url, answer.redirected) == (200, True, "https://a.test/echo", False)
        assert (await answer.text(), answer.headers["x-method"]) == ("hü", "POST")
        sent = json.loads(answer.headers["x-fields"])
        assert (sent["x-a"], sent["content-type"], sent["accept-encoding"]) == (
            "1",
            "text/plain;charset=UTF-8",
            "gzip, deflate",
        )
    raw = await js_fetch("https://a.test/echo", {"method": "PUT", "body": b"x"})
    assert (isinstance(raw, WebResponse), await raw.text()) == (True, "x")


async def test_a_clients_request_is_forwarded_without_what_belongs_to_its_connection(edge: FakeEdge) -> None:
    head = [
        (b"Host", b"shop.test"), (b"Connection", b"keep-alive"), (b"Accept-Encoding", b"br"), (b"Cookie", b"a=1"),
        (b"Transfer-Encoding", b"chunked"), (b"Holdfast-Context", b"x"), (b"Expect", b"100-continue"),
    ]  # fmt: skip
    request = request_from("POST", "https://shop.test/echo", head, chunks_of(b"a", b"b"))
    answer = await fetch(request)
    assert await answer.text() == "ab"
    assert edge.last.headers == {
        "host": "shop.test",
        "accept-encoding": "br",
        "cookie": "a=1",
        "transfer-encoding": "chunked",
    }
    assert request.body_used


# (status, method, whether there is a body) -> the method that goes on, and whether the body does: fetch §4.4.
@pytest.mark.parametrize(
    ("status", "method", "then", "keeps_body"),
    [
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (303, "POST", "GET", False),
        (303, "PUT", "GET", False),
        (301, "PUT", "PUT", True),
        (307, "POST", "POST", True),
        (308, "PATCH", "PATCH", True),
    ],
)
async def test_a_redirect_is_followed_as_the_standard_says(
    edge: FakeEdge, status: int, method: str, then: str, keeps_body: bool
) -> None:
    answer = await fetch(f"https://a.test/redirect/{status}?/echo", method=method, body="body")
    assert (answer.redirected, answer.url, edge.last.method) == (True, "https://a.test/echo", then)
    assert await answer.text() == ("body" if keeps_body else "")
    assert ("content-type" in edge.last.headers) is keeps_body


async def test_head_stays_head(edge: FakeEdge) -> None:
    answer = await fetch("https://a.test/redirect/303?/echo", method="HEAD")
    assert (edge.last.method, answer.body) == ("HEAD", None)


@pytest.mark.parametrize(
    ("target", "is_kept"),
    [
        ("/echo", True),
        ("https://a.test/echo", True),
        ("https://b.test/echo", False),
        ("http://a.test/echo", False),
        ("//a.test:99/echo", False),
    ],
)
async def test_credentials_do_not_follow_to_another_origin(edge: FakeEdge, target: str, is_kept: bool) -> None:
    await fetch(
        f"https://a.test/redirect/302?{target}", headers={"Authorization": "Bearer x", "Cookie": "a=1", "X-A": "1"}
    )
    assert ("authorization" in edge.last.headers) is ("cookie" in edge.last.headers) is is_kept
    assert edge.last.headers["x-a"] == "1"
    assert edge.last.egress.scheme == ("http" if target.startswith("http:") else "https")


async def test_redirects_have_a_limit(edge: FakeEdge) -> None:
    # Without a query of its own, this path redirects to itself: an empty Location is the same URL.
    with pytest.raises(NetworkError, match=f"Too many redirects: {MAX_REDIRECTS} were followed"):
        await fetch("https://a.test/redirect/301?")
    assert len(edge.asked) == MAX_REDIRECTS + 1


async def test_the_redirect_mode_is_the_callers(edge: FakeEdge) -> None:
    manual = await fetch("https://a.test/redirect/302?/echo", redirect="manual")
    assert (manual.status, manual.headers["location"], await manual.text()) == (302, "/echo", "moved")
    with pytest.raises(NetworkError, match="redirect mode is 'error'"):
        await fetch("https://a.test/redirect/302?/echo", redirect="error")
    received = await fetch(request_from("GET", "https://a.test/redirect/302?/echo", [], None))
    assert received.status == 302


@pytest.mark.parametrize(
    ("location", "complaint"),
    [("http://", "no URL"), ("ftp://x/", "Fetch API cannot load: ftp://x/"), ("data:x", "cannot load")],
)
async def test_a_redirect_to_nowhere_is_a_network_error(edge: FakeEdge, location: str, complaint: str) -> None:
    with pytest.raises(NetworkError, match=complaint):
        await fetch(f"https://a.test/redirect/302?{location}")


async def test_a_body_that_was_a_stream_cannot_be_sent_again(edge: FakeEdge) -> None:
    with pytest.raises(NetworkError, match="one-time-use body"):
        await fetch("https://a.test/redirect/307?/echo", method="POST", body=chunks_of(b"x"))
    answer = await fetch("https://a.test/redirect/303?/echo", method="POST", body=chunks_of(b"x"))
    assert await answer.text() == ""


async def test_a_coded_body_is_read_decoded_and_passed_on_as_it_came(edge: FakeEdge) -> None:
    assert await (await fetch("https://a.test/gzip")).text() == "inflated"
    parts = parts_of(await fetch("https://a.test/gzip"))
    assert parts.body is not None
    assert not isinstance(parts.body, bytes)
    raw = b"".join([chunk async for chunk in parts.body])
    assert (gzip.decompress(raw), parts.length) == (b"inflated", len(raw))
    copy = (await fetch("https://a.test/gzip")).clone()
    assert await copy.text() == "inflated"


async def test_an_answer_with_other_header_fields_keeps_its_body(edge: FakeEdge) -> None:
    answer = await fetch("https://a.test/echo", method="POST", body="text")
    changed = Response(answer.body, headers={"x": "1"})
    assert await changed.text() == "text"


async def test_an_upgrade_has_a_websocket_that_can_be_passed_on(edge: FakeEdge) -> None:
    head = [
        (b"Upgrade", b"WebSocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", b"clients"),
        (b"Sec-WebSocket-Protocol", b"chat"),
    ]
    request = request_from("GET", "https://a.test/upgrade", head, None)
    answer = await fetch(request)
    assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "chat")
    assert answer.web_socket is not None
    assert (answer.web_socket.protocol, answer.web_socket is answer.js_object.webSocket) == ("chat", True)
    assert edge.last.egress.park
    assert edge.last.headers["sec-websocket-key"] != "clients"
    parts = parts_of(answer, request)
    assert (parts.status, parts.pass_token, parts.headers) == (101, TOKEN, [(b"Sec-WebSocket-Protocol", b"chat")])
    with pytest.raises(JsTypeError, match="Worker tried to return a WebSocket"):
        parts_of(answer, request_from("GET", "https://a.test/", [], None))
    assert answer.web_socket.parked is not None
    answer.web_socket.parked.close()


async def test_an_upgrade_that_is_refused_is_an_ordinary_answer(edge: FakeEdge) -> None:
    for scheme in ("https", "wss"):
        answer = await fetch(f"{scheme}://a.test/nowhere", headers={"Upgrade": "websocket"})
        assert (answer.status, answer.web_socket, await answer.text()) == (404, None, "nowhere")
    with pytest.raises(JsTypeError, match="must be a GET"):
        await fetch("https://a.test/upgrade", method="POST", headers={"Upgrade": "websocket"})


async def test_a_signal_gives_a_request_up(edge: FakeEdge) -> None:
    controller = AbortController()
    asking = asyncio.ensure_future(fetch("https://a.test/silent", signal=controller.signal))
    await edge.was_asked("/silent")
    controller.abort()
    with pytest.raises(DOMException) as caught:
        await asking
    assert caught.value.name == "AbortError"
    assert edge.last.path == "/silent"


async def test_a_fetcher_of_a_binding_is_asked_instead() -> None:
    async def fetcher(request: Request) -> Response:
        return Response(f"{request.method} {request.url} {await request.text()}", 201)

    answer = await fetch("https://a.test/x", method="POST", body="b", fetcher=fetcher)
    assert (answer.status, await answer.text()) == (201, "POST https://a.test/x b")
    answer = await fetch("https://a.test/x", fetcher=lambda _request: WebResponse("js"))
    assert await answer.text() == "js"
    wrong: Any = lambda _request: "text"  # noqa: E731 - what user code may bring
    with pytest.raises(JsTypeError, match="expected a Response, got str"):
        await fetch("https://a.test/x", fetcher=wrong)


@pytest.mark.parametrize("url", ["nonsense", "ftp://a.test/"])
async def test_what_cannot_be_fetched_is_refused(url: str) -> None:
    with pytest.raises((JsTypeError, NetworkError), match=r"Invalid URL|cannot load"):
        await fetch(url)
