"""WSGI applications as Workers: on threads, streaming both ways."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

from holdfast.workers.sdk import ffi, wsgi
from holdfast.workers.sdk.bridge import Parts, parts_of, request_from
from holdfast.workers.sdk.context import ExecutionContext

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], None]]


async def answer_of(app: Any, method: str = "GET", path: str = "/", **request: Any) -> Parts:
    made = request_from(method, f"https://a.test:8443{path}", request.get("headers", []), request.get("body"))
    default: Any = wsgi.entrypoint(app)(ExecutionContext(lambda _: None), {"KEY": 1})
    return parts_of(await default.fetch(made), made)


async def body_of(parts: Parts) -> bytes:
    if parts.body is None or isinstance(parts.body, bytes):
        return parts.body or b""
    return b"".join([chunk async for chunk in parts.body])


@WerkzeugRequest.application
def werkzeug_app(request: WerkzeugRequest) -> WerkzeugResponse:
    text = (
        f"{request.method} {request.path} {request.args['q']} {request.headers['X-A']} {request.get_data(as_text=True)}"
    )
    return WerkzeugResponse(text, status=201, headers=[("Set-Cookie", "a"), ("Set-Cookie", "b")])


async def test_a_real_application_answers() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    parts = await answer_of(werkzeug_app, "POST", "/%C3%BC?q=1", headers=[(b"X-A", b"2")], body=chunks())
    assert (parts.status, parts.status_text) == (201, "CREATED")
    assert await body_of(parts) == "POST /ü 1 2 abc".encode()
    assert [value for name, value in parts.headers if name.lower() == b"set-cookie"] == [b"a", b"b"]


async def test_the_environment_is_what_pep_3333_says() -> None:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        seen.append(environ)
        start_response("204 No Content", [])
        return []

    fields = [(b"Content-Type", b"a/b"), (b"Content-Length", b"1"), (b"X-A", b"1"), (b"X_B", b"forged")]
    parts = await answer_of(app, "PUT", "/x%20y?z", headers=fields, body=b"b")
    environ = seen[0]
    expected = {
        "REQUEST_METHOD": "PUT", "PATH_INFO": "/x y", "QUERY_STRING": "z", "SERVER_NAME": "a.test", "SERVER_PORT": "8443",
        "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "1", "HTTP_X_A": "1", "wsgi.url_scheme": "https", "env": {"KEY": 1},
    }  # fmt: skip
    assert {name: environ[name] for name in expected} == expected
    assert environ["wsgi.input"].read() == b"b"
    assert "HTTP_X_B" not in environ
    assert (parts.status, parts.body) == (204, None)


async def test_it_runs_on_a_thread_and_waits_on_the_loop_there() -> None:
    async def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    def app(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        return [f"{ffi.run_sync(where())} {threading.current_thread() is threading.main_thread()}".encode()]

    assert await body_of(await answer_of(app)) == b"True False"


async def test_a_body_streams_and_is_closed_once_whoever_stops_reading() -> None:
    events: list[str] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            for number in range(3):
                events.append(f"made {number}")
                yield b"" if number == 1 else str(number).encode()

        def close(self) -> None:
            events.append("closed")

    def app(_environ: Environ, start_response: Start) -> Body:
        start_response("200 OK", [])
        return Body()

    assert await body_of(await answer_of(app)) == b"02"
    assert events == ["made 0", "made 1", "made 2", "closed"]
    events.clear()
    body: Any = (await answer_of(app)).body
    assert await anext(body) == b"0"
    await body.aclose()
    async with asyncio.timeout(30):
        while "closed" not in events:
            await asyncio.to_thread(threading.Event().wait, 0.01)
    assert events == ["made 0", "closed"]


async def test_what_is_written_comes_before_what_is_returned() -> None:
    def app(_environ: Environ, start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"a")
        write(b"b")
        return [b"c"]

    assert await body_of(await answer_of(app)) == b"abc"


async def test_what_it_raises_before_its_answer_is_the_handlers() -> None:
    def raises(_environ: Environ, _start: Start) -> list[bytes]:
        raise ValueError("a fault")

    def silent(_environ: Environ, _start: Start) -> list[bytes]:
        return []

    def twice(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    for app, error in ((raises, ValueError), (silent, RuntimeError), (twice, AssertionError)):
        with pytest.raises(error):
            await answer_of(app)


async def test_a_failure_behind_the_start_breaks_the_body_off() -> None:
    def app(_environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        raise ValueError("too late")

    body: Any = (await answer_of(app)).body
    assert await anext(body) == b"begun"
    with pytest.raises(ValueError, match="too late"):
        await anext(body)


@pytest.mark.parametrize(
    ("body", "length", "read"),
    [(b"abc", "3", b"abc"), (b"", None, b""), (bytearray(b"ab"), "2", b"ab"), (io.BytesIO(b"xyz"), None, b"xyz")],
)
async def test_an_environ_is_built_for_who_runs_an_application_itself(
    body: bytes | io.IOBase, length: str | None, read: bytes
) -> None:
    request = request_from("POST", "https://a.test:8443/%C3%A9?q=%20", [(b"x-a", b"1"), (b"x_a", b"2")], None)
    environ = wsgi.build_environ(request, {"KEY": 1}, body)
    assert environ.get("CONTENT_LENGTH") == length
    assert environ["wsgi.input"].read() == read
    assert environ["REQUEST_METHOD"] == "POST"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/Ã©", "q=%20")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["wsgi.url_scheme"]) == ("a.test", "8443", "https")
    assert (environ["HTTP_X_A"], environ["workers.env"], environ["wsgi.multithread"]) == ("1", {"KEY": 1}, False)
