"""`holdfast.store.lists`: lists, the rules that may name them, and the operations on their items."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from holdfast.store import identities, lists, zones
from holdfast.store.database import Database
from holdfast.store.identities import Account
from holdfast.store.lists import Operation, RuleList, RuleTexts
from holdfast.store.schema import LIST_OPERATIONS, RULESETS
from tests.unit.store.conftest import ACCOUNT_ID
from tests.unit.store.test_zones import zone as a_zone

ONE, OTHER, THEIRS = "1" * 32, "2" * 32, "3" * 32


def a_list(ident: str = ONE, name: str = "office", **members: Any) -> RuleList:
    facts = {"account_id": ACCOUNT_ID, "kind": "ip", "description": "", "num_items": 0, "version": 1}
    return RuleList(id=ident, name=name, **{**facts, "created_on": 1, "modified_on": 1, **members})


async def test_a_list_is_found_by_its_account_alone(database: Database) -> None:
    async with database.write() as connection:
        await identities.insert_account(connection, Account(id=THEIRS, name="Theirs", created_on=1))
        await lists.insert(connection, a_list())
        await lists.insert(connection, a_list(OTHER, account_id=THEIRS))
        assert await lists.of_account(connection, ACCOUNT_ID) == [a_list()]
        for find in (lists.find, lists.hold):
            assert await find(connection, ACCOUNT_ID, ONE) == a_list()
            assert await find(connection, ACCOUNT_ID, OTHER) is None
        assert await lists.touch(connection, ACCOUNT_ID, OTHER, now=5) is None


async def test_a_change_raises_the_version(database: Database) -> None:
    async with database.write() as connection:
        await lists.insert(connection, a_list())
        touched = await lists.touch(connection, ACCOUNT_ID, ONE, now=5)
        assert touched == a_list(version=2, modified_on=5)
        changed = await lists.change(connection, ACCOUNT_ID, ONE, {"description": "d"}, now=6)
        assert changed == a_list(version=3, modified_on=6, description="d")
        await lists.delete(connection, ONE)
        assert await lists.of_account(connection, ACCOUNT_ID) == []


async def test_a_name_is_one_list_s_of_an_account(database: Database) -> None:
    async with database.write() as connection:
        await lists.insert(connection, a_list())
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await lists.insert(connection, a_list(OTHER))


async def test_items_are_summed_by_account_and_in_all(database: Database) -> None:
    async with database.write() as connection:
        assert await lists.total_items(connection, ACCOUNT_ID) == (0, 0)
        await identities.insert_account(connection, Account(id=THEIRS, name="Theirs", created_on=1))
        await lists.insert(connection, a_list())
        await lists.insert(connection, a_list(OTHER, account_id=THEIRS, num_items=4))
        await lists.set_count(connection, ONE, 3)
        assert await lists.total_items(connection, ACCOUNT_ID) == (3, 7)


def a_ruleset(ident: str, rules: Any, **owner: str) -> dict[str, Any]:
    facts = {"name": "", "description": "", "kind": "zone", "phase": "p", "version": 1, "last_updated": 1}
    return {"id": ident, "rules": rules, "zone_id": None, "account_id": None, **facts, **owner}


async def test_rules_that_contain_a_text_are_given_ruleset_by_ruleset(database: Database) -> None:
    limit = {"counting_expression": "c", "characteristics": ["ip.src"], "period": 1}
    mine: Any = [{"expression": 'a eq "ü" and ip.src in $a_b', "ratelimit": limit, "id": "1"}]
    async with database.write() as connection:
        zone = a_zone(1, "example.com")
        await zones.insert(connection, zone)
        await identities.insert_account(connection, Account(id=THEIRS, name="Theirs", created_on=1))
        rows = [
            a_ruleset("a" * 32, mine, zone_id=zone.id),
            a_ruleset("b" * 32, [{"expression": "ip.src in $axb"}], account_id=zone.account_id),
            a_ruleset("c" * 32, [{"expression": "ip.src in $a_b"}], account_id=THEIRS),
            a_ruleset("d" * 32, [{"expression": 1, "x": "$a_b"}], account_id=zone.account_id),
        ]
        await connection.execute(sa.insert(RULESETS), rows)
        found = [one async for one in lists.rules_with(connection, zone.account_id, "$a_b")]
    said = RuleTexts(mine[0]["expression"], RuleTexts.Limit("c", ("ip.src",)))
    assert sorted(found, key=len) == [(), (said,)]


async def test_operations_are_kept_so_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_OPERATIONS", 2)
    made = Operation(id="", account_id=ACCOUNT_ID, status="completed", error=None, created_on=0, completed_on=9)
    async with database.write() as connection:
        for number in range(1, 5):
            operation = msgspec.structs.replace(made, id=f"{number:032x}", created_on=number)
            await lists.insert_operation(connection, operation)
            assert await lists.find_operation(connection, ACCOUNT_ID, operation.id) == operation
        assert await lists.find_operation(connection, THEIRS, f"{4:032x}") is None
        left = (await connection.scalars(sa.select(LIST_OPERATIONS.c.created_on))).all()
    assert sorted(left) == [3, 4]
