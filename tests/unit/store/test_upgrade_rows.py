"""Migrations that change rows: what older tables held is there afterwards, and means what it meant."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from holdfast.control.first_start import everything
from holdfast.model.permission import BY_NAME
from holdfast.store import rulesets, tokens
from holdfast.store.database import Database
from holdfast.store.upgrade import upgrade

USER, ACCOUNT, ZONE, RULESET = "a" * 32, "b" * 32, "c" * 32, "d" * 32
# As 0.2 named them: "Origin Rules Write" by the id of another group.
OLD_ORIGIN_WRITE = "4ec32dfcb35641c5bb32d5ef1ab963b4"
OLD_ZONE_GROUPS = [
    BY_NAME[name].id
    for name in (
        *("Zone Read", "Zone Write", "Zone Settings Read", "Zone Settings Write", "DNS Read", "DNS Write"),
        *("SSL and Certificates Read", "SSL and Certificates Write", "Analytics Read"),
    )
] + ["5cf36a5a8aed4c1fb5a8a1b9f2bb1c1f", OLD_ORIGIN_WRITE]


def policy(*groups: str, effect: str = "allow") -> dict[str, object]:
    return {"id": "", "effect": effect, "permission_groups": list(groups), "resources": {}}


async def before_accounts_had_rulesets(database: Database, policies: list[dict[str, object]]) -> None:
    """A database as 0004 left it, with a ruleset and a token in it."""
    await upgrade(database, to="0004")
    values = {
        "users": {"id": USER, "email": "a@example.com", "created_on": 0, "modified_on": 0},
        "accounts": {"id": ACCOUNT, "name": "A", "created_on": 0},
        "zones": {
            "id": ZONE,
            "account_id": ACCOUNT,
            "name": "example.com",
            "type": "full",
            "plan": "free",
            "paused": False,
            "version": 1,
            "created_on": 0,
            "modified_on": 0,
        },
        "rulesets": {
            "id": RULESET,
            "zone_id": ZONE,
            "name": "default",
            "description": "",
            "kind": "zone",
            "phase": "http_request_origin",
            "version": 1,
            "rules": [],
            "last_updated": 0,
        },
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
        for name, row in values.items():
            columns = [
                sa.column(key, sa.JSON if isinstance(value, list | dict) else None) for key, value in row.items()
            ]
            await connection.execute(sa.insert(sa.table(name, *columns)).values(row))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([OLD_ORIGIN_WRITE], [BY_NAME["Origin Write"].id]),
        ([BY_NAME["DNS Read"].id], [BY_NAME["DNS Read"].id]),
        # Workers came later, and no token of before is allowed them: `holdfast init --new-token` makes one that is.
        (
            OLD_ZONE_GROUPS,
            sorted(
                {*everything(USER)[1].permission_groups}
                - {BY_NAME[f"Workers Routes {way}"].id for way in ("Read", "Write")}
            ),
        ),
    ],
)
async def test_a_token_means_after_0005_what_it_meant_before(
    empty_database_url: str, before: list[str], after: list[str]
) -> None:
    database = Database(empty_database_url)
    await before_accounts_had_rulesets(database, [policy(*before)])
    (allowed,) = await groups_after(database)
    assert allowed == set(after)
    async with database.read() as connection:
        kept = await rulesets.of_zone(connection, ZONE)
    assert [ruleset.id for ruleset in kept] == [RULESET]
    await database.close()


@pytest.mark.parametrize("denied_first", [True, False])
async def test_a_token_that_denies_something_is_allowed_nothing_new_by_0005(
    empty_database_url: str, *, denied_first: bool
) -> None:
    policies = [policy(*OLD_ZONE_GROUPS), policy(BY_NAME["Zone Settings Write"].id, OLD_ORIGIN_WRITE, effect="deny")]
    database = Database(empty_database_url)
    await before_accounts_had_rulesets(database, policies[::-1] if denied_first else policies)
    found = await groups_after(database)
    allowed, denied = found[::-1] if denied_first else found
    renamed = {BY_NAME["Origin Read"].id, BY_NAME["Origin Write"].id}
    assert allowed == {*OLD_ZONE_GROUPS[:-2], *renamed}
    assert denied == {BY_NAME["Zone Settings Write"].id, BY_NAME["Origin Write"].id}
    await database.close()


async def groups_after(database: Database) -> list[set[str]]:
    """What the policies of the token name when the database is brought up."""
    await upgrade(database)
    async with database.read() as connection:
        token = await tokens.find(connection, "user", USER, "e" * 32)
    assert token is not None
    return [set(one.permission_groups) for one in token.policies]


@pytest.mark.parametrize("owners", [{}, {"zone_id": ZONE, "account_id": ACCOUNT}])
async def test_a_ruleset_is_of_a_zone_or_of_an_account(empty_database_url: str, owners: dict[str, str]) -> None:
    database = Database(empty_database_url)
    await before_accounts_had_rulesets(database, [])
    await upgrade(database)
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(
                sa.text("UPDATE rulesets SET zone_id = :zone_id, account_id = :account_id"),
                {"zone_id": None, "account_id": None, **owners},
            )
    await database.close()
