"""When a script runs by itself: cron expressions, replaced together.

Law: they are of the script and of none of its versions: a deployment leaves them as they are. They are in force when it is answered.

Source: Cloudflare API v4, "Workers scripts: schedules".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access
from holdfast.api.context import WorkersUnavailable
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import ApiFault, Complaint, fault
from holdfast.api.text import Text
from holdfast.api.worker_found import NOT_REACHED, RESOURCE, find_script, no_such_script
from holdfast.api.worker_shapes import ScriptName
from holdfast.model.cron import MAX_CHARS, Cron
from holdfast.model.moment import written
from holdfast.store import worker_schedules as store
from holdfast.store import worker_scripts
from holdfast.store.worker_schedules import Schedule

router = APIRouter(prefix="/accounts/{account_id}/workers/scripts/{script_name}/schedules", tags=["Workers schedules"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
# Of one script. Precedent: the original's paid plan has 250 of an account.
MAX_SCHEDULES = 50
# What is read of more, so that they are told to be too many.
_MOST_READ = 1_000
# Cloudflare's codes: for an expression that is none, and for too many.
INVALID_CRON, TOO_MANY = 10100, 10072


class ScheduleGiven(BaseModel):
    """A cron expression."""

    model_config = ConfigDict(extra="ignore")
    cron: Text = Field(max_length=MAX_CHARS)


class ScheduleView(View):
    """A cron expression, and since when it is there."""

    cron: str
    created_on: str
    modified_on: str


class SchedulesView(View):
    """All schedules of a script."""

    schedules: list[ScheduleView]


@router.get("", response_model=Envelope[SchedulesView])
async def list_schedules(access: ReadAccess, script_name: ScriptName) -> Response:
    """When a script runs by itself."""
    async with access.context.database.read() as connection:
        script = (await find_script(connection, access.account_id, script_name)).script
        return success(_view(await store.of_script(connection, script.id)))


@router.put("", response_model=Envelope[SchedulesView])
async def replace_schedules(
    access: WriteAccess, script_name: ScriptName, body: Annotated[list[ScheduleGiven], Body(max_length=_MOST_READ)]
) -> Response:
    """Have a script run by itself at these times, and at no others."""
    crons = _crons(body)
    async with access.context.database.read() as connection:
        key = (await find_script(connection, access.account_id, script_name)).script.key
    async with access.context.workers.turn(key):
        try:
            async with access.context.database.write() as connection:
                after = await _replace(connection, access, script_name, crons)
                # Last: what cannot be told to the host is not written down.
                await access.context.workers.schedule(key, crons)
        except WorkersUnavailable as error:
            complaint = Complaint(NOT_REACHED, f"The schedules were not changed: {error}")
            raise ApiFault(503, (complaint,), {"Retry-After": "5"}) from None
    return success(_view(after))


async def _replace(connection: AsyncConnection, access: Access, name: str, crons: Sequence[str]) -> list[Schedule]:
    script = await worker_scripts.hold(connection, access.account_id, name)
    if script is None:
        raise no_such_script()
    before = await store.of_script(connection, script.id)
    await store.replace(connection, script.id, crons, now=access.context.clock())
    after = await store.of_script(connection, script.id)
    await access.record(connection, "update", RESOURCE, name, old=_view(before), new=_view(after))
    return after


def _crons(given: Sequence[ScheduleGiven]) -> list[str]:
    """The expressions, each once. Raises ApiFault."""
    if len(given) > MAX_SCHEDULES:
        raise fault(400, TOO_MANY, f"expected at most {MAX_SCHEDULES} schedules of one Worker, got {len(given)}")
    for place, one in enumerate(given):
        try:
            Cron(one.cron)
        except ValueError as error:
            raise fault(
                400, INVALID_CRON, f"invalid cron string: {place}.cron: {error}", pointer=f"/{place}/cron"
            ) from None
    return list(dict.fromkeys(one.cron for one in given))


def _view(schedules: Sequence[Schedule]) -> dict[str, Any]:
    return {
        "schedules": [
            {"cron": one.cron, "created_on": written(one.created_on), "modified_on": written(one.modified_on)}
            for one in schedules
        ]
    }
