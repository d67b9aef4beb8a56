"""The second version of the audit log: pages by a cursor, filters both ways."""

from __future__ import annotations

from tests.api.harness import Api
from tests.api.test_audit_logs import BETWEEN


async def test_a_trail_is_read_page_after_page_while_it_grows(api: Api) -> None:
    zone_id = await api.zone()
    for number in range(9):
        await api.result("PATCH", f"/zones/{zone_id}/settings/proxy_read_timeout", json={"value": number + 1})
    path, seen = f"/accounts/{api.account_id}/logs/audit?{BETWEEN}&limit=3", list[str]()
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.ask("GET", f"{path}&cursor={cursor}")).json()
        assert page["result_info"]["count"] == len(page["result"]) <= 3
        seen += [entry["id"] for entry in page["result"]]
        cursor = page["result_info"]["cursors"]["after"]
        await api.result("PATCH", f"/zones/{zone_id}/settings/proxy_read_timeout", json={"value": 50 + len(seen)})
    everything = [entry["id"] for entry in await api.entries()]
    assert seen == everything[-10:]
    backwards = await api.result("GET", f"/accounts/{api.account_id}/logs/audit?{BETWEEN}&direction=asc")
    assert [entry["id"] for entry in backwards] == everything[::-1]


async def test_filters_of_the_trail_take_and_leave_out(api: Api) -> None:
    zone_id = await api.zone()
    await api.result("PATCH", f"/zones/{zone_id}", json={"paused": True})
    await api.result("PATCH", "/user", json={"first_name": "Ada"})
    expected = {
        "action_type=update": 2,
        "action_type=update&action_type=create": 3,
        "action_type.not=update": 1,
        "resource_scope=user": 1,
        "resource_scope.not=user": 2,
        "zone_name=example.com": 2,
        "zone_name.not=example.com": 1,
        f"zone_id={zone_id}&resource_type=zone&raw_method=PATCH": 1,
        "actor_type=account": 0,
        "actor_context=api_token": 3,
        "action_result.not=success": 0,
        "raw_status_code=200": 3,
        "account_name=Holdfast": 3,
        "account_name.not=Holdfast": 0,
        "actor_token_name=first token": 3,
    }
    for query, count in expected.items():
        found = await api.result("GET", f"/accounts/{api.account_id}/logs/audit?{BETWEEN}&{query}")
        assert len(found) == count, query
