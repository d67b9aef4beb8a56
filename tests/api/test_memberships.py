"""The accounts of a user as memberships."""

from __future__ import annotations

from typing import Any

from tests.api.harness import ABSENT, Api, codes, strict_sdk


async def test_a_user_is_a_member_of_each_account_of_their_own(api: Api) -> None:
    other = await api.result("POST", "/accounts", json={"name": "Aaa"})
    first, second = await api.result("GET", "/memberships")
    assert (first["account"]["id"], second["account"]["id"]) == (other["id"], api.account_id)
    assert (first["status"], first["roles"]) == ("accepted", ["Super Administrator - All Privileges"])
    assert await api.result("GET", f"/memberships/{second['id']}") == second
    assert await api.result("GET", "/memberships?status=pending") == []
    assert await api.result("GET", "/memberships?per_page=1&page=2") == [second]
    assert codes(await api.ask("GET", f"/memberships/{ABSENT}")) == [1001]
    sdk: Any = strict_sdk(api)
    assert [one.id async for one in sdk.memberships.list()] == [first["id"], second["id"]]
