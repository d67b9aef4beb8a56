"""Routes and domains as they are kept, and as they are published."""

from __future__ import annotations

import msgspec

from holdfast.model.zone_document import WorkerDomainDocument, WorkerRouteDocument
from holdfast.store import worker_routes, worker_scripts, zones
from holdfast.store.database import Database
from holdfast.store.documents import documents_of
from holdfast.store.worker_routes import Domain, Route
from tests.unit.store.conftest import ACCOUNT_ID
from tests.unit.store.test_worker_scripts import SCRIPT
from tests.unit.store.test_zones import zone

ZONE = zone(1, "example.com")
ROUTE = Route(
    id="1" * 32, zone_id=ZONE.id, pattern="example.com/*", script_id=SCRIPT.id, script=SCRIPT.name, created_on=1
)
WITHOUT = Route(id="2" * 32, zone_id=ZONE.id, pattern="example.com/a", script_id=None, script=None, created_on=2)
DOMAIN = Domain(
    id="3" * 32,
    zone_id=ZONE.id,
    zone_name=ZONE.name,
    host="chat.example.com",
    script_id=SCRIPT.id,
    script=SCRIPT.name,
    created_on=1,
)


async def prepare(database: Database) -> None:
    async with database.write() as connection:
        await zones.insert(connection, ZONE)
        await worker_scripts.insert(connection, SCRIPT)
        await worker_routes.insert(connection, ROUTE)
        await worker_routes.insert(connection, WITHOUT)
        await worker_routes.insert_domain(connection, DOMAIN)


async def test_what_is_written_is_what_is_read_and_published(database: Database) -> None:
    await prepare(database)
    async with database.read() as connection:
        assert await worker_routes.of_zone(connection, ZONE.id) == [ROUTE, WITHOUT]
        assert await worker_routes.find(connection, ZONE.id, ROUTE.id) == ROUTE
        assert await worker_routes.find_like(connection, ZONE.id, "example.com/a") == WITHOUT
        assert await worker_routes.count(connection, ZONE.id) == 2
        assert await worker_routes.domains_of(connection, ACCOUNT_ID) == [DOMAIN]
        assert await worker_routes.find_domain(connection, ACCOUNT_ID, host=DOMAIN.host) == DOMAIN
        assert await worker_routes.find_domain(connection, "f" * 32, id=DOMAIN.id) is None
        assert await worker_scripts.zones_of(connection, SCRIPT.id) == {ZONE.id}
        (document,) = await documents_of(connection, [ZONE.id], now=1)
    assert document.worker_routes == (
        WorkerRouteDocument(pattern="example.com/*", key=SCRIPT.key, name="chat"),
        WorkerRouteDocument(pattern="example.com/a"),
    )
    assert document.worker_domains == (WorkerDomainDocument(host="chat.example.com", key=SCRIPT.key, name="chat"),)


async def test_what_is_changed_and_removed_is_so(database: Database) -> None:
    await prepare(database)
    other = msgspec.structs.replace(SCRIPT, id="b" * 32, name="other", key="ba9876543210")
    async with database.write() as connection:
        await worker_scripts.insert(connection, other)
        await worker_routes.change(connection, ROUTE.id, pattern="example.com/b", script_id=None)
        await worker_routes.change_domain(connection, DOMAIN.id, other.id)
        changed = await worker_routes.find(connection, ZONE.id, ROUTE.id)
        assert changed is not None
        assert (changed.pattern, changed.script) == ("example.com/b", None)
        (domain,) = await worker_routes.domains_of(connection, ACCOUNT_ID)
        assert domain.script == "other"
        await worker_routes.delete(connection, ROUTE.id)
        await worker_routes.delete_domain(connection, DOMAIN.id)
        assert await worker_routes.of_zone(connection, ZONE.id) == [WITHOUT]
        assert await worker_routes.domains_of(connection, ACCOUNT_ID) == []


async def test_a_script_takes_its_routes_and_domains_along(database: Database) -> None:
    await prepare(database)
    async with database.write() as connection:
        await worker_scripts.delete(connection, SCRIPT.id)
        assert await worker_routes.of_zone(connection, ZONE.id) == [WITHOUT]
        assert await worker_routes.domains_of(connection, ACCOUNT_ID) == []
