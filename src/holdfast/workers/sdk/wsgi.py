"""`workers.wsgi`: a WSGI application (Flask, Django, …) as a Worker.

Law 1: the application runs on a thread, so what it waits for holds up nobody else; `run_sync` of there waits on the loop. In a Durable Object
it runs in place, as all code of the object does: one step at a time, and the object's storage is its own.
Law 2: it reads the request's body as it comes, and its own is written no faster than the client takes it.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from holdfast.workers.durable.current import CURRENT
from holdfast.workers.sdk import ffi, stacks
from holdfast.workers.sdk.context import CurrentEnv
from holdfast.workers.sdk.entrypoints import WorkerEntrypoint
from holdfast.workers.sdk.gateway import BaseOptions, Target, web_request
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.threads import is_elsewhere
from holdfast.workers.sdk.web.request import Request as WebRequest
from holdfast.workers.sdk.web.response import NULL_BODY_STATUSES
from holdfast.workers.sdk.web.response import Response as WebResponse

logger = logging.getLogger("wsgi")

Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_END = object()


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Options of the WSGI adapter."""


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
    request = web_request(req)
    if not is_elsewhere():
        ffi.at_home(asyncio.get_running_loop())
    apart = _threaded if CURRENT.get() is None else _in_place
    bindings = CurrentEnv() if env is None else env
    run = _Run(app, {**environ_of(request, bindings), "wsgi.multithread": apart is _threaded})
    first = await apart(run.begin)
    status, reason = _status(run.status)
    body = None if status in NULL_BODY_STATUSES else _body(run, first, apart)
    made = WebResponse(body, status=status, statusText=reason, encodeBody="manual")
    for name, value in run.headers:
        made.headers.append(name, value)
    if body is None:
        await apart(run.close)
    return made


def entrypoint(app: Application, *, options: Options | None = None) -> type[WorkerEntrypoint]:
    """The class `Default` of a Worker that is this application."""

    class Default(WorkerEntrypoint):
        """The application, for requests."""

        async def fetch(self, request: Request) -> WebResponse:
            """Answer one."""
            return await fetch(app, request, self.env, self.ctx, options=options)

    return Default


def environ_of(
    request: WebRequest,
    env: Any,  # noqa: ANN401 - the user's bindings
) -> dict[str, Any]:
    """The request, with its body as it comes. It is told on its loop, and read on threads."""
    environ = build_environ(request, env, io.BufferedReader(_Input(request)))
    return {**environ, "wsgi.input_terminated": True, "wsgi.multithread": True}


def build_environ(
    req: Request | WebRequest,
    env: Any,  # noqa: ANN401 - the user's bindings
    body: bytes | bytearray | io.IOBase,
) -> dict[str, Any]:
    """The request as PEP 3333 describes one, with `body`, as bytes or as what is read; `workers.env` has the bindings of the Worker."""
    request = web_request(req)
    target = Target.of(request)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": target.path.encode("utf-8").decode("latin-1"),
        "RAW_URI": target.raw_path + (f"?{target.query}" if target.query else ""),
        "QUERY_STRING": target.query,
        "SERVER_NAME": target.host,
        "SERVER_PORT": str(target.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": target.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": target.scheme,
        "wsgi.input": io.BytesIO(body) if isinstance(body, (bytes, bytearray)) else body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "workers.env": env,
        "env": env,
    }
    for name, value in request.headers:
        if "_" in name:
            # It would be taken for the field with a dash that the edge vouches for. Precedent: gunicorn drops these too.
            continue
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    if isinstance(body, (bytes, bytearray)) and body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    return environ


class _Input(io.RawIOBase):
    """The request's body, read from the loop by who waits for it."""

    def __init__(self, request: WebRequest) -> None:
        source = request.payload.take()
        self._held = source if isinstance(source, bytes) else b""
        self._source: AsyncIterator[bytes] | None = None if isinstance(source, bytes) else source

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any writable buffer
        """Wait for the next bytes; 0 at the end."""
        while not self._held and self._source is not None:
            chunk = ffi.run_sync(_next(self._source))
            if chunk is None:
                self._source = None
            else:
                self._held = chunk
        taken = min(len(buffer), len(self._held))
        buffer[:taken] = self._held[:taken]
        self._held = self._held[taken:]
        return taken


class _Run:
    """The application with one request: `begin`, then `next_chunk` until the end, then `close`."""

    def __init__(self, app: Application, environ: dict[str, Any]) -> None:
        self._app, self._environ = app, environ
        self._written: list[bytes] = []
        self._chunks: Iterator[bytes] = iter(())
        self._result: Iterable[bytes] = ()
        self._is_closed = False
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def begin(self) -> bytes | object:
        """Call it, and take its first chunk: only then its status is certain (PEP 3333)."""
        try:
            self._result = self._app(self._environ, self._start_response)
            self._chunks = iter(self._result)
            first = self.next_chunk()
        except BaseException:
            self.close()
            raise
        if not self.status:
            self.close()
            raise RuntimeError("The application did not call start_response()")
        return first

    def next_chunk(self) -> bytes | object:
        """The next bytes that are not empty, or _END."""
        if self._written:
            written, self._written = b"".join(self._written), []
            return written
        for chunk in self._chunks:
            if chunk:
                return bytes(chunk)
        return _END

    def close(self) -> None:
        """Tell what it returned that nobody reads on; once."""
        if not self._is_closed:
            self._is_closed = True
            if (close := getattr(self._result, "close", None)) is not None:
                close()

    def _start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,  # noqa: ANN401 - PEP 3333's
    ) -> Callable[[bytes], None]:
        if self.status and exc_info is None:
            raise AssertionError("start_response() was called twice without exc_info")
        self.status, self.headers = status, list(headers)
        return self._written.append


async def _threaded(act: Callable[[], Any]) -> Any:  # noqa: ANN401 - what it gives
    return await asyncio.to_thread(act)


async def _in_place(act: Callable[[], Any]) -> Any:  # noqa: ANN401 - what it gives
    return await stacks.on_stacks(act, ())


async def _body(
    run: _Run, first: bytes | object, apart: Callable[[Callable[[], Any]], Awaitable[Any]]
) -> AsyncIterator[bytes]:
    chunk = first
    try:
        while isinstance(chunk, bytes):
            yield chunk
            chunk = await apart(run.next_chunk)
    except Exception:
        logger.exception("Exception in WSGI application after response started")
        raise
    finally:
        await apart(run.close)


async def _next(source: AsyncIterator[bytes]) -> bytes | None:
    return await anext(source, None)


def _status(text: str) -> tuple[int, str]:
    code, _, reason = text.partition(" ")
    return int(code), reason
