"""What user code does with the SDK, through a real edge and to a real origin: fetch, pass on, change, be a client, serve ASGI.

The script is written as for the original, with and without what only its border to JavaScript needs.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.origin import Origin
from tests.integration.waiting import PATIENT
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 30.0

CODE = """
import asyncio
import js
from js import Object, WebSocketPair, WebSocketRequestResponsePair
from pyodide.ffi import create_proxy, to_js
from urllib.parse import parse_qs, urlsplit
from fastapi import FastAPI, WebSocket
from workers import DurableObject, Request, Response, WorkerEntrypoint, asgi, fetch

app = FastAPI()

@app.get("/api/hello")
async def hello(name: str = "nobody"):
    return {"hello": name}

@app.websocket("/api/echo")
async def echo(websocket: WebSocket):
    await websocket.accept(subprotocol="chat")
    async for text in websocket.iter_text():
        await websocket.send_text("api " + text)

@app.websocket("/api/refused")
async def refused(websocket: WebSocket):
    await websocket.close()

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

    async def fetch(self, request):
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            count = (await self.ctx.storage.get("count") or 0) + 1
            await self.ctx.storage.put("count", count)
            answer = await fetch(request.headers["X-Origin"] + "/dump", method="POST", body=f"count {count}")
            return Response.json({"count": count, "origin": await answer.json()})
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, to_js(["room:a", "user:1"]))
        server.serializeAttachment(to_js({"name": "x"}, dict_converter=Object.fromEntries))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        name = ws.deserializeAttachment().to_py()["name"]
        for one in self.ctx.getWebSockets("room:a"):
            one.send(f"{name}: {message}" if isinstance(message, str) else message.to_bytes())

    async def webSocketClose(self, ws, code, reason, wasClean):
        ws.close(code, reason)

def relay(origin):
    client, server = WebSocketPair.new()
    server.accept()
    origin.accept()
    server.addEventListener("message", create_proxy(lambda event: origin.send(event.data.upper())))
    origin.addEventListener("message", create_proxy(lambda event: server.send(f"<{event.data}>")))
    server.onclose = lambda event: origin.close(1000, "client left")
    origin.onclose = lambda event: server.close(event.code, "origin left")
    return js.Response.new(None, to_js({"status": 101, "webSocket": client}))

async def ask(url):
    heard = asyncio.get_running_loop().create_future()
    socket = js.WebSocket.new(url, ["chat"])
    socket.onopen = lambda event: socket.send(f"opened {socket.protocol}")
    socket.onmessage = lambda event: heard.set_result(event.data)
    socket.onerror = lambda event: heard.done() or heard.set_result("error")
    answer = await heard
    socket.close(1000, "heard")
    return Response(answer)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlsplit(request.url)
        target = parse_qs(url.query).get("to", [""])[0]
        match url.path:
            case "/pass":
                return await fetch(Request(target, method=request.method, headers=request.headers, body=request.body))
            case "/pass-as-javascript":
                return await js.fetch(js.Request.new(target, request.js_object))
            case "/change":
                answer = await fetch(target, headers={"Upgrade": "websocket"})
                return relay(answer.js_object.webSocket) if answer.status == 101 else answer
            case "/ask":
                return await ask(target)
            case "/form":
                form = await request.form_data()
                return Response.json({name: value if isinstance(value, str) else [value.name, await value.text()]
                                      for name, value in form.items()})
            case "/body":
                return Response(request.body, headers={"x-kind": request.headers["content-type"]})
            case "/api/echo" | "/api/refused":
                return await asgi.websocket(app, request, self.env)
            case "/api/hello":
                return await asgi.fetch(app, request, self.env, self.ctx)
        return await self.env.ROOM.getByName("lobby").fetch(request)
"""


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    with worker_up(code=CODE) as one:
        yield one


@asynccontextmanager
async def client(served: ServedWorker, path: str, *protocols: str) -> AsyncIterator[ClientConnection]:
    names = list(protocols) or None
    async with connect(f"ws://{served.address}{path}", subprotocols=names, ping_interval=None, **PATIENT) as socket:  # type: ignore[arg-type]  # plain text will do
        yield socket


async def heard(socket: ClientConnection) -> str | bytes:
    async with asyncio.timeout(LIMIT_S):
        return await socket.recv()


def url(served: ServedWorker, path: str, target: str = "") -> str:
    return f"http://{served.address}{path}" + (f"?to={quote(target, safe='')}" if target else "")


async def test_a_room_as_the_documentation_writes_it(served: ServedWorker) -> None:
    async with client(served, "/room") as first, client(served, "/room") as second:
        await first.send("hello")
        assert [await heard(first), await heard(second)] == ["x: hello"] * 2
        await second.send(b"\1\2")
        assert [await heard(first), await heard(second)] == [b"\1\2"] * 2
        await first.send("ping")
        assert await heard(first) == "pong"


def test_an_object_asks_an_origin_behind_its_writes(served: ServedWorker, origin: Origin) -> None:
    answers = [
        httpx.get(url(served, "/count"), headers={"X-Origin": origin.url}, timeout=LIMIT_S).json() for _ in range(2)
    ]
    assert [answer["count"] for answer in answers] == [1, 2]
    assert answers[1]["origin"]["body_sha256"] == hashlib.sha256(b"count 2").hexdigest()


@pytest.mark.parametrize("path", ["/pass", "/pass-as-javascript"])
def test_a_request_is_passed_on_with_its_body(served: ServedWorker, origin: Origin, path: str) -> None:
    body = b"x" * 3_000_000
    answer = httpx.put(url(served, path, f"{origin.url}/upload"), content=body, timeout=LIMIT_S)
    assert hashlib.sha256(body).hexdigest() in answer.text


@pytest.mark.parametrize("path", ["/pass", "/pass-as-javascript"])
async def test_an_upgrade_is_passed_on_and_the_worker_is_out_of_the_way(
    served: ServedWorker, origin: Origin, path: str
) -> None:
    async with client(
        served, f"{path}?to={quote(origin.url, safe='')}/echo%3Fprotocol%3Dchat", "chat", "other"
    ) as socket:
        assert socket.subprotocol == "chat"
        await socket.send("through")
        assert await heard(socket) == "through"
        await socket.close(4001, "bye")
        assert (socket.close_code, socket.close_reason) == (4001, "bye")


async def test_each_message_is_changed_on_its_way(served: ServedWorker, origin: Origin) -> None:
    async with client(served, f"/change?to={quote(origin.url, safe='')}/echo") as socket:
        await socket.send("hello")
        assert await heard(socket) == "<HELLO>"
    async with client(served, f"/change?to={quote(origin.url, safe='')}/close/4002") as socket:
        with pytest.raises(ConnectionClosed):
            await heard(socket)
        assert (socket.close_code, socket.close_reason) == (4002, "origin left")


def test_an_origin_that_does_not_upgrade_gives_its_answer(served: ServedWorker, origin: Origin) -> None:
    fields = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "A" * 22 + "==",
    }
    answer = httpx.get(url(served, "/change", f"{origin.url}/status/403"), headers=fields, timeout=LIMIT_S)
    assert answer.status_code == 403


def test_a_worker_is_a_client(served: ServedWorker, origin: Origin) -> None:
    there = origin.url.replace("http", "ws", 1)
    assert httpx.get(url(served, "/ask", f"{there}/echo?protocol=chat"), timeout=LIMIT_S).text == "opened chat"
    assert httpx.get(url(served, "/ask", f"{there}/status/404"), timeout=LIMIT_S).text == "error"


def test_forms_and_bodies_arrive(served: ServedWorker) -> None:
    answer = httpx.post(url(served, "/form"), data={"a": "1"}, files={"f": ("n.txt", b"text")}, timeout=LIMIT_S)
    assert answer.json() == {"a": "1", "f": ["n.txt", "text"]}
    body = bytes(range(256)) * 8192
    echoed = httpx.post(url(served, "/body"), content=body, headers={"Content-Type": "x/y"}, timeout=LIMIT_S)
    assert (echoed.content, echoed.headers["x-kind"]) == (body, "x/y")


def test_fastapi_is_served(served: ServedWorker) -> None:
    assert httpx.get(url(served, "/api/hello") + "?name=you", timeout=LIMIT_S).json() == {"hello": "you"}


async def test_fastapi_is_served_with_its_websockets(served: ServedWorker) -> None:
    async with client(served, "/api/echo", "other", "chat") as socket:
        assert socket.subprotocol == "chat"
        await socket.send("hi")
        assert await heard(socket) == "api hi"
    with pytest.raises(InvalidStatus) as refused:
        async with client(served, "/api/refused"):
            pass
    assert refused.value.response.status_code == 403
