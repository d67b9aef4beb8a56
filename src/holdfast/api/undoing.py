"""Writes that may turn out to be none: a dry run, or a change that changes nothing.

Law: what ends with `Undone` has left no trace: no row, no version, no revision.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.store.database import Database


class Undone(Exception):
    """Ends the block of `writing`, and undoes what was done in it."""


@asynccontextmanager
async def writing(database: Database) -> AsyncIterator[AsyncConnection]:
    """`Database.write`, whose block may end with `Undone`. What follows the block is done in either case."""
    with suppress(Undone):
        async with database.write() as connection:
            yield connection
