"""Security events: what edges did with requests, and by which rule; the newest first, page after page by a cursor.

Law 1: a cursor names the last event of a page, so that events that arrive meanwhile move nothing.
Law 2: one row may stand for many events (`sample_interval`); whatever is counted here, counts them all.
Law 3: a filter that is no such thing is a 400 that names it, and so is one that is given twice: of two, one would be ignored.
A filter that nothing has finds nothing; a parameter that is none is ignored, as everywhere in this API.

This is ours: the original has these facts in GraphQL (`firewallEventsAdaptive`); docs/events.md has its names for them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import ID_PATTERN, Access, account_access, zone_access
from holdfast.api.audit_logs import moment_or_date
from holdfast.api.audit_trail import CursorInfo
from holdfast.api.cursors import cursor_of, place_of
from holdfast.api.envelope import Envelope, View, cursor_page_of, success
from holdfast.api.faults import invalid, not_found, unavailable
from holdfast.model.moment import Moment, written
from holdfast.model.security_event import ACTIONS, SOURCES
from holdfast.store import security_events
from holdfast.store.security_events import DIMENSIONS, EventQuery, IpNetwork, StoredEvent, bare_ray

router = APIRouter(tags=["Security events"])

ZONE_READ, ZONE_READ_TOO = "Zone WAF Read", "Analytics Read"
ACCOUNT_READ = "Account WAF Read"
# What a summary is about where nothing is said: the last day.
SUMMARY_US = 86_400 * 1_000_000
# Rows of each part of a summary. Precedent: the original's "top" lists have 5 to 15.
MAX_TOP = 50
# Searches at once, and how long one waits for its turn. A filter that finds little looks through every row of a zone or of an
# account, half a second for 200,000 on SQLite: who searches must not take all connections to the database.
MAX_SEARCHES = 2
SEARCH_LIMIT_S = 5.0
_CURSOR = re.compile(rf"([0-9]{{1,18}}) ({ID_PATTERN})")
_ID_OR_RAY = re.compile(r"[0-9A-Za-z-]{1,64}")
_ID = re.compile(ID_PATTERN)
_COUNTRY = re.compile(r"[A-Za-z]{2}|[Tt]1")
_RAY = re.compile(r"[0-9A-Fa-f]{16}(?:-[0-9A-Za-z]{1,8})?")
_LONGEST = 1024

Short = Annotated[str, Field(max_length=64)]
Long = Annotated[str, Field(max_length=_LONGEST)]


class MatchView(View):
    """A field that a managed rule matched, and what was in it."""

    name: str
    value: str


class EventView(View):
    """One event, or one that stands for `sample_interval` of the same zone, source, action and rule."""

    id: str
    zone_id: str
    occurred_at: str
    ray: str
    action: str
    source: str
    rule_id: str | None
    ruleset_id: str | None
    ref: str | None
    description: str | None
    client_ip: str
    client_country: str | None
    client_asn: int | None
    method: str
    scheme: str
    host: str
    path: str
    query: str
    user_agent: str | None
    is_upgrade: bool
    edge_response_status: int | None
    matched_fields: list[MatchView]
    matched_rules: list[str]
    score: int
    sample_interval: int


class EventsEnvelope(Envelope[list[EventView]]):
    """A page of events."""

    result_info: CursorInfo


class CountView(View):
    """A value, and of how many events it is."""

    value: str
    count: int


class RuleCountView(View):
    """A rule, and of how many events it is."""

    rule_id: str
    description: str | None
    count: int


class SummaryView(View):
    """Counts of the events of a window. `rows` rows stand for `events` events."""

    since: str
    until: str
    events: int
    rows: int
    actions: list[CountView]
    sources: list[CountView]
    rules: list[RuleCountView]
    client_ips: list[CountView]
    client_countries: list[CountView]
    hosts: list[CountView]
    paths: list[CountView]


class _Filter(BaseModel):
    """Which events."""

    model_config = ConfigDict(extra="ignore")
    since: str | None = Field(default=None, description="From this date (UTC) or RFC 3339 date-time on.")
    until: str | None = Field(default=None, description="Before this date (UTC) or RFC 3339 date-time.")
    action: str | None = Field(default=None, max_length=64, description=f"One of {', '.join(ACTIONS)}.")
    source: str | None = Field(default=None, max_length=64, description=f"One of {', '.join(SOURCES)}.")
    rule_id: Short | None = None
    ruleset_id: Short | None = None
    ray: Short | None = Field(default=None, description='The request\'s, with or without its "-<colo>".')
    client_ip: str | None = Field(default=None, max_length=64, description="An address, or a network in CIDR.")
    country: Short | None = Field(default=None, description="Of the client: two letters.")
    asn: int | None = Field(default=None, ge=0, le=2**32 - 1)
    method: Short | None = None
    host: Long | None = None
    path: Long | None = Field(default=None, description="What the path begins with.")
    path_contains: Long | None = Field(default=None, description="Within the path, in any case.")
    query_contains: Long | None = Field(default=None, description="Within the query, in any case.")
    user_agent: Long | None = Field(default=None, description="Within the User-Agent, in any case.")
    is_upgrade: bool | None = Field(default=None, description="Whether it was a WebSocket handshake.")
    edge_response_status: int | None = Field(default=None, ge=100, le=599)


class EventFilter(_Filter):
    """Which events, in which order."""

    direction: Literal["asc", "desc"] = "desc"
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200)


class AccountEventFilter(EventFilter):
    """The same, of an account."""

    zone_id: Short | None = None


class SummaryFilter(_Filter):
    """Which events to count."""

    top: int = Field(default=10, ge=1, le=MAX_TOP, description="How many values each part has at most.")


@router.get("/zones/{zone_id}/security/events", response_model=EventsEnvelope)
async def list_zone_events(
    access: Annotated[Access, Depends(zone_access(ZONE_READ, ZONE_READ_TOO))], asked: Annotated[EventFilter, Query()]
) -> Response:
    """What the edge did with the zone's requests, other than forward them; the newest first."""
    return await _page(access, asked, EventQuery(zone_id=access.known_zone.id))


@router.get("/accounts/{account_id}/security/events", response_model=EventsEnvelope)
async def list_account_events(
    access: Annotated[Access, Depends(account_access(ACCOUNT_READ))], asked: Annotated[AccountEventFilter, Query()]
) -> Response:
    """The same, of all zones of the account."""
    return await _page(access, asked, EventQuery(account_id=access.account_id))


@router.get("/zones/{zone_id}/security/events/summary", response_model=Envelope[SummaryView])
async def summarize_zone_events(
    access: Annotated[Access, Depends(zone_access(ZONE_READ, ZONE_READ_TOO))], asked: Annotated[SummaryFilter, Query()]
) -> Response:
    """How many events there were, and of what; of the last day where nothing else is said."""
    now = access.context.clock()
    query = _query(access, EventQuery(zone_id=access.known_zone.id), asked)
    until = now if query.before is None else query.before
    since = until - SUMMARY_US if query.since is None else query.since
    return success(await _summary(access, msgspec.structs.replace(query, since=since, before=until), asked.top))


@router.get("/zones/{zone_id}/security/events/{id_or_ray}", response_model=Envelope[list[EventView]])
async def show_zone_events(
    access: Annotated[Access, Depends(zone_access(ZONE_READ, ZONE_READ_TOO))], id_or_ray: str
) -> Response:
    """The event with this id, or all those of the request with this ray, in the order they came about."""
    if not _ID_OR_RAY.fullmatch(id_or_ray):
        raise not_found("security event")
    async with access.context.database.look() as connection:
        found = await security_events.find(connection, access.known_zone.id, bare_ray(id_or_ray))
    if not found:
        raise not_found("security event")
    return success([_view(one) for one in found])


@asynccontextmanager
async def _search(access: Access) -> AsyncIterator[None]:
    """A turn to look through many rows. Raises ApiFault where none comes in time."""
    state = access.request.app.state
    if not hasattr(state, "event_searches"):
        state.event_searches = asyncio.Semaphore(MAX_SEARCHES)
    turns: asyncio.Semaphore = state.event_searches
    try:
        await asyncio.wait_for(turns.acquire(), SEARCH_LIMIT_S)
    except TimeoutError:
        raise unavailable(f"{MAX_SEARCHES} searches for events are under way") from None
    try:
        yield
    finally:
        turns.release()


async def _page(access: Access, asked: EventFilter, query: EventQuery) -> Response:
    query = msgspec.structs.replace(
        _query(access, query, asked),
        after=_moment_and_id(asked.cursor),
        ascending=asked.direction == "asc",
        # One more than asked for says whether there is a next page.
        limit=asked.limit + 1,
    )
    async with _search(access), access.context.database.look() as connection:
        found = await security_events.select(connection, query)
    shown = found[: asked.limit]
    cursor = cursor_of(f"{shown[-1].occurred_on} {shown[-1].id}") if len(found) > asked.limit else None
    return cursor_page_of([_view(one) for one in shown], cursor)


async def _summary(access: Access, query: EventQuery, most: int) -> dict[str, Any]:
    async with _search(access), access.context.database.read() as connection:
        events, rows = await security_events.total(connection, query)
        rules = await security_events.top_rules(connection, query, limit=most)
        tops = {name: await security_events.top(connection, query, name, limit=most) for name in DIMENSIONS}
    counts = {name: [{"value": value, "count": count} for value, count in top] for name, top in tops.items()}
    return {
        "since": written(query.since or 0),
        "until": written(query.before or 0),
        "events": events,
        "rows": rows,
        "actions": counts["action"],
        "sources": counts["source"],
        "rules": [{"rule_id": rule, "description": text or None, "count": count} for rule, text, count in rules],
        "client_ips": counts["client_ip"],
        "client_countries": counts["country"],
        "hosts": counts["host"],
        "paths": counts["path"],
    }


def _query(access: Access, query: EventQuery, asked: _Filter) -> EventQuery:
    """`query` with what was asked for. Raises ApiFault."""
    for name in type(asked).model_fields:
        if len(access.request.query_params.getlist(name)) > 1:
            raise invalid(f"/{name}", f"{name}: expected one value, got several")
    since, until = moment_or_date("since", asked.since), moment_or_date("until", asked.until)
    if since is not None and until is not None and since > until:
        raise invalid("/since", f"since: expected no later moment than until ({asked.until}), got {asked.since!r}")
    equal = {
        "action": _one_of("action", asked.action, ACTIONS),
        "source": _one_of("source", asked.source, SOURCES),
        "rule_id": _id("rule_id", asked.rule_id),
        "ruleset_id": _id("ruleset_id", asked.ruleset_id),
        "ray": _ray(asked.ray),
        "country": _country(asked.country),
        "asn": asked.asn,
        "method": asked.method,
        "host": None if asked.host is None else asked.host.lower().removesuffix("."),
        "is_upgrade": asked.is_upgrade,
        "status": asked.edge_response_status,
        "zone_id": _id("zone_id", getattr(asked, "zone_id", None)),
    }
    containing = {"path": asked.path_contains, "query": asked.query_contains, "user_agent": asked.user_agent}
    return msgspec.structs.replace(
        query,
        since=since,
        before=until,
        equal={name: value for name, value in equal.items() if value is not None},
        path=_path_beginning(asked.path),
        containing={name: text for name, text in containing.items() if text},
        client=_network(asked.client_ip),
    )


def _one_of(name: str, text: str | None, known: tuple[str, ...]) -> str | None:
    if text is not None and text not in known:
        raise invalid(f"/{name}", f"{name}: expected one of {', '.join(known)}, got {text!r}")
    return text


def _id(name: str, text: str | None) -> str | None:
    if text is not None and not _ID.fullmatch(text):
        raise invalid(f"/{name}", f"{name}: expected an id, 32 hexadecimal digits, got {text!r}")
    return text


def _ray(text: str | None) -> str | None:
    if text is None:
        return None
    if not _RAY.fullmatch(text):
        raise invalid("/ray", f"ray: expected that of a request, such as 230b030023ae2822, got {text!r}")
    return bare_ray(text)


def _country(text: str | None) -> str | None:
    if text is None:
        return None
    if not _COUNTRY.fullmatch(text):
        raise invalid("/country", f"country: expected two letters such as NL, or T1, got {text!r}")
    return text.upper()


def _path_beginning(text: str | None) -> str:
    # The target of `OPTIONS *` is the one path without a slash.
    if text and text[0] not in "/*":
        raise invalid("/path", f"path: expected what a path begins with, and that is '/', got {text!r}")
    return text or ""


def _network(text: str | None) -> IpNetwork | None:
    if text is None:
        return None
    try:
        # Bits beyond the prefix are forgiven: what was meant is plain.
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        expected = "expected an address or a network such as 192.0.2.0/24"
        raise invalid("/client_ip", f"client_ip: {expected}, got {text!r}") from None


def _moment_and_id(cursor: str | None) -> tuple[Moment, str] | None:
    if not cursor:
        return None
    place = place_of(cursor, _CURSOR)
    return int(place[1]), place[2]


def _view(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    return {
        "id": stored.id,
        "zone_id": event.zone,
        "occurred_at": written(stored.occurred_on),
        "ray": event.ray,
        "action": event.action,
        "source": event.source,
        "rule_id": event.rule_id or None,
        "ruleset_id": event.ruleset_id or None,
        "ref": event.ref or None,
        "description": event.description or None,
        "client_ip": event.client_ip,
        "client_country": event.country or None,
        "client_asn": event.asn or None,
        "method": event.method,
        "scheme": event.scheme,
        "host": event.host,
        "path": event.path,
        "query": event.query,
        "user_agent": event.user_agent or None,
        "is_upgrade": event.is_upgrade,
        "edge_response_status": event.status or None,
        "matched_fields": [{"name": name, "value": value} for name, value in event.fields],
        "matched_rules": list(event.components),
        "score": event.score,
        "sample_interval": stored.sample_interval,
    }
