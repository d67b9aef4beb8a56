"""This installation: the name of its database, the count of its writes, and which key its secrets are sealed with."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.store.schema import INSTALLATION


async def source_and_revision(connection: AsyncConnection) -> tuple[str, int]:
    """What names this database for good, and how often it was written."""
    row = (await connection.execute(sa.select(INSTALLATION.c.source, INSTALLATION.c.revision))).one()
    return row.source, row.revision


async def key_fingerprint(connection: AsyncConnection) -> str | None:
    """The fingerprint of the key that secrets are sealed with; None before the first start."""
    fingerprint: str | None = await connection.scalar(sa.select(INSTALLATION.c.key_fingerprint))
    return fingerprint


async def claim_key(connection: AsyncConnection, fingerprint: str) -> str:
    """Write down the key of this installation, unless one is written down already; the fingerprint of the one that is."""
    unknown = INSTALLATION.c.key_fingerprint.is_(None)
    await connection.execute(sa.update(INSTALLATION).where(unknown).values(key_fingerprint=fingerprint))
    return await key_fingerprint(connection) or fingerprint
