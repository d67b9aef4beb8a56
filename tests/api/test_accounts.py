"""Accounts: made, shown, renamed; and who sees which."""

from __future__ import annotations

import pytest

from tests.api.harness import ACCOUNT, Api, allow, codes, on_account, strict_sdk


async def test_an_account_is_shown_listed_and_renamed(api: Api) -> None:
    path = f"/accounts/{api.account_id}"
    account = await api.result("GET", path)
    assert (account["id"], account["name"], account["type"]) == (api.account_id, "Holdfast", "standard")
    assert await api.result("GET", "/accounts") == [account]
    renamed = await api.result("PUT", path, json={"id": api.account_id, "name": "Ours", "type": "standard"})
    assert renamed == {**account, "name": "Ours"}
    assert await api.result("GET", path) == renamed
    entry = (await api.entries())[0]
    assert (entry["oldValue"], entry["newValue"]) == ('{"name":"Holdfast"}', '{"name":"Ours"}')
    entries = len(await api.entries())
    assert await api.result("PUT", path, json={"name": "Ours"}) == renamed
    assert len(await api.entries()) == entries


async def test_accounts_are_found_by_name_and_listed_page_by_page(api: Api) -> None:
    for number in range(6):
        await api.result("POST", "/accounts", json={"name": f"Team {number}"})
    listed = await api.result("GET", "/accounts?per_page=5&direction=desc")
    assert [one["name"] for one in listed] == [f"Team {number}" for number in (5, 4, 3, 2, 1)]
    assert [one["name"] for one in await api.result("GET", "/accounts?name=team%203")] == ["Team 3"]
    assert await api.result("GET", "/accounts?name=%25") == []
    assert await api.result("GET", "/accounts?per_page=5&page=3") == []


async def test_who_makes_an_account_belongs_to_it_at_once(api: Api) -> None:
    made = await api.result("POST", "/accounts", json={"name": "New", "type": "standard"})
    zone = await api.result("POST", "/zones", json={"name": "new.example", "account": {"id": made["id"]}})
    assert zone["account"] == {"id": made["id"], "name": "New"}
    members = await api.result("GET", f"/accounts/{made['id']}/members")
    assert [one["id"] for one in members] == [api.user_id]
    unnamed = await api.ask("POST", "/zones", json={"name": "which.example"})
    assert (unnamed.status_code, unnamed.json()["errors"][0]["source"]["pointer"]) == (400, "/account/id")


async def test_a_token_of_one_account_makes_no_other_and_sees_no_other(api: Api) -> None:
    narrow = await api.token(allow("Account Settings Write", on=on_account(api.account_id)))
    of_account = await api.token(allow("Account Settings Write", on={f"{ACCOUNT}.*": "*"}), owner="account")
    for secret in (narrow, of_account):
        answer = await api.ask("POST", "/accounts", secret=secret, json={"name": "New"})
        assert (answer.status_code, codes(answer)) == (403, [10000])
    made = await api.result("POST", "/accounts", json={"name": "New"})
    for secret in (narrow, of_account):
        assert [one["id"] for one in await api.result("GET", "/accounts", secret=secret)] == [api.account_id]
    assert (await api.ask("GET", f"/accounts/{made['id']}", secret=narrow)).status_code == 403


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": 5}, "/name"),
        ({}, "/name"),
        ({"name": "x", "type": "enterprise"}, "/type"),
        ({"name": "x", "settings": {"enforce_twofactor": True}}, "/settings"),
    ],
)
async def test_a_bad_account_is_refused_where_it_is_bad(api: Api, members: dict[str, object], pointer: str) -> None:
    answer = await api.ask("PUT", f"/accounts/{api.account_id}", json=members)
    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, pointer)


async def test_the_official_sdk_knows_accounts_members_and_the_user(api: Api) -> None:
    client = strict_sdk(api)
    made = await client.accounts.create(name="SDK", type="standard")
    assert made
    assert [one.name async for one in client.accounts.list()] == ["Holdfast", "SDK"]
    updated = await client.accounts.update(account_id=made.id, id=made.id, name="New", type="standard")
    assert updated
    got = await client.accounts.get(account_id=made.id)
    assert got
    assert got.name == "New"
    members = [one async for one in client.accounts.members.list(account_id=made.id)]
    assert [one.id for one in members] == [api.user_id]
    assert await client.accounts.members.get(api.user_id, account_id=made.id)
    edited = await client.user.edit(first_name="Ada")
    assert edited
    user = await client.user.get()
    assert user
    assert user.first_name == "Ada"
