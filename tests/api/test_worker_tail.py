"""What a Worker logs, over a stream of the API."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from holdfast.api.context import WorkersUnavailable
from holdfast.model.worker_messages import Log
from tests.api.harness import ABSENT, Api, allow, on_account
from tests.api.test_connection_stream import Client, opened
from tests.api.worker_uploads import upload
from tests.api.workers import FakeWorkers

LINE = Log(level="error", message="boom", ts_ms=5, ray="r", entrypoint="Default", kind="exception", fields={"a": 1})


def tail(
    api: Api, name: str = "chat", query: str = "", *, secret: str | None = None, account_id: str = ""
) -> AbstractAsyncContextManager[Client]:
    path = f"/accounts/{account_id or api.account_id}/workers/scripts/{name}/tail"
    return opened(api, "", query, secret=secret, path=path)


@pytest.fixture
async def script(worker_api: Api) -> str:
    await worker_api.result("PUT", f"/accounts/{worker_api.account_id}/workers/scripts/chat", **upload())
    return "chat"


async def test_what_is_logged_is_told_until_the_host_ends(worker_api: Api, workers: FakeWorkers, script: str) -> None:
    workers.lines = [LINE, 3]
    async with tail(worker_api, query="lines=10") as client:
        assert (await client.next())["type"] == "websocket.accept"
        assert await client.message() == {
            "type": "log", "level": "error", "message": "boom", "ts_ms": 5, "ray": "r", "entrypoint": "Default",
            "kind": "exception", "version": "", "fields": {"a": 1},
        }  # fmt: skip
        assert await client.message() == {"type": "missed", "lines": 3}
        assert (await client.end())[0] == 1001


async def test_who_may_hear_is_let_in_and_nobody_else(worker_api: Api, script: str) -> None:
    api = worker_api
    for group in ("Workers Tail Read", "Workers Scripts Read", "Workers Scripts Write"):
        secret = await api.token(allow(group, on=on_account(api.account_id)))
        async with tail(api, secret=secret) as client:
            assert (await client.next())["type"] == "websocket.accept"
    secret = await api.token(allow("Account Settings Read", on=on_account(api.account_id)))
    async with tail(api, secret=secret) as client:
        assert await client.refusal() == (403, [10000])
    async with tail(api, secret="x" * 40) as client:
        assert await client.refusal() == (401, [10000])


@pytest.mark.parametrize(
    ("name", "query", "status", "code"),
    [
        ("gone", "", 404, 10007),
        ("No-Name", "", 404, 7003),
        ("chat", "lines=x", 400, 1004),
        ("chat", "lines=201", 400, 1004),
    ],
)
async def test_what_cannot_be_heard_is_refused(
    worker_api: Api, script: str, name: str, query: str, status: int, code: int
) -> None:
    async with tail(worker_api, name, query) as client:
        found = await client.refusal()
        assert (found[0], found[1][0]) == (status, code)


async def test_an_account_that_is_not_theirs_is_refused(worker_api: Api, script: str) -> None:
    async with tail(worker_api, account_id=ABSENT) as client:
        assert await client.refusal() == (403, [9109])


async def test_a_host_that_is_away_is_said_to_be(worker_api: Api, workers: FakeWorkers, script: str) -> None:
    workers.refusal = WorkersUnavailable("it cannot be reached")
    async with tail(worker_api) as client:
        assert await client.refusal() == (503, [10503])
