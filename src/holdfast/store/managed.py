"""Managed rules that the operator loaded, written and read whole.

Law: a document's `version` is never used again, not by one that is put in the place of a removed one: it is the count of
the database's writes at that write.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.rule_documents import ManagedDocument
from holdfast.store.schema import INSTALLATION, MANAGED_DOCUMENTS

_COLUMNS = tuple(MANAGED_DOCUMENTS.c[name] for name in ManagedDocument.__struct_fields__)
_FILES = msgspec.msgpack.Decoder(dict[str, bytes])


async def all_documents(connection: AsyncConnection) -> list[ManagedDocument]:
    """Every document, by id."""
    rows = (await connection.execute(sa.select(*_COLUMNS).order_by(MANAGED_DOCUMENTS.c.id))).all()
    return [_value(row) for row in rows]


async def versions(connection: AsyncConnection) -> dict[str, int]:
    """The version of every document, by id."""
    rows = (await connection.execute(sa.select(MANAGED_DOCUMENTS.c.id, MANAGED_DOCUMENTS.c.version))).all()
    return {row.id: row.version for row in rows}


async def find(connection: AsyncConnection, document_id: str) -> ManagedDocument | None:
    """The document with this id."""
    statement = sa.select(*_COLUMNS).where(MANAGED_DOCUMENTS.c.id == document_id)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _value(row)


async def put(connection: AsyncConnection, document: ManagedDocument) -> ManagedDocument:
    """Write `document`, in the place of one with its id; with the version that it has from now on.

    For a transaction of `Database.write`, which counts its writes.
    """
    # Of two who put at once, the one reads after the other has written.
    written: int = (await connection.execute(sa.select(INSTALLATION.c.revision).with_for_update())).scalar_one()
    await remove(connection, document.id)
    files = msgspec.msgpack.encode(document.files)
    values = {"id": document.id, "version": written + 1, "release": document.release, "files": files}
    await connection.execute(sa.insert(MANAGED_DOCUMENTS).values(**values))
    return msgspec.structs.replace(document, version=written + 1)


async def remove(connection: AsyncConnection, document_id: str) -> bool:
    """Remove the document with this id; False where there is none."""
    statement = sa.delete(MANAGED_DOCUMENTS).where(MANAGED_DOCUMENTS.c.id == document_id)
    return (await connection.execute(statement)).rowcount == 1


def _value(row: sa.Row[Any]) -> ManagedDocument:
    return ManagedDocument(id=row.id, version=row.version, release=row.release, files=_FILES.decode(row.files))
