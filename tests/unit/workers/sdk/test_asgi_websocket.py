"""WebSockets of ASGI applications: accepted, refused and closed when the application says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi import WebSocket as FastWebSocket
from starlette.websockets import WebSocketDisconnect

from holdfast.workers.runtime.sockets import WebSocket
from holdfast.workers.sdk import asgi, asgi_websocket, lifespans
from holdfast.workers.sdk.asgi_types import Application, ClientGone, Message, Receive, Scope, Send
from holdfast.workers.sdk.bridge import Parts, parts_of, request_from
from holdfast.workers.sdk.context import ExecutionContext, Invocation, running
from tests.unit.workers.sdk.hearing import Heard, some_turns

heard = Heard()


@pytest.fixture(autouse=True)
async def background() -> AsyncIterator[None]:
    heard.reset()
    kept: list[Any] = []
    running.set(Invocation({}, kept.append))
    yield
    if kept:
        await asyncio.wait(kept, timeout=30)
    await lifespans.shut_down(5)


class Client:
    """The client's half: what has arrived, in order."""

    def __init__(self, socket: WebSocket | None) -> None:
        assert socket is not None
        self.socket, self.events = socket, asyncio.Queue()  # type: WebSocket, asyncio.Queue[Any]
        socket.onmessage = lambda event: self.events.put_nowait(event.data)
        socket.onclose = lambda event: self.events.put_nowait((event.code, event.reason))
        socket.accept()

    async def next(self) -> Any:
        async with asyncio.timeout(30):
            return await self.events.get()


async def handshake(app: Application, path: str = "/", *fields: tuple[bytes, bytes]) -> Parts:
    request = request_from("GET", f"https://a.test{path}", [(b"Upgrade", b"websocket"), *fields], None)
    default: Any = asgi.entrypoint(app)(ExecutionContext(lambda _: None), {"KEY": 1})
    return parts_of(await default.fetch(request), request)


fast = FastAPI()


@fast.websocket("/echo/{room}")
async def echo(websocket: FastWebSocket, room: str) -> None:
    await websocket.accept(subprotocol="chat", headers=[(b"X-Room", room.encode())])
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                heard.append(message)
                return
            if "text" in message:
                await websocket.send_text(f"{room}: {message['text']}")
            else:
                await websocket.send_bytes(message["bytes"][::-1])
    except WebSocketDisconnect as error:
        heard.append(error)


@fast.websocket("/refused")
async def refused(websocket: FastWebSocket) -> None:
    await websocket.close(4001)


@fast.websocket("/denied")
async def denied(websocket: FastWebSocket) -> None:
    from starlette.responses import PlainTextResponse

    await websocket.send_denial_response(PlainTextResponse("sign in first", status_code=401, headers={"X-A": "1"}))


@fast.websocket("/closes")
async def closes(websocket: FastWebSocket) -> None:
    await websocket.accept()
    await websocket.close(4002, "enough")


@fast.websocket("/broken")
async def broken(websocket: FastWebSocket) -> None:
    await websocket.accept()
    raise ValueError("a fault of the application")


@fast.websocket("/ends")
async def ends(websocket: FastWebSocket) -> None:
    await websocket.accept()


async def test_fastapi_echoes_with_its_subprotocol_and_header_fields() -> None:
    parts = await handshake(fast, "/echo/lobby", (b"Sec-WebSocket-Protocol", b"chat, other"))
    assert (parts.status, sorted(parts.headers)) == (101, [(b"Sec-WebSocket-Protocol", b"chat"), (b"X-Room", b"lobby")])
    client = Client(parts.web_socket)
    client.socket.send("hello")
    client.socket.send(b"abc")
    assert [await client.next(), await client.next()] == ["lobby: hello", b"cba"]
    client.socket.close(4000, "bye")
    assert await client.next() == (4000, "bye")
    await heard.until(len)
    assert heard == [{"type": "websocket.disconnect", "code": 4000, "reason": "bye"}]


@pytest.mark.parametrize(
    ("path", "status", "body"), [("/refused", 403, None), ("/nowhere", 403, None), ("/denied", 401, b"sign in first")]
)
async def test_the_application_may_refuse_the_handshake(path: str, status: int, body: bytes | None) -> None:
    parts = await handshake(fast, path)
    assert (parts.status, parts.body, parts.web_socket) == (status, body, None)


@pytest.mark.parametrize(
    ("path", "close"), [("/closes", (4002, "enough")), ("/broken", (1011, "")), ("/ends", (1000, ""))]
)
async def test_the_application_ends_the_socket_by_closing_failing_or_returning(
    path: str, close: tuple[int, str]
) -> None:
    client = Client((await handshake(fast, path)).web_socket)
    assert await client.next() == close


def only_websockets(app: Application) -> Application:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await app(scope, receive, send)

    return wrapped


async def test_the_scope_says_what_was_asked_for() -> None:
    @only_websockets
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(scope)
        heard.append(await receive())
        await send({"type": "websocket.close"})

    await handshake(app, "/x?y", (b"Sec-WebSocket-Protocol", b"a, b"), (b"Cookie", b"c"))
    scope, connect = heard
    assert connect == {"type": "websocket.connect"}
    assert (scope["scheme"], scope["path"], scope["query_string"], scope["subprotocols"]) == (
        "wss",
        "/x",
        b"y",
        ["a", "b"],
    )
    assert (scope["env"], scope["extensions"]) == ({"KEY": 1}, {"websocket.http.response": {}})
    assert (b"cookie", b"c") in scope["headers"]


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([], "neither accepted nor closed"),
        ([{"type": "websocket.send", "text": "x"}], "before the accept"),
        ([{"type": "websocket.nonsense"}], "Unexpected ASGI message"),
        ([{"type": "websocket.http.response.body", "body": b""}], "without a start"),
    ],
)
async def test_what_an_application_does_wrong_before_it_accepts_is_the_handlers(
    messages: list[Message], complaint: str
) -> None:
    @only_websockets
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(RuntimeError, match=complaint):
        await handshake(app)


async def test_what_is_no_exception_leaves_nobody_waiting_either() -> None:
    @only_websockets
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await send({"type": "websocket.accept"})
        raise asyncio.CancelledError

    async with asyncio.timeout(30):
        with pytest.raises(RuntimeError, match="raised CancelledError"):
            await handshake(app)
    client = Client((await handshake(app, "/late")).web_socket)
    assert await client.next() == (1011, "")


async def test_accepting_twice_fails_and_closes_with_1011() -> None:
    @only_websockets
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.accept"})

    client = Client((await handshake(app)).web_socket)
    assert await client.next() == (1011, "")


async def test_sending_after_a_disconnect_raises_an_os_error() -> None:
    told: asyncio.Queue[Any] = asyncio.Queue()

    @only_websockets
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        try:
            await send({"type": "websocket.send", "text": "x"})
        except OSError as error:
            told.put_nowait(error)
            raise

    client = Client((await handshake(app)).web_socket)
    client.socket.close()
    assert isinstance(await told.get(), ClientGone)


async def test_who_sends_more_than_the_application_takes_is_closed_with_1013(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_websocket, "MAX_WAITING", 3)
    go_on = asyncio.Event()

    @only_websockets
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        while heard[-1:] != ["websocket.disconnect"]:
            heard.append((await receive())["type"])

    client = Client((await handshake(app)).web_socket)
    for _ in range(5):
        client.socket.send("x")
    assert await client.next() == (1013, "the application does not keep up")
    go_on.set()
    await heard.until(lambda said: said[-1:] == ["websocket.disconnect"])
    assert heard == ["websocket.receive"] * 3 + ["websocket.disconnect"]


async def test_sending_waits_while_the_client_is_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_websocket, "MAX_BACKLOG_BYTES", 10)

    @only_websockets
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(3):
            await send({"type": "websocket.send", "bytes": b"x" * 20})
            heard.append(number)

    parts = await handshake(app)
    # Nobody has accepted the client's half yet: what is sent waits there.
    await some_turns()
    assert heard == []
    client = Client(parts.web_socket)
    assert [await client.next() for _ in range(4)] == [b"x" * 20] * 3 + [(1000, "")]
