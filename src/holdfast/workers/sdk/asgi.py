"""`workers.asgi`: an ASGI application (FastAPI, Starlette, Django, …) as a Worker.

Law 1: both bodies stream, and each is held up by its other end.
Law 2: an application that fails before its answer begins is an exception of the handler; afterwards the body breaks off.
Law 3: bodies go out as the application wrote them, content codings included.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from holdfast.workers.sdk.asgi_types import (
    Application,
    ClientGone,
    Message,
    Scope,
    failure_of,
    says_client_has_gone,
    was_ended,
)
from holdfast.workers.sdk.asgi_websocket import WebSocketRun
from holdfast.workers.sdk.context import CurrentEnv, wait_until
from holdfast.workers.sdk.entrypoints import WorkerEntrypoint
from holdfast.workers.sdk.gateway import BaseOptions, Target, web_request
from holdfast.workers.sdk.in_place import called
from holdfast.workers.sdk.lifespans import state_of
from holdfast.workers.sdk.plain_functions import run_in_place
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.web.pipes import TransformStream
from holdfast.workers.sdk.web.request import Request as WebRequest
from holdfast.workers.sdk.web.response import NULL_BODY_STATUSES
from holdfast.workers.sdk.web.response import Response as WebResponse

logger = logging.getLogger("asgi")


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Options of the ASGI adapter."""


async def fetch(
    app: Application,
    req: Request | WebRequest,
    env: Any = None,  # noqa: ANN401 - the user's bindings
    ctx: object = None,
    *,
    options: Options | None = None,
) -> WebResponse:
    """The application's answer to a request; without `env` with the bindings of the code that asks. Raises what it raises before it
    has begun to answer.
    """
    del ctx, options
    run_in_place()
    request = web_request(req)
    scope = scope_of(request, CurrentEnv() if env is None else env, await state_of(app))
    return await _HttpRun(app, scope, request).answer()


async def websocket(
    app: Application,
    req: Request | WebRequest,
    env: Any = None,  # noqa: ANN401 - the user's bindings
) -> WebResponse:
    """The application's answer to a WebSocket's handshake: 101, 403 where it closes first, or what it answers itself."""
    run_in_place()
    request = web_request(req)
    scope = scope_of(request, CurrentEnv() if env is None else env, await state_of(app), is_websocket=True)
    return await WebSocketRun(app, scope).answer()


def entrypoint(app: Application, *, options: Options | None = None) -> type[WorkerEntrypoint]:
    """The class `Default` of a Worker that is this application."""

    class Default(WorkerEntrypoint):
        """The application, for requests and for WebSockets."""

        async def fetch(self, request: Request) -> WebResponse:
            """Answer one."""
            if (request.headers.get("upgrade") or "").lower() == "websocket":
                return await websocket(app, request, self.env)
            return await fetch(app, request, self.env, self.ctx, options=options)

    return Default


async def process_request(app: Application, req: Request | WebRequest, env: Any, ctx: object = None) -> WebResponse:  # noqa: ANN401
    """`fetch`, for code that starts the application by itself."""
    return await fetch(app, req, env, ctx)


async def start_application(app: Application) -> Callable[[], Awaitable[None]]:
    """Start it, unless it runs: it does so once a process. What it gives is for the end, which is the process's: it does nothing."""
    await state_of(app)

    async def shutdown() -> None:
        """Nothing."""

    return shutdown


def request_to_scope(req: Request | WebRequest, env: Any, ws: bool = False) -> Scope:  # noqa: ANN401 - the user's bindings
    """The request as ASGI describes one, for code that runs the application by itself."""
    return scope_of(web_request(req), env, {}, is_websocket=ws)


def scope_of(
    request: WebRequest,
    env: Any,  # noqa: ANN401 - the user's bindings
    state: dict[str, Any],
    *,
    is_websocket: bool = False,
) -> Scope:
    """The request as ASGI describes one; `env` has the bindings of the Worker."""
    target = Target.of(request)
    scope: Scope = {
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": target.scheme,
        "path": target.path,
        "raw_path": target.raw_path.encode("ascii"),
        "query_string": target.query.encode("ascii"),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.wire()],
        "client": (target.client, 0) if target.client else None,
        "server": (target.host, target.port),
        "state": state,
        "env": env,
    }
    if not is_websocket:
        return {**scope, "type": "http", "method": request.method}
    offered = request.headers.get("sec-websocket-protocol") or ""
    return {
        **scope,
        "type": "websocket",
        "scheme": "wss" if target.scheme == "https" else "ws",
        "subprotocols": [name.strip() for name in offered.split(",") if name.strip()],
        "extensions": {"websocket.http.response": {}},
    }


class _HttpRun:
    """The application with one request."""

    def __init__(self, app: Application, scope: Scope, request: WebRequest) -> None:
        self._app, self._scope, self._request = app, scope, request
        self._answer: asyncio.Future[WebResponse] = asyncio.get_running_loop().create_future()
        self._start: Message | None = None
        self._stream: TransformStream | None = None
        self._writer: Any = None
        self._body: Any = None
        self._is_read = self._is_done = False
        self._has_ended = asyncio.Event()

    async def answer(self) -> WebResponse:
        """Run it until its answer begins; it goes on behind that."""
        task = asyncio.get_running_loop().create_task(self._run())
        wait_until(task)
        try:
            return await self._answer
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def _run(self) -> None:
        try:
            await called(self._app, self._scope, self._receive, self._send)
            self._check_answered()
            await self._finish(None)
        except BaseException as raised:
            if was_ended(raised):
                raise
            await self._failed(failure_of(raised))
        finally:
            self._has_ended.set()

    async def _failed(self, error: Exception) -> None:
        if says_client_has_gone(error):
            return
        if not self._answer.done():
            self._answer.set_exception(error)
            return
        logger.error("Exception in ASGI application after response started", exc_info=error)
        await self._finish(error)

    def _check_answered(self) -> None:
        if not self._answer.done():
            raise RuntimeError("The application did not generate a response")

    async def _receive(self) -> Message:
        if not self._is_read:
            if self._body is None:
                self._body = self._request.payload.take()
            return await self._next_body()
        await self._has_ended.wait()
        return {"type": "http.disconnect"}

    async def _next_body(self) -> Message:
        if self._body is None or isinstance(self._body, bytes):
            self._is_read = True
            return {"type": "http.request", "body": self._body or b"", "more_body": False}
        try:
            return {"type": "http.request", "body": await anext(self._body), "more_body": True}
        except StopAsyncIteration:
            self._is_read = True
            return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._start is not None:
                raise RuntimeError("http.response.start was sent twice")
            self._start = message
        elif message["type"] == "http.response.body":
            await self._send_body(message.get("body") or b"", is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"Unexpected ASGI message {message['type']}")

    async def _send_body(self, body: bytes, *, is_last: bool) -> None:
        if self._start is None or self._is_done:
            raise RuntimeError("http.response.body was sent before the start or after the end of the response")
        if self._writer is None and is_last:
            self._is_done = True
            self._respond(body or None)
            self._has_ended.set()
            return
        if self._writer is None:
            self._stream = TransformStream()
            self._writer = self._stream.writable.getWriter()
            self._respond(self._stream.readable)
        if body:
            await self._write(body)
        if is_last:
            await self._finish(None)

    async def _write(self, body: bytes) -> None:
        try:
            await self._writer.write(bytes(body))
        except Exception as error:
            self._has_ended.set()
            raise ClientGone("the client has gone") from error

    async def _finish(self, error: Exception | None) -> None:
        if self._writer is None or self._is_done:
            return
        self._is_done = True
        _ = self._writer.close() if error is None else self._writer.abort(error)
        self._has_ended.set()

    def _respond(self, body: object) -> None:
        start = self._start or {}
        status = int(start.get("status", 200))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", ())]
        made = WebResponse(None if status in NULL_BODY_STATUSES else body, status=status, encodeBody="manual")
        for name in made.headers.keys():  # noqa: SIM118 - its own keys(), a copy
            made.headers.delete(name)
        for name, value in headers:
            made.headers.append(name, value)
        if not self._answer.done():
            self._answer.set_result(made)
