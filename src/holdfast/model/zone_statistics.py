"""What one zone's connections have done, counted by the Rust core of one edge process since its start.

Law: the Rust core builds these with positional arguments, so the order of the fields is part of the boundary
(`_native.pyi`). Counts of messages and bytes include connections that are still open.
"""

from __future__ import annotations

import msgspec


class ZoneStatistics(msgspec.Struct, frozen=True):
    """One zone's figures. `zone` is its id.

    `upgrades` and `requests` count answers by the status the client got (101 among them, and our refusals), of
    WebSocket handshakes and of ordinary requests. `closes` counts closed WebSockets by "<closed_by>/<why>", the words
    of the log's records.
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
