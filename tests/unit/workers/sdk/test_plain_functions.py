"""Applications of frameworks in a Durable Object run where its code runs, and on threads elsewhere."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from fastapi import FastAPI

from holdfast.workers.sdk import asgi, wsgi
from holdfast.workers.sdk.context import Invocation, running
from holdfast.workers.sdk.entrypoints import DurableObject
from holdfast.workers.sdk.ffi import run_sync
from holdfast.workers.sdk.plain_functions import run_in_place
from holdfast.workers.sdk.web.request import Request as WebRequest
from holdfast.workers.sdk.web.response import Response
from tests.unit.workers.durable.stage import stage

HOME = threading.main_thread().name


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    apart = anyio.to_thread.run_sync
    yield
    anyio.to_thread.run_sync = apart


def fast_app(storage: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/plain")
    def plain() -> dict[str, Any]:
        kept = 0 if storage is None else (run_sync(storage.get("n")) or 0) + 1
        if storage is not None:
            run_sync(storage.put("n", kept))
        return {"thread": threading.current_thread().name, "kept": kept}

    return app


def plain_app(storage: Any) -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield f"{threading.current_thread().name == HOME} {environ['wsgi.multithread']} ".encode()
        yield environ["wsgi.input"].read()
        if storage is not None:
            yield str(storage.sql.exec("SELECT 1 AS one").raw().toArray().to_py()).encode()

    return app


class Room(DurableObject):
    async def fetch(self, request: Any) -> Response:
        if request.method == "POST":
            return await wsgi.fetch(plain_app(self.ctx.storage), request, self.env)
        return await asgi.fetch(fast_app(self.ctx.storage), request, self.env)


async def test_plain_functions_of_an_object_run_where_its_code_runs(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        for kept in (1, 2):
            answer = await scene.stub().fetch("http://x/plain")
            assert await answer.json() == {"thread": HOME, "kept": kept}
        answered = await scene.stub().fetch("http://x/", method="POST", body=stream())
        assert await answered.text() == "True False abc[[1]]"


async def test_elsewhere_they_have_threads_also_after_an_object_had_some(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        await (await scene.stub().fetch("http://x/plain")).text()
        begun: list[Any] = []
        running.set(Invocation(env=None, wait_until=lambda work: begun.append(asyncio.ensure_future(work))))
        answer = await asgi.fetch(fast_app(None), WebRequest("http://x/plain"))
        assert (await answer.json()).thread != HOME
        answered = await wsgi.fetch(plain_app(None), WebRequest("http://x/", {"method": "POST", "body": "abc"}))
        assert await answered.text() == "False True abc"


async def stream() -> Any:
    for piece in (b"a", b"bc"):
        yield piece


async def test_nothing_is_replaced_outside_of_objects() -> None:
    before = anyio.to_thread.run_sync
    run_in_place()
    assert anyio.to_thread.run_sync is before
