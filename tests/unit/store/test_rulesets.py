"""`holdfast.store.rulesets`: rules are read as they were written."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.rate_limit_terms import RateLimit
from holdfast.model.ruleset import Rule, Ruleset
from holdfast.store import identities, rulesets, zones
from holdfast.store.database import Database
from holdfast.store.identities import Account
from holdfast.store.rulesets import MAX_VERSION_BYTES, MAX_VERSIONS, Owner
from tests.unit.store.test_zones import zone


def ruleset(number: int, phase: str = "http_request_origin", *, rules: int = 2) -> Ruleset:
    return Ruleset(
        id=f"{number:032x}",
        name="default",
        description="ü",
        kind="zone",
        phase=phase,
        version=3,
        rules=tuple(
            Rule(
                id=f"{number}-{place}",
                version=place,
                ref=f"ref{place}",
                action="route",
                action_parameters={"origin": {"port": 8443}, "host_header": "a.example"},
                expression='http.host eq "a"',
                description="d",
                enabled=place == 0,
                last_updated=9,
            )
            for place in range(rules)
        ),
        last_updated=10,
    )


def executing(number: int, target: str, **changes: object) -> Ruleset:
    """A ruleset of one rule that executes a managed ruleset."""
    (rule,) = ruleset(number, "http_request_firewall_managed", rules=1).rules
    facts = {"action": "execute", "action_parameters": {"id": target}, **changes}
    return msgspec.structs.replace(
        ruleset(number, "http_request_firewall_managed", rules=0), rules=(msgspec.structs.replace(rule, **facts),)
    )


ZONE = Owner("zone", zone(1, "one.example").id)
ACCOUNT = Owner("account", "e" * 32)


async def with_owners(connection: AsyncConnection) -> None:
    await zones.insert(connection, zone(1, "one.example"))
    await identities.insert_account(connection, Account(id=ACCOUNT.id, name="E", created_on=0))


async def test_a_ruleset_is_kept_changed_and_removed(database: Database) -> None:
    async with database.write() as connection:
        await with_owners(connection)
        await rulesets.insert(connection, ZONE, ruleset(1))
        await rulesets.insert(connection, ZONE, ruleset(2, "http_ratelimit", rules=0))
        assert await rulesets.of_zone(connection, ZONE.id) == [ruleset(2, "http_ratelimit", rules=0), ruleset(1)]
        assert await rulesets.find(connection, ZONE, ruleset(1).id) == ruleset(1)
        assert await rulesets.find_entrypoint(connection, ZONE, "http_request_origin") == ruleset(1)
        assert await rulesets.find(connection, Owner("zone", "f" * 32), ruleset(1).id) is None
        assert await rulesets.find(connection, Owner("account", ZONE.id), ruleset(1).id) is None
        assert await rulesets.find_entrypoint(connection, ZONE, "http_request_firewall_custom") is None
        turned = msgspec.structs.replace(ruleset(1), rules=ruleset(1).rules[::-1], version=4)
        await rulesets.update(connection, ruleset(1), turned)
        assert await rulesets.find(connection, ZONE, turned.id) == turned
        await rulesets.delete(connection, turned.id)
        assert [each.phase for each in await rulesets.of_zone(connection, ZONE.id)] == ["http_ratelimit"]
        assert await rulesets.old_versions(connection, turned.id) == []


async def test_every_term_of_a_rule_is_kept(database: Database) -> None:
    terms = RateLimit(
        characteristics=("cf.colo.id", "ip.src"),
        period=60,
        requests_per_period=5,
        mitigation_timeout=10,
        counting_expression='http.host eq "a"',
        requests_to_origin=True,
    )
    rules = tuple(
        msgspec.structs.replace(rule, ratelimit=terms, is_logged=is_logged)
        for rule, is_logged in zip(ruleset(1).rules, (True, False), strict=True)
    )
    full = msgspec.structs.replace(ruleset(1), rules=rules)
    async with database.write() as connection:
        await with_owners(connection)
        await rulesets.insert(connection, ZONE, full)
    async with database.read() as connection:
        assert await rulesets.find(connection, ZONE, full.id) == full


async def test_an_account_has_an_entrypoint_beside_what_it_executes(database: Database) -> None:
    root = msgspec.structs.replace(ruleset(1), kind="root")
    custom = msgspec.structs.replace(ruleset(2), kind="custom")
    async with database.write() as connection:
        await with_owners(connection)
        for each in (custom, root):
            await rulesets.insert(connection, ACCOUNT, each)
        assert await rulesets.of_owner(connection, ACCOUNT) == [root, custom]
        entries = [msgspec.structs.replace(one, rules=()) for one in (root, custom)]
        assert await rulesets.entries_of_owner(connection, ACCOUNT) == entries
        assert await rulesets.find_entrypoint(connection, ACCOUNT, root.phase) == root
        assert await rulesets.of_owner(connection, ZONE) == []


async def test_what_a_ruleset_was_is_kept(database: Database) -> None:
    first = ruleset(1)
    second = msgspec.structs.replace(first, rules=(), description="later", version=4, last_updated=11)
    async with database.write() as connection:
        await with_owners(connection)
        await rulesets.insert(connection, ZONE, first)
        await rulesets.update(connection, first, second)
        assert await rulesets.old_versions(connection, first.id) == [(3, "ü", 10)]
        old = await rulesets.find_old_version(connection, first.id, 3)
        assert old is not None
        assert old.of(second) == first
        assert await rulesets.find_old_version(connection, first.id, 4) is None
        assert not await rulesets.delete_old_version(connection, first.id, 4)
        assert await rulesets.delete_old_version(connection, first.id, 3)
        assert await rulesets.find(connection, ZONE, first.id) == second


@pytest.mark.parametrize(
    ("chars", "kept"), [(10, MAX_VERSIONS), (MAX_VERSION_BYTES // 4, 3), (2 * MAX_VERSION_BYTES, 1)]
)
async def test_the_newest_versions_are_kept_as_far_as_there_is_room(database: Database, chars: int, kept: int) -> None:
    rule = msgspec.structs.replace(ruleset(1).rules[0], expression="x" * chars)
    now = msgspec.structs.replace(ruleset(1), rules=(rule,))
    async with database.write() as connection:
        await with_owners(connection)
        await rulesets.insert(connection, ZONE, now)
        for _ in range(MAX_VERSIONS + 2 if chars == 10 else kept + 2):
            later = msgspec.structs.replace(now, version=now.version + 1)
            await rulesets.update(connection, now, later)
            now = later
        versions = [version for version, *_ in await rulesets.old_versions(connection, now.id)]
    assert versions == [now.version - 1 - number for number in range(kept)]


async def test_who_executes_a_managed_ruleset_is_found_once_by_name(database: Database) -> None:
    target = "4" * 32
    others = [
        Owner("zone", zone(number, f"{name}.example").id) for number, name in ((2, "two"), (3, "three"), (4, "four"))
    ]
    async with database.write() as connection:
        await with_owners(connection)
        for number, name in ((2, "two"), (3, "three"), (4, "four")):
            await zones.insert(connection, zone(number, f"{name}.example"))
        await rulesets.insert(connection, ZONE, executing(1, target))
        await rulesets.insert(connection, ZONE, msgspec.structs.replace(executing(2, target), phase="http_ratelimit"))
        await rulesets.insert(connection, ACCOUNT, executing(3, target))
        # Neither of these runs it.
        await rulesets.insert(connection, others[0], executing(4, target, enabled=False))
        skipping = {"action": "skip", "action_parameters": {"rulesets": [target]}}
        await rulesets.insert(connection, others[1], executing(5, target, **skipping))
        await rulesets.insert(connection, others[2], executing(6, "5" * 32, description=f"not {target}"))
    async with database.read() as connection:
        found = await rulesets.executors(connection, target)
        assert [(one.kind, one.name, one.id) for one in found] == [
            ("account", "E", ACCOUNT.id),
            ("zone", "one.example", ZONE.id),
        ]
