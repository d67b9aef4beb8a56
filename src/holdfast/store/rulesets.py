"""Rulesets: written and read whole, with their rules in one column, in their order."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.ruleset import Ruleset
from holdfast.store.schema import RULESETS

_NAMES = Ruleset.__struct_fields__
_COLUMNS = tuple(RULESETS.c[name] for name in _NAMES)


async def of_zone(connection: AsyncConnection, zone_id: str) -> list[Ruleset]:
    """The zone's rulesets, by phase."""
    statement = sa.select(*_COLUMNS).where(RULESETS.c.zone_id == zone_id).order_by(RULESETS.c.phase, RULESETS.c.id)
    return [_value(row) for row in (await connection.execute(statement)).all()]


async def find(connection: AsyncConnection, zone_id: str, ruleset_id: str) -> Ruleset | None:
    """The zone's ruleset with this id."""
    statement = sa.select(*_COLUMNS).where(RULESETS.c.zone_id == zone_id, RULESETS.c.id == ruleset_id)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _value(row)


async def find_entrypoint(connection: AsyncConnection, zone_id: str, phase: str) -> Ruleset | None:
    """The zone's ruleset of this phase. There is one at most: it is made under the zone's lock."""
    statement = sa.select(*_COLUMNS).where(RULESETS.c.zone_id == zone_id, RULESETS.c.phase == phase)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _value(row)


async def insert(connection: AsyncConnection, zone_id: str, ruleset: Ruleset) -> None:
    """Add a ruleset to a zone."""
    await connection.execute(sa.insert(RULESETS).values(**msgspec.to_builtins(ruleset), zone_id=zone_id))


async def update(connection: AsyncConnection, ruleset: Ruleset) -> None:
    """Write a ruleset that is there."""
    statement = sa.update(RULESETS).where(RULESETS.c.id == ruleset.id)
    await connection.execute(statement.values(**msgspec.to_builtins(ruleset)))


async def delete(connection: AsyncConnection, ruleset_id: str) -> None:
    """Remove a ruleset and its rules."""
    await connection.execute(sa.delete(RULESETS).where(RULESETS.c.id == ruleset_id))


def _value(row: sa.Row[Any]) -> Ruleset:
    return msgspec.convert(dict(zip(_NAMES, row, strict=True)), Ruleset)
