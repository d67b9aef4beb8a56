"""The open WebSockets of all edges as one list (`api.context.Connections`): each edge's own, asked for and put together.

Law 1: a page costs each edge as much as it costs the list: of several edges, each gives its first `offset + limit`, of which
the page is a part. So there is a deepest page, MAX_DEPTH, but with a single edge, which finds any page by itself.
Law 2: an edge that does not answer in time is left out and named; nobody waits for it longer than for the others.
Law 3: the order here is the core's (`ConnectionQuery`): equals by their ids, whatever the direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from holdfast.api.context import Closing, Finding, Listing, TooDeep
from holdfast.control.connection_watch import Watcher
from holdfast.control.link_server import LinkServer
from holdfast.model.connection import (
    ClosedConnection,
    Connection,
    ConnectionFilter,
    ConnectionQuery,
    ConnectionSort,
)
from holdfast.model.connection_messages import (
    MAX_DEPTH,
    AskConnection,
    AskConnections,
    CloseSelected,
    ConnectionFound,
    Connections,
)


class LiveConnections:
    """What edges that are connected to `links` hold."""

    def __init__(self, links: LinkServer) -> None:
        self._links = links

    async def close_zone(self, zone_id: str, *, code: int, reason: str) -> Closing:
        """Close every WebSocket of a zone, on edges of any version."""
        return await self._links.close_zone(zone_id, code=code, reason=reason)

    async def page(self, query: ConnectionQuery) -> Listing:
        """Those that are open. Raises TooDeep."""
        await self._links.until_joined()
        is_alone = sum(session.knows_connections for session in self._links.sessions) < 2
        depth = query.offset + query.limit
        if not is_alone and depth > MAX_DEPTH:
            raise TooDeep(MAX_DEPTH)
        asked = query if is_alone else msgspec.structs.replace(query, offset=0, limit=depth)
        answers = await self._links.ask_about_connections(lambda number: AskConnections(request_id=number, query=asked))
        told = [answer for answer in answers.values() if isinstance(answer, Connections)]
        found = [one for answer in told for one in answer.connections]
        if not is_alone:
            found = sorted(found, key=order_of(query.sort, descending=query.descending))[query.offset : depth]
        return Listing(
            connections=found,
            total=sum(answer.total for answer in told),
            edges=len(told),
            silent=self._links.silent_edges(answers),
        )

    async def find(self, connection_id: str) -> Finding:
        """One that is open, or closed a short while ago."""
        await self._links.until_joined()
        answers = await self._links.ask_about_connections(
            lambda number: AskConnection(request_id=number, id=connection_id)
        )
        told = [answer.connection for answer in answers.values() if isinstance(answer, ConnectionFound)]
        found = [one for one in told if one is not None]
        # No two edges have the same; where they say so, what is open is the newer truth.
        found.sort(key=lambda one: isinstance(one, ClosedConnection))
        return Finding(connection=found[0] if found else None, silent=self._links.silent_edges(answers))

    async def close(self, filter: ConnectionFilter, *, code: int, reason: str) -> Closing:  # noqa: A002  its word
        """Close those that a filter means."""
        await self._links.until_joined()
        answers = await self._links.ask_about_connections(
            lambda number: CloseSelected(request_id=number, filter=filter, code=code, reason=reason)
        )
        return self._links.closing_of(answers)

    @contextmanager
    def watching(self, zone_id: str, matches: Callable[[Connection], bool]) -> Iterator[Watcher]:
        """Hear of what happens to the WebSockets of a zone for which `matches` holds, until the block ends."""
        with self._links.watch.watching(zone_id, matches) as watcher:
            yield watcher


def order_of(sort: ConnectionSort, *, descending: bool) -> Callable[[Connection], tuple[bool, int, str]]:
    """The key by which connections are sorted: what has no value last, then the value, then the id."""
    value_of = _VALUES[sort]

    def key(connection: Connection) -> tuple[bool, int, str]:
        value = value_of(connection)
        if value is None:
            return True, 0, connection.id
        return False, -value if descending else value, connection.id

    return key


def _opened_at(one: Connection) -> int | None:
    return one.opened_at


def _idle(one: Connection) -> int | None:
    return -max(one.last_from_client_at, one.last_from_origin_at)


def _bytes(one: Connection) -> int | None:
    return one.to_origin.bytes + one.to_client.bytes


def _messages(one: Connection) -> int | None:
    both = (one.to_origin, one.to_client)
    return sum(carried.text_messages + carried.binary_messages for carried in both)


def _rtt(one: Connection) -> int | None:
    if one.rtt_client_us is None or one.rtt_origin_us is None:
        return None
    return one.rtt_client_us + one.rtt_origin_us


_VALUES: dict[ConnectionSort, Callable[[Connection], int | None]] = {
    "opened_at": _opened_at,
    "idle": _idle,
    "bytes": _bytes,
    "messages": _messages,
    "rtt": _rtt,
}
