"""What the edge has counted for one zone.

Law: these are values of one moment, counted since the edge started. Live and ended connections are in them alike, so
that each counter only grows.
"""

from __future__ import annotations

import msgspec


class ZoneStatistics(msgspec.Struct, frozen=True):
    """The figures of `zone`; "" is what belongs to none (a host name nobody configured, a policy that failed).

    Built by Rust with positional arguments: the order of the fields is part of the boundary. Messages are complete
    text and binary ones; bytes are as they went over the connection, frame headers included, TLS not. `upgrades` and
    `requests` count answers by the status the client got, of upgrade requests (101 and refusals) and of ordinary ones.
    `closes` counts ended WebSockets by "closed_by/why", as their records say it (docs/records.md).
    `messages_found` counts text messages that broke a rule of the zone, by the rule's action: close, drop, log.
    """

    zone: str
    connections_open: int
    connections_opened: int
    messages_to_origin: int
    messages_to_client: int
    bytes_to_origin: int
    bytes_to_client: int
    upgrades: dict[int, int]
    requests: dict[int, int]
    closes: dict[str, int]
    messages_found: dict[str, int] = msgspec.field(default_factory=dict)
