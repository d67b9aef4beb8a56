"""`holdfast.store.rule_documents`: accounts and lists as they are published, with all that belongs to them and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.model.rule_documents import (
    AccessRuleDocument,
    AccountDocument,
    ListDocument,
    RateLimitDocument,
    RuleDocument,
    RulesetDocument,
)
from holdfast.store import identities
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.identities import Account
from holdfast.store.rule_documents import account_documents, account_versions, list_documents, list_versions
from holdfast.store.schema import ACCESS_RULES, ACCOUNTS, LIST_ITEMS, LISTS, RULESETS
from tests.unit.store.conftest import ACCOUNT_ID, USER_ID

OTHER_ID = "c" * 32
RULE = {
    "id": "1" * 32,
    "version": 2,
    "ref": "mine",
    "action": "block",
    "action_parameters": {"response": {"status_code": 429}},
    "expression": "true",
    "description": "d",
    "enabled": False,
    "last_updated": 9,
    "ratelimit": {
        "characteristics": ["ip.src", "cf.colo.id"],
        "period": 60,
        "requests_per_period": 5,
        "mitigation_timeout": 0,
        "requests_to_origin": True,
    },
    "is_logged": False,
}


def a_ruleset(number: int, **fields: Any) -> dict[str, Any]:
    row = {"account_id": ACCOUNT_ID, "name": "n", "description": "", "kind": "root", "phase": "http_ratelimit"}
    return {**row, "id": f"{number:032x}", "version": number, "rules": [RULE], "last_updated": 1, **fields}


def an_access_rule(number: int, owner_kind: str, owner_id: str, *, zone_id: str | None = None) -> dict[str, Any]:
    row = {"owner_kind": owner_kind, "owner_id": owner_id, "zone_id": zone_id, "mode": "block", "target": "ip"}
    value = f"192.0.2.{number}"
    return {**row, "id": f"{number:032x}", "value": value, "notes": "why", "created_on": number, "modified_on": number}


def a_list(number: int, *, account_id: str = ACCOUNT_ID) -> dict[str, Any]:
    row = {"id": f"{number:032x}", "account_id": account_id, "name": f"list_{number}", "kind": "ip", "version": number}
    return {**row, "description": "", "num_items": 0, "created_on": 1, "modified_on": 1}


async def write(database: Database, *rows: tuple[sa.Table, list[dict[str, Any]]]) -> None:
    async with database.write() as connection:
        await identities.insert_account(connection, Account(id=OTHER_ID, name="Another", created_on=1))
        for table, values in rows:
            await connection.execute(sa.insert(table), values)


async def test_an_account_is_put_together_from_all_that_counts_for_it(database: Database) -> None:
    await write(
        database,
        (RULESETS, [a_ruleset(1), a_ruleset(2, kind="custom", rules=[], phase="http_request_firewall_custom")]),
        (RULESETS, [a_ruleset(3, account_id=OTHER_ID, rules=[])]),
        (ACCESS_RULES, [an_access_rule(4, "account", ACCOUNT_ID), an_access_rule(2, "user", USER_ID)]),
        (ACCESS_RULES, [an_access_rule(3, "account", ACCOUNT_ID), an_access_rule(5, "user", "f" * 32)]),
    )
    async with database.write() as connection:
        await connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == ACCOUNT_ID).values(version=7))
    async with database.read() as connection:
        everything = await account_documents(connection, None)
        assert await account_versions(connection) == {ACCOUNT_ID: 7, OTHER_ID: 0}
        assert await account_documents(connection, [ACCOUNT_ID, "f" * 32]) == [everything[0]]
        assert await account_documents(connection, []) == []
    limit = RateLimitDocument(characteristics=("ip.src", "cf.colo.id"), period=60, requests_per_period=5)
    rule = RuleDocument(
        id="1" * 32,
        version=2,
        ref="mine",
        action="block",
        action_parameters={"response": {"status_code": 429}},
        expression="true",
        description="d",
        enabled=False,
        ratelimit=limit,
        is_logged=False,
    )
    mine = AccountDocument(
        id=ACCOUNT_ID,
        version=7,
        rulesets=(
            RulesetDocument(id=f"{1:032x}", kind="root", phase="http_ratelimit", version=1, name="n", rules=(rule,)),
            RulesetDocument(id=f"{2:032x}", kind="custom", phase="http_request_firewall_custom", version=2, name="n"),
        ),
        access_rules=tuple(
            AccessRuleDocument(id=f"{number:032x}", mode="block", target="ip", value=f"192.0.2.{number}", notes="why")
            for number in (3, 4, 2)
        ),
    )
    other = RulesetDocument(id=f"{3:032x}", kind="root", phase="http_ratelimit", version=3, name="n")
    assert everything == [mine, AccountDocument(id=OTHER_ID, version=0, rulesets=(other,))]


async def test_an_account_that_says_nothing_is_there_all_the_same(database: Database) -> None:
    async with database.read() as connection:
        assert await account_documents(connection, None) == [AccountDocument(id=ACCOUNT_ID, version=0)]


async def test_rules_that_nobody_of_ours_wrote_are_named(database: Database) -> None:
    await write(database, (RULESETS, [a_ruleset(7, rules=[{**RULE, "version": "two"}])]))
    with pytest.raises(StoreUnavailable, match=f"cannot be read, {7:032x}: Expected `int`"):
        async with database.read() as connection:
            await account_documents(connection, None)


async def test_a_list_comes_with_all_its_items(database: Database) -> None:
    items = [
        {"id": f"{n:032x}", "list_id": a_list(1)["id"], "value": f"10.0.{n // 256}.{n % 256}", "comment": None}
        for n in range(25_000)
    ]
    for item in items:
        item |= {"created_on": 1, "modified_on": 1}
    await write(database, (LISTS, [a_list(1), a_list(2, account_id=OTHER_ID)]), (LIST_ITEMS, items))
    async with database.read() as connection:
        long, empty = await list_documents(connection, None)
        assert await list_documents(connection, [long.id, "f" * 32]) == [long]
        assert await list_documents(connection, []) == []
        assert await list_versions(connection) == {long.id: 1, empty.id: 2}
    assert sorted(long.items) == sorted(str(item["value"]) for item in items)
    assert (long.name, long.kind, long.account_id) == ("list_1", "ip", ACCOUNT_ID)
    assert empty == ListDocument(id=f"{2:032x}", account_id=OTHER_ID, version=2, name="list_2", kind="ip")
