"""WebSockets that are open, on one edge or on several: filtered, sorted, paged, looked at, closed by what they are."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from holdfast.api.connection_shapes import ClosedConnectionView, ConnectionView
from holdfast.control import link_server
from holdfast.model.connection import Carried
from holdfast.model.control_link import Hello, Welcome, frame
from tests.api.edges import Edges, ModelEdge, edges_of
from tests.api.harness import Api, allow, codes, on_zone
from tests.unit.connections import OPENED, SECOND, a_closed_connection, a_connection, connection_id
from tests.unit.control.edge_peer import connected
from tests.unit.loop_clock import LoopClock

pytestmark = pytest.mark.usefixtures("_patient")


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # An edge of these tests is late only where the machine is busy with others.
    monkeypatch.setattr(link_server, "ANSWER_LIMIT_S", 30.0)


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


def below(zone_id: str, *parts: str) -> str:
    return "/".join((f"/zones/{zone_id}/websocket_connections", *parts))


async def listed(api: Api, zone_id: str, **query: Any) -> list[int]:
    """The numbers of the connections of a page."""
    found = await api.result("GET", below(zone_id), params=query)
    return [int(one["id"][:16], 16) for one in found]


async def test_what_is_open_is_shown_as_it_is_documented(api: Api, edge: ModelEdge, zone_id: str) -> None:
    sent = Carried(bytes=10, text_messages=1, binary_messages=2, pings=3, pongs=4)
    edge.open = [
        a_connection(1, zone_id=zone_id, to_origin=sent, rtt_client_us=1500, last_from_client_at=OPENED + SECOND)
    ]
    answer = await api.ask("GET", below(zone_id))
    [one] = answer.json()["result"]
    ConnectionView.model_validate(one)
    assert one | {"age_ms": 0, "idle_ms": 0} == {
        "id": connection_id(1), "zone_id": zone_id, "state": "open", "client_ip": "192.0.2.1", "client_port": 40000,
        "host": "chat.example.com", "path": "/echo", "origin": "http://127.0.0.1:9000", "protocol": "http/1.1",
        "tls_version": "TLSv1.3", "subprotocol": None, "opened_at": "2026-11-25T08:00:00.000000Z", "age_ms": 0,
        "idle_ms": 0, "last_from_client_at": "2026-11-25T08:00:01.000000Z",
        "last_from_origin_at": "2026-11-25T08:00:00.000000Z", "rtt_client_ms": 1.5, "rtt_origin_ms": None,
        "to_origin": {"bytes": 10, "text_messages": 1, "binary_messages": 2, "pings": 3, "pongs": 4},
        "to_client": {"bytes": 0, "text_messages": 0, "binary_messages": 0, "pings": 0, "pongs": 0},
    }  # fmt: skip
    info = answer.json()["result_info"]
    assert info == {"page": 1, "per_page": 100, "count": 1, "total_count": 1, "total_pages": 1}


async def test_without_an_edge_nothing_is_open(api: Api, zone_id: str) -> None:
    assert await listed(api, zone_id) == []


FILTERS: list[tuple[dict[str, Any], set[int]]] = [
    ({}, {1, 2, 3, 4}),
    ({"host": "CHAT.example.com."}, {1, 3, 4}),
    ({"path": "/ec"}, {1, 2}),
    ({"client_ip": "192.0.2.1"}, {1, 2}),
    ({"client_ip": "192.0.2.99/24"}, {1, 2, 3}),
    ({"client_ip": "2001:db8::/32"}, {4}),
    ({"min_age": "3600"}, {1, 2}),
    ({"min_idle": "1800.5"}, {1, 2, 4}),
    ({"subprotocol": "mqtt"}, {3}),
    ({"subprotocol": ""}, {1, 2, 4}),
    ({"host": "chat.example.com", "path": "/echo", "min_age": 1}, {1}),
    ({"host": "nobody"}, set()),
    ({"unknown": "x"}, {1, 2, 3, 4}),
]


async def test_filters_leave_out_what_they_do_not_mean_and_never_show_another_zone(
    api: Api, edge: ModelEdge, zone_id: str
) -> None:
    half = OPENED + 1800 * SECOND
    edge.open = [
        a_connection(1, zone_id=zone_id),
        a_connection(2, zone_id=zone_id, host="other.example.com"),
        a_connection(3, zone_id=zone_id, path="/x", client_ip="192.0.2.7", subprotocol="mqtt", opened_at=half,
                     last_from_client_at=half),
        a_connection(4, zone_id=zone_id, path="/x", client_ip="2001:db8::1", opened_at=OPENED + 1),
        a_connection(5, zone_id="another"),
    ]  # fmt: skip
    for query, numbers in FILTERS:
        assert set(await listed(api, zone_id, **query)) == numbers, query


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("order", ["opened_at", "idle", "bytes", "messages", "rtt"])
async def test_pages_over_all_edges_are_one_list_in_order(
    api: Api, edges: Edges, zone_id: str, order: str, direction: str, count: int
) -> None:
    chance = random.Random(1)
    parts = [await edges.start(f"edge-{number}") for number in range(count)]
    for number in range(30):
        carried = Carried(chance.randrange(4), chance.randrange(4), chance.randrange(4), 0, 0)
        chance.choice(parts).open.append(
            a_connection(
                number, zone_id=zone_id, opened_at=OPENED + chance.randrange(5), to_origin=carried, to_client=carried,
                last_from_client_at=OPENED + chance.randrange(5), rtt_origin_us=7,
                rtt_client_us=chance.choice([None, 1, 2, 3]),
            )
        )  # fmt: skip
    whole = await listed(api, zone_id, order=order, direction=direction, per_page=100)
    assert sorted(whole) == list(range(30))
    paged = [
        await listed(api, zone_id, order=order, direction=direction, per_page=7, page=page) for page in range(1, 7)
    ]
    assert [len(one) for one in paged] == [7, 7, 7, 7, 2, 0]
    assert list(itertools.chain(*paged)) == whole
    values = {one.id: one for part in parts for one in part.open}
    ordered = [values[connection_id(number)] for number in whole]
    if order == "bytes":
        sizes = [one.to_origin.bytes + one.to_client.bytes for one in ordered]
        assert sizes == sorted(sizes, reverse=direction == "desc")
    if order == "rtt":
        assert [one.rtt_client_us is None for one in ordered] == sorted(one.rtt_client_us is None for one in ordered)


async def test_a_single_edge_finds_any_page_and_several_the_first_ten_thousand(
    api: Api, edges: Edges, zone_id: str
) -> None:
    one = await edges.start("one")
    one.open = [a_connection(number, zone_id=zone_id, opened_at=OPENED + number) for number in range(12_000)]
    assert await listed(api, zone_id, per_page=1000, page=12, direction="asc") == list(range(11_000, 12_000))
    other = await edges.start("other")
    other.open = [a_connection(12_000, zone_id=zone_id, opened_at=0)]
    assert await listed(api, zone_id, per_page=1000, page=10, direction="asc") == list(range(8_999, 9_999))
    answer = await api.ask("GET", below(zone_id), params={"per_page": 1000, "page": 11})
    assert (answer.status_code, answer.json()["errors"][0]["source"]) == (400, {"pointer": "/page"})
    assert "the first 10000 while several edges" in answer.text


async def test_an_edge_that_is_silent_or_too_old_is_left_out_and_named(api: Api, edges: Edges, zone_id: str) -> None:
    clock = LoopClock(asyncio.get_running_loop())
    edge = await edges.start("talking")
    edge.open = [a_connection(1, zone_id=zone_id)]
    path = api.control.links._path
    old, silent = (frame(Hello(version=version, edge=f"v{version}", pid=version)) for version in (2, 3))
    async with connected(path, old), connected(path, silent):
        await edges.until(lambda: len(api.control.links.sessions) == 3)
        sessions = {session.edge: session for session in api.control.links.sessions}

        async def outlasted(work: Coroutine[Any, Any, Any]) -> Any:
            """What comes of it, where time is over as soon as everybody has answered who does."""
            task = asyncio.create_task(work)
            while not task.done():
                if sessions["v3"].answers and not sessions["talking"].answers:
                    clock.passes(link_server.ANSWER_LIMIT_S)
                await asyncio.to_thread(bool)
            return await task

        answer = await outlasted(api.ask("GET", below(zone_id)))
        said = "2 edges, v2 (process 2), v3 (process 3), did not answer: what is open there is left out"
        assert answer.json()["messages"] == [{"code": 10504, "message": said, "type": None}]
        assert [one["id"] for one in answer.json()["result"]] == [connection_id(1)]
        unknown = await outlasted(api.ask("GET", below(zone_id, connection_id(9))))
        assert (unknown.status_code, codes(unknown)) == (503, [10504])
        closed = await outlasted(api.result("POST", below(zone_id, "close"), json={"all": True}))
        assert closed == {"closed": 1, "edges": 1, "silent": 2}
    assert Welcome(version=2).version == 2


async def test_one_is_shown_while_it_is_open_and_after_it_has_closed(api: Api, edge: ModelEdge, zone_id: str) -> None:
    edge.opens(a_connection(1, zone_id=zone_id))
    shown = await api.result("GET", below(zone_id, connection_id(1)))
    assert (shown["state"], ConnectionView.model_validate(shown).host) == ("open", "chat.example.com")
    edge.closes(
        a_closed_connection(
            1, zone_id=zone_id, closed_by="edge", why="release", edge_close_code=1012, origin_close_code=None,
            edge_close_reason="release: the edge is being replaced, connect again", connection_close_source="me",
        )
    )  # fmt: skip
    shown = await api.result("GET", below(zone_id, connection_id(1)))
    ClosedConnectionView.model_validate(shown)
    assert {name: shown[name] for name in ("state", "closed_by", "why", "duration_ms", "age_ms", "detail")} == {
        "state": "closed", "closed_by": "edge", "why": "release", "duration_ms": 10_000, "age_ms": 10_000,
        "detail": None,
    }  # fmt: skip
    assert (shown["client_close_code"], shown["origin_close_code"], shown["edge_close_code"]) == (1000, None, 1012)


async def test_a_close_without_words_differs_from_none(api: Api, edge: ModelEdge, zone_id: str) -> None:
    edge.closes(
        a_closed_connection(1, zone_id=zone_id, client_close_code=1000, client_close_reason="", origin_close_code=None)
    )
    shown = await api.result("GET", below(zone_id, connection_id(1)))
    assert (shown["client_close_code"], shown["client_close_reason"]) == (1000, "")
    assert (shown["origin_close_code"], shown["origin_close_reason"]) == (None, None)
    assert (shown["edge_close_code"], shown["edge_close_reason"]) == (None, None)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_is_not_there_or_of_another_zone_is_a_404(
    api: Api, edge: ModelEdge, zone_id: str, method: str
) -> None:
    edge.open = [a_connection(1, zone_id="another")]
    for number in (1, 2):
        answer = await api.ask(method, below(zone_id, connection_id(number)))
        assert (answer.status_code, codes(answer)) == (404, [1001]), number
    for wrong in ("x", "close", "0" * 32, "230b030023ae2822", "230B030023AE2822-LOC", "230b030023ae2822-loc"):
        answer = await api.ask(method, below(zone_id, wrong))
        assert (answer.status_code, codes(answer)) == (404, [7003, 7000]), wrong
    assert edge.told == []


async def test_one_is_closed_with_a_code_and_a_reason_and_that_is_audited(
    api: Api, edge: ModelEdge, zone_id: str
) -> None:
    edge.open = [a_connection(number, zone_id=zone_id) for number in (1, 2)]
    query = {"code": 4001, "reason": "you know why"}
    assert await api.result("DELETE", below(zone_id, connection_id(1)), params=query) == {"id": connection_id(1)}
    assert edge.told == [(connection_id(1), 4001, "you know why")]
    came, asked = (await api.entries())[:2]
    assert (asked["resource"], json.loads(asked["newValue"])) == (
        {"id": connection_id(1), "type": "websocket_connection"},
        {"asked": "close", **query},
    )
    assert json.loads(asked["oldValue"])["client_ip"] == "192.0.2.1"
    assert json.loads(came["oldValue"]) == {"open": 1}


async def test_one_that_has_closed_cannot_be_closed(api: Api, edge: ModelEdge, zone_id: str) -> None:
    edge.closes(a_closed_connection(1, zone_id=zone_id))
    answer = await api.ask("DELETE", below(zone_id, connection_id(1)))
    assert (answer.status_code, codes(answer), edge.told) == (404, [1001], [])


async def test_one_that_is_closing_already_is_a_conflict(api: Api, edge: ModelEdge, zone_id: str) -> None:
    edge.open = [a_connection(1, zone_id=zone_id, state="closing")]
    before = await api.entries()
    answer = await api.ask("DELETE", below(zone_id, connection_id(1)))
    assert (answer.status_code, codes(answer), edge.told) == (409, [10409], [])
    assert answer.json()["errors"][0]["message"] == "This WebSocket is closing already"
    assert await api.entries() == before


async def test_one_that_ends_before_it_is_told_to_is_a_conflict_too(
    api: Api, edge: ModelEdge, zone_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge.open = [a_connection(1, zone_id=zone_id)]
    monkeypatch.setattr(edge, "close_connections", lambda *_: 0)
    answer = await api.ask("DELETE", below(zone_id, connection_id(1)))
    assert (answer.status_code, codes(answer)) == (409, [10409])
    assert json.loads((await api.entries())[0]["oldValue"]) == {"open": 0}


@pytest.mark.parametrize("query", [{"code": [1000, 1001]}, {"reason": ["a", "b"]}])
async def test_a_close_with_two_of_something_closes_nothing(
    api: Api, edge: ModelEdge, zone_id: str, query: dict[str, Any]
) -> None:
    edge.open = [a_connection(1, zone_id=zone_id)]
    answer = await api.ask("DELETE", below(zone_id, connection_id(1)), params=query)
    assert (answer.status_code, edge.told) == (400, [])
    assert answer.json()["errors"][0]["source"]["pointer"] == f"/{next(iter(query))}"


async def test_as_many_ids_as_there_may_be_are_all_in_the_audit_log(api: Api, edge: ModelEdge, zone_id: str) -> None:
    ids = [connection_id(number) for number in range(1000)]
    before = await api.entries()
    result = await api.result("POST", below(zone_id, "close"), json={"ids": ids, "code": 4000})
    assert result == {"closed": 0, "edges": 1, "silent": 0}
    new = [json.loads(one["newValue"] or "null") for one in (await api.entries())[: -len(before)]]
    asked = sorted((one for one in new if one is not None), key=lambda one: one["part"])
    assert [one for part in asked for one in part["ids"]] == ids
    assert [(one["part"], one["parts"], one["code"]) for one in asked] == [(number, 4, 4000) for number in range(1, 5)]


MANY: list[tuple[dict[str, Any], set[int]]] = [
    ({"all": True}, {1, 2, 3}),
    ({"filter": {"host": "other.example.com"}}, {2}),
    ({"filter": {"path": "/x", "min_idle": 5}, "code": 1008}, {3}),
    ({"ids": [connection_id(1), connection_id(3), connection_id(9), connection_id(1)]}, {1, 3}),
    ({"filter": {"host": "nobody"}}, set()),
]


@pytest.mark.parametrize("is_dry", [False, True])
@pytest.mark.parametrize(("body", "numbers"), MANY)
async def test_many_are_closed_by_what_they_are_or_only_counted(
    api: Api, edge: ModelEdge, zone_id: str, body: dict[str, Any], numbers: set[int], is_dry: bool
) -> None:
    edge.open = [
        a_connection(1, zone_id=zone_id),
        a_connection(2, zone_id=zone_id, host="other.example.com"),
        a_connection(3, zone_id=zone_id, path="/x"),
        a_connection(4, zone_id="another"),
    ]
    before = await api.entries()
    result = await api.result("POST", below(zone_id, "close"), json={**body, "dry_run": is_dry, "reason": "go"})
    assert result == {"closed": len(numbers), "edges": 1, "silent": 0}
    code = body.get("code", 1001)
    assert set(edge.told) == (set() if is_dry else {(connection_id(number), code, "go") for number in numbers})
    new = (await api.entries())[: -len(before) or None]
    assert [json.loads(one["oldValue"] or "null") for one in new] == ([] if is_dry else [{"open": len(numbers)}, None])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, 'expected one of "filter", "ids" and "all": true'),
    ({"filter": {}}, 'filter: expected a member that leaves some out; to close every WebSocket of the zone, say "all": true'),
    ({"filter": {"path": "", "min_age": 0}}, "filter: expected a member that leaves some out"),
    ({"filter": {"path": "/", "min_idle": 0}}, "filter: expected a member that leaves some out"),
    ({"all": True, "ids": [connection_id(1)]}, "expected one of"),
    ({"all": False}, "expected one of"),
    ({"all": "yes"}, "all: "),
    ({"ids": []}, "ids: expected 1 to 1000 ids, got 0"),
    ({"ids": ["x"]}, "ids.0: expected an id such as 230b030023ae2822-LOC, got 'x'"),
    ({"ids": [connection_id(number) for number in range(1001)]}, "ids: expected 1 to 1000 ids, got 1001"),
    ({"all": True, "code": 1006}, "code: expected one that a server may send"),
    ({"all": True, "code": 70000}, "code: expected one that a server may send"),
    ({"all": True, "reason": "ä" * 62}, "reason: expected at most 123 bytes of UTF-8, got 124"),
    ({"filter": {"client_ip": "nowhere"}}, "client_ip: expected an address or a network"),
    ({"filter": {"path": "chat"}}, "path: expected what a path begins with, and that is '/', got 'chat'"),
    ({"filter": {"min_age": -1}}, "filter.min_age: "),
    ({"filter": {"min_age": True}}, "filter.min_age: "),
    ({"filter": {"min_age": "3"}}, "filter.min_age: "),
    ({"filter": {"min_idle": False}}, "filter.min_idle: "),
    ({"filter": {"host": 1}}, "filter.host: "),
    ({"filter": {"colour": "red"}}, "filter.colour: "),
    ({"all": True, "force": True}, "force: "),
]  # fmt: skip


async def test_what_cannot_be_meant_closes_nothing_and_says_what_is_wrong(
    api: Api, edge: ModelEdge, zone_id: str
) -> None:
    edge.open = [a_connection(1, zone_id=zone_id)]
    for body, said in WRONG:
        answer = await api.ask("POST", below(zone_id, "close"), json=body)
        assert answer.status_code == 400, body
        assert answer.json()["errors"][0]["message"].startswith(said), answer.text
    assert edge.told == []


WRONG_QUERIES = [
    ({"client_ip": "1.2.3"}, "/client_ip"), ({"client_ip": "fe80::1%eth0"}, "/client_ip"), ({"min_age": "x"}, "/min_age"), ({"min_idle": "-1"}, "/min_idle"),
    ({"min_idle": "inf"}, "/min_idle"), ({"min_age": "nan"}, "/min_age"), ({"order": "size"}, "/order"),
    ({"direction": "up"}, "/direction"), ({"per_page": 1001}, "/per_page"), ({"page": 0}, "/page"),
    ({"host": ["a", "b"]}, "/host"), ({"page": [1, 1]}, "/page"), ({"per_page": [5, 6]}, "/per_page"), ({"path": "x" * 1025}, "/path"),
    ({"path": "chat"}, "/path"),
]  # fmt: skip


async def test_a_filter_that_is_none_is_refused_by_its_name(api: Api, edge: ModelEdge, zone_id: str) -> None:
    for query, pointer in WRONG_QUERIES:
        answer = await api.ask("GET", below(zone_id), params=query)
        assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, pointer), query


async def test_reading_needs_a_permission_to_read_and_closing_one_to_write(
    api: Api, edge: ModelEdge, zone_id: str
) -> None:
    edge.open = [a_connection(1, zone_id=zone_id)]
    cases = [
        ("Analytics Read", 200, 403), ("Zone Settings Read", 200, 403), ("Zone Settings Write", 200, 200),
        ("Zone Read", 403, 403),
    ]  # fmt: skip
    for permission, reading, writing in cases:
        secret = await api.token(allow(permission, on=on_zone(zone_id)))
        one = below(zone_id, connection_id(1))
        for method, path, status in [
            ("GET", below(zone_id), reading), ("GET", one, reading), ("DELETE", one, writing),
            ("POST", below(zone_id, "close"), writing),
        ]:  # fmt: skip
            body = {"json": {"all": True}} if method == "POST" else {}
            answer = await api.ask(method, path, secret=secret, **body)
            assert answer.status_code == status, (permission, method, path)


async def test_the_stream_takes_handshakes_only(api: Api, zone_id: str) -> None:
    answer = await api.ask("GET", below(zone_id, "stream"))
    assert (answer.status_code, answer.headers["upgrade"]) == (400, "websocket")


async def test_an_edge_that_retires_says_so_and_is_asked_all_the_same(api: Api, edges: Edges, zone_id: str) -> None:
    edge = await edges.start("old")
    edge.open = [a_connection(1, zone_id=zone_id)]
    edges.retire(0)
    await edges.until(lambda: any(one.is_retired for one in api.control.links.sessions))
    assert await listed(api, zone_id) == [1]
    assert [event for event, _ in api.log if event == "edge_retired"] == ["edge_retired"]
