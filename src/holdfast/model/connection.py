"""WebSockets as they are listed: open ones, ones that have closed, what to look for among them, and the news of them.

Law 1: times are microseconds since 1970 (UTC), durations say their unit, and bytes are as they went over the connection,
frame headers included, TLS not.
Law 2: nothing a client proves itself with is here: no query string, no header value but the subprotocol agreed upon.
Law 3: Rust builds `Connection`, `ClosedConnection` and `ConnectionEvent` with positional arguments (the order of their
fields is part of the boundary), and reads `ConnectionQuery` and its `ConnectionFilter` by the names of their fields.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

ConnectionState = Literal["open", "closing", "closed"]
ConnectionSort = Literal["opened_at", "idle", "bytes", "messages", "rtt"]

# The most that one page may hold, and the most ids that one filter may name: a page of connections is some 500 KB.
MAX_PAGE: Final = 1_000
MAX_FILTER_IDS: Final = 1_000


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What went one way so far. Messages are complete ones; `bytes` counts everything, control frames too."""

    bytes: int
    text_messages: int
    binary_messages: int
    pings: int
    pongs: int


class Connection(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="connection"):
    """One WebSocket, as it stood when it was asked for.

    `id` is the ray id of its upgrade request ("<16 hex>-<colo>"). `zone_id` is "" where its zone has no name (`holdfast
    up`). `host` and `path` are those the client asked for, `origin` is the label of the origin. `protocol` is what the
    client speaks, `tls_version` is "" for plain text, `subprotocol` "" where none was agreed upon. A time of
    `last_from_…` is `opened_at` until something came. `rtt_…_us` are microseconds between the last ping of the edge and
    its pong, None until there was one. `state` is "closing" from the first sign of its end.
    """

    id: str
    zone_id: str
    client_ip: str
    client_port: int
    host: str
    path: str
    origin: str
    protocol: Literal["http/1.1", "h2"]
    tls_version: str
    subprotocol: str
    opened_at: int
    last_from_client_at: int
    last_from_origin_at: int
    rtt_client_us: int | None
    rtt_origin_us: int | None
    to_origin: Carried
    to_client: Carried
    state: ConnectionState


class ClosedConnection(Connection, frozen=True, gc=False, tag="closed_connection"):
    """One that has ended (`state` is "closed"), and why, in the words of its record (docs/records.md).

    A close code is None where that side sent no Close frame, or one without a code; a reason is "" then. `detail` is ""
    or what adds to `why`: the transport's error, or the side it is about. `connection_close_reason` and
    `connection_close_source` are Cloudflare's words for the same; `transport_close_code` is the number of the TLS
    alert that ended it (RFC 8446 §6), 0 where none did.
    """

    closed_at: int
    duration_ms: int
    closed_by: str
    why: str
    detail: str
    client_close_code: int | None
    client_close_reason: str
    origin_close_code: int | None
    origin_close_reason: str
    edge_close_code: int | None
    edge_close_reason: str
    connection_close_reason: str
    connection_close_source: str
    transport_close_code: int


class ConnectionEvent(msgspec.Struct, frozen=True, gc=False):
    """A WebSocket has opened (`connection` is a `Connection`) or closed (a `ClosedConnection`), at `at`."""

    at: int
    connection: Connection | ClosedConnection


class ConnectionFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which connections are meant: those for which all that is given holds. The default means every one.

    `zone_id` and `host` are compared as they are, `path_prefix` with the beginning of the path. `client` is an address
    ("192.0.2.1", "2001:db8::1") or a network ("192.0.2.0/24"). `ids` are at most 1,000; () means any. `min_age_s` is since
    it opened, `min_idle_s` since anything but a pong came from either side. `subprotocol` "" means those without one.
    """

    zone_id: str | None = None
    host: str | None = None
    path_prefix: str = ""
    client: str = ""
    ids: tuple[str, ...] = ()
    min_age_s: float = 0.0
    min_idle_s: float = 0.0
    subprotocol: str | None = None


class ConnectionQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Those that `filter` means, in an order, and which of them to tell: `limit` (1 to 1,000) after the first `offset`.

    `sort` by "opened_at" puts the oldest first, "idle" those with the latest activity, "bytes" and "messages" those that
    carried least both ways, "rtt" the quickest (the sum of both legs; unknown ones after all others, in either
    direction); `descending` turns it round. Equals are in the order of their ids, so pages neither overlap nor leave out.
    """

    filter: ConnectionFilter = ConnectionFilter()
    sort: ConnectionSort = "opened_at"
    descending: bool = False
    offset: int = 0
    limit: int = 100
