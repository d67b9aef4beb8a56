"""The platform's names, rules and texts of errors."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from holdfast.workers.durable.current import CURRENT
from holdfast.workers.runtime import outgoing
from holdfast.workers.runtime.incoming import Acceptance
from holdfast.workers.runtime.services import services
from holdfast.workers.runtime.sockets import (
    WebSocket,
    WebSocketPair,
    WebSocketRequestResponsePair,
)
from holdfast.workers.sdk.errors import JsException
from tests.unit.workers.runtime.halves import ROOM, Owner, listening, opened, turns

MINE: ContextVar[str] = ContextVar("mine", default="nobody's")


class FakeParked:
    token = "0badcafe.1"
    protocol, extensions = "chat", ""

    def close(self) -> None:
        """Nothing to give up."""


def parked() -> WebSocket:
    return WebSocket.parked_at(FakeParked(), url="https://example.com/", protocol="chat", extensions="")


async def _constructed() -> WebSocket:
    socket = WebSocket()
    socket._is_constructed, socket.acceptance = True, Acceptance.CONNECTING
    return socket


def test_a_pair_can_be_taken_apart_in_every_way_that_is_in_use() -> None:
    pair = WebSocketPair.new()
    one, other = pair
    assert (
        [one, other]
        == [pair[0], pair[1]]
        == [pair["0"], pair["1"]]
        == [getattr(pair, "0"), getattr(pair, "1")]
        == list(pair.values())
        == list(pair.object_values())
    )
    assert dict(pair.object_entries()) == {"0": one, "1": other}
    assert len(pair) == 2
    with pytest.raises(IndexError):
        pair[2]
    assert not hasattr(pair, "2")


def test_sockets_are_equal_to_themselves_alone_and_may_be_kept_in_sets() -> None:
    one, other = WebSocketPair.new()
    assert len({one, other, one}) == 2
    assert one != other
    one.username = "user code's own"  # type: ignore[attr-defined]
    assert repr(one) == "<WebSocket OPEN>"


async def test_a_fresh_half_is_open_and_has_no_url() -> None:
    one, _ = WebSocketPair.new()
    assert (one.readyState, one.url, one.protocol, one.extensions, one.bufferedAmount) == (1, None, "", "", 0)
    assert (WebSocket.CONNECTING, WebSocket.READY_STATE_CLOSED) == (0, 3)


async def _accepted() -> WebSocket:
    socket, _ = WebSocketPair.new()
    socket.accept()
    return socket


async def _closed() -> WebSocket:
    socket = await _accepted()
    socket.close(1000)
    return socket


async def _of_an_object() -> WebSocket:
    _, socket = WebSocketPair.new()
    socket.accept_hibernatable(Owner(), (), **ROOM)
    return socket


async def _used() -> WebSocket:
    socket, _ = WebSocketPair.new()
    socket.use()
    return socket


async def _fresh() -> WebSocket:
    return WebSocketPair.new()[0]


async def _peer_of_used() -> WebSocket:
    socket, peer = WebSocketPair.new()
    socket.use()
    return peer


def _accept_by_object(socket: WebSocket) -> None:
    socket.accept_hibernatable(Owner(), (), **ROOM)


@pytest.mark.parametrize(
    ("make", "do", "kind", "text"),
    [
        (_fresh, lambda ws: ws.send("a"), TypeError, "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."),
        (_fresh, lambda ws: ws.close(), TypeError, "You must call one of accept()"),
        (_used, lambda ws: ws.send("a"), TypeError, "You must call one of accept()"),
        (_closed, lambda ws: ws.send("a"), TypeError, "Can't call WebSocket send() after close()."),
        (_accepted, lambda ws: ws.send(None), TypeError, "takes text or bytes, not NoneType"),
        (_accepted, lambda ws: ws.send({"a": 1}), TypeError, "takes text or bytes, not dict"),
        (_accepted, lambda ws: ws.close(1005), JsException, "Invalid WebSocket close code: 1005."),
        (_accepted, lambda ws: ws.close(None, "bye"), JsException, "must also specify a code"),
        (_of_an_object, lambda ws: ws.accept(), TypeError, "Can't accept() WebSocket after enabling hibernation."),
        (_used, lambda ws: ws.accept(), TypeError, "already used in a response"),
        (_constructed, lambda ws: ws.accept(), TypeError, "cannot call accept"),
        (_accepted, lambda ws: ws.close("4001"), JsException, "Invalid WebSocket close code: '4001'."),
        (_constructed, lambda ws: ws.use(), TypeError, "Can't return WebSocket in a Response if it was created with `new WebSocket()`"),
        (_accepted, lambda ws: ws.use(), TypeError, "after calling accept()"),
        (_used, lambda ws: ws.use(), TypeError, "already used"),
        (_accepted, _accept_by_object, JsException, "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`"),
        (_of_an_object, _accept_by_object, JsException, "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`"),
        (_used, _accept_by_object, TypeError, "Tried to make already accepted"),
        (_peer_of_used, _accept_by_object, JsException, "because its pair has already been accepted or used in a Response."),
        (_fresh, lambda ws: ws.serializeAttachment("x" * 16_380), JsException, "A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 16385 bytes."),
        (_fresh, lambda ws: ws.serializeAttachment(print), JsException, "could not be cloned"),
        (_fresh, lambda ws: ws.addEventListener("message", 7), TypeError, "got int"),
    ],
)  # fmt: skip
async def test_what_a_socket_refuses(
    make: Any, do: Callable[[WebSocket], object], kind: type[Exception], text: str
) -> None:
    socket = await make()
    with pytest.raises(kind) as caught:
        do(socket)
    assert text in str(caught.value)
    await turns(2)


async def test_closing_again_and_accepting_again_do_nothing() -> None:
    one, other = WebSocketPair.new()
    heard = listening(other)
    for socket in (one, other, one):
        socket.accept()
    one.close(1000, "first")
    one.close(1001, "second")
    await turns()
    assert heard == [(1000, "first", True)]
    other.close()
    assert other.readyState == WebSocket.CLOSED


@pytest.mark.parametrize("sent", [b"\0\1", bytearray(b"\0\1"), memoryview(b"\0\1")])
async def test_bytes_of_every_kind_arrive_as_bytes(sent: object) -> None:
    one, other = WebSocketPair.new()
    one.accept()
    other.accept()
    heard = listening(other)
    one.send(sent)
    await turns()
    assert heard == [b"\0\1"]
    assert (heard[0].byteLength, bytes(heard[0].to_py())) == (2, b"\0\1")


async def test_listeners_of_both_kinds_hear_and_one_that_fails_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[tuple[str, str]] = []
    monkeypatch.setattr(services, "report", lambda error, where: reported.append((str(error), where)))
    one, other = WebSocketPair.new()
    one.accept()
    other.accept()
    heard: list[str] = []

    def fails(_: object) -> None:
        raise ValueError("of user code")

    async def fails_later(_: object) -> None:
        raise ValueError("of user code, later")

    other.onmessage = fails
    other.addEventListener("message", fails_later)
    other.addEventListener("message", lambda event: heard.append(event.data), {"once": True})
    one.send("a")
    one.send("b")
    await turns()
    assert heard == ["a"]
    assert (
        sorted(reported)
        == [("of user code", "a listener of 'message'")] * 2 + [("of user code, later", "a listener of 'message'")] * 2
    )
    other.remove_event_listener("message", fails_later)


async def test_threads_of_user_code_may_send_and_close(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(services, "loop", loop)
    monkeypatch.setattr(services, "thread", threading.get_ident())
    one, other = WebSocketPair.new()
    one.accept()
    other.accept()
    heard = listening(other)
    await loop.run_in_executor(None, one.send, "from a thread")
    await loop.run_in_executor(None, one.close, 1000, "too")
    await turns()
    assert heard == ["from a thread", (1000, "too", True)]


async def test_an_attachment_is_a_copy() -> None:
    socket, _ = WebSocketPair.new()
    assert socket.deserializeAttachment() is None
    value = {"user": "ü", "seen": [1, 2]}
    socket.serializeAttachment(value)
    value["seen"].append(3)  # type: ignore[attr-defined]
    kept = socket.deserialize_attachment()
    assert kept == {"user": "ü", "seen": [1, 2]}
    assert kept is not socket.deserializeAttachment()


async def test_the_longest_text_that_the_original_attaches_fits() -> None:
    socket = await _fresh()
    socket.serializeAttachment("x" * 16_379)
    assert socket.deserializeAttachment() == "x" * 16_379


async def test_the_edge_keeps_an_attachment_from_when_it_is_there() -> None:
    client, server = WebSocketPair.new()
    server.accept_hibernatable(Owner(), ("t",), **ROOM)
    server.serializeAttachment("before")
    client.use()
    _, link = opened(client)
    server.serializeAttachment("after")
    assert [b"before" in link.written[0][1], b"after" in link.written[1][1]] == [True, True]
    assert server.bufferedAmount == 0


async def test_sends_of_an_object_wait_for_its_writes_and_keep_their_order() -> None:
    class Activity:
        def __init__(self) -> None:
            self.actions: list[Callable[[], None]] = []

        def emit(self, action: Callable[[], None]) -> None:
            self.actions.append(action)

    activity, context = Activity(), copy_context()
    context.run(CURRENT.set, activity)  # type: ignore[arg-type]
    one, other = WebSocketPair.new()
    one.accept()
    other.accept()
    heard = listening(other)
    context.run(one.send, "a")
    context.run(one.close, 1000, "b")
    await turns()
    assert heard == []
    for action in activity.actions:
        action()
    await turns()
    assert heard == ["a", (1000, "b", True)]


async def test_a_parked_socket_is_adopted_when_it_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    adopted: list[tuple[Any, str]] = []
    monkeypatch.setattr(services, "adopt", lambda far, token: adopted.append((far, token)))
    socket = parked()
    assert (socket.parked is not None, socket.protocol, socket.url) == (True, "chat", "https://example.com/")
    heard = listening(socket)
    socket.accept()
    socket.send("early")
    ((far, token),) = adopted
    assert (token, socket.parked) == ("0badcafe.1", None)
    session, link = opened(far)
    assert [payload for _, payload in link.written][:-1] == [b"early"]
    assert not session.is_hibernatable
    socket.arrived("answer", 1)
    await turns()
    assert heard == ["answer"]


async def test_a_parked_socket_cannot_hibernate() -> None:
    with pytest.raises(JsException, match="already been accepted"):
        _accept_by_object(parked())


async def test_a_socket_of_our_own_opens_and_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    adopted: list[Any] = []
    monkeypatch.setattr(services, "adopt", lambda far, _token: adopted.append(far))

    async def open_websocket(_url: object, protocols: object) -> Any:
        assert protocols == ["chat"]
        return FakeParked()

    monkeypatch.setattr(outgoing, "open_websocket", open_websocket)
    context = copy_context()
    context.run(MINE.set, "of who opens it")
    socket = context.run(WebSocket.new, "wss://example.com/a", "chat")
    events: list[Any] = []
    socket.onopen = lambda event: events.append((event.type, MINE.get()))
    socket.onmessage = lambda event: events.append(event.data)
    assert socket.readyState == WebSocket.CONNECTING
    with pytest.raises(JsException, match="still connecting"):
        socket.send("too early")
    await turns()
    opened(adopted[0])
    socket.arrived("hi", 1)
    await turns()
    assert events == [("open", "of who opens it"), "hi"]
    assert (socket.readyState, socket.protocol) == (WebSocket.OPEN, "chat")


def test_what_edges_answer_can_be_asked_by_both_names() -> None:
    pair = WebSocketRequestResponsePair.new("ping", "pong")
    assert (pair.request, pair.response) == (pair.getRequest(), pair.getResponse()) == ("ping", "pong")


def test_its_binary_type_is_one_of_two() -> None:
    socket = WebSocket()
    assert socket.binaryType == "arraybuffer"
    socket.binaryType = "blob"
    socket.binary_type = "nonsense"
    assert socket.binaryType == socket.binary_type == "blob"


@pytest.mark.parametrize("kind", ["blob", "arraybuffer"])
async def test_binary_messages_are_read_as_blobs_and_as_buffers(kind: str) -> None:
    client, server = WebSocketPair.new()
    client.accept()
    server.accept()
    server.binaryType = kind
    heard = listening(server)
    client.send(b"\xc3\xa9")
    await turns()
    (data,) = heard
    assert ((await data.arrayBuffer()).to_bytes(), await data.text(), data.to_bytes()) == (b"\xc3\xa9", "é", data)
