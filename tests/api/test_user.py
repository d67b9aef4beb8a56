"""The user behind a token."""

from __future__ import annotations

from tests.api.harness import Api, allow, on_user


async def test_the_user_is_shown_and_changes_their_name(api: Api) -> None:
    user = await api.result("GET", "/user")
    assert (user["id"], user["email"]) == (api.user_id, "owner@localhost")
    changed = await api.result("PATCH", "/user", json={"first_name": "Ada", "country": None})
    assert (changed["first_name"], changed["last_name"]) == ("Ada", None)
    assert await api.result("GET", "/user") == changed
    assert (await api.result("PATCH", "/user", json={"first_name": None}))["first_name"] is None
    assert (await api.result("PATCH", "/user", json={}))["modified_on"] > changed["modified_on"]
    refused = await api.ask("PATCH", "/user", json={"country": "NZ"})
    assert (refused.status_code, refused.json()["errors"][0]["source"]["pointer"]) == (400, "/country")
    of_account = await api.token(allow("User Details Write", on=on_user(api.user_id)), owner="account")
    assert (await api.ask("GET", "/user", secret=of_account)).status_code == 403


async def test_a_name_that_is_the_same_leaves_no_trace(api: Api) -> None:
    changed = await api.result("PATCH", "/user", json={"first_name": "Ada"})
    before = len(await api.entries())
    assert await api.result("PATCH", "/user", json={"first_name": "Ada", "last_name": None}) == changed
    assert len(await api.entries()) == before
    await api.result("PATCH", "/user", json={"first_name": "Ada", "last_name": "L"})
    entry = (await api.entries())[0]
    assert (entry["oldValue"], entry["newValue"]) == ('{"last_name":null}', '{"last_name":"L"}')
