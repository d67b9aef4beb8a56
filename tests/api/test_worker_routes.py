"""Routes of Workers over the API: made, changed and removed, and published to edges as they are answered."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.model.data_dir import worker_key
from tests.api.harness import ABSENT, Api, allow, codes, on_zone
from tests.api.worker_uploads import upload


async def with_script(api: Api, name: str = "chat") -> None:
    await api.result("PUT", f"/accounts/{api.account_id}/workers/scripts/{name}", **upload())


def published(api: Api) -> list[tuple[str, str, str]]:
    (zone,) = api.control.publisher.snapshot().zones
    return [(one.pattern, one.key, one.name) for one in zone.worker_routes]


async def test_a_route_is_made_shown_listed_changed_and_removed(worker_api: Api) -> None:
    api = worker_api
    await with_script(api)
    zone_id = await api.zone()
    base, key = f"/zones/{zone_id}/workers/routes", worker_key(api.account_id, "chat")
    made = await api.result("POST", base, json={"pattern": "Example.com/Chat*", "script": "chat"})
    assert made == {"id": made["id"], "pattern": "example.com/Chat*", "script": "chat"}
    assert published(api) == [("example.com/Chat*", key, "chat")]
    assert await api.result("GET", f"{base}/{made['id']}") == made
    without = await api.result("POST", base, json={"pattern": "example.com/Chat/static/*"})
    assert "script" not in without
    assert await api.result("GET", base) == [made, without]
    assert published(api)[1] == ("example.com/Chat/static/*", "", "")
    changed = await api.result("PUT", f"{base}/{made['id']}", json={"pattern": "*.example.com/*", "script": "chat"})
    assert changed == {**made, "pattern": "*.example.com/*"}
    entries = len(await api.entries())
    assert (
        await api.result("PUT", f"{base}/{made['id']}", json={"pattern": "*.example.com/*", "script": "chat"})
        == changed
    )
    assert len(await api.entries()) == entries
    for one in (made, without):
        assert await api.result("DELETE", f"{base}/{one['id']}") == {"id": one["id"]}
    assert published(api) == []
    for method in ("GET", "PUT", "DELETE"):
        answer = await api.ask(method, f"{base}/{made['id']}", json={"pattern": "example.com/"})
        assert (answer.status_code, codes(answer)) == (404, [10009])


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"pattern": "example.com/*/x"}, 400, 10022, "pattern: expected a * nowhere in the path"),
        ({"pattern": "example.org/*"}, 400, 10022, "expected a host of the zone example.com"),
        ({"pattern": ""}, 400, 10022, "pattern: expected a pattern"),
        ({"pattern": 5}, 400, 1004, "pattern"),
        ({}, 400, 1004, "pattern"),
        ({"pattern": "example.com/*", "script": "gone"}, 400, 10019, "script: the account has no Worker 'gone'"),
        (
            {"pattern": "EXAMPLE.com/there", "script": "chat"},
            409,
            10020,
            "A route with the same pattern already exists",
        ),
    ],
)
async def test_a_bad_route_is_refused(
    worker_api: Api, body: dict[str, Any], status: int, code: int, words: str
) -> None:
    api = worker_api
    await with_script(api)
    base = f"/zones/{await api.zone()}/workers/routes"
    there = await api.result("POST", base, json={"pattern": "example.com/there"})
    answer = await api.ask("POST", base, json=body)
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert words in answer.json()["errors"][0]["message"]
    if status == 409:
        other = await api.result("POST", base, json={"pattern": "example.com/other"})
        answer = await api.ask("PUT", f"{base}/{other['id']}", json=body)
        assert (answer.status_code, codes(answer)) == (409, [10020])
    assert (await api.result("GET", base))[0] == there


async def test_a_script_that_is_removed_takes_what_leads_to_it_along(worker_api: Api) -> None:
    api = worker_api
    await with_script(api)
    zone_id = await api.zone()
    await api.result("POST", f"/zones/{zone_id}/workers/routes", json={"pattern": "example.com/*", "script": "chat"})
    await api.result("DELETE", f"/accounts/{api.account_id}/workers/scripts/chat")
    assert await api.result("GET", f"/zones/{zone_id}/workers/routes") == []
    assert published(api) == []


async def test_who_may_read_may_not_write(worker_api: Api) -> None:
    zone_id = await worker_api.zone()
    base = f"/zones/{zone_id}/workers/routes"
    secret = await worker_api.token(allow("Workers Routes Read", on=on_zone(zone_id)))
    assert (await worker_api.ask("GET", base, secret=secret)).status_code == 200
    answer = await worker_api.ask("POST", base, secret=secret, json={"pattern": "example.com/*"})
    assert (answer.status_code, codes(answer)) == (403, [10000])


async def test_a_script_of_another_account_cannot_be_named(worker_api: Api) -> None:
    zone_id = await worker_api.zone()
    answer = await worker_api.ask("GET", f"/zones/{zone_id}/workers/routes/{ABSENT}")
    assert (answer.status_code, codes(answer)) == (404, [10009])
