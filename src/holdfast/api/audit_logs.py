"""The audit log as its first version shows it: of an account, and of a user.

Law 1: what was done in an account is shown to who has Access: Audit Logs Read on that account, and to nobody else.
Law 2: what a user did to themselves or their tokens is shown in each of their accounts without its values: policies name what
is in others. The values are the user's own to read, with the permission that the thing itself takes.

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
from holdfast.model.permission import Resource, Scope, may
from holdfast.store import audit
from holdfast.store.audit import INSTALLATION_ITSELF, AuditQuery, Entry

router = APIRouter(tags=["Audit logs"])

AuditPage = paged(largest=1000, default=100)
READ_LOGS = "Access: Audit Logs Read"
_TOKENS = ("token", "token_value")
_DATE_CHARS = len("2026-11-25")


class ActionView(View):
    """What was done. What failed changed nothing, and is not here."""

    type: str
    result: Literal[True]


class ActorView(View):
    """Who did it: a user, or, as "admin", the installation itself in their name."""

    id: str
    email: str
    ip: str
    type: Literal["user", "admin"]


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
    interface: Literal["API", "CLI"]
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
    access: Annotated[Access, Depends(account_access(READ_LOGS))],
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
    """What the user wrote: about themselves, and in the accounts whose audit log the token may read; the newest first."""
    principal = access.principal
    accounts = frozenset(one for one in principal.accounts if _may(access, READ_LOGS, Scope.ACCOUNT, one))
    return await _page(access, AuditQuery(actor_id=principal.token.owner_id, accounts=accounts), asked, page)


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
    return page_of([_view(readable(access, entry), query) for entry in found], page, total)


def readable(access: Access, entry: Entry) -> Entry:
    """`entry` as who asks may see it: without its values, if it is of a user who is not the one that asks, or if theirs is not
    the permission to read the thing itself. That the entry may be seen at all has been asked before."""
    if entry.account_id:
        return entry
    permission = "API Tokens Read" if entry.resource_type in _TOKENS else "User Details Read"
    is_own = access.principal.owner.kind == "user" and access.principal.owner.id == entry.actor_id
    if is_own and _may(access, permission, Scope.USER, entry.actor_id):
        return entry
    return msgspec.structs.replace(entry, old_value=None, new_value=None)


def _may(access: Access, permission: str, scope: Scope, id_: str) -> bool:
    return may(access.principal.policies, permission, Resource(scope, id_, id_ if scope is Scope.ACCOUNT else ""))


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
    is_ours = entry.actor_kind == INSTALLATION_ITSELF
    kind = "admin" if is_ours else "user"
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
        "actor": {"id": entry.actor_id, "email": entry.actor_email, "ip": entry.actor_ip, "type": kind},
        "interface": "CLI" if is_ours else "API",
        "metadata": {name: text for name, text in metadata.items() if text is not None},
        "newValue": _text(entry.new_value),
        "oldValue": _text(entry.old_value),
        "owner": {"id": entry.account_id or query.account_id or entry.actor_id},
        "resource": {"id": entry.resource_id, "type": entry.resource_type},
        "when": written(entry.occurred_on),
    }


def _text(value: Any) -> str | None:  # noqa: ANN401  JSON
    return None if value is None else msgspec.json.encode(value).decode()
