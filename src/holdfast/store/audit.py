"""The audit log: one entry a write, in the transaction of the write itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.store.schema import AUDIT


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to what, when and from where. `action` is "create", "update" or "delete"; the values are JSON.

    `actor_kind` is "user" or "account": the owner of the token that was used.
    """

    id: str
    occurred_on: Moment
    account_id: str
    zone_id: str | None
    zone_name: str | None
    actor_id: str
    actor_email: str
    actor_kind: str
    actor_ip: str
    token_id: str | None
    token_name: str | None
    action: str
    resource_type: str
    resource_id: str
    old_value: Any
    new_value: Any
    method: str
    uri: str
    user_agent: str
    request_id: str


async def insert(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Add entries."""
    await connection.execute(sa.insert(AUDIT), [msgspec.structs.asdict(entry) for entry in entries])
