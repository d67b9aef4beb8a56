"""Open WebSockets as the rows of a table that fits where it is shown. Pure.

Law 1: what a row cannot hold is left out by column, the least needed first; what is left of the width is the address's.
Law 2: rates are of two samples of one connection: what it carried between them, by the time between them. Of a connection
that was not there before, they are not known.
Law 3: whatever the API wrote is printable before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.client.api.answer import JsonObject, text_of
from holdfast.client.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

NOTHING = "-"
# The narrowest that the address may become before columns go.
LEAST_ADDRESS = 16
_GAP = 2
_MAX_CELL_CHARS = 300
_UNITS = ("", "k", "M", "G", "T", "P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was open at `at_s` (seconds, of any clock that does not jump), by id."""

    at_s: float
    connections: Mapping[str, JsonObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a connection carries each way, a second."""

    messages_to_origin: float
    messages_to_client: float
    bytes_to_origin: float
    bytes_to_client: float


@dataclass(frozen=True, slots=True)
class Row:
    """One connection, and its rates where they are known."""

    connection: JsonObject
    rates: Rates | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `width` characters at least, the address more. Of two, the one with the higher `rank` is left out first."""

    title: str
    width: int
    rank: int
    cell: Callable[[Row], str]
    is_right: bool = False
    is_address: bool = False


def rates_between(before: Sample | None, after: Sample) -> dict[str, Rates]:
    """The rates of the connections that are in both samples."""
    if before is None or (passed_s := after.at_s - before.at_s) <= 0:
        return {}
    return {
        name: _rates(before.connections[name], connection, passed_s)
        for name, connection in after.connections.items()
        if name in before.connections
    }


def columns_for(width: int, columns: Sequence[Column]) -> list[Column]:
    """Those of `columns` that fit into `width` characters, in their order: one at least."""
    left = sorted(columns, key=lambda column: column.rank)
    while len(left) > 1 and sum(column.width for column in left) + _GAP * (len(left) - 1) > width:
        left.pop()
    return [column for column in columns if column in left]


def table_of(rows: Sequence[Row], width: int, columns: Sequence[Column]) -> Table:
    """The rows as a table of `width` characters."""
    from rich.table import Table  # noqa: PLC0415  only a terminal pays for drawing
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold", width=width)
    shown = columns_for(width, columns)
    for column in shown:
        table.add_column(
            Text(column.title),
            justify="right" if column.is_right else "left",
            no_wrap=True,
            overflow="ellipsis",
            # The address has what is left; all others are as wide as they need to be.
            ratio=1 if column.is_address else None,
            min_width=None if column.is_address else min(column.width, width),
        )
    for row in rows:
        style = "dim" if text_of(row.connection, "state") == "closing" else ""
        table.add_row(*(Text(column.cell(row)) for column in shown), style=style)
    return table


def duration(milliseconds: object) -> str:
    """How long in at most five characters: `12s`, `5m03`, `3h20`, `2d4h`, `120d`."""
    if not isinstance(milliseconds, int | float):
        return NOTHING
    seconds = max(int(milliseconds) // 1000, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes < 1:
        return f"{seconds}s"
    if hours < 1:
        return f"{minutes}m{seconds % 60:02}"
    if days < 1:
        return f"{hours}h{minutes % 60:02}"
    return f"{days}d{hours % 24}h" if days < 10 else f"{days}d"


def short_number(number: object) -> str:
    """A number in at most five characters: `0`, `0.4`, `12`, `1.2k`, `340k`, `5.6M`."""
    if not isinstance(number, int | float):
        return NOTHING
    value = float(number)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            is_whole = value >= 9.95 or (not unit and float(value).is_integer())
            return f"{value:.0f}{unit}" if is_whole or value < 0.05 else f"{value:.1f}{unit}"
        value /= 1000
    raise AssertionError("the last unit takes every number")


def address(connection: JsonObject) -> str:
    """Host and path, printable."""
    return printable(text_of(connection, "host") + text_of(connection, "path"), limit=_MAX_CELL_CHARS)


def client(connection: JsonObject) -> str:
    """The client's address and port, printable."""
    ip = text_of(connection, "client_ip")
    shown = f"[{ip}]" if ":" in ip else ip
    return printable(f"{shown}:{connection.get('client_port', '')}", limit=_MAX_CELL_CHARS)


def carried(connection: JsonObject, way: str, *names: str) -> int:
    """The sum of these counters of one way ("to_origin", "to_client")."""
    counters = connection.get(way)
    values = [counters.get(name) for name in names] if isinstance(counters, dict) else []
    return sum(value for value in values if isinstance(value, int))


def round_trips(connection: JsonObject) -> str:
    """The round trips to client and origin in milliseconds, `12/0.8`."""
    both = [connection.get("rtt_client_ms"), connection.get("rtt_origin_ms")]
    return NOTHING if both == [None, None] else "/".join(short_number(one) for one in both)


def _rates(before: JsonObject, after: JsonObject, passed_s: float) -> Rates:
    def rate(way: str, *names: str) -> float:
        return max(carried(after, way, *names) - carried(before, way, *names), 0) / passed_s

    return Rates(
        messages_to_origin=rate("to_origin", *_MESSAGES),
        messages_to_client=rate("to_client", *_MESSAGES),
        bytes_to_origin=rate("to_origin", "bytes"),
        bytes_to_client=rate("to_client", "bytes"),
    )


def _pair(to_origin: object, to_client: object) -> str:
    return f"{short_number(to_origin)}/{short_number(to_client)}"


def _message_rate(row: Row) -> str:
    return _pair(row.rates.messages_to_origin, row.rates.messages_to_client) if row.rates else NOTHING


def _byte_rate(row: Row) -> str:
    return _pair(row.rates.bytes_to_origin, row.rates.bytes_to_client) if row.rates else NOTHING


def _messages(row: Row) -> str:
    return _pair(*(carried(row.connection, way, *_MESSAGES) for way in _WAYS))


def _bytes(row: Row) -> str:
    return _pair(*(carried(row.connection, way, "bytes") for way in _WAYS))


_WAYS = ("to_origin", "to_client")
_MESSAGES = ("text_messages", "binary_messages")
_ID = Column("ID", 20, 4, lambda row: printable(text_of(row.connection, "id"), limit=40))
_WHO = (
    Column("CLIENT", 15, 1, lambda row: client(row.connection)),
    Column("HOST AND PATH", LEAST_ADDRESS, 0, lambda row: address(row.connection), is_address=True),
    Column("AGE", 5, 2, lambda row: duration(row.connection.get("age_ms")), is_right=True),
    Column("IDLE", 5, 3, lambda row: duration(row.connection.get("idle_ms")), is_right=True),
)
_HOW = (
    Column("RTT C/O", 9, 7, lambda row: round_trips(row.connection), is_right=True),
    Column("PROTO", 8, 8, lambda row: printable(text_of(row.connection, "protocol"), limit=20)),
)
# ↑ is to the origin, ↓ to the client. What a list shows, and what is shown while one watches.
LIST_COLUMNS = (
    _ID,
    *_WHO,
    Column("MSG ↑/↓", 9, 5, _messages, is_right=True),
    Column("BYTES ↑/↓", 11, 6, _bytes, is_right=True),
    *_HOW,
)
WATCH_COLUMNS = (
    _ID,
    *_WHO,
    Column("MSG/S ↑/↓", 9, 5, _message_rate, is_right=True),
    Column("B/S ↑/↓", 11, 6, _byte_rate, is_right=True),
    *_HOW,
)
# What goes to a pipe: everything, a value a column.
PLAIN_TITLES = (
    "id", "client", "host", "path", "state", "age_ms", "idle_ms", "messages_to_origin", "messages_to_client",
    "bytes_to_origin", "bytes_to_client", "rtt_client_ms", "rtt_origin_ms", "protocol", "subprotocol",
)  # fmt: skip


def plain_row(connection: JsonObject) -> tuple[object, ...]:
    """A connection for a pipe, in the order of PLAIN_TITLES."""
    get = connection.get
    return (
        get("id"),
        client(connection),
        get("host"),
        get("path"),
        get("state"),
        get("age_ms"),
        get("idle_ms"),
        *(carried(connection, way, *_MESSAGES) for way in _WAYS),
        *(carried(connection, way, "bytes") for way in _WAYS),
        get("rtt_client_ms"),
        get("rtt_origin_ms"),
        get("protocol"),
        get("subprotocol"),
    )
