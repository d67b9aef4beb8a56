"""`holdfast connections`: the WebSockets that are open, as a list, as a screen like `top`'s, as a stream; and to close them.

Law 1: without a zone it is about the only one that the token sees; where there are several, one must be named.
Law 2: what is closed is counted first, and asked about, unless `--yes` is given; every WebSocket of a zone takes `--all`.
Law 3: only a terminal is drawn on. A pipe gets whole values, a line a connection, or JSON.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import typer

from holdfast.client.api.answer import ApiFailed, JsonObject, as_object, as_objects, notes_of, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.zones import Zone, find_zone, zone_of, zone_or_id
from holdfast.client.connection_table import (
    LIST_COLUMNS,
    PLAIN_TITLES,
    Row,
    address,
    carried,
    client,
    duration,
    plain_row,
    table_of,
)
from holdfast.client.printable import printable
from holdfast.client.verbs.group import Verb, command_of, group_of, run_verb
from holdfast.client.verbs.output import Output
from holdfast.errors import UsageError
from holdfast.model.close_reason import MAX_REASON_BYTES, SENDABLE_SAID, is_sendable
from holdfast.model.connection import MAX_PAGE, ConnectionSort
from holdfast.model.option import Given, spelled, spelling_of, switch

if TYPE_CHECKING:
    from holdfast.client.api.connection import Api
    from holdfast.client.connection_screen import Fetch, Key

MAX_LIMIT = 100_000
ORDERS: tuple[str, ...] = get_args(ConnectionSort)
LEAST_INTERVAL_S, MOST_INTERVAL_S = 0.5, 3600.0
_ZONES_NAMED = 5
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
DEFAULT_CODE, DEFAULT_INTERVAL_S = 1001, 2.0


def _order(text: str, flag: str) -> str:
    if text not in ORDERS:
        raise UsageError(flag, text, f"one of {', '.join(ORDERS)}")
    return text


def _limit(text: str, flag: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= MAX_LIMIT):
        raise UsageError(flag, text, f"a number from 1 to {MAX_LIMIT:,}")
    return int(text)


def _seconds(text: str, flag: str) -> str:
    value = _number(text)
    if value is None or not 0 <= value <= 315_360_000:
        raise UsageError(flag, text, "a number of seconds, such as 300")
    return text


def _interval(text: str, flag: str) -> float:
    value = _number(text)
    if value is None or not LEAST_INTERVAL_S <= value <= MOST_INTERVAL_S:
        raise UsageError(flag, text, f"a number of seconds from {LEAST_INTERVAL_S:g} to {MOST_INTERVAL_S:g}")
    return value


def _number(text: str) -> float | None:
    # As a person writes it: Python would also take 1_0, and blanks around it.
    return float(text) if _NUMBER.fullmatch(text) else None


def _code(text: str, flag: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) == 4 and is_sendable(int(text))):
        raise UsageError(flag, text, f"a close code that a server may send: {SENDABLE_SAID}")
    return int(text)


def _reason(text: str, flag: str) -> str:
    if len(_text(text, flag).encode()) > MAX_REASON_BYTES:
        raise UsageError(flag, text, f"at most {MAX_REASON_BYTES} bytes of UTF-8")
    return text


def _text(text: str, flag: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # Bytes that are no UTF-8 come in as lone surrogates.
        raise UsageError(flag, text, "a text in UTF-8") from None
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _ZoneOptions(ApiOptions):
    zone: str | None = dataclasses.field(
        default=None, metadata=spelled("--zone", "ZONE", "The zone: its name or its id. Needless with one.", zone_or_id)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions(_ZoneOptions):
    """Which WebSockets, and what to do with them."""

    host: str | None = dataclasses.field(
        default=None, metadata=spelled("--host", "HOST", "Those of this host name.", _text)
    )
    path: str | None = dataclasses.field(
        default=None, metadata=spelled("--path", "PATH", "Those whose path begins with this.", _text)
    )
    client_ip: str | None = dataclasses.field(
        default=None, metadata=spelled("--ip", "NETWORK", "Those of this client address, or network.", _text)
    )
    min_age: str | None = dataclasses.field(
        default=None, metadata=spelled("--min-age", "SECONDS", "Those open for as long.", _seconds)
    )
    min_idle: str | None = dataclasses.field(
        default=None, metadata=spelled("--min-idle", "SECONDS", "Those with nothing passing for as long.", _seconds)
    )
    subprotocol: str | None = dataclasses.field(
        default=None, metadata=spelled("--subprotocol", "NAME", "Those that agreed on this subprotocol.", _text)
    )
    sort: str = dataclasses.field(
        default="opened_at",
        metadata=spelled("--sort", "ORDER", f"By {', '.join(ORDERS)}; the most first.", _order, default="opened_at"),
    )
    reverse: bool = dataclasses.field(default=False, metadata=switch("--reverse", "The least first."))
    limit: int = dataclasses.field(
        default=100, metadata=spelled("--limit", "N", "How many at most.", _limit, default="100")
    )
    watch: bool = dataclasses.field(
        default=False, metadata=switch("--watch", "Show them as `top` shows processes, with what passes a second.")
    )
    interval_s: float | None = dataclasses.field(
        default=None, metadata=spelled("--interval", "SECONDS", "How often --watch looks.", _interval, default="2")
    )
    events: bool = dataclasses.field(
        default=False, metadata=switch("--events", "Follow which open and close, a line each.")
    )
    close: bool = dataclasses.field(default=False, metadata=switch("--close", "Close them."))
    code: int | None = dataclasses.field(
        default=None, metadata=spelled("--code", "CODE", "The close code of --close.", _code, default="1001")
    )
    reason: str | None = dataclasses.field(
        default=None, metadata=spelled("--reason", "TEXT", "The reason of --close.", _reason)
    )
    all: bool = dataclasses.field(
        default=False, metadata=switch("--all", "With --close and no filter: every WebSocket of the zone.")
    )
    yes: bool = dataclasses.field(default=False, metadata=switch("--yes", "With --close: do not ask."))

    def __post_init__(self) -> None:
        asked = [flag for flag in ("watch", "events", "close") if getattr(self, flag)]
        if len(asked) > 1:
            raise UsageError(f"--{asked[1]}", f"--{asked[1]}", f"it without --{asked[0]}")
        for flag, verb in (
            ("code", "close"),
            ("reason", "close"),
            ("yes", "close"),
            ("all", "close"),
            ("interval_s", "watch"),
        ):
            if getattr(self, flag) not in {None, False} and not getattr(self, verb):
                named = f"--{flag.removesuffix('_s')}"
                raise UsageError(named, named, f"it beside --{verb}")
        if self.watch and self.as_json:
            raise UsageError("--json", "--json", "it without --watch: what is watched has no end")
        if self.events and (self.min_age or self.min_idle):
            raise UsageError("--events", "--events", "it without --min-age and --min-idle: what happens has no age yet")
        if self.close and not self.filter and not self.all:
            raise UsageError("--close", "--close", "a filter beside it, or --all for every WebSocket of the zone")
        if self.close and self.filter and self.all:
            raise UsageError("--all", "--all", "it without a filter")

    @property
    def pause_s(self) -> float:
        """How often what is watched is looked at."""
        return DEFAULT_INTERVAL_S if self.interval_s is None else self.interval_s

    @property
    def close_code(self) -> int:
        """The code to close with."""
        return DEFAULT_CODE if self.code is None else self.code

    @property
    def filter(self) -> dict[str, str]:
        """The members of the filter that were given."""
        names = ("host", "path", "client_ip", "min_age", "min_idle", "subprotocol")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions(_ZoneOptions):
    """Which WebSocket."""

    connection: str = dataclasses.field(
        metadata=spelled("ID", "ID", "The id: what CF-Ray said when it was opened.", _text)
    )


def list_connections(options: ListOptions, api: Api, output: Output) -> None:
    """Whatever was asked for."""
    zone = _zone(api, options.zone)
    if options.watch:
        return _watch(options, api, output, zone)
    if options.events:
        return _follow(options, output, zone)
    if options.close:
        return _close(options, api, output, zone)
    found, total, notes = _page(api, zone, options, limit=options.limit)
    for note in notes:
        output.notice(note)
    empty = f"{zone.name} has no such WebSocket open"
    _show(output, found, empty=empty)
    if total > len(found):
        output.notice(f"{total - len(found):,} more are open (--limit)")
    return None


def _show(output: Output, found: Sequence[JsonObject], *, empty: str) -> None:
    if output.is_drawn and found:
        output.drawn(lambda width: table_of([Row(one) for one in found], width, LIST_COLUMNS))
    else:
        output.table(found, PLAIN_TITLES, map(plain_row, found), empty=empty)


def show_connection(options: ShowOptions, api: Api, output: Output) -> None:
    """All that is known of one WebSocket."""
    zone = _zone(api, options.zone)
    what = f"show the WebSocket {printable(options.connection, limit=60)}"
    result = as_object(api.get(zone.path("websocket_connections", options.connection), what=what), what=what)
    output.facts(result, list(_facts(result)))


def _facts(result: JsonObject) -> Sequence[tuple[str, object]]:
    facts: list[tuple[str, object]] = []
    for name, value in result.items():
        words = name.replace("_", " ")
        if isinstance(value, dict):
            facts += [(f"{words}: {key.replace('_', ' ')}", one) for key, one in value.items()]
        else:
            facts.append((words, value))
    return facts


def _zone(api: Api, named: str | None) -> Zone:
    if named is not None:
        return find_zone(api, named)
    what = "find the zone"
    zones = as_objects(api.get("/zones", what=what, query={"per_page": str(_ZONES_NAMED + 1)}), what=what)
    if len(zones) == 1:
        return zone_of(zones[0], what=what)
    names = ", ".join(printable(text_of(one, "name"), limit=200) for one in zones[:_ZONES_NAMED])
    of_which = f": {names}{', …' if len(zones) > _ZONES_NAMED else ''}" if zones else ""
    raise UsageError("--zone", None, f"the name or id of one of the zones that this token sees{of_which}")


def _page(
    api: Api, zone: Zone, options: ListOptions, *, limit: int, order: str = "", is_descending: bool | None = None
) -> tuple[list[JsonObject], int, list[str]]:
    """What is open, how much there is in all, and what the API says beside it."""
    what, path = f"list the WebSockets of {zone.name}", zone.path("websocket_connections")
    is_descending = not options.reverse if is_descending is None else is_descending
    query = {
        **options.filter,
        "order": order or options.sort,
        "direction": "desc" if is_descending else "asc",
        "per_page": str(min(limit, MAX_PAGE)),
    }
    found: dict[str, JsonObject] = {}
    total, notes, page = 0, list[str](), 1
    while len(found) < limit:
        envelope = api.envelope("GET", path, what=what, query={**query, "page": str(page)})
        items = as_objects(envelope.get("result"), what=what)
        # They come and go while pages are turned: one that moved is not shown twice.
        found.update((text_of(one, "id"), one) for one in items)
        info, notes = envelope.get("result_info"), notes_of(envelope)
        count = info.get("total_count") if isinstance(info, dict) else None
        total = count if isinstance(count, int) else len(found)
        if len(items) < int(query["per_page"]):
            break
        page += 1
    return list(found.values())[:limit], total, notes


def _watch(options: ListOptions, api: Api, output: Output, zone: Zone) -> None:
    # Only a watcher pays for it.
    from holdfast.client.connection_screen import View, keys_of, watch  # noqa: PLC0415
    from holdfast.client.terminal_signals import terminal_signals  # noqa: PLC0415

    view = View(
        name=zone.name,
        orders=ORDERS,
        order=options.sort,
        is_descending=not options.reverse,
        interval_s=options.pause_s,
    )

    def fetch(limit: int, order: str, is_descending: bool) -> tuple[Sequence[JsonObject], int, Sequence[str]]:
        limit = min(limit, options.limit)
        return _page(api, zone, options, limit=limit, order=order, is_descending=is_descending)

    is_drawn = output.is_drawn and _is_addressable()
    with terminal_signals(output.stream if is_drawn else None) as was_stopped, keys_of() as pressed:

        def key(limit_s: float) -> str:
            # Who comes back from having been stopped wants to see how it is now.
            return " " if was_stopped() else pressed(limit_s)

        try:
            if is_drawn:
                watch(view, fetch, output.stream, key=key)
            else:
                _repeat(options, output, fetch, key)
        except KeyboardInterrupt:
            # That is how one leaves.
            return


def _is_addressable() -> bool:
    """Whether the terminal can be drawn on as a whole: a dumb one takes lines (terminfo(5))."""
    return os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


def _repeat(options: ListOptions, output: Output, fetch: Fetch, key: Key) -> None:
    """To a pipe, or to a terminal that takes lines only: the list, again and again."""
    while True:
        try:
            found, _, notes = fetch(options.limit, options.sort, not options.reverse)
        except ApiFailed as error:
            found, notes = [], [str(error)]
        for note in notes:
            output.notice(note)
        _show(output, found, empty="no such WebSocket is open")
        if key(options.pause_s) == "q":
            return


def _follow(options: ListOptions, output: Output, zone: Zone) -> None:
    from holdfast.client.connection_stream import follow  # noqa: PLC0415  only who follows pays for it

    what = f"follow the WebSockets of {zone.name}"
    path = zone.path("websocket_connections", "stream")
    try:
        for message in follow(options, path, options.filter, what=what, notice=output.notice):
            if options.as_json:
                output.line(json.dumps(message).replace("\x7f", "\\u007f"))
            elif message.get("type") == "lost":
                output.notice(f"not all is known: {message.get('count')} events or more were missed")
            else:
                output.line(event_line(message))
    except KeyboardInterrupt:
        return


def event_line(message: JsonObject) -> str:
    """One event of the stream on one line, printable."""
    found = message.get("connection")
    connection: JsonObject = found if isinstance(found, dict) else {}
    kind = "closed" if message.get("type") == "closed" else "opened"
    at = text_of(connection, "closed_at" if kind == "closed" else "opened_at")
    # Its fraction of a second to milliseconds: more is for programs.
    moment = f"{at[:23]}Z" if len(at) > 24 else at
    said = f"{printable(moment, limit=40)} {kind} {printable(text_of(connection, 'id'), limit=60)}"
    said = f"{said} {client(connection)} {address(connection)}"
    if kind == "opened":
        return said
    codes = "/".join(str(connection.get(f"{who}_close_code") or "-") for who in ("client", "origin", "edge"))
    messages = "/".join(str(carried(connection, way, "text_messages", "binary_messages")) for way in _WAYS)
    why = printable(f"{text_of(connection, 'closed_by')} {text_of(connection, 'why')}", limit=80)
    return f"{said} after {duration(connection.get('duration_ms'))}: {why}, codes {codes}, messages {messages}"


_WAYS = ("to_origin", "to_client")


def _close(options: ListOptions, api: Api, output: Output, zone: Zone) -> None:
    what = f"close WebSockets of {zone.name}"
    # `min_age` and `min_idle` are numbers.
    meant = {name: float(value) if name.startswith("min_") else value for name, value in options.filter.items()}
    body: dict[str, object] = {"filter": meant} if meant else {"all": True}
    body["code"] = options.close_code
    if options.reason is not None:
        body["reason"] = options.reason
    path = zone.path("websocket_connections", "close")
    if not options.yes:
        counted = as_object(api.send("POST", path, what=what, body={**body, "dry_run": True}), what=what)
        number = counted.get("closed")
        if number == 0:
            output.done(counted, f"{zone.name}: no such WebSocket is open")
            return
        _ask(f"Close {_counted(number)} of {zone.name} with {options.close_code}?")
    result = as_object(api.send("POST", path, what=what, body=body), what=what)
    output.done(result, f"{zone.name}: {_counted(result.get('closed'))} closed with {options.close_code}")


def _counted(number: object) -> str:
    shown = f"{number:,}" if isinstance(number, int) else "?"
    return f"{shown} WebSocket{'' if number == 1 else 's'}"


def _ask(question: str) -> None:
    """Return where a person says yes. Raises UsageError where nobody can."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("--yes", None, "it, where nobody can be asked")
    if not typer.confirm(question, err=True):
        raise typer.Abort


VERBS = {
    "list": Verb(ListOptions, list_connections, "List, watch, follow or close the WebSockets that are open."),
    "show": Verb(ShowOptions, show_connection, "Show one WebSocket; of one that closed a short while ago, also why."),
}


def app(*, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast connections`, which without a verb lists."""
    made = group_of(VERBS, help=help)
    made.callback(invoke_without_command=True)(_without_verb())
    return made


def _without_verb() -> Callable[..., int | None]:
    """What the group does when no verb is named: what `list` does, with its options."""
    listing = command_of(ListOptions, lambda given: run_verb(VERBS["list"], given))

    def command(context: typer.Context, **given: Given) -> int | None:
        if context.invoked_subcommand is None:
            return listing(**given)
        sources = {name: context.get_parameter_source(name) for name in given}
        before = (name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE")
        if (name := next(before, None)) is not None:
            field = next(one for one in dataclasses.fields(ListOptions) if one.name == name)
            flag = spelling_of(field).flag
            raise UsageError(flag, None, f"it after the verb {context.invoked_subcommand!r}")
        return None

    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    command.__signature__ = inspect.Signature([first, *inspect.signature(listing).parameters.values()])  # type: ignore[attr-defined]
    command.__annotations__ = {"context": typer.Context}
    return command
