"""All routes, domains and schedules of a script at once, its address below workers.dev, and what wrangler asks besides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Api, allow, codes, on_account
from tests.api.worker_uploads import script_path


async def test_the_routes_given_are_all_there_are_of_a_script_then(worker_api: Api, worker_zone_id: str) -> None:
    api, routes = worker_api, f"/zones/{worker_zone_id}/workers/routes"
    given: list[dict[str, Any]] = [
        {"pattern": "example.com/a*"},
        {"pattern": "*.example.com/*", "zone_name": "example.com"},
    ]
    assert await api.result("PUT", f"{script_path(api)}/routes", json=given) == ["example.com/a*", "*.example.com/*"]
    before = await api.result("GET", routes)
    await api.result("POST", routes, json={"pattern": "example.com/other", "script": "other"})
    given = [{"pattern": "*.example.com/*"}, {"pattern": "example.com/b", "zone_id": worker_zone_id}]
    await api.result("PUT", f"{script_path(api)}/routes", json=given)
    after = {one["pattern"]: one for one in await api.result("GET", routes)}
    assert {pattern: one["script"] for pattern, one in after.items()} == {
        "*.example.com/*": "chat", "example.com/b": "chat", "example.com/other": "other",
    }  # fmt: skip
    assert after["*.example.com/*"] in before
    await api.result("PUT", f"{script_path(api)}/routes", json=[])
    assert [one["script"] for one in await api.result("GET", routes)] == ["other"]


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ([{"pattern": "example.com/new"}, {"pattern": "example.com/other"}], 409, 10020),
        ([{"pattern": "example.com/new"}, {"pattern": "example.org/*"}], 400, 10471),
        ([{"pattern": "example.com/*/x"}], 400, 10022),
        ([{"pattern": "example.com/x", "zone_name": "example.org"}], 400, 10471),
    ],
)
async def test_routes_of_which_one_cannot_be_change_nothing(
    worker_api: Api, worker_zone_id: str, given: list[dict[str, Any]], status: int, code: int
) -> None:
    await worker_api.result(
        "PUT", f"{script_path(worker_api, 'other')}/routes", json=[{"pattern": "example.com/other"}]
    )
    answer = await worker_api.ask("PUT", f"{script_path(worker_api)}/routes", json=given)
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert len(await worker_api.result("GET", f"/zones/{worker_zone_id}/workers/routes")) == 1


async def test_routes_need_leave_for_their_zone(worker_api: Api, worker_zone_id: str) -> None:
    secret = await worker_api.token(allow("Workers Scripts Write", on=on_account(worker_api.account_id)))
    path, given = f"{script_path(worker_api)}/routes", [{"pattern": "example.com/*"}]
    assert (await worker_api.ask("PUT", path, secret=secret, json=given)).status_code in {403, 404}
    await worker_api.result("PUT", path, json=given)
    assert (await worker_api.ask("PUT", path, secret=secret, json=[])).status_code in {403, 404}


async def test_the_domains_given_are_all_there_are_of_a_script_then(worker_api: Api, worker_zone_id: str) -> None:
    api, path = worker_api, f"{script_path(worker_api)}/domains"
    made = await api.result("PUT", f"{path}/records", json={"origins": [{"hostname": "a.example.com"}]})
    taken = {"origins": [{"hostname": "a.example.com"}, {"hostname": "b.example.com"}]}
    other = f"{script_path(api, 'other')}/domains"
    plan = await api.result("POST", f"{other}/changeset?replace_state=true", json=taken["origins"])
    assert ([one["hostname"] for one in plan["added"]], [one["modified"] for one in plan["updated"]]) == (
        ["b.example.com"],
        [True],
    )
    answer = await api.ask("PUT", f"{other}/records", json=taken)
    assert (answer.status_code, codes(answer)) == (409, [100116])
    await api.result("PUT", f"{other}/records", json={**taken, "override_existing_origin": True})
    records = f"/accounts/{api.account_id}/workers/domains/records"
    assert [one["service"] for one in await api.result("GET", records)] == ["other", "other"]
    assert (await api.result("GET", f"{records}/{made[0]['id']}"))["hostname"] == "a.example.com"
    assert await api.result("GET", f"{records}?service=chat") == []
    await api.result("PUT", f"{other}/records", json={"origins": []})
    assert (await api.ask("GET", f"{records}/{made[0]['id']}")).status_code == 404


async def test_a_route_for_every_host_is_of_the_zone_that_is_named(worker_api: Api, worker_zone_id: str) -> None:
    given = [{"pattern": "*/a", "zone_id": worker_zone_id, "zone_name": "example.com"}]
    assert await worker_api.result("PUT", f"{script_path(worker_api)}/routes", json=given) == ["*/a"]
