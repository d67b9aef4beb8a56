"""A WebSocket of an ASGI application: accepted when the application accepts it, with its subprotocol and header fields.

Law 1: the handshake is answered by the application: 101 after `websocket.accept`, 403 after a `websocket.close` before that, or the
       answer that it sends itself (extension `websocket.http.response`).
Law 2: messages reach the application in order, at most MAX_WAITING of them before it takes one; who sends more is closed with 1013.
Law 3: sending waits while the client is behind by MAX_BACKLOG_BYTES; after a disconnect it raises ClientGone (an OSError).
Law 4: an application that ends without closing closes with 1000, one that raises with 1011.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from holdfast.workers.runtime.sockets import WebSocket, WebSocketPair
from holdfast.workers.sdk.asgi_types import (
    Application,
    ClientGone,
    Message,
    Scope,
    failure_of,
    says_client_has_gone,
    was_ended,
)
from holdfast.workers.sdk.context import wait_until
from holdfast.workers.sdk.web.response import Response as WebResponse

logger = logging.getLogger("asgi")

# Messages that the application has not taken, and their bytes. Precedent: an edge holds 1 MiB or 1,024 events of a session.
MAX_WAITING, MAX_WAITING_BYTES = 1_024, 16 * 1024 * 1024
# Sent and not taken by the client; beyond it the application waits.
MAX_BACKLOG_BYTES = 1024 * 1024
# How often we look whether the client has caught up; the edge tells when its backlog has halved.
_LOOK_EVERY_S = 0.02


class WebSocketRun:
    """The application with one WebSocket."""

    def __init__(self, app: Application, scope: Scope) -> None:
        self._app, self._scope = app, scope
        self._answer: asyncio.Future[WebResponse] = asyncio.get_running_loop().create_future()
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._waiting_bytes = 0
        self._socket: WebSocket | None = None
        self._denial: Message | None = None
        self._denial_body = bytearray()
        self._has_closed = self._is_gone = False
        self._waiting.put_nowait({"type": "websocket.connect"})

    async def answer(self) -> WebResponse:
        """Run it until it has accepted or refused; it goes on behind that."""
        task = asyncio.get_running_loop().create_task(self._run())
        wait_until(task)
        try:
            return await self._answer
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
            self._check_answered()
        except BaseException as raised:
            if was_ended(raised):
                raise
            self._failed(failure_of(raised))
        else:
            self._end(1000)

    def _failed(self, error: Exception) -> None:
        if says_client_has_gone(error):
            return
        if not self._answer.done():
            self._answer.set_exception(error)
            return
        logger.error("Exception in ASGI application", exc_info=error)
        self._end(1011)

    def _end(self, code: int) -> None:
        if self._socket is not None and not self._has_closed and not self._is_gone:
            self._socket.close(code, "")

    def _check_answered(self) -> None:
        if not self._answer.done():
            raise RuntimeError("The application neither accepted nor closed the WebSocket")

    async def _receive(self) -> Message:
        message = await self._waiting.get()
        self._waiting_bytes -= _size(message)
        return message

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self._accept(message)
            case "websocket.send":
                await self._send_message(message)
            case "websocket.close":
                self._close(message)
            case "websocket.http.response.start":
                self._denial = message
            case "websocket.http.response.body":
                self._deny(message)
            case other:
                raise RuntimeError(f"Unexpected ASGI message {other}")

    def _accept(self, message: Message) -> None:
        if self._answer.done():
            raise RuntimeError("websocket.accept was sent after the handshake was answered")
        client, server = WebSocketPair.new()
        server.binaryType = "arraybuffer"
        server.onmessage, server.onclose = self._came, self._ended
        server.accept()
        self._socket = server
        answer = WebResponse(None, status=101, webSocket=client)
        for name, value in message.get("headers") or ():
            answer.headers.append(name.decode("latin-1"), value.decode("latin-1"))
        if (subprotocol := message.get("subprotocol")) is not None:
            answer.headers.set("Sec-WebSocket-Protocol", subprotocol)
        self._answer.set_result(answer)

    async def _send_message(self, message: Message) -> None:
        if self._is_gone:
            raise ClientGone("the client has gone")
        if self._socket is None or self._has_closed:
            raise RuntimeError("websocket.send was sent before the accept or after the close")
        data = message.get("bytes")
        self._socket.send(message.get("text") if data is None else bytes(data))
        while self._socket.bufferedAmount > MAX_BACKLOG_BYTES and not self._is_gone:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(_LOOK_EVERY_S)

    def _close(self, message: Message) -> None:
        if not self._answer.done():
            self._answer.set_result(WebResponse(None, status=403))
            self._waiting.put_nowait({"type": "websocket.disconnect", "code": 1006, "reason": ""})
        elif self._socket is not None and not self._has_closed:
            self._socket.close(message.get("code") or 1000, message.get("reason") or "")
        self._has_closed = True

    def _deny(self, message: Message) -> None:
        if self._denial is None or self._answer.done():
            raise RuntimeError("websocket.http.response.body was sent without a start, or too late")
        self._denial_body += message.get("body") or b""
        if message.get("more_body", False):
            return
        answer = WebResponse(bytes(self._denial_body), status=int(self._denial["status"]), encodeBody="manual")
        for name, value in self._denial.get("headers") or ():
            answer.headers.append(name.decode("latin-1"), value.decode("latin-1"))
        self._has_closed = True
        self._answer.set_result(answer)

    def _came(self, event: Any) -> None:  # noqa: ANN401 - an event of the socket
        kind = "text" if isinstance(event.data, str) else "bytes"
        message: Message = {"type": "websocket.receive", kind: event.data if kind == "text" else bytes(event.data)}
        self._waiting_bytes += _size(message)
        if self._waiting.qsize() >= MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self._overrun()
        elif not self._has_closed:
            self._waiting.put_nowait(message)

    def _overrun(self) -> None:
        if self._socket is not None and not self._has_closed:
            self._has_closed = True
            self._socket.close(1013, "the application does not keep up")
            self._waiting.put_nowait({"type": "websocket.disconnect", "code": 1013, "reason": ""})

    def _ended(self, event: Any) -> None:  # noqa: ANN401 - an event of the socket
        if not self._is_gone:
            self._is_gone = True
            self._waiting.put_nowait({"type": "websocket.disconnect", "code": event.code, "reason": event.reason})


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or b"")
