"""Edges that hold WebSockets without sockets: the real link and the real conversation over a core in memory.

Law: what is asked of such an edge comes over the control link of the API that is tested, and is answered over it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from holdfast.control.live_connections import order_of
from holdfast.edge.control_link import ControlLink
from holdfast.model.connection import ClosedConnection, Connection, ConnectionEvent, ConnectionFilter, ConnectionQuery
from tests.api.harness import Api
from tests.unit.connections import OPENED, SECOND
from tests.unit.edge.live_parts import FakeEdge, Parts

LIMIT_S = 30.0


class ModelEdge(FakeEdge):
    """What `_native.Edge` means by filters and orders, over a list. `now` is its clock, in microseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = OPENED + 3600 * SECOND
        self.told: list[tuple[str, int, str]] = []

    def connections(self, query: ConnectionQuery) -> tuple[int, Sequence[Connection]]:
        found = self._meant(query.filter)
        found.sort(key=order_of(query.sort, descending=query.descending))
        return len(found), found[query.offset : query.offset + query.limit]

    def close_connections(self, filter: ConnectionFilter, code: int, reason: str) -> int:  # noqa: A002  the core's word
        meant = self._meant(filter)
        self.told += [(one.id, code, reason) for one in meant]
        return len(meant)

    def close_tunnels(self, *, zone: str, code: int, reason: str) -> int:
        return self.close_connections(ConnectionFilter(zone_id=zone), code, reason)

    def opens(self, *connections: Connection) -> None:
        """They open, and whoever watches hears of it."""
        self.open += connections
        self._happened(*connections)

    def closes(self, *connections: ClosedConnection) -> None:
        """They close."""
        gone = {one.id for one in connections}
        self.open = [one for one in self.open if one.id not in gone]
        self.recently.update((one.id, one) for one in connections)
        self._happened(*connections)

    def _happened(self, *connections: Connection) -> None:
        if self.is_watched and self.is_watched[-1]:
            # Made first: the link's thread may take what has happened so far meanwhile.
            events = [ConnectionEvent(at=self.now, connection=one) for one in connections]
            self.happened += events

    def _meant(self, meant: ConnectionFilter) -> list[Connection]:
        return [one for one in self.open if self._is_meant(meant, one)]

    def _is_meant(self, meant: ConnectionFilter, one: Connection) -> bool:
        idle_since = max(one.last_from_client_at, one.last_from_origin_at)
        return (
            meant.zone_id in {None, one.zone_id}
            and meant.host in {None, one.host}
            and one.path.startswith(meant.path_prefix)
            and (not meant.client or ipaddress.ip_address(one.client_ip) in ipaddress.ip_network(meant.client))
            and (not meant.ids or one.id in meant.ids)
            and self.now - one.opened_at >= meant.min_age_s * SECOND
            and self.now - idle_since >= meant.min_idle_s * SECOND
            and meant.subprotocol in {None, one.subprotocol}
        )


class Edges:
    """Edges that are connected to a control."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._links: list[ControlLink] = []

    async def start(self, name: str = "edge") -> ModelEdge:
        """One more, once control knows of it."""
        parts = Parts()
        edge = ModelEdge()
        parts.edge = edge
        parts.live.start(edge)
        link = ControlLink(self._api.control.links._path, parts.live, edge, edge_id=name, log=parts.note)
        self._links.append(link)
        before = len(self._api.control.links.sessions)
        link.start()
        await self.until(lambda: len(self._api.control.links.sessions) > before)
        return edge

    def retire(self, place: int) -> None:
        """The edge that was started as number `place` accepts nothing new."""
        self._links[place].retire()

    async def until(self, look: Any) -> None:
        """Return when `look()` holds. Control has nobody to tell who is connected."""
        async with asyncio.timeout(LIMIT_S):
            while not look():
                await asyncio.wait([asyncio.create_task(_turn())])

    def stop(self) -> None:
        for link in self._links:
            link.stop()


async def _turn() -> None:
    """One turn of the loop, and a moment for other threads."""
    await asyncio.to_thread(lambda: None)


@contextmanager
def edges_of(api: Api) -> Iterator[Edges]:
    """Edges for `api`, let go when the block ends."""
    edges = Edges(api)
    try:
        yield edges
    finally:
        edges.stop()
