"""One request: from its head to the user's handler, and from what that returns to the answer.

Law 1: each request has a context of its own, and tasks that its handler starts inherit it.
Law 2: what user code raises is logged with its traceback, and answered 500 with `Holdfast-Fault: 1101`: how that looks is the edge's matter.
Law 3: a call of another script (`Holdfast-Context` says so) is answered by `remote.serving`: what it raises is the caller's to hear.
Law 4: what `waitUntil` was given goes on after the answer, and is waited for when the process retires.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import inspect
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from holdfast.model.worker_egress import (
    CALLED_FIELD,
    CONTEXT_FIELD,
    NO_HOST,
    PATH_FIELD,
    Called,
    RequestContext,
    read_context,
)
from holdfast.model.worker_figures import Times
from holdfast.workers.durable.errors import marked
from holdfast.workers.remote.messages import BadFrame
from holdfast.workers.remote.serving import Objects, Serving, Unbegun, failure, mark
from holdfast.workers.runtime import console
from holdfast.workers.runtime.host_link import HostLink
from holdfast.workers.runtime.http_server import Exchange, Gone
from holdfast.workers.runtime.loading import DEFAULT, Script, user_trace
from holdfast.workers.runtime.reception import Reception
from holdfast.workers.sdk import bridge
from holdfast.workers.sdk.cancellation import is_cancelled
from holdfast.workers.sdk.context import ExecutionContext, Invocation, running
from holdfast.workers.sdk.entrypoints import fetch_arguments, fetch_of
from holdfast.workers.sdk.in_place import called
from holdfast.workers.sdk.request import Request

# Names of fields between an edge and us.
PREFIX = b"holdfast-"
SESSION, PASS, FAULT = b"Holdfast-Session", b"Holdfast-Pass", b"Holdfast-Fault"
UNCAUGHT = b"1101"
SWITCHING = 101
# How a request ended (`outcome` of its line in the log); the third is "canceled".
_OK, _EXCEPTION = "ok", "exception"
# The original's word for it.
_EXCEEDED = "exceededCpu"
# A client that left before it was answered. Precedent: nginx.
CLIENT_LEFT = 499
_CALLED = CALLED_FIELD.lower().encode()
_PATH = PATH_FIELD.lower().encode()
# RFC 6455 §1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Of a handshake's answer these are ours to write.
_HANDSHAKE = frozenset({b"sec-websocket-accept", b"upgrade", b"connection"})


class Dispatcher:
    """Answers requests with a script."""

    def __init__(
        self,
        script: Script,
        env: Any,  # noqa: ANN401 - the script's bindings
        *,
        key: str,
        reception: Reception,
        log: HostLink,
        objects: Objects | None = None,
    ) -> None:
        self._script = script
        self._env = env
        self._key = key
        self._reception = reception
        self._log = log
        self._called = Serving(script, env, objects, self.report, self.wait_until)
        self._background: set[asyncio.Future[Any]] = set()
        # What is asked and not answered, and since when.
        self._open: dict[Exchange, tuple[RequestContext, float]] = {}
        self.requests = self.exceptions = self.running = 0
        # Answers by their status, and how long they took.
        self._answers: Counter[str] = Counter()
        self._times = Times()

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request. Raises Gone."""
        context = self._context(exchange)
        began = time.monotonic()
        status, outcome = 500, _EXCEPTION
        self._open[exchange] = context, began
        self.requests += 1
        self.running += 1
        # A task of its own: what user code sets or cancels ends with the request.
        run = (
            self._run(exchange, context)
            if context.called is None
            else self._run_called(exchange, context, context.called)
        )
        task = asyncio.get_running_loop().create_task(run, context=copy_context())
        try:
            status, outcome = await task
        except (Gone, asyncio.CancelledError):
            # No fault of the script's.
            status, outcome = exchange.status or CLIENT_LEFT, "canceled"
            raise
        finally:
            took_s = time.monotonic() - began
            self.running -= 1
            del self._open[exchange]
            self._answers[f"answers_{_outcome(status)}"] += 1
            self._times.add(took_s)
            console.over(context.ray, _entrypoint(context))
            self._note(exchange, context, status, outcome, took_s)

    def cut(self, ray: str) -> None:
        """The process is ended since this ray's code has the loop for too long: what it asked for is answered by the edge."""
        now = time.monotonic()
        for exchange, (context, began) in self._open.items():
            if ray and context.ray == ray:
                self._note(exchange, context, 500, _EXCEEDED, now - began)

    def _note(self, exchange: Exchange, context: RequestContext, status: int, outcome: str, took_s: float) -> None:
        self._log.log(
            "info",
            f"{_asked(exchange, context)} {status}",
            ray=context.ray,
            entrypoint=_entrypoint(context),
            kind="request",
            fields={"method": exchange.method, "status": status, "outcome": outcome, "wall_ms": round(took_s * 1000)},
        )

    def figures(self) -> dict[str, int]:
        """What was counted, by name (`model.worker_figures`)."""
        return {
            "requests": self.requests,
            "requests_running": self.running,
            "exceptions": self.exceptions,
            **self._answers,
            **self._times.flat("request"),
        }

    async def retire(self, limit_s: float) -> None:
        """Wait for what `waitUntil` was given, so long."""
        if self._background:
            await asyncio.wait(list(self._background), timeout=limit_s)

    async def _run(self, exchange: Exchange, context: RequestContext) -> tuple[int, str]:
        running.set(Invocation(env=self._env, wait_until=self.wait_until, request=context))
        console.entrypoint.set(DEFAULT)
        request: Request | None = None
        try:
            request = self._request(exchange, context)
            result = await self._handle(request)
            return await self._send(exchange, bridge.parts_of(result, request, by=self._script.fetch)), _OK
        except Gone:
            self._left(request)
            raise
        except BaseException as error:  # user code's, whatever it is
            if is_cancelled(error):
                self._left(request)
                raise
            self.report(error, f"{exchange.method} {_url(exchange, context)}")
            if not exchange.is_begun:
                await exchange.answer(
                    500, [(FAULT, UNCAUGHT), (b"content-type", b"text/plain")], b"Worker threw exception\n"
                )
            return 500, _EXCEPTION

    def _left(self, request: Request | None) -> None:
        """Tell whoever listens to the signal of a request that its client is not there any more."""
        try:
            if request is not None:
                request.js_object.leave()
        except Exception as error:  # noqa: BLE001  a listener of user code
            self.report(error, "abort")

    async def _run_called(self, exchange: Exchange, context: RequestContext, called: Called) -> tuple[int, str]:
        running.set(Invocation(env=self._env, wait_until=self.wait_until, request=context))
        console.entrypoint.set(_entrypoint(context))
        try:
            if called.is_rpc:
                await self._called.rpc(exchange, called)
                return 200, _OK
            request = self._request(exchange, context)
            parts = bridge.parts_of(await self._called.fetched(request, called), request)
            parts.headers[:] = [one for one in parts.headers if one[0].lower() != _CALLED]
            parts.headers.append(mark("answer"))
            return await self._send(exchange, parts), _OK
        except Gone:
            raise
        except Unbegun:
            await exchange.answer(503, [mark("unbegun")], b"")
            return 503, _OK
        except BaseException as error:  # user code's, whatever it is
            if is_cancelled(error):
                raise
            if not isinstance(error, BadFrame):
                self.report(error, f"{_entrypoint(context)} (called by {called.caller})")
            if not exchange.is_begun:
                await exchange.answer(500, [mark("exception")], failure(marked(error, remote=True)))
            return 500, _EXCEPTION

    async def _handle(self, request: Request) -> object:
        script = self._script
        if script.default is not None:
            context = ExecutionContext(self.wait_until)
            handler = fetch_of(script.default(context, self._env))
            if handler is None:
                raise AttributeError("Handler does not export a fetch() function.")
            return await called(handler, *fetch_arguments(handler, request, self._env, context))
        if (function := script.functions.get("on_fetch")) is None:
            raise AttributeError("Handler does not export a fetch() function.")
        # As the original: the decorator `handler` makes it the SDK's.
        return await called(called_with, function, request.js_object, self._env, ExecutionContext(self.wait_until))

    async def _send(self, exchange: Exchange, parts: bridge.Parts) -> int:
        fields, ticket = parts.headers, ""
        if parts.web_socket is not None:
            fields = [(name, value) for name, value in fields if name.lower() not in _HANDSHAKE]
            fields += _handshake(exchange.field(b"sec-websocket-key"))
            if parts.pass_token is not None:
                fields.append((PASS, parts.pass_token.encode("ascii")))
            else:
                parts.web_socket.use()
                ticket = self._reception.ticket(parts.web_socket)
                fields.append((SESSION, ticket.encode("ascii")))
        body = parts.body
        try:
            await exchange.answer(parts.status, fields, body, reason=parts.status_text, length=parts.length)
        except Gone:
            # With its edge: nobody comes with the ticket.
            self._reception.not_adopted(ticket)
            raise
        finally:
            if (close := getattr(body, "aclose", None)) is not None:
                # Read to its end or not: who makes it hears that nobody wants more.
                await close()
        return parts.status

    def wait_until(self, work: Awaitable[Any]) -> None:
        """Go on with `work` after the answer; what it raises is logged."""
        future = asyncio.ensure_future(work)
        self._background.add(future)
        future.add_done_callback(self._ended)

    def report(self, error: BaseException, where: str) -> None:
        """Log an exception of user code."""
        self.exceptions += 1
        ray, entrypoint = console.who()
        trace = user_trace(error, self._script.root)
        self._log.log("error", trace, ray=ray, entrypoint=entrypoint, kind="exception", fields={"where": where})

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._background.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            self.report(error, "waitUntil()")

    def _context(self, exchange: Exchange) -> RequestContext:
        field = exchange.field(CONTEXT_FIELD.lower().encode())
        host = exchange.field(b"host")
        if not field:
            return RequestContext(ray="", script=self._key, scheme="http", host=host)
        try:
            return read_context(field)
        except ValueError as error:
            self._log.log("warn", f"{CONTEXT_FIELD} of an edge is not understood: {error}", kind="host")
            return RequestContext(ray="", script=self._key, scheme="http", host=host)

    def _request(self, exchange: Exchange, context: RequestContext) -> Request:
        fields = [(name, value) for name, value in exchange.fields if not name.startswith(PREFIX)]
        body = exchange.body() if exchange.has_body else None
        return bridge.request_from(exchange.method, _url(exchange, context), fields, body, cf=context.cf or None)


def _outcome(status: int) -> str:
    return "101" if status == SWITCHING else f"{status // 100}xx"


def accept_of(key: str) -> str:
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2)."""
    digest = hashlib.sha1(key.strip().encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def _handshake(key: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", accept_of(key).encode("ascii")),
    ]


def _entrypoint(context: RequestContext) -> str:
    called = context.called
    return DEFAULT if called is None else called.class_name or called.entrypoint or DEFAULT


def _asked(exchange: Exchange, context: RequestContext) -> str:
    if context.called is not None and context.called.is_rpc:
        return f"a call by {context.called.caller}"
    return f"{exchange.method} {_url(exchange, context)}"


def _url(exchange: Exchange, context: RequestContext) -> str:
    host = exchange.field(b"host") or context.host or NO_HOST
    target = exchange.target if exchange.target.startswith("/") else "/"
    if path := exchange.field(_PATH):
        _, mark, query = target.partition("?")
        target = path + mark + query
    return f"{context.scheme}://{host}{target}"


def called_with(function: Callable[..., Any], *offered: object) -> Any:  # noqa: ANN401 - user code's
    """`function` with as many of these arguments as it takes, as the original calls handlers."""
    bound = getattr(function, "__self__", None) is not None
    taken = _taken(getattr(function, "__func__", function))
    return function(*offered) if taken is None else function(*offered[: max(taken - bound, 0)])


@functools.lru_cache(maxsize=64)
def _taken(function: Callable[..., Any]) -> int | None:
    """How many positional arguments a function takes; None for any number, or where that cannot be known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return None
    return sum(one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} for one in parameters)
