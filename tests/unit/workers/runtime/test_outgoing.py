"""`new WebSocket()` where nothing comes of it."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.runtime import outgoing
from holdfast.workers.runtime.sockets import WebSocket
from holdfast.workers.sdk.errors import JsException, NetworkError
from tests.unit.workers.runtime.halves import turns


@pytest.mark.parametrize(
    ("url", "protocols"),
    [
        ("nowhere", None),
        ("ftp://a/", None),
        ("wss://a/#part", None),
        ("wss://a/", "no token"),
        ("wss://a/", ["a", "a"]),
    ],
)
async def test_what_can_never_be_a_connection_is_refused_at_once(url: str, protocols: object) -> None:
    with pytest.raises(JsException):
        WebSocket.new(url, protocols)


async def test_a_connection_that_fails_is_told_by_events(monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_websocket(_url: object, _protocols: object) -> Any:
        raise NetworkError("nobody there")

    monkeypatch.setattr(outgoing, "open_websocket", open_websocket)
    socket = WebSocket.new("ws://example.com/")
    events: list[Any] = []
    socket.onerror = lambda event: events.append(event.message)
    socket.onclose = lambda event: events.append((event.code, event.wasClean))
    await turns()
    assert events == ["nobody there", (1006, False)]
    assert socket.readyState == WebSocket.CLOSED
    socket.close()


class Opened:
    """A connection that an edge keeps."""

    token, protocol, extensions = "token", "", ""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        """Given up."""
        self.is_closed = True


@pytest.mark.parametrize("comes", [True, False])
async def test_one_that_is_closed_while_it_connects_fails_whatever_becomes_of_the_connection(
    monkeypatch: pytest.MonkeyPatch, comes: bool
) -> None:
    answered = asyncio.Event()
    opened = Opened()

    async def open_websocket(_url: object, _protocols: object) -> Any:
        await answered.wait()
        if not comes:
            raise NetworkError("nobody there")
        return opened

    monkeypatch.setattr(outgoing, "open_websocket", open_websocket)
    socket = WebSocket.new("ws://example.com/")
    events: list[Any] = []
    socket.onopen = socket.onerror = lambda event: events.append(event.type)
    socket.onclose = lambda event: events.append((event.code, event.wasClean, socket.readyState))
    with pytest.raises(JsException, match="Invalid WebSocket close code: 1005"):
        socket.close(1005)
    assert socket.readyState == WebSocket.CONNECTING
    socket.close(4001, "enough")
    assert socket.readyState == WebSocket.CLOSING
    await turns()
    answered.set()
    await turns()
    assert events == ["error", (1006, False, WebSocket.CLOSED)]
    assert opened.is_closed is comes
