"""The names of a Durable Object's context: the thing itself has them all, and mypy knows them in user code."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.workers.durable.state import DurableObjectState
from holdfast.workers.sdk import importing
from holdfast.workers.sdk.contexts import DurableObjectContext

SOURCE = Path(importing.USER_PATH).parents[3]

# The chat room of the original's documentation, annotated as strict mypy wants it, with what else people write.
TYPED = """
import json
from typing import Any

from js import Date, Object, WebSocket, WebSocketPair, WebSocketRequestResponsePair, console
from js import Response as JsResponse
from pyodide.ffi import create_proxy, to_js
from workers import DurableObject, Request, Response, WorkerEntrypoint, asgi, fetch, waitUntil
from workers.entrypoints import DurableObjectContext, Env


class Room(DurableObject):
    def __init__(self, ctx: DurableObjectContext, env: Env) -> None:
        super().__init__(ctx, env)
        self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))
        self.names: dict[WebSocket, str] = {ws: ws.deserializeAttachment() for ws in self.ctx.getWebSockets()}

    async def fetch(self, request: Request) -> Response:
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            return Response("expected websocket", status=426)
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, to_js(["room:a", "user:1"]))
        server.serializeAttachment(to_js({"name": "x"}, dict_converter=Object.fromEntries))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: WebSocket, message: str | bytes) -> None:
        count = (await self.ctx.storage.get("count") or 0) + 1
        await self.ctx.storage.put("count", count)
        self.ctx.broadcast(json.dumps({"at": Date.now(), "count": count}), exclude=ws)
        ws.send(message)
        reveal_type(len(self.ctx.get_websockets()))

    async def webSocketClose(self, ws: WebSocket, code: int, reason: str, wasClean: bool) -> None:
        ws.close(code, reason)

    async def alarm(self, alarm_info: Any = None) -> None:
        console.log("alarm", alarm_info)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Request) -> Response | JsResponse:
        if request.url.endswith("/proxy"):
            answer = await fetch(request, headers={"Upgrade": "websocket"})
            if answer.web_socket is not None:
                answer.web_socket.addEventListener("message", create_proxy(print))
                answer.web_socket.accept()
            data = await Response.json({"a": 1}).json()
            return JsResponse.new(None, {"status": 101, "webSocket": answer.web_socket}) if data else answer
        waitUntil(fetch("https://example.com/log", method="POST", body=b"x"))
        room: Response = await self.env.ROOM.getByName("lobby").fetch(request)
        return room


class Wrong(DurableObject):
    async def fetch(self, request: Request) -> Response:
        self.ctx.acceptWebSocket("no socket")
        return Response(None, status="200", headers=5)
"""

# As the reference has it, word for word: no annotations at all.
UNTYPED = """
from js import WebSocketPair, WebSocketRequestResponsePair
from pyodide.ffi import create_proxy, to_js
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))
        for ws in self.ctx.getWebSockets(): ...
    async def fetch(self, request):
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            return Response("expected websocket", status=426)
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, to_js(["room:a", "user:1"]))
        server.serializeAttachment("some string")
        return Response(None, status=101, web_socket=client)
    async def webSocketMessage(self, ws, message): ws.send(...)
    async def webSocketClose(self, ws, code, reason, wasClean): ws.close(code, reason)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
"""


def test_the_state_of_an_object_has_every_name_with_the_same_parameters() -> None:
    for name, declared in vars(DurableObjectContext).items():
        if name.startswith("_") or not callable(declared):
            continue
        real = inspect.signature(getattr(DurableObjectState, name)).parameters
        assert list(inspect.signature(declared).parameters) == list(real), name


# Two runs of a type checker that knows nothing yet.
@pytest.mark.timeout(400)
def test_strict_mypy_passes_user_code_and_finds_its_faults(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "untyped.py").write_text(UNTYPED)
    (tmp_path / "mypy.ini").write_text("[mypy]\n")
    environment = {**os.environ, "MYPYPATH": os.pathsep.join([importing.USER_PATH, str(SOURCE)])}

    def mypy(*options: str) -> list[str]:
        ran = subprocess.run(
            [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-error-summary", "--python-version", "3.11",
             "--cache-dir", str(tmp_path / "cache"), *options],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert not ran.stderr
        return ran.stdout.splitlines()

    assert mypy("--check-untyped-defs", "untyped.py") == []
    wrong = TYPED[: TYPED.index("class Wrong")].count("\n") + 1
    told = [line.split(":", 3)[1:] for line in mypy("--strict", "typed.py")]
    assert [text.strip() for number, kind, text in told if kind == " note" and "Revealed" in text] == [
        'Revealed type is "int"'
    ]
    errors = [(int(number), text) for number, kind, text in told if kind == " error"]
    assert [(number, text) for number, text in errors if number < wrong] == []
    for (_, text), named in zip(errors, ("acceptWebSocket", "status", "headers"), strict=True):
        assert named in text
