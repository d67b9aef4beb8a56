"""`holdfast zone`: what is at the edge, by name.

Law: `remove`, `pause` and `resume` act on what was named and ask nobody: a script and a person type the same.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.client.api.answer import JsonObject, as_object, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.zones import Zone, find_account, find_zone, zone_or_id
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.output import Output
from holdfast.client.verbs.zone_add import ZoneAddOptions, add_zone
from holdfast.errors import UsageError
from holdfast.model.option import spelled

if TYPE_CHECKING:
    import typer

    from holdfast.client.api.connection import Api

# The most the API gives at once (its documents: 5 to 50).
ZONES_A_PAGE = 50


def _text(text: str, flag: str) -> str:
    if not text or "\0" in text:
        raise UsageError(flag, text, "a text")
    return text


_ZONE = spelled("ZONE", "ZONE", "The zone: its name or its id.", zone_or_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOptions(ApiOptions):
    """A verb that needs to know nothing but the zone."""

    zone: str = dataclasses.field(metadata=_ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneListOptions(ApiOptions):
    """Which zones to list."""

    name: str | None = dataclasses.field(
        default=None, metadata=spelled("--name", "TEXT", "Only zones whose name contains this.", _text)
    )
    account: str | None = dataclasses.field(
        default=None,
        metadata=spelled("--account", "ACCOUNT", "Only zones of this account: its id or name.", _text),
    )


def list_zones(options: ZoneListOptions, api: Api, output: Output) -> None:
    """A row a zone."""
    query = {"name": f"contains:{options.name}"} if options.name else {}
    if options.account:
        query["account.id"] = find_account(api, options.account)
    zones = api.everything("/zones", what="list the zones", query=query, per_page=ZONES_A_PAGE)
    rows = [
        (
            zone.get("name"),
            _state(zone),
            text_of(zone, "plan", "legacy_id"),
            text_of(zone, "account", "name"),
            zone.get("id"),
        )
        for zone in zones
    ]
    output.table(zones, ("name", "state", "plan", "account", "id"), rows, empty="no zones")


def _state(zone: JsonObject) -> str:
    return "paused" if zone.get("paused") is True else text_of(zone, "status")


def show_zone(options: ZoneOptions, api: Api, output: Output) -> None:
    """What the API says of one zone."""
    zone = find_zone(api, options.zone).result
    output.facts(
        zone,
        (
            ("name", zone.get("name")),
            ("id", zone.get("id")),
            ("status", zone.get("status")),
            ("paused", zone.get("paused")),
            ("plan", text_of(zone, "plan", "name") or text_of(zone, "plan", "legacy_id")),
            ("account", f"{text_of(zone, 'account', 'name')} ({text_of(zone, 'account', 'id')})"),
            ("created", zone.get("created_on")),
            ("modified", zone.get("modified_on")),
        ),
    )


def remove_zone(options: ZoneOptions, api: Api, output: Output) -> None:
    """Delete the zone and all that belongs to it."""
    zone = find_zone(api, options.zone)
    result = api.send("DELETE", zone.path(), what=f"remove the zone {zone.name}")
    output.done(result, f"{zone.name}: removed, with its records, settings, rules and certificates")


_PAUSED_MEANS = "forwarded to where its records and origin rules say, without its other settings, but for those of TLS"


def pause_zone(options: ZoneOptions, api: Api, output: Output) -> None:
    """Forward without features."""
    zone, result = _set_paused(options, api, is_paused=True)
    output.done(result, f"{zone.name}: paused: {_PAUSED_MEANS}")


def resume_zone(options: ZoneOptions, api: Api, output: Output) -> None:
    """End a pause."""
    zone, result = _set_paused(options, api, is_paused=False)
    output.done(result, f"{zone.name}: resumed: its rules and settings hold again")


def _set_paused(options: ZoneOptions, api: Api, *, is_paused: bool) -> tuple[Zone, object]:
    zone = find_zone(api, options.zone)
    what = f"{'pause' if is_paused else 'resume'} the zone {zone.name}"
    return zone, api.send("PATCH", zone.path(), what=what, body={"paused": is_paused})


def disconnect_zone(options: ZoneOptions, api: Api, output: Output) -> None:
    """Close every open WebSocket of the zone with 1001."""
    zone = find_zone(api, options.zone)
    what = f"close the WebSockets of {zone.name}"
    result = api.send("DELETE", zone.path("websocket_connections"), what=what)
    closed = as_object(result, what=what).get("closed") if result is not None else None
    number = f"{closed:,} open" if isinstance(closed, int) else "the open"
    output.done(result, f"{zone.name}: {number} WebSocket{'' if closed == 1 else 's'} closed with 1001 (going away)")


VERBS = {
    "add": Verb(
        ZoneAddOptions,
        add_zone,
        "Create the zone NAME. With --origin, requests for NAME and *.NAME go there: records, origin rule and ssl are"
        " written too.",
    ),
    "list": Verb(ZoneListOptions, list_zones, "List the zones."),
    "show": Verb(ZoneOptions, show_zone, "Show one zone."),
    "remove": Verb(
        ZoneOptions, remove_zone, "Remove a zone and all that belongs to it; its open WebSockets end with 1001."
    ),
    "pause": Verb(ZoneOptions, pause_zone, "Forward a zone to its origin without its other features."),
    "resume": Verb(ZoneOptions, resume_zone, "End a pause."),
    "disconnect": Verb(ZoneOptions, disconnect_zone, "Close every open WebSocket of a zone with 1001."),
}


def app(*, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast zone`."""
    return group_of(VERBS, help=help)
