"""Lists as rules see them: by name, with the kind of what is in them."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.store.schema import LISTS


async def kinds_of(
    connection: AsyncConnection, account_id: str, names: Collection[str], *, are_kept: bool = True
) -> dict[str, str]:
    """The kind (ip, hostname, asn, redirect) of each of the account's lists with these names that there is, by name.

    If `are_kept`, they are there until the transaction ends: a rule that names one and its removal wait for each other.
    """
    if not names:
        return {}
    mine = sa.and_(LISTS.c.account_id == account_id, LISTS.c.name.in_(names))
    # SQLite has no such clause and one writer: there it says nothing.
    statement = sa.select(LISTS.c.name, LISTS.c.kind).where(mine)
    if are_kept:
        statement = statement.with_for_update(read=True, key_share=True)
    rows = (await connection.execute(statement)).all()
    return {row.name: row.kind for row in rows}
