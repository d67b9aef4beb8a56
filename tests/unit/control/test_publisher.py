"""`holdfast.control.publisher`: from writes to what edges are sent, over a real database."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from holdfast.control.first_start import ensure_owner
from holdfast.control.publisher import Publisher
from holdfast.model.control_link import Delta, FullSnapshot
from holdfast.model.zone_document import ZoneDocument
from holdfast.store import zones
from holdfast.store.database import Database
from holdfast.store.upgrade import upgrade
from holdfast.store.zones import Zone


class Edge:
    """An edge that keeps what it is sent, and says it serves by it, if it is quick."""

    def __init__(self, *, is_quick: bool = True) -> None:
        self.sent: list[Delta | FullSnapshot] = []
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

    def _check(self, document: ZoneDocument) -> None:
        self.while_checking.get(document.name, lambda: None)()
        if document.name in self.unfit:
            raise ValueError(f"{document.name} does not compile")

    def hold_check_of(self, name: str) -> tuple[asyncio.Event, threading.Event]:
        """Let the check of a zone wait: what is set when it begins, and what is to be set for it to end."""
        loop, is_checking, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def wait_for_the_loop() -> None:
            loop.call_soon_threadsafe(is_checking.set)
            assert may_end.wait(5), "the event loop stood still while a zone was checked"

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
    assert world.publisher.refused == {zone_id: "a.com does not compile"}
    assert [event for event, _ in world.log] == ["snapshot_refused"]
    world.unfit = set()
    await world.touch(zone_id)
    await world.publisher.on_change([zone_id])
    assert world.publisher.refused == {}


async def test_an_edge_that_is_slow_holds_a_writer_for_a_moment_only(world: World) -> None:
    world.publisher.subscribe(Edge(is_quick=False))
    async with asyncio.timeout(5):
        await world.publisher.on_change([await world.add("a.com")])


async def test_zones_are_checked_beside_the_event_loop_and_published_in_order(world: World) -> None:
    edge = Edge()
    world.publisher.subscribe(edge)
    slow, quick = await world.add("slow.com"), await world.add("a.com")
    is_checking, may_end = world.hold_check_of("slow.com")
    first = asyncio.create_task(world.publisher.on_change([slow]))
    async with asyncio.timeout(10):
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
    async with asyncio.timeout(10):
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


def test_a_document_survives_the_link() -> None:
    zone = ZoneDocument(id="1" * 32, name="a.com", version=3, paused=True)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(zone), type=ZoneDocument) == zone
