"""Tokens of an account, as the official SDK asks for them."""

from __future__ import annotations

from typing import Any

from tests.api.harness import ZONE, Api, strict_sdk
from tests.api.test_token_work import asked


async def test_the_official_sdk_makes_and_keeps_tokens_of_accounts(api: Api) -> None:
    tokens = strict_sdk(api).accounts.tokens
    where: dict[str, Any] = {"account_id": api.account_id}
    policies: list[Any] = [asked("Zone Read", on={f"{ZONE}.*": "*"})]
    made = await tokens.create(**where, name="sdk", policies=policies, expires_on="2027-01-01T00:00:00Z")
    assert made is not None
    assert made.id
    assert [token.name async for token in tokens.list(**where, include_expired=True)] == ["sdk"]
    assert await tokens.get(made.id, **where)
    assert await tokens.update(made.id, **where, name="new", policies=policies)
    rolled = await tokens.value.update(made.id, **where)
    verified = await strict_sdk(api, rolled).accounts.tokens.verify(**where)
    assert verified is not None
    assert verified.id == made.id
    assert await tokens.permission_groups.get(**where)
    assert await tokens.delete(made.id, **where)
