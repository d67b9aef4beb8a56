"""The migration that lets tokens which may do everything run Workers, and lets no other do more than it could."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.control.first_start import everything
from holdfast.model.permission import BY_ID
from holdfast.store import tokens
from holdfast.store.database import Database
from holdfast.store.upgrade import upgrade

USER = "a" * 32
NEW = {group.id for group in BY_ID.values() if group.name.startswith("Workers ")}


def of_before(**changed: Any) -> list[dict[str, Any]]:
    """The policies of an owner before there were Workers; each with what is `changed`."""
    return [
        {
            "id": policy.id,
            "effect": "allow",
            "permission_groups": [group for group in policy.permission_groups if group not in NEW],
            "resources": policy.resources,
            **changed,
        }
        for policy in everything(USER)
    ]


async def brought_up(url: str, policies: list[dict[str, Any]]) -> tuple[tokens.Token, Database]:
    """A token with `policies`, as it is after the migration."""
    database = Database(url)
    await upgrade(database, to="0009")
    rows: dict[str, dict[str, Any]] = {
        "users": {"id": USER, "email": "a@example.com", "created_on": 0, "modified_on": 0},
        "tokens": {
            "id": "e" * 32,
            "owner_kind": "user",
            "owner_id": USER,
            "name": "t",
            "status": "active",
            "secret_hash": "f" * 64,
            "policies": policies,
            "condition": {},
            "issued_on": 0,
            "modified_on": 0,
        },
    }
    async with database.write() as connection:
        for name, row in rows.items():
            columns = [
                sa.column(key, sa.JSON if isinstance(value, list | dict) else None) for key, value in row.items()
            ]
            await connection.execute(sa.insert(sa.table(name, *columns)).values(row))
    await upgrade(database)
    async with database.read() as connection:
        token = await tokens.find(connection, "user", USER, "e" * 32)
    assert token is not None
    return token, database


async def test_a_token_for_everything_may_run_workers(empty_database_url: str) -> None:
    token, database = await brought_up(empty_database_url, of_before())
    found = {(*policy.resources,): set(policy.permission_groups) for policy in token.policies}
    assert found == {(*policy.resources,): set(policy.permission_groups) for policy in everything(USER)}
    await database.close()


ZONE, ACCOUNT, OWN = of_before()[1], of_before()[0], of_before()[2]


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param([], id="nothing"),
        pytest.param([ZONE, OWN], id="without the accounts"),
        pytest.param([ACCOUNT, OWN], id="without the zones"),
        pytest.param([ACCOUNT, {**ZONE, "permission_groups": ZONE["permission_groups"][1:]}], id="one group less"),
        pytest.param(
            [ACCOUNT, {**ZONE, "resources": {f"com.cloudflare.api.account.zone.{'c' * 32}": "*"}}], id="a zone"
        ),
        pytest.param([*of_before(), {**ZONE, "effect": "deny", "permission_groups": []}], id="one that denies"),
        pytest.param(of_before(effect="deny"), id="all denied"),
    ],
)
async def test_any_other_token_means_what_it_meant(empty_database_url: str, policies: list[dict[str, Any]]) -> None:
    token, database = await brought_up(empty_database_url, policies)
    assert [list(one.permission_groups) for one in token.policies] == [one["permission_groups"] for one in policies]
    await database.close()
