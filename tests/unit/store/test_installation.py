"""`holdfast.store.installation`: one installation, whose revision grows with every write."""

from __future__ import annotations

from holdfast.store import installation
from holdfast.store.database import Database


async def test_an_installation_has_a_source_and_a_revision(database: Database) -> None:
    async with database.read() as connection:
        source, revision = await installation.source_and_revision(connection)
    assert (len(source), revision) == (32, 2)
