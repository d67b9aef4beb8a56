"""The stream of WebSockets that open and close: who is let in, what is told, and clients that are slow, hostile or gone.

The application is called as a server calls it, so that time and what a client does are the test's; a real server and a real
client are in `tests/integration/test_connections_api.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from holdfast.api import connection_stream, streaming
from holdfast.api.connection_shapes import ClosedConnectionView, ConnectionView
from holdfast.api.context import Limits
from holdfast.control import connection_watch
from holdfast.model.permission import Policy
from holdfast.store import zones
from holdfast.store.database import StoreUnavailable
from tests.api.conftest import StartApi
from tests.api.edges import Edges, ModelEdge, edges_of
from tests.api.harness import ABSENT, Api, allow, on_zone
from tests.unit.connections import a_closed_connection, a_connection, connection_id

LIMIT_S = 30.0


class Client:
    """One handshake, and what came of it. `holds` keeps the server waiting at each message, as a client that takes none."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._given: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.takes = asyncio.Event()
        self.takes.set()

    async def receive(self) -> dict[str, Any]:
        return await self._given.get()

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await self.takes.wait()
        self.sent.put_nowait(message)

    def gives(self, message: dict[str, Any]) -> None:
        self._given.put_nowait(message)

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.sent.get(), LIMIT_S)

    async def message(self) -> dict[str, Any]:
        """The next message of the stream."""
        sent = await self.next()
        assert sent["type"] == "websocket.send", sent
        message: dict[str, Any] = json.loads(sent["text"])
        return message

    async def refusal(self) -> tuple[int, list[int]]:
        """The status and the codes of the answer that came in the place of the 101."""
        start, body = await self.next(), await self.next()
        assert (start["type"], body["type"]) == ("websocket.http.response.start", "websocket.http.response.body")
        return start["status"], [error["code"] for error in json.loads(body["body"])["errors"]]

    async def end(self) -> tuple[int, str]:
        """Code and reason of the server's Close, which is the next that it sends."""
        close = await self.next()
        assert close["type"] == "websocket.close", close
        return close["code"], close["reason"]


@asynccontextmanager
async def opened(
    api: Api,
    zone_id: str,
    query: str = "",
    *,
    secret: str | None = None,
    headers: Mapping[str, str] | None = None,
    subprotocols: list[str] | None = None,
    path: str = "",
) -> AsyncIterator[Client]:
    """A handshake that the application has been given, with the owner's token where nothing else is said; `path` is that of
    another stream."""
    client = Client()
    if headers is None:
        headers = {"authorization": f"Bearer {secret or api.secret}"}
    path = f"/client/v4{path or f'/zones/{zone_id}/websocket_connections/stream'}"
    scope = {
        "type": "websocket", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "scheme": "ws",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 40000), "server": ("127.0.0.1", 7070), "subprotocols": subprotocols or [],
        "state": {}, "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    client.gives({"type": "websocket.connect"})
    task = asyncio.create_task(api.control.application(scope, client.receive, client.send))  # type: ignore[arg-type]
    try:
        yield client
    finally:
        client.takes.set()
        client.gives({"type": "websocket.disconnect", "code": 1001})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(task, LIMIT_S)


@pytest.fixture
async def edges(api: Api) -> AsyncIterator[Edges]:
    with edges_of(api) as edges:
        yield edges


@pytest.fixture
async def edge(edges: Edges) -> ModelEdge:
    return await edges.start()


@pytest.fixture
async def zone_id(api: Api) -> str:
    return await api.zone()


async def watched(client: Client, edges: Edges, *several: ModelEdge) -> dict[str, Any]:
    """Wait until the stream is open and these edges have heard of it; the server's word that it is."""
    accepted = await client.next()
    assert accepted["type"] == "websocket.accept", accepted
    await edges.until(lambda: all(edge.is_watched and edge.is_watched[-1] for edge in several))
    return accepted


async def test_what_opens_and_closes_is_told_in_order(api: Api, edges: Edges, edge: ModelEdge, zone_id: str) -> None:
    async with opened(api, zone_id) as client:
        await watched(client, edges, edge)
        edge.opens(a_connection(1, zone_id=zone_id), a_connection(2, zone_id="another"))
        edge.closes(a_closed_connection(1, zone_id=zone_id))
        first, second = await client.message(), await client.message()
    assert (first["type"], second["type"]) == ("opened", "closed")
    ConnectionView.model_validate(first["connection"])
    ClosedConnectionView.model_validate(second["connection"])
    assert first["connection"]["id"] == second["connection"]["id"] == connection_id(1)
    assert second["connection"]["why"] == "close_frame"


async def test_edges_stop_telling_when_nobody_watches_any_more(
    api: Api, edges: Edges, edge: ModelEdge, zone_id: str
) -> None:
    async with opened(api, zone_id) as one, opened(api, zone_id) as other:
        await watched(one, edges, edge)
        await watched(other, edges, edge)
    await edges.until(lambda: edge.is_watched == [True, False])
    assert api.control.links.watch.statistics() == {"zones": 0, "watchers": 0}


async def test_an_edge_that_comes_later_is_told_what_is_watched(api: Api, edges: Edges, zone_id: str) -> None:
    async with opened(api, zone_id) as client:
        await watched(client, edges)
        edge = await edges.start()
        await edges.until(lambda: edge.is_watched == [True])
        edge.opens(a_connection(7, zone_id=zone_id))
        assert (await client.message())["connection"]["id"] == connection_id(7)


FILTERS = [
    ("host=other.example.com", {2}), ("path=/x", {3}), ("client_ip=2001:db8::/32", {4}), ("subprotocol=mqtt", {3}),
    ("host=chat.example.com&path=/echo&unknown=1", {1, 4}),
]  # fmt: skip


@pytest.mark.parametrize(("query", "numbers"), FILTERS)
async def test_a_filter_leaves_out_others(
    api: Api, edges: Edges, edge: ModelEdge, zone_id: str, query: str, numbers: set[int]
) -> None:
    last = a_connection(9, zone_id=zone_id, host="other.example.com", path="/x", client_ip="2001:db8::9")
    last_of_all = a_connection(10, zone_id=zone_id, path="/echo/x", subprotocol="mqtt")
    async with opened(api, zone_id, query) as client:
        await watched(client, edges, edge)
        edge.opens(
            a_connection(1, zone_id=zone_id),
            a_connection(2, zone_id=zone_id, host="other.example.com"),
            a_connection(3, zone_id=zone_id, path="/x", subprotocol="mqtt"),
            a_connection(4, zone_id=zone_id, client_ip="2001:db8::1"),
            last,
            last_of_all,
        )
        found = set[int]()
        while not found & {9, 10}:
            found.add(int((await client.message())["connection"]["id"][:16], 16))
    assert found - {9, 10} == numbers


async def test_what_was_lost_is_said_before_what_follows(api: Api, edges: Edges, edge: ModelEdge, zone_id: str) -> None:
    async with opened(api, zone_id) as client:
        await watched(client, edges, edge)
        edge.lost = 7
        edge.opens(a_connection(1, zone_id=zone_id))
        assert await client.message() == {"type": "lost", "count": 7}
        assert (await client.message())["type"] == "opened"
        edges.stop()
        assert await client.message() == {"type": "lost", "count": 1}


async def test_a_client_that_takes_nothing_is_closed_with_1013_and_holds_nobody_up(
    api: Api, edges: Edges, edge: ModelEdge, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_watch, "MAX_WAITING", 5)
    async with opened(api, zone_id) as slow, opened(api, zone_id) as quick:
        await watched(slow, edges, edge)
        await watched(quick, edges, edge)
        slow.takes.clear()
        for number in range(12):
            edge.opens(a_connection(number, zone_id=zone_id))
            assert (await quick.message())["connection"]["id"] == connection_id(number)
        assert await slow.end() == (1013, "you take messages more slowly than they happen")


async def test_a_client_that_does_not_take_one_message_for_long_is_closed_too(
    api: Api, edges: Edges, edge: ModelEdge, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "SEND_LIMIT_S", 0.05)
    async with opened(api, zone_id) as client:
        await watched(client, edges, edge)
        client.takes.clear()
        edge.opens(a_connection(1, zone_id=zone_id))
        assert (await client.end())[0] == 1013


@pytest.mark.parametrize("member", [{"text": "hello"}, {"bytes": b"\0"}])
async def test_a_client_that_sends_a_message_is_closed_with_1008(
    api: Api, edges: Edges, edge: ModelEdge, zone_id: str, member: dict[str, Any]
) -> None:
    async with opened(api, zone_id) as client:
        await watched(client, edges, edge)
        client.gives({"type": "websocket.receive", **member})
        assert await client.end() == (1008, "this stream takes no messages")


async def test_a_token_in_the_subprotocols_lets_in_and_is_not_said_back(
    api: Api, edges: Edges, edge: ModelEdge, zone_id: str
) -> None:
    async with opened(api, zone_id, headers={}, subprotocols=["bearer", api.secret]) as client:
        accepted = await watched(client, edges, edge)
    assert accepted["subprotocol"] == "bearer"
    assert api.secret not in str(accepted)
    async with opened(api, zone_id) as client:
        assert (await watched(client, edges, edge))["subprotocol"] is None


REFUSED: list[tuple[dict[str, Any], int, int]] = [
    ({"headers": {}}, 403, 9106),
    ({"headers": {}, "subprotocols": ["x"]}, 403, 9106),
    ({"headers": {}, "subprotocols": ["bearer"]}, 400, 6003),
    ({"headers": {}, "subprotocols": ["bearer", "x", "bearer", "y"]}, 400, 6003),
    ({"headers": {}, "subprotocols": ["bearer", "x" * 40]}, 401, 10000),
    ({"headers": {"authorization": "Bearer " + "x" * 40}}, 401, 10000),
    ({"headers": {"authorization": "Basic x"}, "subprotocols": ["bearer", "x" * 40]}, 400, 6003),
    ({"query": "client_ip=nowhere"}, 400, 1004),
    ({"query": "host=a&host=b"}, 400, 1004),
    ({"query": "path=" + "x" * 1025}, 400, 1004),
    ({"query": "path=%00"}, 400, 1004),
    ({"query": "token=x", "headers": {}}, 403, 9106),
]  # fmt: skip


async def test_what_is_refused_is_answered_in_the_envelope_and_opens_nothing(api: Api, zone_id: str) -> None:
    for given, status, code in REFUSED:
        async with opened(api, zone_id, **given) as client:
            assert await client.refusal() == (status, [code]), given
    for wrong, refused in [(ABSENT, (404, [1001])), ("x", (404, [7003, 7000]))]:
        async with opened(api, wrong) as client:
            assert await client.refusal() == refused


@pytest.mark.parametrize(
    ("group", "status"), [("Analytics Read", 0), ("Zone Settings Read", 0), ("Zone Read", 403), ("DNS Write", 403)]
)
async def test_who_may_read_connections_may_watch_them(api: Api, zone_id: str, group: str, status: int) -> None:
    secret = await api.token(allow(group, on=on_zone(zone_id)))
    async with opened(api, zone_id, secret=secret) as client:
        if status:
            assert (await client.refusal())[0] == status
        else:
            assert (await client.next())["type"] == "websocket.accept"


@pytest.fixture
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "RECHECK_S", 0.02)


def may_watch(zone_id: str) -> Policy:
    return allow("Analytics Read", on=on_zone(zone_id))


@pytest.mark.usefixtures("_eager")
async def test_a_token_that_ends_ends_its_stream(api: Api, zone_id: str) -> None:
    secret = await api.token(may_watch(zone_id), expires_on=api.clock.now + 60_000_000)
    async with opened(api, zone_id, secret=secret) as client:
        assert (await client.next())["type"] == "websocket.accept"
        api.clock.advance(61)
        code, reason = await client.end()
    assert (code, reason) == (1008, "the token may not do this any more, or the zone is gone")


@pytest.mark.usefixtures("_eager")
async def test_a_zone_that_is_removed_ends_its_streams(api: Api, zone_id: str) -> None:
    async with opened(api, zone_id) as client:
        assert (await client.next())["type"] == "websocket.accept"
        await api.result("DELETE", f"/zones/{zone_id}")
        assert (await client.end())[0] == 1008


@pytest.mark.usefixtures("_eager")
async def test_a_database_that_cannot_be_asked_ends_streams_for_now(
    api: Api, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(api, zone_id) as client:
        assert (await client.next())["type"] == "websocket.accept"

        async def away(*_: object) -> None:
            raise StoreUnavailable("the database is away")

        monkeypatch.setattr(zones, "find", away)
        assert await client.end() == (1013, "the database is not available")


async def test_there_are_only_so_many_streams_of_one_owner_and_of_all(
    api: Api, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MAX_STREAMS_OF_OWNER", 1)
    monkeypatch.setattr(streaming, "MAX_STREAMS", 2)
    of_account = await api.token(may_watch(zone_id), owner="account")
    async with opened(api, zone_id) as first:
        assert (await first.next())["type"] == "websocket.accept"
        async with opened(api, zone_id) as second:
            assert await second.refusal() == (429, [10429])
        async with opened(api, zone_id, secret=of_account) as other:
            assert (await other.next())["type"] == "websocket.accept"
            monkeypatch.setattr(streaming, "MAX_STREAMS_OF_OWNER", 9)
            async with opened(api, zone_id) as third:
                assert await third.refusal() == (429, [10429])
    async with opened(api, zone_id) as again:
        assert (await again.next())["type"] == "websocket.accept"


async def test_a_mistake_of_ours_is_logged_and_ends_the_stream_with_1011(
    api: Api, edges: Edges, edge: ModelEdge, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> None:
        raise KeyError("a mistake")

    async with opened(api, zone_id) as client:
        await watched(client, edges, edge)
        monkeypatch.setattr(connection_stream, "connection_view", mistaken)
        edge.opens(a_connection(1, zone_id=zone_id))
        assert (await client.end())[0] == 1011
    assert [fields["error"] for event, fields in api.log if event == "api_failed"] == ["KeyError: 'a mistake'"]
    assert api.control.application.state.streams.statistics() == {"streams": 0, "owners": 0}


async def test_handshakes_count_for_the_limit_of_an_address_and_of_an_owner(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=0, requests_per_second_and_address=3))
    zone_id = await api.zone()
    statuses = []
    for _ in range(4):
        async with opened(api, zone_id, headers={}) as client:
            statuses.append((await client.refusal())[0])
    assert statuses == [403, 403, 429, 429]
