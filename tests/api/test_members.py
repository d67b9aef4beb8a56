"""Members and roles of an account."""

from __future__ import annotations

from tests.api.harness import ABSENT, Api


async def test_members_and_roles_are_shown(api: Api) -> None:
    path = f"/accounts/{api.account_id}"
    member = (await api.result("GET", f"{path}/members"))[0]
    assert (member["id"], member["status"]) == (api.user_id, "accepted")
    assert await api.result("GET", f"{path}/members/{api.user_id}") == member
    assert await api.result("GET", f"{path}/members?status=pending") == []
    assert await api.result("GET", f"{path}/roles/{member['roles'][0]['id']}") == member["roles"][0]
    for missing in (f"{path}/members/{ABSENT}", f"{path}/roles/{ABSENT}"):
        assert (await api.ask("GET", missing)).status_code == 404
