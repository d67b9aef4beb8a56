"""`holdfast.control.publisher`: from writes to what edges are sent, over a real database."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.sql import Executable

from holdfast.control import publisher
from holdfast.control.first_start import ensure_owner
from holdfast.control.publisher import Publisher
from holdfast.control.shelves import Refused, name_of
from holdfast.model.control_link import Delta, FullSnapshot
from holdfast.model.rule_documents import ManagedDocument
from holdfast.model.zone_document import Document, ZoneDocument
from holdfast.store import managed, zones
from holdfast.store.database import Database
from holdfast.store.schema import ACCESS_RULES, ACCOUNTS, LIST_ITEMS, LISTS
from holdfast.store.upgrade import upgrade
from holdfast.store.zones import Zone


class Edge:
    """An edge that keeps what it is sent, and says it serves by it, if it is quick."""

    def __init__(self, *, is_quick: bool = True) -> None:
        self.sent: list[Delta | FullSnapshot] = []
        self.revision = 0
        self._is_quick = is_quick

    def send(self, message: Delta | FullSnapshot) -> None:
        self.sent.append(message)

    async def applied(self, revision: int) -> None:
        if not self._is_quick:
            await asyncio.Event().wait()


class World:
    """A database with an account, and a publisher over it."""

    def __init__(self, database: Database, account_id: str) -> None:
        self.database = database
        self.account_id = account_id
        self.unfit: set[str] = set()
        # What is called while the zone of this name is checked.
        self.while_checking: dict[str, Callable[[], None]] = {}
        self.log: list[tuple[str, Mapping[str, str | int]]] = []
        self.publisher = Publisher(database, check=self._check, log=lambda *entry: self.log.append(entry))

    def _check(self, document: Document) -> str | None:
        name = name_of(document)
        self.while_checking.get(name, lambda: None)()
        if name in self.unfit:
            raise ValueError(f"{name} does not compile")
        return name if isinstance(document, ManagedDocument) else None

    def hold_check_of(self, name: str) -> tuple[asyncio.Event, threading.Event]:
        """Let the check of a zone wait: what is set when it begins, and what is to be set for it to end."""
        loop, is_checking, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def wait_for_the_loop() -> None:
            loop.call_soon_threadsafe(is_checking.set)
            assert may_end.wait(30), "the event loop stood still while a zone was checked"

        self.while_checking[name] = wait_for_the_loop
        return is_checking, may_end

    async def add(self, name: str) -> str:
        zone = Zone(
            id=f"{len(name):032x}",
            account_id=self.account_id,
            account_name="",
            name=name,
            type="full",
            plan="free",
            paused=False,
            version=1,
            created_on=0,
            modified_on=0,
        )
        async with self.database.write() as connection:
            await zones.insert(connection, zone)
        return zone.id

    async def write(self, *statements: Executable) -> None:
        """Write as somebody does who tells nobody."""
        async with self.database.write() as connection:
            for statement in statements:
                await connection.execute(statement)

    async def say(self, *, version: int, rules: int) -> None:
        """Have the account say so many access rules."""
        row = {"owner_kind": "account", "owner_id": self.account_id, "mode": "block", "target": "ip", "notes": ""}
        access_rules = [
            {**row, "id": f"{number:032x}", "value": f"192.0.2.{number}", "created_on": 1, "modified_on": 1}
            for number in range(rules)
        ]
        await self.write(
            sa.delete(ACCESS_RULES),
            *(sa.insert(ACCESS_RULES).values(one) for one in access_rules),
            sa.update(ACCOUNTS).values(version=version),
        )

    async def put_list(self, ident: str, *items: str, version: int = 1) -> None:
        """Have a list with these items."""
        row = {"id": ident, "account_id": self.account_id, "name": f"list_{ident[0]}", "kind": "ip", "description": ""}
        values = [
            {"id": f"{ident[:28]}{number:04x}", "list_id": ident, "value": item, "created_on": 1, "modified_on": 1}
            for number, item in enumerate(items)
        ]
        counts = {"num_items": len(items), "version": version, "created_on": 1, "modified_on": 1}
        await self.write(
            sa.delete(LISTS).where(LISTS.c.id == ident),
            sa.insert(LISTS).values({**row, **counts}),
            *(sa.insert(LIST_ITEMS).values(value) for value in values),
        )

    async def put_managed(self, release: str) -> ManagedDocument:
        """Load managed rules."""
        async with self.database.write() as connection:
            files = {"a.conf": b"x"}
            return await managed.put(connection, ManagedDocument(id="4" * 32, version=0, release=release, files=files))

    async def touch(self, zone_id: str) -> None:
        async with self.database.write() as connection:
            await zones.change(connection, zone_id, {"paused": True}, now=1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/db")
    await upgrade(database)
    first = await ensure_owner(database, now=0)
    assert first is not None
    world = World(database, first.account_id)
    await world.publisher.load()
    yield world
    await database.close()


def names(zones_sent: tuple[ZoneDocument, ...]) -> list[str]:
    return sorted(zone.name for zone in zones_sent)


async def test_an_edge_that_comes_gets_everything(world: World) -> None:
    await world.publisher.on_change([await world.add("a.com")])
    edge = Edge()
    world.publisher.subscribe(edge)
    (full,) = edge.sent
    assert isinstance(full, FullSnapshot)
    assert names(full.snapshot.zones) == ["a.com"]
    assert (full.snapshot.source, full.snapshot.revision) == (world.publisher.source, world.publisher.revision)


async def test_each_change_is_a_delta_on_the_one_before(world: World) -> None:
    edge = Edge()
    world.publisher.subscribe(edge)
    zone_id = await world.add("a.com")
    await world.publisher.on_change([zone_id])
    await world.touch(zone_id)
    await world.publisher.on_change([zone_id])
    async with world.database.write() as connection:
        await zones.delete(connection, zone_id)
    await world.publisher.on_change([zone_id])
    added, changed, removed = (message for message in edge.sent if isinstance(message, Delta))
    assert (names(added.zones), names(changed.zones), removed.removed) == (["a.com"], ["a.com"], (zone_id,))
    assert [zone.paused for zone in changed.zones] == [True]
    assert [delta.base for delta in (changed, removed)] == [added.revision, changed.revision]


async def test_nothing_new_is_not_published(world: World) -> None:
    zone_id = await world.add("a.com")
    await world.publisher.on_change([zone_id])
    edge = Edge()
    world.publisher.subscribe(edge)
    await world.publisher.on_change([zone_id, "0" * 32])
    assert len(edge.sent) == 1


async def test_a_zone_that_does_not_compile_keeps_its_last_good_version(world: World) -> None:
    zone_id = await world.add("a.com")
    await world.publisher.on_change([zone_id])
    world.unfit = {"a.com"}
    await world.touch(zone_id)
    await world.publisher.on_change([zone_id, await world.add("bb.com")])
    published = {zone.name: zone for zone in world.publisher.snapshot().zones}
    assert sorted(published) == ["a.com", "bb.com"]
    assert published["a.com"].paused is False
    assert world.publisher.refused == {zone_id: Refused("zone", "a.com", "a.com does not compile")}
    assert [event for event, _ in world.log] == ["snapshot_refused"]
    world.unfit = set()
    await world.touch(zone_id)
    await world.publisher.on_change([zone_id])
    assert world.publisher.refused == {}


async def test_an_edge_that_is_slow_holds_a_writer_for_a_moment_only(world: World) -> None:
    world.publisher.subscribe(Edge(is_quick=False))
    async with asyncio.timeout(30):
        await world.publisher.on_change([await world.add("a.com")], limit_s=0.01)


async def test_an_edge_that_was_too_late_holds_nobody_up_until_it_has_caught_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "BEHIND_LIMIT_S", 0.01)
    edge = Edge(is_quick=False)
    world.publisher.subscribe(edge)
    zone_id = await world.add("a.com")
    async with asyncio.timeout(30):
        await world.publisher.on_change([zone_id], limit_s=0.01)
        await world.touch(zone_id)
        await world.publisher.on_change([zone_id], limit_s=3600)
    edge.revision = world.publisher.revision
    await world.touch(zone_id)
    writing = asyncio.create_task(world.publisher.on_change([zone_id], limit_s=3600))
    assert await asyncio.wait({writing}, timeout=0.3) == (set(), {writing})
    writing.cancel()
    await asyncio.wait({writing})
    world.publisher.unsubscribe(edge)


async def test_zones_are_checked_beside_the_event_loop_and_published_in_order(world: World) -> None:
    edge = Edge()
    world.publisher.subscribe(edge)
    slow, quick = await world.add("slow.com"), await world.add("a.com")
    is_checking, may_end = world.hold_check_of("slow.com")
    first = asyncio.create_task(world.publisher.on_change([slow]))
    async with asyncio.timeout(30):
        await is_checking.wait()
        second = asyncio.create_task(world.publisher.on_change([quick]))
        may_end.set()
        await asyncio.gather(first, second)
    deltas = [message for message in edge.sent if isinstance(message, Delta)]
    assert [names(delta.zones) for delta in deltas] == [["slow.com"], ["a.com"]]
    assert deltas[1].base == deltas[0].revision


async def test_what_was_being_checked_for_a_writer_who_went_away_is_found(world: World) -> None:
    zone_id = await world.add("slow.com")
    is_checking, may_end = world.hold_check_of("slow.com")
    writer = asyncio.create_task(world.publisher.on_change([zone_id]))
    async with asyncio.timeout(30):
        await is_checking.wait()
        writer.cancel()
        await asyncio.wait([writer])
        may_end.set()
        assert world.publisher.snapshot().zones == ()
        await world.publisher.poll()
    assert names(world.publisher.snapshot().zones) == ["slow.com"]


async def test_what_another_process_wrote_is_found(world: World) -> None:
    edge = Edge()
    world.publisher.subscribe(edge)
    kept, gone = await world.add("a.com"), await world.add("bb.com")
    await world.publisher.poll()
    async with world.database.write() as connection:
        await zones.delete(connection, gone)
    await world.touch(kept)
    await world.publisher.poll()
    await world.publisher.poll()
    first, second = (message for message in edge.sent if isinstance(message, Delta))
    assert names(first.zones) == ["a.com", "bb.com"]
    assert (names(second.zones), second.removed) == (["a.com"], (gone,))


async def test_a_write_that_nobody_announced_is_found_beside_one_that_was(world: World) -> None:
    announced, silent = await world.add("a.com"), await world.add("bb.com")
    await world.publisher.poll()
    await world.touch(silent)
    await world.touch(announced)
    await world.publisher.on_change([announced])
    await world.publisher.poll()
    published = {zone.name: zone.paused for zone in world.publisher.snapshot().zones}
    assert published == {"a.com": True, "bb.com": True}


async def test_a_publisher_that_starts_anew_is_another_source(world: World) -> None:
    again = Publisher(world.database, check=lambda _: None, log=lambda *_: None)
    await again.load()
    assert again.source != world.publisher.source


async def test_a_database_that_is_away_is_logged_and_not_raised(world: World, tmp_path: Path) -> None:
    away = Publisher(
        Database(f"sqlite+aiosqlite:///{tmp_path}/none/db"), check=lambda _: None, log=lambda *e: world.log.append(e)
    )
    await away.on_change(["0" * 32])
    assert [event for event, _ in world.log] == ["publish_failed"]


LIST_ID = "7" * 32


@pytest.mark.parametrize("is_announced", [True, False])
async def test_accounts_lists_and_managed_rules_are_published_by_themselves(world: World, is_announced: bool) -> None:
    zone_id = await world.add("a.com")
    await world.publisher.poll()
    edge = Edge()
    world.publisher.subscribe(edge)

    async def publish(*, accounts: Sequence[str] = (), lists: Sequence[str] = (), managed: Sequence[str] = ()) -> Delta:
        on_change = world.publisher.on_change(accounts=accounts, lists=lists, managed=managed)
        await (on_change if is_announced else world.publisher.poll())
        on_change.close()
        message = edge.sent[-1]
        assert isinstance(message, Delta)
        assert message.zones == ()
        return message

    await world.say(version=1, rules=2)
    (account,) = (await publish(accounts=[world.account_id])).accounts
    assert (account.id, account.version, len(account.access_rules)) == (world.account_id, 1, 2)
    await world.put_list(LIST_ID, "10.0.0.1", "10.0.0.2")
    (found,) = (await publish(lists=[LIST_ID])).lists
    assert (found.id, found.items) == (LIST_ID, ("10.0.0.1", "10.0.0.2"))
    loaded = await world.put_managed("3.3.4")
    assert (await publish(managed=[loaded.id])).managed == (loaded,)
    assert world.publisher.managed == {loaded.id: "3.3.4"}
    snapshot = world.publisher.snapshot()
    assert (names(snapshot.zones), snapshot.accounts, snapshot.lists) == (["a.com"], (account,), (found,))
    assert world.publisher.counts() == {"zone": (1, 0), "account": (1, 0), "list": (1, 0), "managed": (1, 0)}
    await world.say(version=2, rules=0)
    await world.write(sa.delete(LISTS))
    async with world.database.write() as connection:
        await managed.remove(connection, loaded.id)
    edge.sent.clear()
    await publish(accounts=[world.account_id], lists=[LIST_ID], managed=[loaded.id])
    removed = [ident for delta in edge.sent if isinstance(delta, Delta) for ident in delta.removed]
    assert removed == [loaded.id, LIST_ID, world.account_id]
    assert world.publisher.managed == {}
    assert [one.id for one in world.publisher.snapshot().zones] == [zone_id]
    before = world.publisher.revision
    await world.publisher.poll()
    assert world.publisher.revision == before


async def test_an_account_that_says_nothing_is_no_news(world: World) -> None:
    await world.publisher.poll()
    before = world.publisher.revision
    await world.say(version=3, rules=0)
    await world.publisher.poll()
    await world.publisher.on_change(accounts=[world.account_id])
    assert (world.publisher.revision, world.publisher.snapshot().accounts) == (before, ())


async def test_what_rules_draw_on_keeps_its_last_good_version(world: World) -> None:
    await world.say(version=1, rules=1)
    await world.put_list(LIST_ID, "10.0.0.1")
    await world.put_managed("3.3.4")
    await world.publisher.poll()
    before = world.publisher.snapshot()
    world.unfit = {world.account_id, "list_7", "4.0"}
    await world.say(version=2, rules=2)
    await world.put_list(LIST_ID, "10.0.0.2", version=2)
    await world.put_managed("4.0")
    await world.publisher.poll()
    after = world.publisher.snapshot()
    assert (after.accounts, after.lists, after.managed) == (before.accounts, before.lists, before.managed)
    assert world.publisher.managed == {"4" * 32: "3.3.4"}
    assert {one.kind: one.name for one in world.publisher.refused.values()} == {
        "account": world.account_id,
        "list": "list_7",
        "managed": "4.0",
    }
    assert world.publisher.zone_name(LIST_ID) == LIST_ID
    assert [event for event, _ in world.log] == ["snapshot_refused"] * 3
    assert {"account", "list", "managed"} == {kind for _, fields in world.log for kind in fields} - {"name", "reason"}


async def test_a_mistake_about_one_document_ends_no_publishing(world: World) -> None:
    async with asyncio.timeout(30):
        world.while_checking["list_7"] = [].pop
        await world.put_list(LIST_ID, "10.0.0.1")
        await world.add("a.com")
        await world.publisher.poll()
    assert names(world.publisher.snapshot().zones) == ["a.com"]
    assert world.publisher.refused[LIST_ID].reason == "IndexError: pop from empty list"


async def test_a_long_list_that_is_checked_keeps_no_zone_waiting(world: World) -> None:
    await world.put_list(LIST_ID, "10.0.0.1")
    zone_id = await world.add("a.com")
    is_checking, may_end = world.hold_check_of("list_7")
    slow = asyncio.create_task(world.publisher.on_change(lists=[LIST_ID]))
    async with asyncio.timeout(30):
        await is_checking.wait()
        await world.publisher.on_change([zone_id])
        published = names(world.publisher.snapshot().zones), world.publisher.snapshot().lists
        may_end.set()
        await slow
    assert published == (["a.com"], ())
    assert [one.id for one in world.publisher.snapshot().lists] == [LIST_ID]


async def test_a_publisher_that_starts_reads_all_kinds(world: World) -> None:
    await world.say(version=1, rules=1)
    await world.put_list(LIST_ID, "10.0.0.1")
    await world.put_managed("3.3.4")
    await world.publisher.poll()
    again = Publisher(world.database, check=lambda _: None, log=lambda *_: None)
    await again.load()
    one, other = world.publisher.snapshot(), again.snapshot()
    assert (one.accounts, one.lists, one.managed) == (other.accounts, other.lists, other.managed)
    edge = Edge()
    again.subscribe(edge)
    await again.poll()
    assert len(edge.sent) == 1


def test_a_document_survives_the_link() -> None:
    zone = ZoneDocument(id="1" * 32, name="a.com", version=3, paused=True)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(zone), type=ZoneDocument) == zone
