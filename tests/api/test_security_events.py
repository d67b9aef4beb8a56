"""`/zones/{id}/security/events` and its kin: filters, pages, counts, and what is no filter."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api.security_events import MAX_SEARCHES
from holdfast.model.moment import written
from holdfast.model.security_event import SecurityEvent
from holdfast.store import security_events
from holdfast.store.security_events import StoredEvent, moment_of_event
from tests.api.harness import SECOND, START, Api, allow, codes, on_account, on_zone
from tests.unit.requests import a_request


async def keep(api: Api, zone_id: str, *several: dict[str, Any], first: int = 1) -> None:
    """Events of a zone, a second apart from START on."""
    async with api.control.database.note() as connection:
        await security_events.insert(
            connection, [event(api, zone_id, first + index, **facts) for index, facts in enumerate(several)]
        )


def event(api: Api, zone_id: str, number: int, **facts: Any) -> StoredEvent:
    weight = facts.pop("weight", 1)
    client = {name: facts.pop(name) for name in ("host", "path", "client_ip", "is_upgrade") if name in facts}
    request = a_request(ray=f"{number:016x}-LOC", **client)
    more = {"action": "block", "source": "firewallCustom", **facts}
    made = SecurityEvent.of(request, zone=zone_id, now=START / SECOND + number, **more)
    return StoredEvent(
        id=f"{number:032x}",
        account_id=api.account_id,
        occurred_on=moment_of_event(made),
        sample_interval=weight,
        event=made,
    )


async def numbers(api: Api, where: str, /, **query: Any) -> list[int]:
    return [int(one["ray"], 16) for one in await api.result("GET", where, params=query)]


async def test_an_event_is_shown_whole(api: Api) -> None:
    zone_id = await api.zone()
    await keep(
        api, zone_id,
        {
            "rule_id": "a" * 32, "ruleset_id": "b" * 32, "ref": "r", "description": "No robots", "country": "NO",
            "asn": 64512, "status": 403, "fields": [("http.host", "x")], "components": ["c"], "score": 5, "weight": 9,
        },
        {"action": "log"},
    )  # fmt: skip
    logged, blocked = await api.result("GET", f"/zones/{zone_id}/security/events")
    assert blocked == {
        "id": f"{1:032x}", "zone_id": zone_id, "occurred_at": written(START + SECOND), "ray": f"{1:016x}",
        "action": "block", "source": "firewallCustom", "rule_id": "a" * 32, "ruleset_id": "b" * 32, "ref": "r",
        "description": "No robots", "client_ip": "203.0.113.7", "client_country": "NO", "client_asn": 64512,
        "method": "GET", "scheme": "https", "host": "example.com", "path": "/echo", "query": "",
        "user_agent": logged["user_agent"], "is_upgrade": True, "edge_response_status": 403,
        "matched_fields": [{"name": "http.host", "value": "x"}], "matched_rules": ["c"], "score": 5,
        "sample_interval": 9,
    }  # fmt: skip
    unknown = ("rule_id", "ruleset_id", "ref", "description", "client_country", "client_asn", "edge_response_status")
    assert [logged[name] for name in unknown] == [None] * len(unknown)
    assert logged["user_agent"].startswith("Mozilla/")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [4, 3, 2, 1]),
        ({"direction": "asc"}, [1, 2, 3, 4]),
        ({"action": "log"}, [2]),
        ({"source": "ip"}, [3]),
        ({"rule_id": "a" * 32}, [1]),
        ({"client_ip": "2001:db8::1"}, [3]),
        ({"client_ip": "203.0.113.99/24"}, [4, 2, 1]),
        ({"host": "WS.example.com."}, [2]),
        ({"path": "/admin"}, [1]),
        ({"path_contains": "LOGIN"}, [1]),
        ({"method": "GET", "user_agent": "mozilla"}, [4, 3, 2, 1]),
        ({"is_upgrade": "false"}, [4]),
        ({"country": "no"}, [1]),
        ({"asn": "64512"}, [1]),
        ({"edge_response_status": "403"}, [1]),
        ({"ray": f"{2:016x}"}, [2]),
        ({"ray": f"{2:016X}-LOC"}, [2]),
        ({"since": "2026-11-25T08:00:02Z", "until": "2026-11-25T09:00:04+01:00"}, [3, 2]),
        ({"since": "2026-11-26"}, []),
        ({"host": "nobody.example"}, []),
        ({"unknown": "x"}, [4, 3, 2, 1]),
    ],
)
async def test_filters_find_what_they_name(api: Api, query: dict[str, str], expected: list[int]) -> None:
    zone_id = await api.zone()
    other = await api.zone("other.example")
    await keep(
        api, zone_id,
        {"rule_id": "a" * 32, "path": "/admin/Login", "country": "NO", "asn": 64512, "status": 403},
        {"action": "log", "host": "ws.example.com"},
        {"source": "ip", "client_ip": "2001:db8::1"},
        {"is_upgrade": False},
    )  # fmt: skip
    await keep(api, other, {}, first=9)
    assert await numbers(api, f"/zones/{zone_id}/security/events", **query) == expected


async def test_pages_go_on_at_the_cursor_while_events_arrive(api: Api) -> None:
    zone_id = await api.zone()
    await keep(api, zone_id, *({} for _ in range(5)))
    path, seen = f"/zones/{zone_id}/security/events", list[int]()
    cursor: str | None = ""
    for page in range(3):
        answer = (await api.ask("GET", path, params={"limit": 2, "cursor": cursor or ""})).json()
        seen += [int(one["ray"], 16) for one in answer["result"]]
        assert answer["result_info"]["count"] == len(answer["result"])
        cursor = answer["result_info"]["cursors"]["after"]
        await keep(api, zone_id, {}, first=100 + page)
    assert seen == [5, 4, 3, 2, 1]
    assert cursor is None


async def test_an_account_has_the_events_of_all_its_zones(api: Api) -> None:
    one, other = await api.zone("one.example"), await api.zone("other.example")
    await keep(api, one, {})
    await keep(api, other, {}, first=2)
    path = f"/accounts/{api.account_id}/security/events"
    assert await numbers(api, path) == [2, 1]
    assert await numbers(api, path, zone_id=one) == [1]


async def test_a_zone_of_an_account_is_named_by_its_id(api: Api) -> None:
    answer = await api.ask("GET", f"/accounts/{api.account_id}/security/events", params={"zone_id": "zz"})
    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, "/zone_id")
    # One that is there, of somebody else, and one that is nowhere look the same.
    assert await numbers(api, f"/accounts/{api.account_id}/security/events", zone_id="f" * 32) == []


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"action": "explode"}, "action", "expected one of allow, block"),
        ({"source": "x"}, "source", "expected one of firewallCustom"),
        ({"client_ip": "here"}, "client_ip", "expected an address or a network"),
        ({"since": "yesterday"}, "since", "expected a date"),
        ({"until": "2026-13-01"}, "until", "expected a date"),
        ({"since": "2026-11-26", "until": "2026-11-25"}, "since", "no later moment than until"),
        ({"cursor": "x"}, "cursor", "expected one that a page before this gave"),
        ({"cursor": "\u00e9"}, "cursor", "expected one that a page before this gave"),
        ({"limit": "0"}, "limit", "greater than or equal to 1"),
        ({"limit": "1001"}, "limit", "less than or equal to 1000"),
        ({"is_upgrade": "perhaps"}, "is_upgrade", "boolean"),
        ({"asn": "AS1"}, "asn", "integer"),
        ({"direction": "up"}, "direction", "'asc' or 'desc'"),
        ({"rule_id": "a" * 65}, "rule_id", "at most 64 characters"),
        ({"rule_id": "a" * 31}, "rule_id", "expected an id, 32 hexadecimal digits, got 'a"),
        ({"ruleset_id": "A" * 32}, "ruleset_id", "expected an id"),
        ({"ray": "zz"}, "ray", "expected that of a request"),
        ({"country": "NLD"}, "country", "expected two letters such as NL, or T1, got 'NLD'"),
        ({"path": "chat"}, "path", "expected what a path begins with, and that is '/', got 'chat'"),
        ({"edge_response_status": 99}, "edge_response_status", "100"),
        ({"action": ["log", "block"]}, "action", "expected one value, got several"),
        ({"limit": ["1", "2"]}, "limit", "expected one value, got several"),
    ],
)
async def test_what_is_no_filter_is_named(api: Api, query: dict[str, str | list[str]], field: str, words: str) -> None:
    zone_id = await api.zone()
    for path in (f"/zones/{zone_id}/security/events", f"/accounts/{api.account_id}/security/events"):
        answer = await api.ask("GET", path, params=query)
        assert answer.status_code == 400, answer.text
        [error] = answer.json()["errors"]
        assert field in error["source"]["pointer"]
        assert words in error["message"]


async def test_an_event_is_found_by_its_id_and_those_of_a_request_by_its_ray(api: Api) -> None:
    zone_id = await api.zone()
    await keep(api, zone_id, {"action": "log"}, {})
    for named in (f"{2:032x}", f"{2:016x}", f"{2:016x}-LOC"):
        [found] = await api.result("GET", f"/zones/{zone_id}/security/events/{named}")
        assert found["id"] == f"{2:032x}"
    for absent in (f"{3:032x}", "no such", "x" * 65):
        answer = await api.ask("GET", f"/zones/{zone_id}/security/events/{absent}")
        assert (answer.status_code, codes(answer)) == (404, [1001])


async def test_an_event_of_another_zone_is_not_found(api: Api) -> None:
    zone_id, other = await api.zone(), await api.zone("other.example")
    await keep(api, other, {})
    answer = await api.ask("GET", f"/zones/{zone_id}/security/events/{1:032x}")
    assert answer.status_code == 404


async def test_a_summary_counts_what_each_row_stands_for(api: Api) -> None:
    zone_id = await api.zone()
    await keep(
        api, zone_id,
        {"weight": 10, "rule_id": "a" * 32, "description": "Ours", "client_ip": "192.0.2.1"},
        {"action": "log", "host": "ws.example.com", "country": "NO"},
        {"weight": 5, "path": "/b"},
    )  # fmt: skip
    api.clock.advance(3600)
    path = f"/zones/{zone_id}/security/events/summary"
    found = await api.result("GET", path)
    assert (found["events"], found["rows"]) == (16, 3)
    assert found["actions"] == [{"value": "block", "count": 15}, {"value": "log", "count": 1}]
    assert found["rules"] == [{"rule_id": "a" * 32, "description": "Ours", "count": 10}]
    assert found["hosts"][0] == {"value": "example.com", "count": 15}
    assert found["client_ips"] == [{"value": "192.0.2.1", "count": 10}, {"value": "203.0.113.7", "count": 6}]
    assert found["paths"] == [{"value": "/echo", "count": 11}, {"value": "/b", "count": 5}]
    of_logs = await api.result("GET", path, params={"action": "log", "top": 1})
    assert (of_logs["events"], len(of_logs["client_ips"])) == (1, 1)
    api.clock.advance(86_400)
    assert (await api.result("GET", path))["events"] == 0
    assert (await api.ask("GET", path, params={"top": 51})).status_code == 400
    assert (await api.ask("GET", path, params={"source": ["ip", "tls"]})).status_code == 400


async def test_who_searches_while_others_do_has_to_wait_and_not_for_ever(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.api.security_events.SEARCH_LIMIT_S", 0.01)
    zone_id = await api.zone()
    path = f"/zones/{zone_id}/security/events"
    assert (await api.ask("GET", path)).status_code == 200
    turns = api.control.application.state.event_searches
    for _ in range(MAX_SEARCHES):
        await turns.acquire()
    for busy in (path, f"{path}/summary"):
        answer = await api.ask("GET", busy)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    turns.release()
    assert (await api.ask("GET", path)).status_code == 200


@pytest.mark.parametrize("group", ["Zone WAF Read", "Zone WAF Write", "Analytics Read"])
async def test_who_may_read_rules_or_analytics_may_read_events(api: Api, group: str) -> None:
    zone_id = await api.zone()
    secret = await api.token(allow(group, on=on_zone(zone_id)))
    for path in ("", "/summary"):
        answer = await api.ask("GET", f"/zones/{zone_id}/security/events{path}", secret=secret)
        assert answer.status_code == 200
    answer = await api.ask("GET", f"/accounts/{api.account_id}/security/events", secret=secret)
    assert answer.status_code == 403


async def test_who_may_read_the_rules_of_the_account_may_read_its_events(api: Api) -> None:
    secret = await api.token(allow("Account WAF Read", on=on_account(api.account_id)))
    assert (await api.ask("GET", f"/accounts/{api.account_id}/security/events", secret=secret)).status_code == 200
