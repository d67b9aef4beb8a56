"""`new WebSocket()` where nothing comes of it."""

from typing import Any

import pytest

from holdfast.workers.runtime import outgoing
from holdfast.workers.runtime.sockets import WebSocket
from holdfast.workers.sdk.errors import JsException, NetworkError
from tests.unit.workers.runtime.test_half import turns


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
