"""`holdfast.store.rulesets`: rules are read as they were written."""

from __future__ import annotations

import msgspec

from holdfast.model.ruleset import Rule, Ruleset
from holdfast.store import rulesets, zones
from holdfast.store.database import Database
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


async def test_a_ruleset_is_kept_changed_and_removed(database: Database) -> None:
    one = zone(1, "one.example")
    async with database.write() as connection:
        await zones.insert(connection, one)
        await rulesets.insert(connection, one.id, ruleset(1))
        await rulesets.insert(connection, one.id, ruleset(2, "http_ratelimit", rules=0))
        assert await rulesets.of_zone(connection, one.id) == [ruleset(2, "http_ratelimit", rules=0), ruleset(1)]
        assert await rulesets.find(connection, one.id, ruleset(1).id) == ruleset(1)
        assert await rulesets.find_entrypoint(connection, one.id, "http_request_origin") == ruleset(1)
        assert await rulesets.find(connection, "f" * 32, ruleset(1).id) is None
        assert await rulesets.find_entrypoint(connection, one.id, "http_request_firewall_custom") is None
        turned = msgspec.structs.replace(ruleset(1), rules=ruleset(1).rules[::-1], version=4)
        await rulesets.update(connection, turned)
        assert await rulesets.find(connection, one.id, turned.id) == turned
        await rulesets.delete(connection, turned.id)
        assert [each.phase for each in await rulesets.of_zone(connection, one.id)] == ["http_ratelimit"]
