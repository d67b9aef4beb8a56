"""This installation: the name of its database, and the count of its writes."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.store.schema import INSTALLATION


async def source_and_revision(connection: AsyncConnection) -> tuple[str, int]:
    """What names this database for good, and how often it was written."""
    row = (await connection.execute(sa.select(INSTALLATION.c.source, INSTALLATION.c.revision))).one()
    return row.source, row.revision
