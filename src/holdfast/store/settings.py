"""Settings of zones, as far as somebody set them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import ZONE_SETTINGS


class StoredSetting(msgspec.Struct, frozen=True):
    """What a setting was set to, and when."""

    value: Any
    modified_on: Moment


_OF_ZONE = sa.select(ZONE_SETTINGS).where(ZONE_SETTINGS.c.zone_id == sa.bindparam("zone"))


async def of_zone(connection: AsyncConnection, zone_id: str) -> dict[str, StoredSetting]:
    """The zone's settings that were ever set, by id."""
    rows = (await connection.execute(_OF_ZONE, {"zone": zone_id})).all()
    return {row.id: StoredSetting(row.value, row.modified_on) for row in rows}


async def put(connection: AsyncConnection, zone_id: str, values: Mapping[str, Any], *, now: Moment) -> None:
    """Set settings of a zone, by id."""
    rows = [{"zone_id": zone_id, "id": id_, "value": value, "modified_on": now} for id_, value in values.items()]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(ZONE_SETTINGS)
    changed = {"value": statement.excluded.value, "modified_on": statement.excluded.modified_on}
    await connection.execute(statement.on_conflict_do_update(index_elements=["zone_id", "id"], set_=changed), rows)


_REMOVE = sa.delete(ZONE_SETTINGS).where(
    ZONE_SETTINGS.c.zone_id == sa.bindparam("zone"), ZONE_SETTINGS.c.id == sa.bindparam("name")
)


async def remove(connection: AsyncConnection, zone_id: str, name: str) -> bool:
    """Forget what a setting was set to; whether it was."""
    result = await connection.execute(_REMOVE, {"zone": zone_id, "name": name})
    return result.rowcount > 0
