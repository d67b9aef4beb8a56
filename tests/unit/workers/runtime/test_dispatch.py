"""From a request to user code and back."""

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from holdfast.model.worker_egress import RequestContext, field_of
from holdfast.workers.runtime.dispatch import Dispatcher, accept_of
from holdfast.workers.runtime.http_server import Exchange, Gone
from holdfast.workers.runtime.loading import Script
from holdfast.workers.runtime.reception import Reception
from holdfast.workers.runtime.sockets import WebSocketPair
from holdfast.workers.sdk.context import running
from holdfast.workers.sdk.entrypoints import WorkerEntrypoint, handler
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.web.request import Request as WebRequest

UPGRADE = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")]
CONTEXT = field_of(RequestContext(ray="ab", script="k", scheme="https")).encode()


class FakeExchange:
    """An exchange that keeps its answer."""

    is_begun = is_ended = False
    has_body = False
    status = 0

    def __init__(self, target: str = "/", fields: Any = ()) -> None:
        self.method, self.target = "GET", target
        self.fields = [(b"host", b"example.com"), (b"holdfast-context", CONTEXT), *fields]
        self.answers: list[Any] = []

    field = Exchange.field

    async def answer(self, status: int, fields: Any, body: Any, *, reason: str = "", length: int | None = None) -> None:
        self.is_begun, self.status = True, status
        self.answers.append((status, {name.lower(): value for name, value in fields}, body))


class FakeLog:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def log(self, level: str, message: str, **more: Any) -> None:
        self.lines.append((level, message, more))

    def of(self, kind: str) -> list[str]:
        return [message for _, message, more in self.lines if more["kind"] == kind]


def _dispatcher(fetch: Any, *, functions: dict[str, Any] | None = None) -> tuple[Dispatcher, FakeLog]:
    log = FakeLog()
    default = type("Default", (WorkerEntrypoint,), {"fetch": fetch} if fetch else {})
    script = Script(
        ModuleType("main"),
        Path(__file__).parent,
        entrypoints={} if functions else {"Default": default},
        functions=functions or {},
    )
    return Dispatcher(script, {"A": 1}, key="k", reception=Reception(), log=log), log  # type: ignore[arg-type]


async def _ask(dispatcher: Dispatcher, **request: Any) -> Any:
    exchange = FakeExchange(**request)
    await dispatcher.answer(exchange)  # type: ignore[arg-type]
    (answer,) = exchange.answers
    return answer


async def test_a_request_has_its_url_its_fields_and_its_env() -> None:
    async def fetch(self: Any, request: Any) -> Response:
        invocation = running.get()
        seen = [request.url, request.headers.get("x-a"), "holdfast-context" in request.headers, self.env["A"]]
        return Response(repr([*seen, invocation.request.ray]))  # type: ignore[union-attr]

    dispatcher, log = _dispatcher(fetch)
    status, fields, body = await _ask(dispatcher, target="/a?b", fields=[(b"x-a", b"1")])
    assert (status, body) == (200, b"['https://example.com/a?b', '1', False, 1, 'ab']")
    assert fields[b"content-type"].startswith(b"text/plain")
    assert log.of("request") == ["GET https://example.com/a?b 200"]
    assert running.get() is None


async def test_the_path_of_a_url_is_the_one_that_the_edge_says() -> None:
    dispatcher, _ = _dispatcher(staticmethod(lambda request: Response(request.url)))
    fields = [(b"holdfast-path", b"/admin")]
    for target, url in (("/x/../admin?a=/../b", "admin?a=/../b"), ("//admin?", "admin?"), ("/%61dmin", "admin")):
        assert (await _ask(dispatcher, target=target, fields=fields))[2] == f"https://example.com/{url}".encode()


async def test_who_listens_hears_that_the_client_has_gone() -> None:
    heard: list[str] = []
    waits = asyncio.Event()

    async def fetch(_self: object, request: Any) -> None:
        request.signal.addEventListener("abort", lambda event: heard.append(event.target.reason.name))
        request.signal.addEventListener("abort", lambda _event: 1 / 0)
        waits.set()
        await asyncio.get_running_loop().create_future()

    dispatcher, log = _dispatcher(fetch)
    task = asyncio.ensure_future(_ask(dispatcher))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["AbortError"]
    # It is no fault of the script's.
    ((_, line, more),) = [one for one in log.lines if one[2]["kind"] == "request"]
    assert (line, more["fields"]["status"], more["fields"]["outcome"]) == (
        "GET https://example.com/ 499",
        499,
        "canceled",
    )
    assert dispatcher.figures()["answers_4xx"] == 1
    (trace,) = log.of("exception")
    assert "ZeroDivisionError" in trace


async def test_an_answer_that_its_client_leaves_has_the_status_that_was_sent() -> None:
    class Streaming(FakeExchange):
        async def answer(self, status: int, *_parts: Any, **_more: Any) -> None:
            self.status = status
            raise Gone("the client has left")

    async def fetch(_self: object, _request: object) -> Response:
        return Response("text")

    dispatcher, log = _dispatcher(fetch)
    with pytest.raises(Gone):
        await dispatcher.answer(Streaming())  # type: ignore[arg-type]
    assert (log.of("request"), log.of("exception")) == (["GET https://example.com/ 200"], [])
    assert {name: count for name, count in dispatcher.figures().items() if name.startswith("answers_")} == {
        "answers_2xx": 1
    }


async def test_the_line_of_a_request_says_how_it_ended() -> None:
    async def answers(_self: object, _request: object) -> Response:
        return Response("no such page", status=500)

    for fetch, outcome in ((answers, "ok"), (_fails, "exception"), (_no_response, "exception")):
        dispatcher, log = _dispatcher(fetch)
        await _ask(dispatcher)
        ((_, _, more),) = [one for one in log.lines if one[2]["kind"] == "request"]
        assert (more["fields"]["status"], more["fields"]["outcome"]) == (500, outcome)


async def test_the_older_style_gets_as_many_arguments_as_it_takes() -> None:
    for function, expected in (
        (lambda request: Response(f"{request.url} {type(request) is WebRequest}"), b"https://example.com/ True"),
        (handler(lambda request: Response(f"{type(request) is Request}")), b"True"),
        (lambda _request, env: Response(str(env["A"])), b"1"),
        (lambda *all_: Response(str(len(all_))), b"3"),
    ):
        dispatcher, _ = _dispatcher(None, functions={"on_fetch": function})
        assert (await _ask(dispatcher))[2] == expected


async def test_a_fetch_may_take_no_request() -> None:
    async def fetch(_self: object) -> Response:
        return Response("asked nothing")

    dispatcher, _ = _dispatcher(fetch)
    assert (await _ask(dispatcher))[2] == b"asked nothing"


async def test_a_fetch_may_be_anything_that_can_be_called() -> None:
    dispatcher, _ = _dispatcher(staticmethod(lambda request: Response(request.url)))
    assert (await _ask(dispatcher))[2] == b"https://example.com/"


def _fails(_self: object, _request: object) -> None:
    raise ValueError("of user code")


async def _exits(_self: object, _request: object) -> None:
    raise SystemExit(1)


async def _no_response(_self: object, _request: object) -> str:
    return "text"


async def _socket_without_upgrade(_self: object, _request: object) -> Response:
    return Response(None, status=101, web_socket=WebSocketPair.new()[0])


@pytest.mark.parametrize(
    ("fetch", "told"),
    [
        (_fails, "ValueError: of user code"),
        (_exits, "SystemExit: 1"),
        (_no_response, "Handler did not return a Response object: got str"),
        (_socket_without_upgrade, 'did not contain the header "Upgrade: websocket"'),
        (None, "Handler does not export a fetch() function."),
    ],
)
async def test_what_user_code_does_wrong_is_logged_and_answered_500(fetch: Any, told: str) -> None:
    dispatcher, log = _dispatcher(fetch)
    status, fields, _ = await _ask(dispatcher)
    assert (status, fields[b"holdfast-fault"]) == (500, b"1101")
    (trace,) = log.of("exception")
    assert told in trace
    assert (dispatcher.exceptions, dispatcher.requests, dispatcher.running) == (1, 1, 0)


async def test_a_socket_is_answered_with_a_ticket_and_a_right_handshake() -> None:
    async def fetch(_self: object, _request: object) -> Response:
        client, server = WebSocketPair.new()
        server.accept()
        headers = {"Sec-WebSocket-Protocol": "chat", "Sec-WebSocket-Accept": "of another"}
        return Response(None, status=101, web_socket=client, headers=headers)

    dispatcher, _ = _dispatcher(fetch)
    status, fields, _ = await _ask(dispatcher, fields=UPGRADE)
    assert (status, fields[b"sec-websocket-accept"]) == (101, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    assert (fields[b"sec-websocket-protocol"], fields[b"upgrade"]) == (b"chat", b"websocket")
    assert len(fields[b"holdfast-session"]) == 32
    assert b"holdfast-pass" not in fields
    assert dispatcher._reception.expected == 1


async def test_a_socket_whose_edge_goes_with_its_101_has_ended() -> None:
    heard: list[int] = []

    async def fetch(_self: object, _request: object) -> Response:
        client, server = WebSocketPair.new()
        server.onclose = lambda event: heard.append(event.code)
        server.accept()
        return Response(None, status=101, web_socket=client)

    class Broken(FakeExchange):
        async def answer(self, status: int, fields: Any, body: Any, **_more: Any) -> None:
            raise Gone(f"{status} {len(fields)} {body}")

    dispatcher, _ = _dispatcher(fetch)
    with pytest.raises(Gone):
        await dispatcher.answer(Broken(fields=UPGRADE))  # type: ignore[arg-type]
    assert dispatcher._reception.expected == 0
    for _ in range(3):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    assert heard == [1006]


async def test_the_same_socket_cannot_be_returned_twice() -> None:
    client, _ = WebSocketPair.new()

    async def fetch(_self: object, _request: object) -> Response:
        return Response(None, status=101, web_socket=client)

    dispatcher, log = _dispatcher(fetch)
    assert (await _ask(dispatcher, fields=UPGRADE))[0] == 101
    assert (await _ask(dispatcher, fields=UPGRADE))[0] == 500
    assert "already used" in log.of("exception")[0]


async def test_background_work_goes_on_after_the_answer_and_its_failure_is_logged() -> None:
    gate, done = asyncio.Event(), []

    async def works() -> None:
        await gate.wait()
        done.append("worked")

    async def fails() -> None:
        raise ValueError("behind the answer")

    async def fetch(self: Any, _request: object) -> Response:
        self.ctx.waitUntil(works())
        self.ctx.waitUntil(fails())
        return Response("answered")

    dispatcher, log = _dispatcher(fetch)
    assert (await _ask(dispatcher))[2] == b"answered"
    assert done == []
    gate.set()
    await dispatcher.retire(5)
    assert done == ["worked"]
    assert "behind the answer" in log.of("exception")[0]


@pytest.mark.parametrize(("context", "warns"), [(b"nonsense!", True), (None, False)])
async def test_a_request_without_a_context_that_can_be_read_is_answered(context: bytes | None, *, warns: bool) -> None:
    async def fetch(_self: object, request: Any) -> Response:
        return Response(request.url)

    dispatcher, log = _dispatcher(fetch)
    exchange = FakeExchange()
    exchange.fields = [(b"host", b"h"), *([(b"holdfast-context", context)] if context else [])]
    await dispatcher.answer(exchange)  # type: ignore[arg-type]
    assert exchange.answers[0][2] == b"http://h/"
    assert bool(log.of("host")) == warns


def test_the_accept_is_that_of_the_rfc() -> None:
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
