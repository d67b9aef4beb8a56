"""Open WebSockets of a zone, closed with one call: and what is said where an edge does not say that it did."""

from __future__ import annotations

import json

import pytest

from holdfast.api.context import Closing
from holdfast.store import audit
from holdfast.store.database import StoreUnavailable
from tests.api.harness import Api, codes


class Edges:
    """What edges answer when they are asked to close, and what they were asked."""

    def __init__(self, api: Api, closing: Closing, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, int, str]] = []
        self._closing = closing
        monkeypatch.setattr(api.control.links, "close_zone", self.close_zone)

    async def close_zone(self, zone_id: str, *, code: int, reason: str) -> Closing:
        self.asked.append((zone_id, code, reason))
        return self._closing


async def test_open_websockets_are_closed_with_one_call(api: Api) -> None:
    zone_id = await api.zone()
    assert await api.result("DELETE", f"/zones/{zone_id}/websocket_connections") == {"closed": 0}
    assert (await api.entries())[0]["resource"]["type"] == "websocket_connections"


async def test_how_many_were_closed_is_answered_and_audited(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    zone_id = await api.zone()
    edges = Edges(api, Closing(closed=7, edges=2, silent=0), monkeypatch)
    assert await api.result("DELETE", f"/zones/{zone_id}/websocket_connections") == {"closed": 7}
    assert edges.asked == [(zone_id, 1001, "closed_by_operator: the operator of this zone closed it")]
    came, asked = (await api.entries())[:2]
    assert (json.loads(came["oldValue"]), json.loads(asked["newValue"])) == ({"open": 7}, {"asked": "close"})


@pytest.mark.parametrize(
    ("query", "body", "said"),
    [
        ("?path=/chat", None, "path: expected no parameter, as this closes every WebSocket of the zone with 1001"),
        ("?code=4000&reason=bye", None, "code: expected no parameter"),
        ("?dry_run=true", None, "dry_run: expected no parameter"),
        ("", {"ids": ["230b030023ae2822-LOC"]}, "expected no body, as this closes every WebSocket of the zone"),
    ],
)
async def test_who_says_which_ones_does_not_close_them_all(
    query: str, body: object, said: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone_id = await api.zone()
    edges = Edges(api, Closing(closed=7, edges=2, silent=0), monkeypatch)
    answer = await api.ask("DELETE", f"/zones/{zone_id}/websocket_connections{query}", json=body)
    assert (answer.status_code, edges.asked) == (400, [])
    message = answer.json()["errors"][0]["message"]
    assert message.startswith(said)
    assert "websocket_connections/close takes a filter" in message


async def test_nothing_is_closed_that_cannot_be_written_down(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    zone_id = await api.zone()
    edges = Edges(api, Closing(closed=7, edges=2, silent=0), monkeypatch)

    async def unwritable(*_: object) -> None:
        raise StoreUnavailable("the database is away")

    with monkeypatch.context() as away:
        away.setattr(audit, "insert", unwritable)
        answer = await api.ask("DELETE", f"/zones/{zone_id}/websocket_connections")
    assert (answer.status_code, edges.asked) == (503, [])


@pytest.mark.parametrize(
    ("closing", "said"),
    [
        (
            Closing(closed=0, edges=0, silent=1),
            "1 edge did not answer, so WebSockets may still be open there; 0 edges answered, with 0 WebSockets closed",
        ),
        (
            Closing(closed=1, edges=1, silent=2),
            "2 edges did not answer, so WebSockets may still be open there; 1 edge answered, with 1 WebSocket closed",
        ),
    ],
)
async def test_an_edge_that_was_not_heard_is_no_success_and_audited_as_it_was(
    closing: Closing, said: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone_id = await api.zone()
    Edges(api, closing, monkeypatch)
    answer = await api.ask("DELETE", f"/zones/{zone_id}/websocket_connections")
    assert (answer.status_code, codes(answer), answer.headers["retry-after"]) == (503, [10504], "2")
    assert answer.json()["errors"][0]["message"] == said
    old = json.loads((await api.entries())[0]["oldValue"])
    assert old == {"open": closing.closed, "edges": closing.edges, "silent_edges": closing.silent}


@pytest.mark.parametrize("silent", [0, 1])
async def test_a_removed_zone_takes_its_websockets_along_and_waits_for_no_edge(
    silent: int, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone_id = await api.zone()
    edges = Edges(api, Closing(closed=3, edges=1, silent=silent), monkeypatch)
    published: list[int] = []
    before = api.control.publisher.revision
    close_zone = edges.close_zone

    async def noted(zone_id: str, *, code: int, reason: str) -> Closing:
        published.append(api.control.publisher.revision - before)
        return await close_zone(zone_id, code=code, reason=reason)

    monkeypatch.setattr(api.control.links, "close_zone", noted)
    assert await api.result("DELETE", f"/zones/{zone_id}") == {"id": zone_id}
    assert edges.asked == [(zone_id, 1001, "closed_by_operator: the zone was removed")]
    assert published == [1], "the edges no longer serve the zone when its WebSockets are closed"


async def test_a_zone_that_is_not_removed_keeps_its_websockets(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = Edges(api, Closing(closed=3, edges=1, silent=0), monkeypatch)
    await api.ask("DELETE", f"/zones/{'0' * 32}")
    assert edges.asked == []
