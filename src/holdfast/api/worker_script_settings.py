"""What belongs to a script and to none of its versions: its tags.

Law: a change of it deploys nothing. What this installation has no counterpart of (`logpush`, `observability`, `tail_consumers`) is taken and
passed over, and shown as it is: off.

Source: Cloudflare API v4, "Workers scripts: script settings".
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.text import Text
from holdfast.api.worker_found import RESOURCE, find_script, no_such_script
from holdfast.api.worker_shapes import ScriptName
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Script

router = APIRouter(
    prefix="/accounts/{account_id}/workers/scripts/{script_name}/script-settings", tags=["Workers settings"]
)

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
# Precedent: the original allows eight tags of 1,024 characters.
MAX_TAGS, MAX_TAG_CHARS = 8, 1_024


class ScriptSettingsGiven(BaseModel):
    """Settings to change; what is null or left out stays."""

    model_config = ConfigDict(extra="ignore")
    tags: list[Annotated[Text, Field(max_length=MAX_TAG_CHARS)]] | None = Field(default=None, max_length=MAX_TAGS)


class ObservabilityView(View):
    """Whether what a script logs is kept: it is not."""

    enabled: bool


class ScriptSettingsView(View):
    """What belongs to a script and to none of its versions."""

    logpush: bool
    observability: ObservabilityView
    tags: list[str]
    tail_consumers: list[None] | None


@router.get("", response_model=Envelope[ScriptSettingsView])
async def show_script_settings(access: ReadAccess, script_name: ScriptName) -> Response:
    """A script's settings."""
    async with access.context.database.read() as connection:
        return success(_view((await find_script(connection, access.account_id, script_name)).script))


@router.patch("", response_model=Envelope[ScriptSettingsView])
async def edit_script_settings(access: WriteAccess, script_name: ScriptName, body: ScriptSettingsGiven) -> Response:
    """Change a script's settings."""
    async with access.context.database.read() as connection:
        found = (await find_script(connection, access.account_id, script_name)).script
    if body.tags is None or tuple(body.tags) == found.tags:
        return success(_view(found))
    # Whoever deploys compares what was read: a change in its middle would be taken for somebody else's.
    async with access.context.workers.turn(found.key), access.context.database.write() as connection:
        before = await store.hold(connection, access.account_id, script_name)
        if before is None:
            raise no_such_script()
        after = msgspec.structs.replace(before, tags=tuple(body.tags), modified_on=access.context.clock())
        await store.update(connection, after)
        await access.record(connection, "update", RESOURCE, script_name, old=_view(before), new=_view(after))
    return success(_view(after))


def _view(script: Script) -> dict[str, Any]:
    return {"logpush": False, "observability": {"enabled": False}, "tags": list(script.tags), "tail_consumers": None}
