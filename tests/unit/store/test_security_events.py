"""`holdfast.store.security_events`: one row an event, pages that lose nothing, and filters that both databases read alike."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

import msgspec
import pytest

from holdfast.model.security_event import SecurityEvent
from holdfast.store import security_events, zones
from holdfast.store.database import Database
from holdfast.store.security_events import EventQuery, StoredEvent, address_bytes, moment_of_event
from tests.unit.store.conftest import ACCOUNT_ID

ZONE, OTHER = "c" * 32, "d" * 32


def stored(number: int, *, weight: int = 1, zone: str = ZONE, **facts: Any) -> StoredEvent:
    members: dict[str, Any] = {
        "ray": f"{number:016x}", "zone": zone, "occurred_at": 1_700_000_000 + number // 3, "action": "block",
        "source": "firewallCustom", "client_ip": "192.0.2.1", "host": "example.com", "path": "/", "method": "GET",
    }  # fmt: skip
    event = SecurityEvent(**{**members, **facts})
    return StoredEvent(
        id=f"{number:032x}",
        account_id=ACCOUNT_ID,
        occurred_on=moment_of_event(event),
        sample_interval=weight,
        event=event,
    )


async def add(database: Database, *events: StoredEvent) -> None:
    async with database.note() as connection:
        await security_events.insert(connection, events)


async def found(database: Database, **asked: Any) -> list[StoredEvent]:
    async with database.read() as connection:
        return await security_events.select(connection, EventQuery(**asked))


async def test_what_was_put_in_comes_out(database: Database) -> None:
    event = stored(
        1, weight=7, rule_id="r", ruleset_id="s", ref="q", description="Œ", client_ip="2001:db8::1", country="NO",
        asn=4_200_000_000, scheme="https", query="a=1", user_agent="x", is_upgrade=True, status=403,
        fields=(("http.host", "\N{REPLACEMENT CHARACTER}"),), components=("a", "b"), score=25,
    )  # fmt: skip
    await add(database, event)
    assert await found(database, zone_id=ZONE) == [event]


async def test_an_event_that_is_handed_in_twice_has_one_row(database: Database) -> None:
    await add(database, stored(1), stored(2))
    await add(database, stored(2), stored(3))
    assert [one.event.ray for one in await found(database, zone_id=ZONE, ascending=True)] == [
        stored(number).event.ray for number in (1, 2, 3)
    ]
    await add(database)


@pytest.mark.parametrize("ascending", [True, False])
async def test_pages_by_the_last_event_lose_and_repeat_none_while_others_arrive(
    database: Database, ascending: bool
) -> None:
    await add(database, *(stored(number) for number in range(20)))
    seen: list[StoredEvent] = []
    after: tuple[int, str] | None = None
    newcomers = itertools.count(1000)
    while page := await found(database, zone_id=ZONE, after=after, ascending=ascending, limit=3):
        seen += page
        after = (page[-1].occurred_on, page[-1].id)
        if not ascending:
            await add(database, stored(next(newcomers)))
    expected = [stored(number) for number in range(20)]
    assert seen == (expected if ascending else expected[::-1])


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"equal": {"action": "log"}}, [1]),
        ({"equal": {"source": "ip", "action": "block"}}, [2]),
        ({"equal": {"is_upgrade": True}}, [3]),
        ({"equal": {"asn": 64512}}, [1]),
        ({"equal": {"host": "EXAMPLE.com"}}, []),
        ({"path": "/a_"}, [1]),
        ({"path": "/A"}, [3]),
        ({"containing": {"path": "B%"}}, [2]),
        ({"containing": {"path": "_b"}}, [1]),
        ({"containing": {"user_agent": "CURL/"}}, [3]),
        ({"client": ipaddress.ip_network("192.0.2.0/24")}, [1]),
        ({"client": ipaddress.ip_network("2001:db8::/32")}, [2]),
        ({"client": ipaddress.ip_network("0.0.0.0/0")}, [1, 3]),
        ({"client": ipaddress.ip_network("::/0")}, [1, 2, 3]),
        ({"since": 1_700_000_000_000_000, "before": 1_700_000_001_000_000}, [1, 2]),
    ],
)
async def test_filters_find_what_they_name(database: Database, asked: dict[str, Any], numbers: list[int]) -> None:
    await add(
        database,
        stored(1, action="log", asn=64512, path="/a_b"),
        stored(2, source="ip", path="/ab%c", client_ip="2001:db8::5"),
        stored(3, is_upgrade=True, user_agent="curl/8", path="/A", client_ip="198.51.100.1"),
        stored(4, zone=OTHER),
    )
    assert [int(one.id, 16) for one in await found(database, zone_id=ZONE, ascending=True, **asked)] == numbers


async def test_an_account_has_the_events_of_all_its_zones(database: Database) -> None:
    await add(database, stored(1), stored(2, zone=OTHER), msgspec.structs.replace(stored(3), account_id="e" * 32))
    assert [int(one.id, 16) for one in await found(database, account_id=ACCOUNT_ID)] == [2, 1]


async def test_an_event_is_found_by_its_id_and_by_its_ray_within_its_zone(database: Database) -> None:
    first, second, foreign = stored(1, ray="r"), stored(2, ray="r"), stored(3, ray="r", zone=OTHER)
    await add(database, first, second, foreign)
    async with database.read() as connection:
        assert await security_events.find(connection, ZONE, "r") == [first, second]
        assert await security_events.find(connection, ZONE, second.id) == [second]
        assert await security_events.find(connection, ZONE, foreign.id) == []


async def test_a_row_counts_for_all_it_stands_for(database: Database) -> None:
    await add(
        database,
        stored(1, weight=10, rule_id="r", description="Ours"),
        stored(2, rule_id="q", host="b"),
        stored(3, weight=5, host="b"),
        stored(4, zone=OTHER),
    )
    query = EventQuery(zone_id=ZONE)
    async with database.read() as connection:
        assert await security_events.total(connection, query) == (16, 3)
        assert await security_events.total(connection, EventQuery(zone_id="none")) == (0, 0)
        assert await security_events.top(connection, query, "host", limit=5) == [("example.com", 10), ("b", 6)]
        assert await security_events.top(connection, query, "host", limit=1) == [("example.com", 10)]
        assert await security_events.top_rules(connection, query, limit=5) == [("r", "Ours", 10), ("q", "", 1)]
        assert await security_events.rows_by_zone(connection) == {ZONE: 3, OTHER: 1}


async def test_the_oldest_are_removed_first(database: Database) -> None:
    await add(database, *(stored(number) for number in range(9)), stored(10, zone=OTHER))
    async with database.note() as connection:
        assert await security_events.delete_until(connection, stored(3).occurred_on - 1, limit=2) == 2
        assert await security_events.delete_until(connection, stored(3).occurred_on - 1, limit=2) == 1
        assert await security_events.delete_oldest_of(connection, ZONE, limit=4) == 4
    assert [int(one.id, 16) for one in await found(database, ascending=True)] == [7, 8, 10]


async def test_the_accounts_of_zones_that_are_gone_are_not_known(database: Database) -> None:
    async with database.write() as connection:
        await zones.insert(connection, a_zone())
        assert await security_events.accounts_of(connection, [ZONE, OTHER]) == {ZONE: ACCOUNT_ID}


def a_zone() -> zones.Zone:
    return zones.Zone(
        id=ZONE, account_id=ACCOUNT_ID, account_name="Ours", name="example.com", type="full", plan="free",
        paused=False, version=1, created_on=1, modified_on=1,
    )  # fmt: skip


async def test_a_ray_is_kept_without_its_colo(database: Database) -> None:
    await add(database, stored(1, ray="00ff00ff00ff00ff-LOC"))
    assert [one.event.ray for one in await found(database)] == ["00ff00ff00ff00ff"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "00000000000000000000ffffc0000201"),
        ("::ffff:192.0.2.1", "00000000000000000000ffffc0000201"),
        ("::1", "00000000000000000000000000000001"),
        ("", ""),
        ("nobody", ""),
    ],
)
def test_addresses_are_compared_as_16_bytes(text: str, expected: str) -> None:
    assert address_bytes(text).hex() == expected


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [(1.5, 1_500_000), (-1.0, 0), (float("nan"), 0), (float("inf"), 0), (1e300, 0)],
)
def test_whatever_a_clock_says_there_is_a_moment(seconds: float, moment: int) -> None:
    assert moment_of_event(stored(1, occurred_at=seconds).event) == moment
