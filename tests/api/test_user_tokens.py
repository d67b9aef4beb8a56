"""Tokens of a user, as the official SDK asks for them, and where tokens are verified."""

from __future__ import annotations

from typing import Any

from tests.api.harness import ACCOUNT, ZONE, Api, allow, codes, strict_sdk
from tests.api.test_token_work import ALL_OF_ZONES, asked


async def test_a_token_is_verified_where_it_belongs_only(api: Api) -> None:
    mine = await api.token(allow("Zone Read", on={f"{ZONE}.*": "*"}), owner="account")
    other_account, _ = await api.account()
    assert codes(await api.ask("GET", "/user/tokens/verify", secret=mine)) == [1000]
    assert codes(await api.ask("GET", f"/accounts/{other_account}/tokens/verify", secret=mine)) == [1000]
    assert codes(await api.ask("GET", f"/accounts/{api.account_id}/tokens/verify")) == [1000]
    assert codes(await api.ask("GET", "/user/tokens/verify", secret="x" * 40)) == [1000]


async def test_the_official_sdk_makes_and_keeps_tokens(api: Api) -> None:
    client = strict_sdk(api)
    zone_id = await api.zone()
    policies: list[Any] = [asked("Zone Read", on={f"{ACCOUNT}.{api.account_id}": {f"{ZONE}.{zone_id}": "*"}})]
    made = await client.user.tokens.create(
        name="sdk", policies=policies, condition={"request_ip": {"in": ["127.0.0.0/8"], "not_in": ["127.0.0.9/32"]}}
    )
    assert made is not None
    assert made.id
    assert made.value
    seen = await client.user.tokens.get(made.id)
    assert seen is not None
    assert seen.condition
    assert seen.condition.request_ip
    assert seen.condition.request_ip.in_ == ["127.0.0.0/8"]
    verified = await strict_sdk(api, made.value).user.tokens.verify()
    assert verified is not None
    assert verified.status == "active"
    assert [token.name async for token in client.user.tokens.list()] == ["sdk", "first token"]
    updated = await client.user.tokens.update(made.id, name="new", policies=policies, status="disabled")
    assert updated is not None
    assert updated.status == "disabled"
    assert await client.user.tokens.value.update(made.id) != made.value
    groups = [group async for group in client.user.tokens.permission_groups.list(name="Zone%20Read")]
    assert groups == []
    assert len([group async for group in client.user.tokens.permission_groups.list(scope=ZONE)]) == len(ALL_OF_ZONES)
    deleted = await client.user.tokens.delete(made.id)
    assert deleted is not None
    assert deleted.id == made.id
