"""`holdfast.store.managed`: documents come back as they were put, and no version comes twice."""

from __future__ import annotations

import msgspec

from holdfast.model.rule_documents import ManagedDocument
from holdfast.store import managed
from holdfast.store.database import Database

ID = "4" * 32
FILES = {"crs-setup.conf": b"\x78\x9c\x00", "rules/REQUEST-901.conf": b"\xff\x00\x80"}


def a_document(release: str = "3.3.4") -> ManagedDocument:
    return ManagedDocument(id=ID, version=0, release=release, files=FILES)


async def put(database: Database, document: ManagedDocument) -> ManagedDocument:
    async with database.write() as connection:
        return await managed.put(connection, document)


async def test_a_document_comes_back_as_it_was_put(database: Database) -> None:
    kept = await put(database, a_document())
    other = await put(database, msgspec.structs.replace(a_document("4.0"), id="3" * 32))
    async with database.read() as connection:
        assert await managed.find(connection, ID) == kept
        assert await managed.all_documents(connection) == [other, kept]
        assert await managed.versions(connection) == {kept.id: kept.version, other.id: other.version}
    assert (kept.release, kept.files) == ("3.3.4", FILES)


async def test_one_that_is_put_again_takes_the_place_of_the_one_before(database: Database) -> None:
    first, second = await put(database, a_document()), await put(database, a_document("4.0"))
    async with database.read() as connection:
        assert await managed.all_documents(connection) == [second]
    assert second.version > first.version


async def test_no_version_comes_twice_though_the_document_was_removed(database: Database) -> None:
    first = await put(database, a_document())
    async with database.write() as connection:
        assert await managed.remove(connection, ID)
        assert not await managed.remove(connection, ID)
        assert await managed.find(connection, ID) is None
    assert (await put(database, a_document())).version > first.version
