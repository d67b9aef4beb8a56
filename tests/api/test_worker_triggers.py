"""All routes, domains and schedules of a script at once, its address below workers.dev, and what wrangler asks besides."""

from __future__ import annotations

from typing import Any, cast

import pytest

from holdfast.api.context import WorkersUnavailable
from holdfast.model.data_dir import worker_key
from tests.api.harness import Api, allow, codes, on_account, strict_sdk
from tests.api.worker_uploads import ROOM, ROOM_MADE, upload
from tests.api.workers import FakeWorkers


def base(api: Api, name: str = "chat") -> str:
    return f"/accounts/{api.account_id}/workers/scripts/{name}"


@pytest.fixture
async def zone_id(worker_api: Api) -> str:
    for name in ("chat", "other"):
        await worker_api.result("PUT", base(worker_api, name), **upload())
    return await worker_api.zone()


async def test_the_routes_given_are_all_there_are_of_a_script_then(worker_api: Api, zone_id: str) -> None:
    api, routes = worker_api, f"/zones/{zone_id}/workers/routes"
    given: list[dict[str, Any]] = [
        {"pattern": "example.com/a*"},
        {"pattern": "*.example.com/*", "zone_name": "example.com"},
    ]
    assert await api.result("PUT", f"{base(api)}/routes", json=given) == ["example.com/a*", "*.example.com/*"]
    before = await api.result("GET", routes)
    await api.result("POST", routes, json={"pattern": "example.com/other", "script": "other"})
    given = [{"pattern": "*.example.com/*"}, {"pattern": "example.com/b", "zone_id": zone_id}]
    await api.result("PUT", f"{base(api)}/routes", json=given)
    after = {one["pattern"]: one for one in await api.result("GET", routes)}
    assert {pattern: one["script"] for pattern, one in after.items()} == {
        "*.example.com/*": "chat", "example.com/b": "chat", "example.com/other": "other",
    }  # fmt: skip
    assert after["*.example.com/*"] in before
    await api.result("PUT", f"{base(api)}/routes", json=[])
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
    worker_api: Api, zone_id: str, given: list[dict[str, Any]], status: int, code: int
) -> None:
    await worker_api.result("PUT", f"{base(worker_api, 'other')}/routes", json=[{"pattern": "example.com/other"}])
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/routes", json=given)
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert len(await worker_api.result("GET", f"/zones/{zone_id}/workers/routes")) == 1


async def test_routes_need_leave_for_their_zone(worker_api: Api, zone_id: str) -> None:
    secret = await worker_api.token(allow("Workers Scripts Write", on=on_account(worker_api.account_id)))
    path, given = f"{base(worker_api)}/routes", [{"pattern": "example.com/*"}]
    assert (await worker_api.ask("PUT", path, secret=secret, json=given)).status_code in {403, 404}
    await worker_api.result("PUT", path, json=given)
    assert (await worker_api.ask("PUT", path, secret=secret, json=[])).status_code in {403, 404}


async def test_the_domains_given_are_all_there_are_of_a_script_then(worker_api: Api, zone_id: str) -> None:
    api, path = worker_api, f"{base(worker_api)}/domains"
    made = await api.result("PUT", f"{path}/records", json={"origins": [{"hostname": "a.example.com"}]})
    taken = {"origins": [{"hostname": "a.example.com"}, {"hostname": "b.example.com"}]}
    other = f"{base(api, 'other')}/domains"
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


async def test_schedules_are_replaced_and_told_to_whoever_runs_scripts(
    worker_api: Api, workers: FakeWorkers, zone_id: str
) -> None:
    api, path, key = worker_api, f"{base(worker_api)}/schedules", worker_key(worker_api.account_id, "chat")
    assert await api.result("GET", path) == {"schedules": []}
    given = [{"cron": "*/5 * * * *"}, {"cron": "0 0 LW * *"}, {"cron": "*/5 * * * *"}]
    made = (await api.result("PUT", path, json=given))["schedules"]
    assert {one["cron"] for one in made} == set(workers.crons[key]) == {"*/5 * * * *", "0 0 LW * *"}
    kept = next(one for one in made if one["cron"].startswith("*/5"))
    after = await api.result("PUT", path, json=[{"cron": "*/5 * * * *"}])
    assert after == await api.result("GET", path) == {"schedules": [kept]}
    workers.refusal = WorkersUnavailable("it is away")
    answer = await api.ask("PUT", path, json=[])
    assert (answer.status_code, codes(answer)) == (503, [10503])
    workers.refusal = None
    assert await api.result("GET", path) == after
    answer = await api.ask("PUT", path, json=[{"cron": "* * * * *"}, {"cron": "60 * * * *"}])
    assert (answer.status_code, codes(answer)) == (400, [10100])
    assert answer.json()["errors"][0]["source"] == {"pointer": "/1/cron"}
    assert workers.crons[key] == ["*/5 * * * *"]
    sdk, of = strict_sdk(api), cast("Any", {"account_id": api.account_id})
    found = await sdk.workers.scripts.schedules.update("chat", body=[{"cron": "1 * * * *"}], **of)
    assert found is not None
    assert [one.cron for one in found.schedules] == ["1 * * * *"]


async def test_an_address_below_workers_dev_needs_a_zone_there(worker_api: Api, zone_id: str) -> None:
    api, path, account = (
        worker_api,
        f"{base(worker_api)}/subdomain",
        f"/accounts/{worker_api.account_id}/workers/subdomain",
    )
    assert codes(await api.ask("GET", account)) == [10007]
    assert codes(await api.ask("PUT", account, json={"subdomain": "us"})) == [10031]
    assert codes(await api.ask("POST", path, json={"enabled": True})) == [10063]
    off = {"enabled": False, "previews_enabled": False}
    assert await api.result("POST", path, json={"enabled": False}) == off
    await api.zone("us.workers.dev")
    assert await api.result("GET", account) == await api.result("PUT", account, json={"subdomain": "us"})
    sdk, of = strict_sdk(api), cast("Any", {"account_id": api.account_id})
    assert (await sdk.workers.scripts.subdomain.create("chat", enabled=True, **of)).enabled
    domains = f"/accounts/{api.account_id}/workers/domains"
    assert [one["hostname"] for one in await api.result("GET", domains)] == ["chat.us.workers.dev"]
    assert (await api.result("GET", path))["enabled"] is True
    assert await api.result("DELETE", path) == await api.result("GET", path) == off
    assert await api.result("GET", domains) == []


async def test_a_script_is_a_service_and_others_are_bound_to_it(
    worker_api: Api, workers: FakeWorkers, zone_id: str
) -> None:
    api = worker_api
    service = f"/accounts/{api.account_id}/workers/services/chat"
    assert (await api.result("GET", service))["default_environment"]["script"]["id"] == "chat"
    bound = {"type": "service", "name": "CHAT", "service": "chat"}
    await api.result("PUT", base(api, "other"), **upload(bindings=[bound]))
    found = await api.result("GET", f"{base(api)}/references")
    assert [one["service"] for one in found["services"]["incoming"]] == ["other"]
    assert await api.result("GET", f"/accounts/{api.account_id}/workers/tails/by-consumer/chat") == []
    assert codes(await api.ask("DELETE", service)) == [10142]
    await api.result("PUT", base(api, "other"), **upload(bindings=[ROOM], migrations=ROOM_MADE))
    assert codes(await api.ask("DELETE", f"/accounts/{api.account_id}/workers/services/other")) == [10064]
    assert await api.result("DELETE", service) is None
    assert codes(await api.ask("GET", service)) == [10007]
    assert await api.result("GET", f"/accounts/{api.account_id}/storage/kv/namespaces") == []


async def test_tags_are_of_the_script_and_change_no_version(
    worker_api: Api, workers: FakeWorkers, zone_id: str
) -> None:
    path, deployed = f"{base(worker_api)}/script-settings", len(workers.versions)
    given = {"tags": ["cf:service=chat"], "observability": {"enabled": True}, "logpush": None}
    assert (await worker_api.result("PATCH", path, json=given))["tags"] == ["cf:service=chat"]
    assert await worker_api.result("GET", path) == {
        "logpush": False, "observability": {"enabled": False}, "tags": ["cf:service=chat"], "tail_consumers": None,
    }  # fmt: skip
    assert len(workers.versions) == deployed
