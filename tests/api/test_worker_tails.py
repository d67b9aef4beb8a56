"""Tails as the original has them: made, heard at an address of their own, removed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from holdfast.api.worker_tails import LIFETIME_S, MAX_TAILS
from holdfast.model.worker_messages import Log
from tests.api.harness import Api, allow, codes, on_account, strict_sdk
from tests.api.test_connection_stream import Client, opened
from tests.api.worker_uploads import upload
from tests.api.workers import FakeWorkers

LINES: list[Log | int] = [
    Log(level="log", message="hello", ts_ms=5, ray="r", entrypoint="Default"),
    Log(level="info", message="GET http://a.example/x 200", ts_ms=6, ray="r", entrypoint="Default", kind="request",
        version="a" * 32, fields={"method": "GET", "status": 200}),
    3,
]  # fmt: skip


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts/chat"


def hearing(api: Api, tail: dict[str, Any]) -> AbstractAsyncContextManager[Client]:
    return opened(api, "", secret="", path=urlsplit(tail["url"]).path.removeprefix("/client/v4"))


@pytest.fixture
async def script(worker_api: Api) -> str:
    await worker_api.result("PUT", base(worker_api), **upload())
    return "chat"


async def test_what_happens_is_told_at_the_address_to_whoever_knows_it(
    worker_api: Api, workers: FakeWorkers, script: str
) -> None:
    workers.lines = LINES
    tail = await worker_api.result("POST", f"{base(worker_api)}/tails")
    assert tail["url"].startswith("ws://holdfast.test/client/v4/workers/tails/")
    async with hearing(worker_api, tail) as client:
        assert (await client.next())["type"] == "websocket.accept"
        event = await client.message()
        assert event["event"]["request"] | {"cf": {}} == event["event"]["request"]
        assert (event["event"]["request"]["url"], event["event"]["response"]) == ("http://a.example/x", {"status": 200})
        assert [one["message"] for one in event["logs"]] == [["hello"]]
        assert (event["outcome"], event["scriptName"]) == ("ok", "chat")
        assert (await client.message())["event"]["type"] == "overload"
        assert (await client.end())[0] == 1001


async def test_filters_leave_out_what_is_not_asked_for(worker_api: Api, workers: FakeWorkers, script: str) -> None:
    workers.lines = LINES[:2]
    body = {"filters": [{"outcome": ["exception"]}, {"method": "get"}, {"query": "x"}, {"sampling_rate": 1}]}
    tail = await worker_api.result("POST", f"{base(worker_api)}/tails", json=body)
    async with hearing(worker_api, tail) as client:
        assert (await client.next())["type"] == "websocket.accept"
        assert (await client.end())[0] == 1001


@pytest.mark.parametrize(
    "body",
    [
        {"filters": [{"header": {"key": "a"}}]},
        {"filters": [{"client_ip": ["self"]}]},
        {"filters": [{"sampling_rate": 0}]},
        {"filters": 1},
    ],
)
async def test_a_filter_that_cannot_be_kept_is_refused(worker_api: Api, script: str, body: dict[str, Any]) -> None:
    answer = await worker_api.ask("POST", f"{base(worker_api)}/tails", json=body)
    assert (answer.status_code, codes(answer)) == (400, [1004])


async def test_a_tail_is_over_when_it_is_removed_when_its_time_is_up_and_with_its_token(
    worker_api: Api, script: str
) -> None:
    api = worker_api
    secret = await api.token(allow("Workers Tail Read", on=on_account(api.account_id)))
    made = [await api.result("POST", f"{base(api)}/tails", secret=secret) for _ in range(2)]
    assert await api.result("GET", f"{base(api)}/tails", secret=secret) == made
    assert await api.result("GET", f"{base(api)}/tails") == []
    assert (await api.ask("DELETE", f"{base(api)}/tails/{made[0]['id']}")).status_code == 404
    assert await api.result("DELETE", f"{base(api)}/tails/{made[0]['id']}", secret=secret) is None
    async with hearing(api, made[0]) as client:
        assert await client.refusal() == (404, [7003, 7000])
    async with hearing(api, made[1]) as client:
        assert (await client.next())["type"] == "websocket.accept"
    api.clock.now += LIFETIME_S * 1_000_000
    async with hearing(api, made[1]) as client:
        assert await client.refusal() == (404, [7003, 7000])


async def test_a_script_of_the_same_name_that_is_made_later_has_no_tail_of_the_one_before(
    worker_api: Api, script: str
) -> None:
    tail = await worker_api.result("POST", f"{base(worker_api)}/tails")
    await worker_api.result("DELETE", base(worker_api))
    await worker_api.result("PUT", base(worker_api), **upload())
    assert await worker_api.result("GET", f"{base(worker_api)}/tails") == []
    async with hearing(worker_api, tail) as client:
        assert await client.refusal() == (404, [7003, 7000])


async def test_a_script_has_so_many_tails_at_most(worker_api: Api, script: str) -> None:
    for _ in range(MAX_TAILS):
        await worker_api.result("POST", f"{base(worker_api)}/tails")
    answer = await worker_api.ask("POST", f"{base(worker_api)}/tails")
    assert (answer.status_code, codes(answer)) == (429, [10429])


async def test_the_official_sdk_makes_and_removes_a_tail(worker_api: Api, script: str) -> None:
    sdk, of = strict_sdk(worker_api), cast("Any", {"account_id": worker_api.account_id})
    made = await sdk.workers.scripts.tail.create("chat", **of)
    assert made is not None
    await sdk.workers.scripts.tail.delete(made.id, script_name="chat", **of)
