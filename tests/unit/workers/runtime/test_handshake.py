"""Handshakes of our own: what user code may choose, and what is refused before anything is sent."""

import base64
from collections.abc import AsyncIterator

import pytest

from holdfast.workers.runtime import egress
from holdfast.workers.runtime.handshake import as_http, checked_protocols, open_websocket, upgrade_fields, websocket_url
from holdfast.workers.sdk.errors import JsSyntaxError, NetworkError
from holdfast.workers.sdk.web.url_parsing import parse
from tests.unit.workers.sdk.fake_edge import TOKEN, FakeEdge, fake_edge


@pytest.fixture
async def edge() -> AsyncIterator[FakeEdge]:
    async with fake_edge() as running:
        way = egress.configure(running.path, "abcdef012345")
        yield running
        way.close()


def test_the_fields_of_a_handshake_are_ours() -> None:
    fields = upgrade_fields([(b"Sec-WebSocket-Key", b"mine"), (b"upgrade", b"x"), (b"Origin", b"o")])
    named = {name.lower(): value for name, value in fields}
    assert len(named) == len(fields)
    assert (named[b"upgrade"], named[b"connection"], named[b"origin"]) == (b"websocket", b"Upgrade", b"o")
    assert len(base64.b64decode(named[b"sec-websocket-key"])) == 16
    assert named[b"sec-websocket-version"] == b"13"
    assert upgrade_fields([]) != upgrade_fields([])


@pytest.mark.parametrize(
    ("url", "seen"), [("wss://A.test/x?y", "https://a.test/x?y"), ("ws://a.test:443", "http://a.test:443/")]
)
def test_a_websockets_url_is_asked_as_http(url: str, seen: str) -> None:
    assert str(websocket_url(url)) == seen
    assert str(as_http(parse("ftp://a/"))) == "ftp://a/"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("nonsense", "url is invalid"),
        ("https://a.test/", "scheme must be"),
        ("ftp://a/", "scheme must be"),
        ("ws://a/#f", "fragment"),
    ],
)
def test_what_is_no_websockets_url_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(JsSyntaxError, match=complaint):
        websocket_url(url)


def test_subprotocols_are_tokens_each_once() -> None:
    assert (checked_protocols(None), checked_protocols("a"), checked_protocols(["a", "b"])) == ([], ["a"], ["a", "b"])
    for wrong in ("", "a b", ["a", "ä"], ["a", "A"], 5):
        with pytest.raises(JsSyntaxError, match="protocol"):
            checked_protocols(wrong)


async def test_a_websocket_is_parked_in_the_edge(edge: FakeEdge) -> None:
    parked = await open_websocket(websocket_url("wss://a.test/upgrade"), ["chat", "other"])
    assert (parked.token, parked.protocol) == (TOKEN, "chat")
    assert edge.last.headers["sec-websocket-protocol"] == "chat, other"
    assert (edge.last.egress.scheme, edge.last.egress.park) == ("https", True)
    parked.close()


async def test_another_answer_than_101_is_a_network_error(edge: FakeEdge) -> None:
    with pytest.raises(NetworkError, match="received 404 instead"):
        await open_websocket(websocket_url("ws://a.test/nowhere"))
