"""`holdfast.store.installation`: one installation, whose revision grows with every write."""

from __future__ import annotations

from holdfast.store import installation
from holdfast.store.database import Database


async def test_an_installation_has_a_source_and_a_revision(database: Database) -> None:
    async with database.read() as connection:
        source, revision = await installation.source_and_revision(connection)
    assert (len(source), revision) == (32, 2)


async def test_the_key_that_is_written_down_first_stays(database: Database) -> None:
    async with database.read() as connection:
        assert await installation.key_fingerprint(connection) is None
    async with database.note() as connection:
        assert await installation.claim_key(connection, "a" * 64) == "a" * 64
    async with database.note() as connection:
        assert await installation.claim_key(connection, "b" * 64) == "a" * 64
    async with database.read() as connection:
        assert await installation.key_fingerprint(connection) == "a" * 64
