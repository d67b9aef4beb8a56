"""Trying rules over the API: an expression or a zone, on given requests and on the last ones; and the original's tracer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from holdfast.api import traces
from holdfast.control.link_server import LinkServer
from holdfast.model.event_messages import RecordedRequest
from tests.api.harness import SECOND, START, Api, allow, codes, on_account, on_zone, strict_sdk
from tests.unit.requests import BROWSER_UPGRADE, a_request

HEADERS = dict(BROWSER_UPGRADE[1:])


async def zone_with_rules(api: Api, *rules: dict[str, Any], phase: str = "http_request_firewall_custom") -> str:
    """A zone on the plan that may do everything, with a record and these rules."""
    zone_id = await api.zone()
    await api.plan(zone_id, "enterprise")
    record = {"type": "A", "name": "example.com", "content": "192.0.2.7", "proxied": True, "ttl": 1}
    await api.result("POST", f"/zones/{zone_id}/dns_records", json=record)
    await api.result("PUT", f"/zones/{zone_id}/rulesets/phases/{phase}/entrypoint", json={"rules": list(rules)})
    return zone_id


def asked(path: str = "/chat", **more: Any) -> dict[str, Any]:
    return {"url": f"https://example.com{path}", "headers": HEADERS, **more}


async def trace(api: Api, zone_id: str, **body: Any) -> Any:
    return await api.result("POST", f"/zones/{zone_id}/security/trace", json=body)


async def test_an_expression_is_tried_on_a_request_with_what_it_read(api: Api) -> None:
    zone_id = await api.zone()
    expression = 'http.request.headers["upgrade"][0] eq "websocket" and ip.src.country eq "NL" and cf.zone.name ne "x"'
    answer = await trace(api, zone_id, expression=expression, request=asked(country="nl"))
    (result,) = answer["results"]
    assert result["matched"] is True
    assert result["request"]["is_upgrade"] is True
    assert result["fields"] == [
        {"name": 'http.request.headers["upgrade"][0]', "value": "websocket"},
        {"name": "ip.src.country", "value": "NL"},
        {"name": "cf.zone.name", "value": "example.com"},
    ]
    (missing,) = (await trace(api, zone_id, expression='http.request.headers["x"][0] eq "a"', request=asked()))[
        "results"
    ]
    assert (missing["matched"], missing["fields"][0]["value"]) == (False, None)


async def test_a_zone_is_traced_rule_by_rule(api: Api) -> None:
    zone_id = await zone_with_rules(
        api,
        {"action": "log", "expression": "ssl", "description": "sees TLS"},
        {"action": "block", "expression": 'http.request.uri.path eq "/admin"', "description": "no admin"},
        {"action": "log", "expression": "true", "enabled": False},
    )
    for path, outcomes, decision in (
        ("/admin", ["matched", "matched", "disabled"], ("respond", 403)),
        ("/chat", ["matched", "not_matched", "disabled"], ("forward", None)),
    ):
        (result,) = (await trace(api, zone_id, request=asked(path)))["results"]
        found = result["trace"]
        phase = next(one for one in found["phases"] if one.get("phase") == "http_request_firewall_custom")
        assert [rule["outcome"] for rule in phase["rulesets"][0]["rules"]] == outcomes
        assert (found["decision"], found.get("status")) == decision
    # Nothing was recorded: it was only asked.
    assert await api.result("GET", f"/zones/{zone_id}/security/events") == []


async def test_managed_rules_are_in_the_trace(api: Api) -> None:
    rule = {"action": "execute", "expression": "true", "action_parameters": {"id": "3f0c1d5a7e9b4c28a6d4e1b07c5f9a32"}}
    zone_id = await zone_with_rules(api, rule, phase="http_request_firewall_managed")
    (result,) = (await trace(api, zone_id, request=asked("/?q=1%20union%20select%201,2")))["results"]
    phase = next(one for one in result["trace"]["phases"] if one.get("phase") == "http_request_firewall_managed")
    (match,) = phase["rulesets"][0]["rules"][0]["matches"]
    assert (match["ref"], match["action"]) == ("holdfast-1901", "block")
    assert result["trace"]["status"] == 403


async def test_the_last_requests_are_tried(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    zone_id = await zone_with_rules(api, {"action": "block", "expression": 'http.request.uri.path eq "/admin"'})
    counts = []

    async def recent(_: LinkServer, asked_zone: str, count: int) -> Sequence[RecordedRequest]:
        assert asked_zone == zone_id
        counts.append(count)
        return [
            RecordedRequest(occurred_at=START / SECOND, request=a_request(path=path), decision="forward")
            for path in ("/admin", "/echo")
        ]

    monkeypatch.setattr(LinkServer, "recent_requests", recent)
    answer = await trace(api, zone_id, recorded=5, expression='http.request.uri.path eq "/admin"')
    assert [one["matched"] for one in answer["results"]] == [True, False]
    assert answer["results"][0]["decided"] == {"decision": "forward", "status": None}
    assert answer["results"][0]["occurred_at"].startswith("2026-11-25T08:00:00")
    traced = await trace(api, zone_id, recorded=5)
    assert [one["trace"]["decision"] for one in traced["results"]] == ["respond", "forward"]
    assert (traced["left_out"], counts) == (0, [5, 5])


async def test_an_expression_is_tried_on_as_many_requests_as_there_is_time_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone_id = await api.zone()

    async def recent(*_: object) -> Sequence[RecordedRequest]:
        return [RecordedRequest(occurred_at=START / SECOND, request=a_request(), decision="forward")] * 5

    monkeypatch.setattr(LinkServer, "recent_requests", recent)
    for limit_us, expected in ((traces.TRIAL_LIMIT_US, (5, 0)), (-1, (1, 4))):
        monkeypatch.setattr(traces, "TRIAL_LIMIT_US", limit_us)
        answer = await trace(api, zone_id, recorded=5, expression="ssl")
        assert (len(answer["results"]), answer["left_out"]) == expected


async def test_of_other_peoples_requests_no_secret_is_shown_nor_asked_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone_id = await api.zone()

    async def recent(*_: object) -> Sequence[RecordedRequest]:
        return [RecordedRequest(occurred_at=START / SECOND, request=a_request(), decision="forward")]

    monkeypatch.setattr(LinkServer, "recent_requests", recent)
    body = {"recorded": 1, "expression": 'http.cookie contains "session" and http.host ne "x"'}
    ((cookie, host),) = [one["fields"] for one in (await trace(api, zone_id, **body))["results"]]
    assert cookie == {"name": "http.cookie", "value": "*** (24 characters)"}
    assert host["value"] == "example.com"
    reader = await api.token(allow("Zone WAF Read", on=on_zone(zone_id)))
    answer = await api.ask("POST", f"/zones/{zone_id}/security/trace", json=body, secret=reader)
    assert answer.status_code == 403
    for allowed in ({"recorded": 1}, {"request": asked(), "expression": body["expression"]}):
        answer = await api.ask("POST", f"/zones/{zone_id}/security/trace", json=allowed, secret=reader)
        assert answer.status_code == 200, answer.text


async def test_a_zone_without_requests_has_no_results(api: Api) -> None:
    assert await trace(api, await api.zone(), recorded=100) == {"results": [], "left_out": 0}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/request"),
        ({"request": asked(), "recorded": 1}, "/request"),
        ({"recorded": 0}, "/recorded"),
        ({"recorded": 101}, "/recorded"),
        ({"recorded": 1, "more": 1}, "/more"),
        ({"request": {"url": "https://other.example/"}}, "/request/url"),
        ({"request": {"url": "https://evilexample.com/"}}, "/request/url"),
        ({"request": {"url": "here"}}, "/request/url"),
        ({"request": {"url": "https://example.com/", "headers": {"A": 1}}}, "/request/headers/A"),
        ({"request": asked(), "expression": 'http.hos eq "a"'}, "/expression"),
        ({"request": asked(), "expression": "ip.src in $office"}, "/expression"),
        ({"recorded": 5, "expression": "ip.src in $office"}, "/expression"),
        ({"request": asked(), "expression": "ip.src in $cf.anonymizer"}, "/expression"),
        ({"request": asked("/a b")}, "/request/url"),
        ({"request": asked("/" + "a" * 17_000)}, "/request/url"),
        (
            {"request": {"url": "https://example.com/", "headers": {"Host": ["example.com", "example.com"]}}},
            "/request/headers/Host",
        ),
        ({"request": {"url": "https://example.com/", "headers": {"Host": "other.example"}}}, "/request/url"),
        (
            {"request": {"url": "wss://example.com/", "headers": {"Upgrade": "h2c, websocket"}}},
            "/request/headers/Upgrade",
        ),
    ],
)
async def test_what_cannot_be_tried_is_refused_with_where_it_stands(api: Api, body: Any, pointer: str) -> None:
    answer = await api.ask("POST", f"/zones/{await api.zone()}/security/trace", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["source"]["pointer"] == pointer


async def test_a_wrong_expression_is_answered_in_the_words_of_the_original(api: Api) -> None:
    body = {"request": asked(), "expression": 'http.hos eq "a"'}
    answer = await api.ask("POST", f"/zones/{await api.zone()}/security/trace", json=body)
    (error,) = answer.json()["errors"]
    assert error["code"] == 20127
    assert error["message"].startswith("Filter parsing error (1:1): http.hos eq")


async def test_a_list_is_one_of_the_account_in_a_trial_as_in_a_rule(api: Api) -> None:
    zone_id = await api.zone()
    body = {"request": asked(), "expression": "ip.src in $office"}
    answer = await api.ask("POST", f"/zones/{zone_id}/security/trace", json=body)
    assert answer.json()["errors"][0]["message"] == (
        'Filter parsing error (1:11): ip.src in $office ^^^^^^^ unknown list "office"'
    )
    await api.result("POST", f"/accounts/{api.account_id}/rules/lists", json={"name": "office", "kind": "ip"})
    ((result),) = (await trace(api, zone_id, **body))["results"]
    assert result["matched"] is False


async def test_the_sdk_traces_a_request_of_the_account(api: Api) -> None:
    await zone_with_rules(
        api, {"action": "block", "expression": 'http.cookie contains "bad" and ip.src.country eq "NL"'}
    )
    found = await strict_sdk(api).request_tracers.traces.create(
        account_id=api.account_id,
        method="GET",
        url="https://example.com/chat",
        cookies={"session": "bad"},
        headers={"Accept-Language": "nl"},
        context={"geoloc": {"iso_code": "NL"}, "bot_score": 1},
        skip_response=True,
    )
    assert found is not None
    assert found.status_code == 403
    assert found.trace is not None
    (phase,) = [one for one in found.trace if one.step_name == "http_request_firewall_custom"]
    assert phase.trace is not None
    assert phase.trace[0].trace is not None
    (rule,) = phase.trace[0].trace
    assert (rule.action, rule.matched, rule.type) == ("block", True, "rule")


async def test_a_host_of_no_zone_of_the_account_is_refused(api: Api) -> None:
    body = {"method": "GET", "url": "https://nobody.example/"}
    answer = await api.ask("POST", f"/accounts/{api.account_id}/request-tracer/trace", json=body)
    assert (answer.status_code, codes(answer)) == (400, [1004])


async def test_a_token_without_the_tracer_traces_nothing(api: Api) -> None:
    secret = await api.token(allow("Account WAF Read", on=on_account(api.account_id)))
    body = {"method": "GET", "url": "https://example.com/"}
    answer = await api.ask("POST", f"/accounts/{api.account_id}/request-tracer/trace", json=body, secret=secret)
    assert answer.status_code == 403
