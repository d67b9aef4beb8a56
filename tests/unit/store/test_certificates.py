"""`holdfast.store.certificates`: kept as they are, in the order to choose in, and looked at by the clock."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.store import certificates, zones
from holdfast.store.certificates import Certificate
from holdfast.store.database import Database
from tests.unit.store.test_zones import zone


def certificate(number: int, **members: Any) -> Certificate:
    facts: dict[str, Any] = {
        "id": f"{number:032x}",
        "type": "legacy_custom",
        "bundle_method": "force",
        "hosts": ("one.example", "*.one.example"),
        "issuer": "someone",
        "signature": "Ed25519",
        "chain_pem": "chain",
        "sealed_key": b"\0\xff sealed",
        "priority": 0,
        "geo_restrictions": None,
        "policy": None,
        "uploaded_on": number,
        "modified_on": number,
        "starts_on": 10,
        "expires_on": 20,
    }
    return Certificate(**{**facts, **members})


@pytest.mark.parametrize(("now", "status"), [(9, "pending"), (10, "active"), (19, "active"), (20, "expired")])
def test_its_status_follows_the_clock(now: int, status: str) -> None:
    assert certificate(1).status(now) == status


async def test_the_best_comes_first(database: Database) -> None:
    one = zone(1, "one.example")
    best = [
        certificate(1, priority=5, geo_restrictions={"label": "eu"}, policy="p"),
        certificate(4),
        certificate(2),
        certificate(3, type="sni_custom", priority=9),
    ]
    async with database.write() as connection:
        await zones.insert(connection, one)
        for each in best[::-1]:
            await certificates.insert(connection, one.id, each)
    async with database.read() as connection:
        assert await certificates.of_zone(connection, one.id) == best
        assert await certificates.find(connection, one.id, best[0].id) == best[0]
        assert await certificates.find(connection, "f" * 32, best[0].id) is None


async def test_one_is_replaced_and_removed(database: Database) -> None:
    one, other = zone(1, "one.example"), certificate(1, chain_pem="other", hosts=("x.one.example",), priority=3)
    async with database.write() as connection:
        await zones.insert(connection, one)
        await certificates.insert(connection, one.id, certificate(1))
        await certificates.insert(connection, one.id, certificate(2))
        await certificates.update(connection, other)
        assert await certificates.of_zone(connection, one.id) == [other, certificate(2)]
        await certificates.delete(connection, other.id)
        assert await certificates.of_zone(connection, one.id) == [certificate(2)]


@pytest.mark.parametrize(
    ("since", "until", "turned"),
    [(0, 9, False), (9, 10, True), (10, 19, False), (19, 20, True), (0, 99, True), (20, 99, False)],
)
async def test_zones_turn_when_a_certificate_starts_or_expires(
    database: Database, since: int, until: int, turned: bool
) -> None:
    one = zone(1, "one.example")
    async with database.write() as connection:
        await zones.insert(connection, one)
        await certificates.insert(connection, one.id, certificate(1))
        await certificates.insert(connection, one.id, certificate(2))
        found = await certificates.zones_turned(connection, since=since, until=until)
    assert found == ({one.id} if turned else set())
