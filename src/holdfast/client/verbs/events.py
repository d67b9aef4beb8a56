"""`holdfast events`: what the edge did with requests, and by which rule.

Law 1: a line is one event, or one that stands for as many as it says.
Law 2: what is followed is shown once, in the order it is heard of: events reach the API some tenths of a second after they
happen, so each look goes back a little, and what was shown is remembered.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.client.api.answer import JsonObject, as_object, as_objects, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.zones import Zone, find_zone, zone_or_id
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.output import Output
from holdfast.errors import UsageError
from holdfast.model.option import spelled, switch
from holdfast.model.security_event import ACTIONS, SOURCES

if TYPE_CHECKING:
    import typer

    from holdfast.client.api.connection import Api

# Events of one answer of the API, at most.
PAGE = 1000
MAX_LIMIT = 100_000
# Of a path in a table. `show` and `--json` have all of it.
MAX_BRIEF_CHARS = 100
# How often it is asked for more, how far each look goes back, and how many events are remembered as shown.
FOLLOW_PAUSE_S = 1.0
OVERLAP_S = 10.0
REMEMBERED = 20_000
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RAY_OR_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_TITLES = ("time", "action", "source", "client", "method", "host", "path", "status", "rule", "events", "ray")


def _moment(text: str, flag: str) -> dt.timedelta | dt.datetime:
    if match := _DURATION.fullmatch(text):
        return dt.timedelta(seconds=int(match[1]) * _UNITS_S[match[2]])
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        expected = "how long ago, such as 90m or 7d, or a moment such as 2026-11-25T08:00:00Z"
        raise UsageError(flag, text, expected) from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _one_of(known: Sequence[str], text: str, flag: str) -> str:
    found = next((one for one in known if one.lower() == text.lower()), None)
    if found is None:
        raise UsageError(flag, text, f"one of {', '.join(known)}")
    return found


def _limit(text: str, flag: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= MAX_LIMIT):
        raise UsageError(flag, text, f"a number from 1 to {MAX_LIMIT:,}")
    return int(text)


def _event(text: str, flag: str) -> str:
    if not _RAY_OR_ID.fullmatch(text):
        raise UsageError(flag, text, "the ray of a request (CF-Ray), or the id of an event")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _ZoneOptions(ApiOptions):
    zone: str = dataclasses.field(metadata=spelled("ZONE", "ZONE", "The zone: its name or its id.", zone_or_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class _FilterOptions(_ZoneOptions):
    """Which events."""

    since: dt.timedelta | dt.datetime | None = dataclasses.field(
        default=None, metadata=spelled("--since", "WHEN", "From then on: 90m, 7d, or 2026-11-25T08:00:00Z.", _moment)
    )
    until: dt.timedelta | dt.datetime | None = dataclasses.field(
        default=None, metadata=spelled("--until", "WHEN", "Before then, likewise.", _moment)
    )
    action: str | None = dataclasses.field(
        default=None,
        metadata=spelled("--action", "ACTION", "What was done.", lambda text, flag: _one_of(ACTIONS, text, flag)),
    )
    source: str | None = dataclasses.field(
        default=None,
        metadata=spelled("--source", "SOURCE", "What did it.", lambda text, flag: _one_of(SOURCES, text, flag)),
    )
    rule: str | None = dataclasses.field(
        default=None, metadata=spelled("--rule", "ID", "The id of the rule.", lambda text, _: text)
    )
    client_ip: str | None = dataclasses.field(
        default=None, metadata=spelled("--ip", "NETWORK", "The client's address, or a network.", lambda text, _: text)
    )
    host: str | None = dataclasses.field(
        default=None, metadata=spelled("--host", "HOST", "The host name.", lambda text, _: text)
    )
    path: str | None = dataclasses.field(
        default=None, metadata=spelled("--path", "PATH", "What the path begins with.", lambda text, _: text)
    )

    def query(self, now: dt.datetime) -> dict[str, str]:
        """The parameters to ask with."""
        given = {
            "since": _written(self.since, now),
            "until": _written(self.until, now),
            "action": self.action,
            "source": self.source,
            "rule_id": self.rule,
            "client_ip": self.client_ip,
            "host": self.host,
            "path": self.path,
        }
        return {name: text for name, text in given.items() if text is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventListOptions(_FilterOptions):
    """Which events to list, and how many."""

    limit: int = dataclasses.field(
        default=100, metadata=spelled("--limit", "N", "How many events at most.", _limit, default="100")
    )
    follow: bool = dataclasses.field(default=False, metadata=switch("--follow", "Go on with those that happen now."))

    def __post_init__(self) -> None:
        if self.follow and (self.as_json or self.until is not None):
            other = "--json" if self.as_json else "--until"
            raise UsageError("--follow", "--follow", f"it without {other}: what is followed has no end")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTopOptions(_FilterOptions):
    """Which events to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShowOptions(_ZoneOptions):
    """Which event."""

    event: str = dataclasses.field(
        metadata=spelled("RAY", "RAY", "The ray of the request (CF-Ray), or the id of an event.", _event)
    )


def list_events(options: EventListOptions, api: Api, output: Output) -> None:
    """A row an event, the newest first; or the oldest first, and then those that follow."""
    zone, now = find_zone(api, options.zone), dt.datetime.now(dt.UTC)
    if options.follow:
        return _follow(options, api, output, zone)
    found: list[JsonObject] = []
    for page in _pages(api, zone, options.query(now), size=min(PAGE, options.limit)):
        found += page
        if len(found) >= options.limit:
            break
    found = found[: options.limit]
    output.table(found, _TITLES, map(_row, found), empty=f"{zone.name} has no such events")
    return None


def show_event(options: EventShowOptions, api: Api, output: Output) -> None:
    """All that is known of the events of one request."""
    zone = find_zone(api, options.zone)
    what = f"find the event {options.event}"
    result = api.get(zone.path("security", "events", options.event), what=what)
    facts = [(name.replace("_", " "), value) for one in as_objects(result, what=what) for name, value in one.items()]
    output.facts(result, facts)


def top_events(options: EventTopOptions, api: Api, output: Output) -> None:
    """Rules, clients, hosts and paths with the most events."""
    zone = find_zone(api, options.zone)
    what = f"count the events of {zone.name}"
    query = options.query(dt.datetime.now(dt.UTC))
    result = as_object(api.get(zone.path("security", "events", "summary"), what=what, query=query), what=what)
    rows = [
        (
            part.replace("_", " "),
            _brief(one.get("description") or one.get("value") or one.get("rule_id")),
            one.get("count"),
        )
        for part, several in result.items()
        if isinstance(several, list)
        for one in as_objects(several, what=what)
    ]
    output.table(result, ("what", "value", "events"), rows, empty=f"{zone.name} had no such events")


def _follow(options: EventListOptions, api: Api, output: Output, zone: Zone) -> None:
    shown: dict[str, None] = {}
    since = _point(options.since, dt.datetime.now(dt.UTC)) or dt.datetime.now(dt.UTC)
    begin = since
    while True:
        asked_at = dt.datetime.now(dt.UTC)
        query = options.query(asked_at) | {"since": _written(max(begin, since), asked_at) or "", "direction": "asc"}
        news = [
            one
            for page in _pages(api, zone, query, size=PAGE)
            for one in page
            if (name := text_of(one, "id")) not in shown and shown.setdefault(name) is None
        ]
        if news:
            output.rows(map(_row, news))
        while len(shown) > REMEMBERED:
            del shown[next(iter(shown))]
        since = asked_at - dt.timedelta(seconds=OVERLAP_S)
        time.sleep(FOLLOW_PAUSE_S)


def _pages(api: Api, zone: Zone, query: dict[str, str], *, size: int) -> Iterator[list[JsonObject]]:
    what, path = f"list the events of {zone.name}", zone.path("security", "events")
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        envelope = api.envelope("GET", path, what=what, query={**query, "limit": str(size), **more})
        yield as_objects(envelope.get("result"), what=what)
        info = envelope.get("result_info")
        after = text_of(info, "cursors", "after") if isinstance(info, dict) else ""
        if not after or after == cursor:
            return
        cursor = after


def _row(one: JsonObject) -> tuple[object, ...]:
    return (
        one.get("occurred_at"),
        one.get("action"),
        one.get("source"),
        one.get("client_ip"),
        one.get("method"),
        one.get("host"),
        _brief(one.get("path")),
        one.get("edge_response_status"),
        one.get("description") or one.get("ref") or one.get("rule_id"),
        one.get("sample_interval"),
        one.get("ray"),
    )


def _brief(value: object) -> object:
    """A text for a row of a table: a client chooses how long its path is, and would make everybody's row as long."""
    return f"{value[:MAX_BRIEF_CHARS]}…" if isinstance(value, str) and len(value) > MAX_BRIEF_CHARS else value


def _point(when: dt.timedelta | dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
    try:
        return (now - when if isinstance(when, dt.timedelta) else when.astimezone(dt.UTC)) if when is not None else None
    except OverflowError:
        raise UsageError("--since", str(when), "a moment within the calendar") from None


def _written(when: dt.timedelta | dt.datetime | None, now: dt.datetime) -> str | None:
    point = _point(when, now)
    return None if point is None else f"{point.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


VERBS = {
    "list": Verb(EventListOptions, list_events, "List what the edge did with requests, the newest first."),
    "show": Verb(EventShowOptions, show_event, "Show what became of one request, by its ray."),
    "top": Verb(EventTopOptions, top_events, "Count events by rule, client, host and path; of the last day."),
}


def app(*, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast events`."""
    return group_of(VERBS, help=help)
