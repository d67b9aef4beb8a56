"""`holdfast.store.access_rules`: rules of each owner, what a zone inherits, and what is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from holdfast.store import access_rules, zones
from holdfast.store.access_rules import AccessRule, AccessRuleQuery, Owner
from holdfast.store.database import Database
from tests.unit.store.conftest import ACCOUNT_ID, USER_ID
from tests.unit.store.test_zones import zone as a_zone

ACCOUNT, USER, STRANGER = Owner("account", ACCOUNT_ID), Owner("user", USER_ID), Owner("user", "9" * 32)


def a_rule(number: int, owner: Owner = ACCOUNT, **members: Any) -> AccessRule:
    facts = {"mode": "block", "target": "ip", "value": f"192.0.2.{number}", "notes": ""}
    moments = {"created_on": number, "modified_on": number}
    return AccessRule(id=f"{number:032x}", owner_kind=owner.kind, owner_id=owner.id, **{**facts, **moments, **members})


async def insert(database: Database, *rules: AccessRule) -> None:
    async with database.write() as connection:
        for rule in rules:
            await access_rules.insert(connection, rule)


async def test_a_zone_inherits_from_its_account_and_its_members(database: Database) -> None:
    zone = a_zone(1, "example.com")
    own = Owner("zone", zone.id)
    async with database.write() as connection:
        await zones.insert(connection, zone)
    rules = [a_rule(1, own), a_rule(2), a_rule(3, USER), a_rule(4, STRANGER)]
    await insert(database, *rules)
    async with database.read() as connection:
        for owner, inherited, expected in (
            (own, None, rules[:1]),
            (own, zone.account_id, rules[:3]),
            (ACCOUNT, None, rules[1:2]),
            (USER, None, rules[2:3]),
        ):
            query = AccessRuleQuery(owner=owner, inherited_of=inherited)
            assert await access_rules.select(connection, query) == (expected, len(expected))
        assert await access_rules.find(connection, own, rules[1].id) is None
        assert await access_rules.find(connection, own, rules[1].id, inherited_of=zone.account_id) == rules[1]
        assert await access_rules.find(connection, own, rules[3].id, inherited_of=zone.account_id) is None
        assert await access_rules.count(connection, own) == 1
    async with database.write() as connection:
        await zones.delete(connection, zone.id)
        assert await access_rules.count(connection, own) == 0
        assert await access_rules.count(connection, ACCOUNT) == 1


async def test_an_owner_has_one_rule_for_a_value(database: Database) -> None:
    await insert(database, a_rule(1), a_rule(2, USER, value="192.0.2.1"))
    async with database.read() as connection:
        assert await access_rules.find_like(connection, ACCOUNT, "ip", "192.0.2.1") == a_rule(1)
        assert await access_rules.find_like(connection, ACCOUNT, "ip6", "192.0.2.1") is None
    with pytest.raises(IntegrityError):
        await insert(database, a_rule(3, value="192.0.2.1"))


async def test_a_rule_is_changed_and_removed(database: Database) -> None:
    await insert(database, a_rule(1), a_rule(2))
    async with database.write() as connection:
        await access_rules.change(connection, a_rule(1).id, {"mode": "whitelist"}, now=9)
        assert await access_rules.find(connection, ACCOUNT, a_rule(1).id) == a_rule(1, mode="whitelist", modified_on=9)
        await access_rules.delete(connection, a_rule(1).id)
        assert await access_rules.select(connection, AccessRuleQuery(owner=ACCOUNT)) == ([a_rule(2)], 1)


ASKED: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3]),
    ({"mode": "block"}, [1, 3]),
    ({"target": "country"}, [3]),
    ({"value": "192.0.2.2"}, [2]),
    ({"notes": "100%"}, [2]),
    ({"notes": "ATTACK"}, [1]),
    ({"mode": "block", "target": "country"}, [3]),
    ({"mode": "challenge", "target": "country", "is_all": False}, [2, 3]),
    ({"order": "configuration.value", "descending": True}, [3, 2, 1]),
    ({"order": "mode"}, [1, 3, 2]),
    ({"offset": 1, "limit": 1}, [2]),
]


@pytest.mark.parametrize(("asked", "expected"), ASKED)
async def test_what_is_asked_for_is_given_in_order(
    database: Database, asked: dict[str, Any], expected: list[int]
) -> None:
    two = a_rule(2, mode="challenge", notes="100% sure")
    await insert(database, a_rule(1, notes="Attack 26/02"), two, a_rule(3, target="country", value="DE"))
    async with database.read() as connection:
        found, _ = await access_rules.select(connection, AccessRuleQuery(owner=ACCOUNT, **asked))
    assert [int(one.id, 16) for one in found] == expected
