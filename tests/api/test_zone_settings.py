"""Settings of zones: one, all, and several at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast.model.setting import SETTINGS
from holdfast.model.websocket_documents import RateLimits
from holdfast.store import zones
from tests.api.harness import Api, codes


async def test_a_setting_has_its_default_until_it_is_set(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings"
    assert await api.result("GET", f"{path}/websockets") == {
        "id": "websockets",
        "value": "on",
        "editable": True,
        "modified_on": None,
    }
    done = await api.result("PATCH", f"{path}/websockets", json={"value": "off"})
    assert (done["value"], done["modified_on"][:10]) == ("off", "2026-11-25")
    assert await api.result("GET", f"{path}/websockets") == done
    assert [one["id"] for one in await api.result("GET", path)] == list(SETTINGS)
    (zone,) = api.control.publisher.snapshot().zones
    assert zone.settings.websockets == "off"


async def test_every_setting_takes_its_own_value_and_no_nonsense(api: Api) -> None:
    zone_id = await api.zone()
    for name in SETTINGS:
        await _try_setting(api, name, f"/zones/{zone_id}/settings/{name}")


async def _try_setting(api: Api, name: str, path: str) -> None:
    value = (await api.result("GET", path))["value"]
    done = await api.ask("PATCH", path, json={"value": value})
    assert done.json()["result"]["value"] == value
    assert done.json()["messages"] == []
    nonsenses: list[Any] = [None, "nonsense", {"value": {}}, [[]], [1], -1, 1e300, True, "", "on\n", "x" * 5000]
    # An object may leave all of its members out.
    nonsenses += [] if isinstance(value, dict) else [{}]
    for nonsense in nonsenses:
        answer = await api.ask("PATCH", path, json={"value": nonsense})
        assert (answer.status_code, codes(answer)) == (400, [1007]), nonsense
        assert answer.json()["errors"][0]["source"]["pointer"] == "/value"
        assert len(answer.text) < 2000
    assert (await api.result("GET", path))["value"] == value


async def test_a_setting_that_has_its_value_already_leaves_no_trace(api: Api) -> None:
    zone_id = await api.zone()
    path = f"/zones/{zone_id}/settings"
    changed = await api.result("PATCH", f"{path}/ssl", json={"value": "strict"})

    async def traces() -> tuple[int, int, int]:
        async with api.control.database.look() as connection:
            zone = await zones.find(connection, zone_id)
        assert zone is not None
        return zone.version, api.control.publisher.revision, len(await api.entries())

    before = await traces()
    assert await api.result("PATCH", f"{path}/ssl", json={"value": "strict"}) == changed
    default = await api.result("PATCH", f"{path}/websockets", json={"value": "on"})
    assert (default["value"], default["modified_on"]) == ("on", None)
    both = [{"id": "ssl", "value": "strict"}, {"id": "websockets", "value": "on"}]
    assert await api.result("PATCH", path, json=both) == [changed, default]
    assert await traces() == before
    both[1]["value"] = "off"
    assert [one["value"] for one in await api.result("PATCH", path, json=both)] == ["strict", "off"]
    assert await traces() == (before[0] + 1, before[1] + 1, before[2] + 1)


async def test_a_setting_there_is_not_is_named_with_those_there_are(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings"
    for method in ("GET", "PATCH"):
        answer = await api.ask(method, f"{path}/brotli", json={"value": "on"})
        assert (answer.status_code, codes(answer)) == (400, [1006])
        assert "websockets" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("form", ["array", "items"])
async def test_several_are_set_together_or_not_at_all(api: Api, form: str) -> None:
    path = f"/zones/{await api.zone()}/settings"

    def several(values: list[dict[str, Any]]) -> Any:
        return values if form == "array" else {"items": values}

    good = [{"id": "websockets", "value": "off"}, {"id": "ssl", "value": "strict"}]
    done = await api.result("PATCH", path, json=several(good))
    assert [(one["id"], one["value"]) for one in done] == [("websockets", "off"), ("ssl", "strict")]
    before = await api.result("GET", path)
    bad: list[dict[str, Any]] = [
        {"id": "websockets", "value": "on"},
        {"id": "nope", "value": 1},
        {"id": "ssl", "value": "maybe"},
    ]
    answer = await api.ask("PATCH", path, json=several(bad))
    prefix = "" if form == "array" else "/items"
    assert answer.status_code == 400
    assert [(one["code"], one["source"]["pointer"]) for one in answer.json()["errors"]] == [
        (1006, f"{prefix}/1/id"),
        (1007, f"{prefix}/2/value"),
    ]
    assert await api.result("GET", path) == before
    assert await api.result("PATCH", path, json=several([])) == []


async def test_settings_that_exclude_each_other_are_refused_together_and_one_by_one(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings"
    both = [{"id": "min_tls_version", "value": "1.3"}, {"id": "tls_1_3", "value": "off"}]
    assert codes(await api.ask("PATCH", path, json=both)) == [1007]
    await api.result("PATCH", f"{path}/min_tls_version", json={"value": "1.3"})
    assert codes(await api.ask("PATCH", f"{path}/tls_1_3", json={"value": "off"})) == [1007]
    await api.result("PATCH", f"{path}/min_tls_version", json={"value": "1.2"})
    await api.result("PATCH", f"{path}/tls_1_3", json={"value": "off"})


async def test_settings_that_exclude_each_other_are_refused_to_two_who_write_at_once(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings"
    answers = await asyncio.gather(
        api.ask("PATCH", f"{path}/min_tls_version", json={"value": "1.3"}),
        api.ask("PATCH", f"{path}/tls_1_3", json={"value": "off"}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]


@pytest.mark.parametrize("body", [None, 1, "x", {}, {"items": 1}, [1], [{"value": 1}], {"items": [{"id": 5}]}])
async def test_a_body_of_another_shape_is_a_400(api: Api, body: Any) -> None:
    zone_id = await api.zone()
    assert (await api.ask("PATCH", f"/zones/{zone_id}/settings", json=body)).status_code == 400


async def test_settings_of_a_zone_that_goes_meanwhile_are_not_found(api: Api) -> None:
    zone_id = await api.zone()
    await api.ask("DELETE", f"/zones/{zone_id}")
    assert (await api.ask("PATCH", f"/zones/{zone_id}/settings/ssl", json={"value": "full"})).status_code == 404


async def test_settings_of_websockets_come_back_whole_and_reach_the_edge(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings"
    items = [
        {"id": "websocket_rate_limits", "value": {"to_origin": {"messages_per_second": 20}}},
        {"id": "websocket_allowed_origins", "value": ["HTTPS://Example.com:443", "https://*.example.com"]},
        {"id": "websocket_idle_timeout", "value": 300.0},
    ]
    rates, origins, idle = await api.result("PATCH", path, json={"items": items})
    assert rates["value"] == {
        "to_origin": {"messages_per_second": 20, "bytes_per_second": 0},
        "to_client": {"messages_per_second": 0, "bytes_per_second": 0},
        "action": "throttle",
    }
    assert origins["value"] == ["https://example.com", "https://*.example.com"]
    assert idle["value"] == 300
    assert await api.result("PATCH", f"{path}/websocket_rate_limits", json={"value": rates["value"]}) == rates
    (zone,) = api.control.publisher.snapshot().zones
    assert zone.settings.websocket_rate_limits.to_origin.messages_per_second == 20
    assert zone.settings.websocket_allowed_origins == ("https://example.com", "https://*.example.com")
    assert (zone.settings.websocket_idle_timeout, zone.settings.websocket_keepalive_interval) == (300, 30)


@pytest.mark.parametrize("nothing", [{}, {"to_origin": {}}, {"to_origin": {}, "to_client": {}}])
async def test_rates_that_are_left_out_are_no_limit_and_are_shown(api: Api, nothing: dict[str, Any]) -> None:
    path = f"/zones/{await api.zone()}/settings/websocket_rate_limits"
    before = (await api.result("GET", path))["value"]
    await api.result("PATCH", path, json={"value": {"to_origin": {"messages_per_second": 20}, "action": "close"}})
    assert (await api.result("PATCH", path, json={"value": nothing}))["value"] == before
    assert before["to_origin"] == before["to_client"] == {"messages_per_second": 0, "bytes_per_second": 0}
    (zone,) = api.control.publisher.snapshot().zones
    assert zone.settings.websocket_rate_limits == RateLimits()


async def test_what_is_wrong_in_a_setting_of_websockets_is_named(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings"
    bad = [
        {"id": "websocket_allowed_origins", "value": ["https://example.com", "example.com"]},
        {"id": "websocket_rate_limits", "value": {"to_origin": {"messages_per_second": -1}}},
        {"id": "websocket_keepalive_misses", "value": 0},
    ]
    answer = await api.ask("PATCH", path, json=bad)
    assert [(one["code"], one["source"]["pointer"]) for one in answer.json()["errors"]] == [
        (1007, "/0/value"),
        (1007, "/1/value"),
        (1007, "/2/value"),
    ]
    said = [one["message"] for one in answer.json()["errors"]]
    assert "websocket_allowed_origins: 1: expected an origin such as" in said[0]
    assert "to_origin: messages_per_second: expected a number of messages from 0 to 1000000, got -1" in said[1]
    assert "expected a number of pings from 1 to 10, got 0" in said[2]


async def test_rules_on_messages_have_ids_that_stay_and_must_compile(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings/websocket_message_rules"
    schema = {"type": "object", "required": ["id"]}
    rules = [{"pattern": "(?i)<script"}, {"type": "json_schema", "schema": schema, "action": "drop"}]
    made = (await api.result("PATCH", path, json={"value": rules}))["value"]
    assert [rule["type"] for rule in made] == ["text", "json_schema"]
    assert made[1]["schema"] == schema
    assert (await api.result("PATCH", path, json={"value": made}))["value"] == made
    (zone,) = api.control.publisher.snapshot().zones
    assert [(rule.id, rule.action) for rule in zone.settings.websocket_message_rules] == [
        (made[0]["id"], "close"),
        (made[1]["id"], "drop"),
    ]
    for bad, said in (
        ({"pattern": "(?=x)"}, "1: pattern: "),
        ({"type": "json_schema", "schema": {"type": "objekt"}}, "1: schema: "),
        ({"pattern": "x", "id": made[0]["id"]}, "1: id: expected another one"),
    ):
        answer = await api.ask("PATCH", path, json={"value": [made[0], bad]})
        assert (answer.status_code, codes(answer)) == (400, [1007])
        assert f"websocket_message_rules: {said}" in answer.json()["errors"][0]["message"]
    assert (await api.result("GET", path))["value"] == made
