"""The audit log as its second version shows it: of an account, between two moments, page after page by a cursor.

Law: a cursor names the last entry of a page, so that entries written meanwhile move nothing.

Source: Cloudflare API v4, "Audit logs v2".
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from holdfast.api.access import ID_PATTERN, Access, account_access
from holdfast.api.audit_logs import READ_LOGS, moment_or_date, readable
from holdfast.api.cursors import cursor_of, place_of
from holdfast.api.envelope import Envelope, View, cursor_page_of
from holdfast.api.faults import not_found
from holdfast.model.moment import Moment, written
from holdfast.store import audit, identities
from holdfast.store.audit import FILTERS, INSTALLATION_ITSELF, AuditQuery, Entry
from holdfast.store.identities import Account

router = APIRouter(prefix="/accounts/{account_id}/logs", tags=["Audit logs v2"])

MAX_TEXTS = 50
_CURSOR = re.compile(rf"(-?[0-9]{{1,18}}) ({ID_PATTERN})")


class AccountView(View):
    """The account."""

    id: str
    name: str


class ActionView(View):
    """What was done. What failed changed nothing, and is not here."""

    description: str
    result: Literal["success"]
    time: str
    type: str


class ActorView(View):
    """Who did it, and with which token. `system` is the installation itself, in a user's name and without a token."""

    id: str
    context: Literal["api_token"] | None
    email: str
    ip_address: str
    token_id: str | None
    token_name: str | None
    type: Literal["user", "account", "system"]


class RawView(View):
    """The request."""

    cf_ray_id: str
    method: str
    status_code: int
    uri: str
    user_agent: str


class ResourceView(View):
    """What it was done to. `request` is its value after, `old_value` (which is ours) the one before."""

    id: str
    product: str
    type: str
    scope: Literal["zones", "accounts", "user"]
    request: Any
    response: None
    old_value: Any


class ZoneReference(View):
    """The zone, where it is about one."""

    id: str | None
    name: str | None


class TrailView(View):
    """One entry."""

    id: str
    account: AccountView
    action: ActionView
    actor: ActorView
    raw: RawView
    resource: ResourceView
    zone: ZoneReference


class Cursors(View):
    """Where the next page begins; null after the last."""

    after: str | None


class CursorInfo(View):
    """How many entries this page has."""

    count: int
    cursors: Cursors


class TrailEnvelope(Envelope[list[TrailView]]):
    """A page of entries."""

    result_info: CursorInfo


class _Times(BaseModel):
    """Which entries, in which order. Each filter takes several values, and has a `.not`."""

    model_config = ConfigDict(extra="ignore")
    since: str = Field(description="A date (UTC) or an RFC 3339 date-time.")
    before: str = Field(description="A date (UTC) or an RFC 3339 date-time.")
    direction: Literal["asc", "desc"] = "desc"
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200)


_NAMES = (*FILTERS, "account_name")
_LISTS: dict[str, Any] = {
    f"{prefix}_{name}": (list[str], Field(default=[], alias=f"{name}{suffix}", max_length=MAX_TEXTS))
    for name in _NAMES
    for prefix, suffix in (("want", ""), ("avoid", ".not"))
}
TrailFilter = create_model("TrailFilter", __base__=_Times, **_LISTS)


@router.get("/audit", response_model=TrailEnvelope)
async def list_audit(
    access: Annotated[Access, Depends(account_access(READ_LOGS))],
    asked: Annotated[TrailFilter, Query()],  # type: ignore[valid-type]  # made from a table
) -> Response:
    """What was written in the account, and by its users about themselves; the newest first."""
    return await _page(access, asked)


async def _page(access: Access, asked: _Times) -> Response:
    query = AuditQuery(
        account_id=access.account_id,
        since=moment_or_date("since", asked.since),
        before=moment_or_date("before", asked.before),
        wanted=_texts(asked, "want"),
        unwanted=_texts(asked, "avoid"),
        after=_moment_and_id(asked.cursor),
        ascending=asked.direction == "asc",
        # One more than asked for says whether there is a next page.
        limit=asked.limit + 1,
    )
    async with access.context.database.read() as connection:
        account = await identities.find_account(connection, access.account_id)
        if account is None:
            raise not_found("account")
        found = await audit.select(connection, query) if _is_named(account, asked) else []
    shown = found[: asked.limit]
    cursor = cursor_of(f"{shown[-1].occurred_on} {shown[-1].id}") if len(found) > asked.limit else None
    return cursor_page_of([_view(readable(access, entry), account) for entry in shown], cursor)


def _texts(asked: _Times, prefix: str) -> dict[str, list[str]]:
    given = {name: getattr(asked, f"{prefix}_{name}") for name in FILTERS}
    return {name: texts for name, texts in given.items() if texts}


def _is_named(account: Account, asked: _Times) -> bool:
    wanted, unwanted = getattr(asked, "want_account_name"), getattr(asked, "avoid_account_name")  # noqa: B009  from a table
    return (not wanted or account.name in wanted) and account.name not in unwanted


def _moment_and_id(cursor: str | None) -> tuple[Moment, str] | None:
    if not cursor:
        return None
    place = place_of(cursor, _CURSOR)
    return int(place[1]), place[2]


def _view(entry: Entry, account: Account) -> dict[str, Any]:
    return {
        "id": entry.id,
        "account": {"id": account.id, "name": account.name},
        "action": {
            "description": f"{entry.action} {entry.resource_type.replace('_', ' ')}",
            "result": "success",
            "time": written(entry.occurred_on),
            "type": entry.action,
        },
        "actor": {
            "id": entry.actor_id,
            "context": None if entry.actor_kind == INSTALLATION_ITSELF else "api_token",
            "email": entry.actor_email,
            "ip_address": entry.actor_ip,
            "token_id": entry.token_id,
            "token_name": entry.token_name,
            "type": entry.actor_kind,
        },
        "raw": {
            "cf_ray_id": entry.request_id,
            "method": entry.method,
            "status_code": 200,
            "uri": entry.uri,
            "user_agent": entry.user_agent,
        },
        "resource": {
            "id": entry.resource_id,
            "product": entry.resource_type,
            "type": entry.resource_type,
            "scope": entry.scope,
            "request": entry.new_value,
            "response": None,
            "old_value": entry.old_value,
        },
        "zone": {"id": entry.zone_id, "name": entry.zone_name},
    }
