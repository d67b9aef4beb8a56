"""ASGI applications as Workers: raw ones for the letter of the protocol, FastAPI for what people write."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi import Request as FastRequest
from fastapi.responses import StreamingResponse
from starlette.middleware.gzip import GZipMiddleware

from holdfast.workers.sdk import asgi, lifespans
from holdfast.workers.sdk.asgi_types import Application, ClientGone, Receive, Scope, Send
from holdfast.workers.sdk.bridge import Parts, parts_of, request_from
from holdfast.workers.sdk.context import ExecutionContext, Invocation, running
from holdfast.workers.sdk.entrypoints import WorkerEntrypoint
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.web.request import Request as WebRequest
from tests.unit.workers.sdk.hearing import Heard

ENV = {"KEY": "value"}


@pytest.fixture(autouse=True)
async def background() -> AsyncIterator[list[Awaitable[Any]]]:
    """What the applications left behind their answers."""
    kept: list[Any] = []
    running.set(Invocation(ENV, kept.append))
    yield kept
    if kept:
        await asyncio.wait(kept, timeout=30)
    await lifespans.shut_down(5)


async def answer_of(app: Application, method: str = "GET", path: str = "/", **request: Any) -> Parts:
    made = request_from(method, f"https://a.test:8443{path}", request.get("headers", []), request.get("body"))
    entry = asgi.entrypoint(app)
    assert issubclass(entry, WorkerEntrypoint)
    default: Any = entry(ExecutionContext(lambda _: None), ENV)
    return parts_of(await default.fetch(made), made)


async def body_of(parts: Parts) -> bytes:
    if parts.body is None or isinstance(parts.body, bytes):
        return parts.body or b""
    return b"".join([chunk async for chunk in parts.body])


def only_http(app: Application) -> Application:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        await app(scope, receive, send)

    return wrapped


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    yield {"database": "up"}


async def pieces() -> AsyncIterator[str]:
    for number in range(3):
        yield f"{number}\n"


fast = FastAPI(lifespan=lifespan)


@fast.get("/items/{name}")
async def item(name: str, request: FastRequest, q: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "q": q,
        "env": request.scope["env"],
        "database": request.state.database,
        "url": str(request.url),
    }


@fast.post("/size")
async def size(request: FastRequest) -> int:
    return len(await request.body())


@fast.get("/stream")
async def stream() -> StreamingResponse:
    return StreamingResponse(pieces(), status_code=201, headers={"X-A": "1"})


@fast.get("/broken")
async def broken() -> None:
    raise ValueError("a fault of the application")


async def test_fastapi_answers() -> None:
    parts = await answer_of(fast, path="/items/%C3%BC%20x?q=1")
    assert (parts.status, dict(parts.headers)[b"content-type"]) == (200, b"application/json")
    assert json.loads(await body_of(parts)) == {
        "name": "ü x", "q": "1", "env": ENV, "database": "up", "url": "https://a.test:8443/items/ü x?q=1",
    }  # fmt: skip
    assert (await answer_of(fast, path="/nowhere")).status == 404


async def test_fastapi_reads_bodies_and_streams_its_own() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        yield b"y"

    assert await body_of(await answer_of(fast, "POST", "/size", body=chunks())) == b"1001"
    assert await body_of(await answer_of(fast, "POST", "/size", body=b"abc")) == b"3"
    parts = await answer_of(fast, path="/stream")
    assert (parts.status, parts.length, dict(parts.headers)[b"x-a"]) == (201, None, b"1")
    assert await body_of(parts) == b"0\n1\n2\n"


async def test_what_an_application_raises_before_its_answer_is_the_handlers() -> None:
    @only_http
    async def raises(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("a fault of the application")

    with pytest.raises(ValueError, match="a fault of the application"):
        await answer_of(raises)
    # Starlette answers for its applications, and raises behind that.
    assert (await answer_of(fast, path="/broken")).status == 500

    async def silent(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    with pytest.raises(RuntimeError, match="did not generate a response"):
        await answer_of(silent)


async def awaits_what_was_cancelled() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await task


async def exits() -> None:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("ends", "told"),
    [(awaits_what_was_cancelled, "raised CancelledError"), (exits, r"raised SystemExit\(3\)")],
)
async def test_what_is_no_exception_leaves_nobody_waiting_either(
    ends: Callable[[], Awaitable[None]], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    @only_http
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await ends()

    async with asyncio.timeout(30):
        with pytest.raises(RuntimeError, match=told):
            await answer_of(app)
        with pytest.raises(RuntimeError, match=told):
            await body_of(await answer_of(app, path="/late"))
    assert "after response started" in caplog.text


async def test_bodies_go_out_in_the_coding_that_the_application_wrote() -> None:
    import gzip

    zipped = FastAPI()
    zipped.add_middleware(GZipMiddleware, minimum_size=1)
    zipped.add_api_route("/", lambda: "x" * 500)
    parts = await answer_of(zipped, headers=[(b"Accept-Encoding", b"gzip")])
    assert dict(parts.headers)[b"content-encoding"] == b"gzip"
    assert json.loads(gzip.decompress(await body_of(parts))) == "x" * 500


async def test_a_failure_behind_the_start_breaks_the_body_off() -> None:
    @only_http
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise ValueError("too late")

    parts = await answer_of(app)
    assert parts.body is not None
    assert not isinstance(parts.body, bytes)
    assert await anext(parts.body) == b"begun"
    with pytest.raises(ValueError, match="too late"):
        await anext(parts.body)


async def test_an_application_that_ends_without_ending_its_body_ends_it() -> None:
    @only_http
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"all", "more_body": True})

    assert await body_of(await answer_of(app)) == b"all"


async def test_an_application_hears_that_its_client_has_gone() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    @only_http
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        except OSError as error:
            heard.put_nowait(error)
            heard.put_nowait(await receive())
            raise

    parts = await answer_of(app)
    body: Any = parts.body
    assert await anext(body) == b"x"
    await body.aclose()
    assert isinstance(await heard.get(), ClientGone)
    assert await heard.get() == {"type": "http.disconnect"}


async def test_what_an_application_streams_is_let_go_with_its_client(caplog: pytest.LogCaptureFixture) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.set()

    app = FastAPI()
    app.add_api_route("/", lambda: StreamingResponse(endless()), response_model=None)
    body: Any = (await answer_of(app)).body
    assert await anext(body) == b"x"
    await body.aclose()
    async with asyncio.timeout(30):
        await closed.wait()
    assert not caplog.records


async def test_after_its_answer_an_application_hears_of_the_disconnect() -> None:
    heard = Heard()

    @only_http
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(
            {"type": "http.response.start", "status": 204, "headers": [(b"set-cookie", b"a"), (b"set-cookie", b"b")]}
        )
        await send({"type": "http.response.body"})
        heard.append(await receive())

    parts = await answer_of(app, body=b"")
    assert (parts.status, parts.body, parts.headers) == (204, None, [(b"set-cookie", b"a"), (b"set-cookie", b"b")])
    await heard.until(len)
    assert heard == [{"type": "http.disconnect"}]


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.body", "body": b"x"}],
        [{"type": "http.response.start", "status": 200}, {"type": "http.response.start", "status": 200}],
        [{"type": "http.nonsense"}],
    ],
)
async def test_messages_out_of_order_are_refused(messages: list[Any]) -> None:
    @only_http
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(RuntimeError, match=r"before the start|twice|Unexpected ASGI message"):
        await answer_of(app)


async def test_a_handler_that_is_cancelled_cancels_the_application() -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    @only_http
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    asking = asyncio.ensure_future(answer_of(app))
    await begun.wait()
    asking.cancel()
    async with asyncio.timeout(30):
        await ended.wait()


async def test_code_that_runs_an_application_by_itself_has_what_it_needs_for_that() -> None:
    asked: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope)
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": scope["env"]["A"]})

    running.set(Invocation(env=None, wait_until=lambda work: asked.append(asyncio.ensure_future(work))))
    shutdown = await asgi.start_application(app)
    answer = await asgi.process_request(app, WebRequest("http://x/a?b=c"), {"A": b"of the script"})
    assert await answer.text() == "of the script"
    await shutdown()
    scope = asgi.request_to_scope(Request("http://x/a%20b", headers={"A-B": "c"}), {"A": 1})
    assert (scope["type"], scope["path"], scope["headers"], scope["env"]) == (
        "http",
        "/a b",
        [(b"a-b", b"c")],
        {"A": 1},
    )
    assert asgi.request_to_scope(WebRequest("http://x/"), {}, ws=True)["type"] == "websocket"
