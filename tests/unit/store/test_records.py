"""`holdfast.store.records`: written and read as they are, zone by zone."""

from __future__ import annotations

import msgspec

from holdfast.model.dns_record import DnsRecord
from holdfast.store import records, zones
from holdfast.store.database import Database
from tests.unit.store.test_zones import zone


def record(number: int, name: str, content: str = "192.0.2.1") -> DnsRecord:
    return DnsRecord(id=f"{number:032x}", name=name, type="A", content=content, created_on=number, modified_on=number)


async def test_records_are_kept_with_all_that_is_said_of_them(database: Database) -> None:
    one, other = zone(1, "one.example"), zone(2, "other.example")
    full = msgspec.structs.replace(
        record(2, "b.one.example"),
        type="CNAME",
        content="x.example",
        ttl=60,
        proxied=True,
        comment="ü; \U0001f600",
        tags=("a", "b:c"),
        settings={"flatten_cname": True},
        comment_modified_on=7,
        tags_modified_on=8,
    )
    async with database.write() as connection:
        await zones.insert(connection, one)
        await zones.insert(connection, other)
        await records.insert(connection, one.id, [full, record(1, "a.one.example")])
        await records.insert(connection, other.id, [record(3, "a.one.example")])
    async with database.read() as connection:
        assert await records.of_zone(connection, one.id) == [record(1, "a.one.example"), full]
        assert await records.find(connection, one.id, full.id) == full
        assert await records.find(connection, other.id, full.id) is None


async def test_changes_are_written_in_their_order(database: Database) -> None:
    one = zone(1, "one.example")
    first, second = record(1, "a.one.example", "10.0.0.1"), record(2, "a.one.example", "10.0.0.2")
    async with database.write() as connection:
        await zones.insert(connection, one)
        await records.insert(connection, one.id, [first, second])
        # The second takes the content of the first, which has left it just before.
        steps = [
            msgspec.structs.replace(first, content="10.0.0.9"),
            msgspec.structs.replace(second, content="10.0.0.1"),
            msgspec.structs.replace(first, content="10.0.0.2", tags=("t",)),
        ]
        await records.update(connection, steps)
        assert await records.of_zone(connection, one.id) == [steps[2], steps[1]]
        await records.delete(connection, [first.id])
        assert await records.of_zone(connection, one.id) == [steps[1]]
        await zones.delete(connection, one.id)
        assert await records.of_zone(connection, one.id) == []
