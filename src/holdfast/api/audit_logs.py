"""The audit log as its first version shows it: of an account, and of a user.

Source: Cloudflare API v4, "Audit logs" (camelCase and all).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, account_access, user_access
from holdfast.api.envelope import PageEnvelope, View, page_of
from holdfast.api.faults import invalid
from holdfast.api.paging import Page, paged
from holdfast.model.moment import Moment, moment_of, parsed, written
from holdfast.store import audit
from holdfast.store.audit import AuditQuery, Entry

router = APIRouter(tags=["Audit logs"])

AuditPage = paged(largest=1000, default=100)
_DATE_CHARS = len("2026-11-25")


class ActionView(View):
    """What was done. What failed changed nothing, and is not here."""

    type: str
    result: Literal[True]


class ActorView(View):
    """Who did it."""

    id: str
    email: str
    ip: str
    type: Literal["user"]


class OwnerView(View):
    """Whose it was: an account, or a user."""

    id: str


class ResourceView(View):
    """What it was done to."""

    id: str
    type: str


class AuditView(View):
    """One entry. The values are JSON in a text."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    id: str
    action: ActionView
    actor: ActorView
    interface: Literal["API"]
    metadata: dict[str, str]
    new_value: str | None = Field(alias="newValue")
    old_value: str | None = Field(alias="oldValue")
    owner: OwnerView
    resource: ResourceView
    when: str


class AuditFilter(BaseModel):
    """Which entries, in which order."""

    model_config = ConfigDict(extra="ignore")
    id: str | None = Field(default=None, max_length=64)
    action_type: str | None = Field(default=None, alias="action.type", max_length=64)
    actor_email: str | None = Field(default=None, alias="actor.email", max_length=300)
    actor_ip: str | None = Field(default=None, alias="actor.ip", max_length=64)
    zone_name: str | None = Field(default=None, alias="zone.name", max_length=300)
    since: str | None = Field(default=None, description="A date (UTC) or an RFC 3339 date-time.")
    before: str | None = Field(default=None, description="A date (UTC) or an RFC 3339 date-time.")
    direction: Literal["asc", "desc"] = "desc"
    hide_user_logs: bool = False


@router.get("/accounts/{account_id}/audit_logs", response_model=PageEnvelope[list[AuditView]])
async def list_account_logs(
    access: Annotated[Access, Depends(account_access("Access: Audit Logs Read"))],
    page: AuditPage,  # type: ignore[valid-type]  # made by a function
    asked: Annotated[AuditFilter, Query()],
) -> Response:
    """What was written in the account, and by its users about themselves; the newest first."""
    query = AuditQuery(account_id=access.account_id, hide_user=asked.hide_user_logs)
    return await _page(access, query, asked, page)


@router.get("/user/audit_logs", response_model=PageEnvelope[list[AuditView]])
async def list_user_logs(
    access: Annotated[Access, Depends(user_access("User Details Read"))],
    page: AuditPage,  # type: ignore[valid-type]  # made by a function
    asked: Annotated[AuditFilter, Query()],
) -> Response:
    """What the user wrote, whatever with; the newest first."""
    return await _page(access, AuditQuery(actor_id=access.principal.token.owner_id), asked, page)


async def _page(access: Access, query: AuditQuery, asked: AuditFilter, page: Page) -> Response:
    given = {
        "id": asked.id,
        "action_type": asked.action_type,
        "actor_email": asked.actor_email,
        "actor_ip_address": _address(asked.actor_ip),
        "zone_name": asked.zone_name,
    }
    query = msgspec.structs.replace(
        query,
        since=moment_or_date("since", asked.since),
        before=moment_or_date("before", asked.before),
        wanted={name: [text] for name, text in given.items() if text is not None},
        ascending=asked.direction == "asc",
        offset=page.offset,
        limit=page.size,
    )
    async with access.context.database.read() as connection:
        found = await audit.select(connection, query)
        total = await audit.count(connection, query)
    return page_of([_view(entry, query) for entry in found], page, total)


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise invalid("/actor.ip", f"actor.ip: expected an IP address, got {text!r}") from None


def moment_or_date(name: str, text: str | None) -> Moment | None:
    """The moment in a parameter: a date-time, or a date, which is its first moment in UTC. Raises ApiFault."""
    if text is None:
        return None
    try:
        if len(text) == _DATE_CHARS:
            return moment_of(dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC))
        return parsed(text)
    except ValueError:
        expected = "expected a date such as 2026-11-25, or a date and time such as 2026-11-25T08:00:00Z"
        raise invalid(f"/{name}", f"{name}: {expected}, got {text[:60]!r}") from None


def _view(entry: Entry, query: AuditQuery) -> dict[str, Any]:
    metadata = {
        "zone_id": entry.zone_id,
        "zone_name": entry.zone_name,
        "token_id": entry.token_id,
        "token_name": entry.token_name,
        "request_id": entry.request_id,
    }
    return {
        "id": entry.id,
        "action": {"type": entry.action, "result": True},
        "actor": {"id": entry.actor_id, "email": entry.actor_email, "ip": entry.actor_ip, "type": "user"},
        "interface": "API",
        "metadata": {name: text for name, text in metadata.items() if text is not None},
        "newValue": _text(entry.new_value),
        "oldValue": _text(entry.old_value),
        "owner": {"id": entry.account_id or query.account_id or entry.actor_id},
        "resource": {"id": entry.resource_id, "type": entry.resource_type},
        "when": written(entry.occurred_on),
    }


def _text(value: Any) -> str | None:  # noqa: ANN401  JSON
    return None if value is None else msgspec.json.encode(value).decode()
