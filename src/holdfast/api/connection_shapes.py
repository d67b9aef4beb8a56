"""How the API shows a WebSocket, and how one is meant by a filter: the same members in a query, in a body, in a stream.

Law 1: times are RFC 3339, durations whole milliseconds; what there is not, or not yet, is null.
Law 2: `matches` holds for exactly those connections that the core means by the same filter, as far as a filter can be asked
of something that has just opened: age and idleness cannot.
Law 3: a filter that is no such thing is a 400 that names it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.envelope import View
from holdfast.api.faults import invalid
from holdfast.model.close_reason import MAX_REASON_BYTES, SENDABLE_SAID, ClosedBy, Why, is_sendable
from holdfast.model.connection import MAX_FILTER_IDS, Carried, ClosedConnection, Connection, ConnectionFilter
from holdfast.model.moment import Moment, written

# The id of a connection is the ray id of its handshake.
CONNECTION_ID = r"[0-9a-f]{16}-[A-Z]{3}"
_CONNECTION_ID = re.compile(CONNECTION_ID)
# Ten years: longer than any process lives.
MAX_SECONDS = 315_360_000
_LONGEST = 1024
# RFC 4291 §2.5.5.2: where an IPv4 address begins that is mapped into IPv6.
_MAPPED_PREFIX = 96

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Long = Annotated[str, Field(max_length=_LONGEST)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class CarriedView(View):
    """What went one way. Messages are complete ones; bytes are all that went over the connection but TLS's."""

    bytes: int
    text_messages: int
    binary_messages: int
    pings: int
    pongs: int


class ConnectionView(View):
    """One WebSocket that is open. `state` is `closing` from the first sign of its end."""

    id: str
    zone_id: str
    state: Literal["open", "closing", "closed"]
    client_ip: str
    client_port: int
    host: str
    path: str
    origin: str
    protocol: Literal["http/1.1", "h2"]
    tls_version: str | None
    subprotocol: str | None
    opened_at: str
    age_ms: int
    idle_ms: int
    last_from_client_at: str
    last_from_origin_at: str
    rtt_client_ms: float | None
    rtt_origin_ms: float | None
    to_origin: CarriedView
    to_client: CarriedView


class ClosedConnectionView(ConnectionView):
    """One that has ended, and why. Its age is how long it was open."""

    closed_at: str
    duration_ms: int
    closed_by: ClosedBy
    why: Why
    detail: str | None
    client_close_code: int | None
    client_close_reason: str | None
    origin_close_code: int | None
    origin_close_reason: str | None
    edge_close_code: int | None
    edge_close_reason: str | None
    connection_close_reason: str
    connection_close_source: str
    transport_close_code: int


class FilterMembers(BaseModel):
    """Which WebSockets: those for which all that is given holds."""

    model_config = ConfigDict(extra="forbid")
    host: Long | None = Field(default=None, description="The host name that the client asked for.")
    path: Long | None = Field(default=None, description="What the path begins with.")
    client_ip: str | None = Field(default=None, max_length=64, description="An address, or a network in CIDR.")
    subprotocol: Long | None = Field(default=None, description='The one agreed upon; "" for those without.')


class ConnectionFilterMembers(FilterMembers):
    """The same, of those that are open."""

    min_age: Seconds | None = Field(default=None, description="Open for so many seconds at least.")
    min_idle: Seconds | None = Field(
        default=None, description="Nothing but pongs from either side for so many seconds at least."
    )


def filter_of(zone_id: str, asked: FilterMembers, *, ids: tuple[str, ...] = (), at: str = "") -> ConnectionFilter:
    """What is meant, of a zone. `at` is the pointer to the members. Raises ApiFault."""
    return ConnectionFilter(
        zone_id=zone_id,
        host=None if asked.host is None else asked.host.lower().removesuffix("."),
        path_prefix=_path_beginning(asked.path, at),
        client=_client(asked.client_ip, at),
        ids=ids,
        min_age_s=getattr(asked, "min_age", None) or 0.0,
        min_idle_s=getattr(asked, "min_idle", None) or 0.0,
        subprotocol=asked.subprotocol,
    )


def checked_ids(ids: list[str]) -> tuple[str, ...]:
    """Ids of connections, each once. Raises ApiFault."""
    if not 1 <= len(ids) <= MAX_FILTER_IDS:
        raise invalid("/ids", f"ids: expected 1 to {MAX_FILTER_IDS} ids, got {len(ids)}")
    for place, one in enumerate(ids):
        if not is_connection_id(one):
            raise invalid(
                f"/ids/{place}", f"ids.{place}: expected an id such as 230b030023ae2822-LOC, got {one[:60]!r}"
            )
    return tuple(dict.fromkeys(ids))


def is_connection_id(text: str) -> bool:
    """Whether this can be the id of a connection."""
    return _CONNECTION_ID.fullmatch(text) is not None


def check_close(code: int, reason: str) -> None:
    """Raise ApiFault for a Close frame that a server cannot send (RFC 6455 §5.5, §7.4)."""
    if not is_sendable(code):
        raise invalid("/code", f"code: expected one that a server may send ({SENDABLE_SAID}), got {code}")
    try:
        size = len(reason.encode())
    except UnicodeEncodeError:
        raise invalid("/reason", "reason: expected a text without lone surrogates") from None
    if size > MAX_REASON_BYTES:
        raise invalid("/reason", f"reason: expected at most {MAX_REASON_BYTES} bytes of UTF-8, got {size}")


def matches(meant: ConnectionFilter) -> Callable[[Connection], bool]:
    """Whether a connection is of host, path, client and subprotocol as a filter says."""
    network = ipaddress.ip_network(meant.client) if meant.client else None

    def holds(one: Connection) -> bool:
        return (
            (meant.host is None or one.host == meant.host)
            and one.path.startswith(meant.path_prefix)
            and (meant.subprotocol is None or one.subprotocol == meant.subprotocol)
            and (network is None or _is_within(one.client_ip, network))
        )

    return holds


def connection_view(one: Connection, now: Moment) -> dict[str, Any]:
    """A WebSocket as it is shown at `now`."""
    is_closed = isinstance(one, ClosedConnection)
    until = one.closed_at if isinstance(one, ClosedConnection) else now
    view: dict[str, Any] = {
        "id": one.id,
        "zone_id": one.zone_id,
        "state": one.state,
        "client_ip": one.client_ip,
        "client_port": one.client_port,
        "host": one.host,
        "path": one.path,
        "origin": one.origin,
        "protocol": one.protocol,
        "tls_version": one.tls_version or None,
        "subprotocol": one.subprotocol or None,
        "opened_at": written(one.opened_at),
        "age_ms": one.duration_ms if isinstance(one, ClosedConnection) else _ms(until - one.opened_at),
        "idle_ms": _ms(until - max(one.last_from_client_at, one.last_from_origin_at)),
        "last_from_client_at": written(one.last_from_client_at),
        "last_from_origin_at": written(one.last_from_origin_at),
        "rtt_client_ms": _rtt(one.rtt_client_us),
        "rtt_origin_ms": _rtt(one.rtt_origin_us),
        "to_origin": _carried(one.to_origin),
        "to_client": _carried(one.to_client),
    }
    return {**view, **_end(one)} if is_closed else view


def _end(one: Connection) -> dict[str, Any]:
    if not isinstance(one, ClosedConnection):
        raise AssertionError("only what has closed has an end")
    return {
        "closed_at": written(one.closed_at),
        "duration_ms": one.duration_ms,
        "closed_by": one.closed_by,
        "why": one.why,
        "detail": one.detail or None,
        "client_close_code": one.client_close_code,
        "client_close_reason": _reason(one.client_close_code, one.client_close_reason),
        "origin_close_code": one.origin_close_code,
        "origin_close_reason": _reason(one.origin_close_code, one.origin_close_reason),
        "edge_close_code": one.edge_close_code,
        "edge_close_reason": _reason(one.edge_close_code, one.edge_close_reason),
        "connection_close_reason": one.connection_close_reason,
        "connection_close_source": one.connection_close_source,
        "transport_close_code": one.transport_close_code,
    }


def _reason(code: int | None, reason: str) -> str | None:
    """A Close frame with a code has a reason, be it empty; one without a code can have none (RFC 6455 §5.5.1)."""
    return None if code is None else reason


def _carried(one: Carried) -> dict[str, int]:
    return {
        "bytes": one.bytes,
        "text_messages": one.text_messages,
        "binary_messages": one.binary_messages,
        "pings": one.pings,
        "pongs": one.pongs,
    }


def _ms(microseconds: int) -> int:
    # A clock that was set back must not make an age negative.
    return max(microseconds, 0) // 1000


def _rtt(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000


def _path_beginning(text: str | None, at: str) -> str:
    if text and not text.startswith("/"):
        raise invalid(f"{at}/path", f"path: expected what a path begins with, and that is '/', got {text!r}")
    return text or ""


def _client(text: str | None, at: str) -> str:
    if text is None:
        return ""
    try:
        # Bits beyond the prefix are forgiven: what was meant is plain.
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        network = None
    # RFC 4007 §11: a scope is this machine's, and no client's address has one. The library would take it.
    if network is None or "%" in text:
        expected = "expected an address or a network such as 192.0.2.0/24"
        raise invalid(f"{at}/client_ip", f"client_ip: {expected}, got {text!r}")
    return str(_canonical(network))


def _canonical(network: Network) -> Network:
    """The network by which the core knows its addresses: IPv4 ones that are mapped into IPv6 (RFC 4291 §2.5.5.2) are IPv4."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_PREFIX))


def _is_within(address: str, network: Network) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False
