"""Addresses of Workers below workers.dev."""

from __future__ import annotations

from typing import Any, cast

from tests.api.harness import Api, codes, strict_sdk
from tests.api.worker_uploads import script_path


async def test_an_address_below_workers_dev_needs_a_zone_there(worker_api: Api, worker_zone_id: str) -> None:
    api, path, account = (
        worker_api,
        f"{script_path(worker_api)}/subdomain",
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
