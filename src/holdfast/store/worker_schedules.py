"""When scripts are to run by themselves: cron expressions, as they were written.

Law: a script's schedules are replaced together; one that stays keeps when it was made.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import WORKER_SCHEDULES


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One cron expression of a script."""

    cron: str
    created_on: Moment
    modified_on: Moment


async def of_script(connection: AsyncConnection, script_id: str) -> list[Schedule]:
    """The script's schedules, the oldest first."""
    table = WORKER_SCHEDULES.c
    statement = sa.select(table.cron, table.created_on, table.modified_on).where(table.script_id == script_id)
    rows = (await connection.execute(statement.order_by(table.created_on, table.cron))).mappings().all()
    return [Schedule(**row) for row in rows]


async def replace(connection: AsyncConnection, script_id: str, crons: Sequence[str], *, now: Moment) -> None:
    """Have the script these schedules, which are different from each other, and no others."""
    table = WORKER_SCHEDULES.c
    there = {one.cron for one in await of_script(connection, script_id)}
    gone, new = there - set(crons), [cron for cron in crons if cron not in there]
    if gone:
        await connection.execute(
            sa.delete(WORKER_SCHEDULES).where(table.script_id == script_id, table.cron.in_(sorted(gone)))
        )
    if new:
        rows = [{"script_id": script_id, "cron": cron, "created_on": now, "modified_on": now} for cron in new]
        await connection.execute(sa.insert(WORKER_SCHEDULES), rows)
