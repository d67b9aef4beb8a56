"""Zones: made, found, changed, removed."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import pytest

from holdfast.model.plan import PLANS
from holdfast.store import zones
from holdfast.store.zones import Zone
from tests.api.harness import ABSENT, ACCOUNT, START, ZONE, Api, allow, codes, deny, on_account, on_zone, strict_sdk
from tests.unit.certificates.making import a_key, cert_pem, key_pem


async def _many(api: Api, names: list[str], **members: Any) -> None:
    """Zones written into the database: for tests that need many."""
    async with api.control.database.write() as connection:
        for number, name in enumerate(names):
            facts: dict[str, Any] = {
                "id": f"{number:032x}",
                "account_id": api.account_id,
                "account_name": "",
                "name": name,
                "type": "full",
                "plan": PLANS[number % 4].legacy_id,
                "paused": False,
                "version": 1,
                "created_on": number,
                "modified_on": number,
            }
            await zones.insert(connection, Zone(**{**facts, **members}))


async def _names(api: Api, query: str) -> list[str]:
    return [zone["name"] for zone in await api.result("GET", f"/zones?{query}")]


async def test_a_zone_lives_from_its_making_to_its_end(api: Api) -> None:
    made = await api.result("POST", "/zones", json={"name": "Shop.Example.COM."})
    assert (made["name"], made["status"], made["paused"], made["type"]) == ("shop.example.com", "active", False, "full")
    assert (made["plan"]["legacy_id"], made["owner"]["id"]) == ("free", api.account_id)
    assert "#zone_settings:edit" in made["permissions"]
    path = f"/zones/{made['id']}"
    assert await api.result("GET", path) == made
    changed = await api.result("PATCH", path, json={"paused": True, "plan": {"id": PLANS[2].id}})
    assert (changed["paused"], changed["plan"]["legacy_id"]) == (True, "business")
    assert await api.result("GET", path) == changed
    assert await api.result("PATCH", path, json={}) == changed
    assert await api.result("PUT", f"{path}/activation_check") == {"id": made["id"]}
    assert await api.result("DELETE", path) == {"id": made["id"]}
    for method in ("GET", "PATCH", "DELETE"):
        assert (await api.ask(method, path, json={"paused": True})).status_code == 404
    assert api.control.publisher.snapshot().zones == ()


async def test_a_write_is_published_before_its_answer(api: Api) -> None:
    zone_id = await api.zone()
    await api.result("PATCH", f"/zones/{zone_id}", json={"paused": True})
    (zone,) = api.control.publisher.snapshot().zones
    assert (zone.name, zone.paused) == ("example.com", True)


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({}, 1004, "/name"),
        ({"name": 5}, 1004, "/name"),
        ({"name": "x" * 254}, 1004, "/name"),
        ({"name": "bad name"}, 1049, "/name"),
        ({"name": "example"}, 1049, "/name"),
        ({"name": "192.0.2.1"}, 1049, "/name"),
        ({"name": "*.example.com"}, 1049, "/name"),
        ({"name": "a.example.com", "type": "odd"}, 1004, "/type"),
        ({"name": "a.example.com", "account": {"id": ABSENT}}, 1004, "/account/id"),
        ({"name": "a.example.com'; DROP TABLE zones; --"}, 1049, "/name"),
    ],
)
async def test_a_bad_zone_is_refused_where_it_is_bad(
    api: Api, members: dict[str, Any], code: int, pointer: str
) -> None:
    answer = await api.ask("POST", "/zones", json=members)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, code, pointer)


async def test_of_two_who_take_a_name_at_once_one_gets_it(api: Api) -> None:
    answers = await asyncio.gather(*(api.ask("POST", "/zones", json={"name": "race.example"}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
    assert {code for answer in answers if answer.status_code == 400 for code in codes(answer)} == {1061}


async def test_of_two_who_remove_a_zone_at_once_one_does(api: Api) -> None:
    zone_id = await api.zone()
    answers = await asyncio.gather(*(api.ask("DELETE", f"/zones/{zone_id}") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    kinds = [entry["action"]["type"] for entry in await api.entries()]
    assert kinds == ["delete", "create"]


async def test_edits_at_once_are_written_down_one_after_the_other(api: Api) -> None:
    zone_id = await api.zone()
    edits = [{"paused": number % 2 == 0} for number in range(6)]
    await asyncio.gather(*(api.result("PATCH", f"/zones/{zone_id}", json=edit) for edit in edits))
    entries = [entry for entry in await api.entries() if entry["action"]["type"] == "update"]
    values = [json.loads(entry[side])["paused"] for entry in reversed(entries) for side in ("oldValue", "newValue")]
    # Each changed what the one before left; one that found it as it wants it left no trace.
    assert values == [one for at in range(len(entries)) for one in (at % 2 == 1, at % 2 == 0)]
    async with api.control.database.look() as connection:
        zone = await zones.find(connection, zone_id)
    assert zone is not None
    assert (zone.paused, zone.version) == (values[-1], 1 + 2 * len(entries))


async def test_an_edit_that_changes_nothing_leaves_no_trace(api: Api) -> None:
    zone_id = await api.zone()
    edited = await api.result("PATCH", f"/zones/{zone_id}", json={"paused": True, "plan": {"id": "pro"}})
    before = (api.control.publisher.revision, len(await api.entries()))
    for same in ({"paused": True}, {"plan": {"id": "pro"}}, {"paused": True, "type": "full"}):
        assert await api.result("PATCH", f"/zones/{zone_id}", json=same) == edited
    assert (api.control.publisher.revision, len(await api.entries())) == before
    await api.result("PATCH", f"/zones/{zone_id}", json={"paused": False, "plan": {"id": "pro"}})
    assert json.loads((await api.entries())[0]["newValue"]) == {"paused": False}


async def test_a_zone_lies_neither_within_nor_above_one_of_another_account(api: Api) -> None:
    other = (await api.result("POST", "/accounts", json={"name": "Somebody else"}))["id"]
    owners = {"ours": api.account_id, "theirs": other}
    await api.zone("a.test")
    await api.zone("deep.down.b.test")
    for who, name, is_taken in (
        ("theirs", "a.test", True),
        ("theirs", "ws.a.test", True),
        ("theirs", "x.y.a.test", True),
        ("theirs", "b.test", True),
        ("theirs", "down.b.test", True),
        ("theirs", "xa.test", False),
        ("theirs", "up.b.test", False),
        ("ours", "b.test", True),
        ("ours", "ws.a.test", False),
        ("ours", "down.b.test", False),
    ):
        answer = await api.ask("POST", "/zones", json={"name": name, "account": {"id": owners[who]}})
        assert (answer.status_code, codes(answer)) == ((400, [1061]) if is_taken else (200, [])), (who, name)
        assert not is_taken or answer.json()["errors"][0]["source"] == {"pointer": "/name"}
        assert not is_taken or not [one for one in (*owners.values(), "Somebody") if one in answer.text]


async def test_of_two_accounts_that_take_overlapping_names_at_once_one_gets_its_name(api: Api) -> None:
    other = (await api.result("POST", "/accounts", json={"name": "Somebody else"}))["id"]
    wanted = [("race.example", api.account_id), ("ws.race.example", other)] * 3
    answers = await asyncio.gather(
        *(api.ask("POST", "/zones", json={"name": name, "account": {"id": account}}) for name, account in wanted)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]


async def test_the_entry_of_a_removed_zone_says_what_went_with_it(api: Api) -> None:
    zone_id = await api.zone()
    for number in range(3):
        record = {"type": "A", "name": f"r{number}", "content": "192.0.2.1"}
        await api.result("POST", f"/zones/{zone_id}/dns_records", json=record)
    key = a_key()
    today = dt.datetime.fromtimestamp(START / 1e6, dt.UTC)
    chain = cert_pem(key, not_before=today, not_after=today + dt.timedelta(days=9)).decode()
    certificate = {"certificate": chain, "private_key": key_pem(key).decode()}
    await api.result("POST", f"/zones/{zone_id}/custom_certificates", json=certificate)
    rule = {"action": "route", "expression": "true", "action_parameters": {"origin": {"port": 1}}}
    path = f"/zones/{zone_id}/rulesets/phases/http_request_origin/entrypoint"
    await api.result("PUT", path, json={"rules": [rule, rule]})
    await api.result("DELETE", f"/zones/{zone_id}")
    removed = json.loads((await api.entries())[0]["oldValue"])
    assert (removed["name"], removed["removed"]) == (
        "example.com", {"dns_records": 3, "custom_certificates": 1, "rules": 2},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"paused": "perhaps"}, "/paused"),
        ({"plan": {"id": "gold"}}, "/plan/id"),
        ({"plan": "pro"}, "/plan"),
        ({"type": "odd"}, "/type"),
        ({"vanity_name_servers": ["ns1.example.com"]}, "/vanity_name_servers"),
    ],
)
async def test_a_bad_edit_is_refused_where_it_is_bad(api: Api, members: dict[str, Any], pointer: str) -> None:
    zone_id = await api.zone()
    answer = await api.ask("PATCH", f"/zones/{zone_id}", json=members)
    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, pointer)


async def test_filters_and_operators_find_what_they_name(api: Api) -> None:
    await _many(api, ["alpha.example", "beta.example", "al_ha.test", "gamma.test"])
    expected = {
        "name=alpha.example": ["alpha.example"],
        "name=ALPHA.example": ["alpha.example"],
        "name=equal:beta.example": ["beta.example"],
        "name=not_equal:beta.example": ["alpha.example", "al_ha.test", "gamma.test"],
        "name=starts_with:AL": ["alpha.example", "al_ha.test"],
        "name=starts_with_case_sensitive:AL": [],
        "name=ends_with:.test": ["al_ha.test", "gamma.test"],
        "name=ends_with_case_sensitive:.test": ["al_ha.test", "gamma.test"],
        "name=contains:l_h": ["al_ha.test"],
        "name=contains:%25": [],
        "name=contains_case_sensitive:mm": ["gamma.test"],
        "name=contains_case_sensitive:MM": [],
        "name=contains:": ["alpha.example", "beta.example", "al_ha.test", "gamma.test"],
        "name=ends_with:a-text-that-is-longer-than-every-name": [],
        "status=active": ["alpha.example", "beta.example", "al_ha.test", "gamma.test"],
        "status=pending": [],
        "type=partial": [],
        "type=partial&type=full&name=beta.example": ["beta.example"],
        f"account.id={api.account_id}&name=beta.example": ["beta.example"],
        f"account.id={ABSENT}": [],
        "account.name=contains:hold&name=starts_with:g": ["gamma.test"],
        "match=any&name=alpha.example&status=pending": ["alpha.example"],
        "match=all&name=alpha.example&status=pending": [],
        "order=name": ["al_ha.test", "alpha.example", "beta.example", "gamma.test"],
        "order=name&direction=desc": ["gamma.test", "beta.example", "alpha.example", "al_ha.test"],
        "order=plan.id&direction=desc": ["gamma.test", "al_ha.test", "beta.example", "alpha.example"],
        "order=status&name=gamma.test": ["gamma.test"],
    }
    # Names sort by the database's rules, which agree on letters and not on "_".
    for query, names in expected.items():
        found = await _names(api, query)
        if "order=name" in query:
            assert [name for name in found if "_" not in name] == [name for name in names if "_" not in name]
        else:
            assert found == names, query


async def test_a_bad_query_is_a_400(api: Api) -> None:
    bad = "per_page=51 per_page=0 page=0 page=x name=near:x order=size direction=up match=some status=gone name=%00"
    for query in (*bad.split(), "page=99999999999999999999", f"name={'x' * 301}"):
        assert (await api.ask("GET", f"/zones?{query}")).status_code == 400, query


async def test_a_thousand_zones_are_listed_page_by_page_without_one_twice(api: Api) -> None:
    await _many(api, [f"zone-{number}.example" for number in range(1000)])
    seen: list[str] = []
    for page in range(1, 21):
        answer = (await api.ask("GET", f"/zones?per_page=50&page={page}")).json()
        assert answer["result_info"] == {
            "page": page,
            "per_page": 50,
            "count": len(answer["result"]),
            "total_count": 1000,
            "total_pages": 20,
        }
        seen += [zone["id"] for zone in answer["result"]]
    assert len(seen) == len(set(seen)) == 1000
    for page in (21, 10_000_000):
        assert await api.result("GET", f"/zones?per_page=50&page={page}") == []


async def test_a_token_that_may_not_make_zones_makes_none(api: Api) -> None:
    secret = await api.token(allow("Zone Read", "DNS Write", on=on_account(api.account_id)))
    assert (await api.ask("POST", "/zones", secret=secret, json={"name": "a.example"})).status_code == 403
    zone_id = await api.zone()
    one = await api.token(allow("Zone Write", on={f"com.cloudflare.api.account.zone.{zone_id}": "*"}))
    assert (await api.ask("POST", "/zones", secret=one, json={"name": "b.example"})).status_code == 403


async def test_what_denies_zones_wins_when_one_is_made(api: Api) -> None:
    zone_id, all_zones = await api.zone(), {f"{ACCOUNT}.{api.account_id}": {f"{ZONE}.*": "*"}}
    allowed = allow("Zone Write", on=on_zone(zone_id)), allow("Account Settings Write", on=on_account(api.account_id))
    for policies in (allowed, (*allowed, deny("Zone Write", on=all_zones))):
        secret = await api.token(*policies)
        answer = await api.ask("POST", "/zones", secret=secret, json={"name": "b.example"})
        assert (answer.status_code, codes(answer)) == (403, [10000])
    secret = await api.token(
        allow("Zone Write", on=on_account(api.account_id)), deny("Zone Write", on=on_zone(zone_id))
    )
    assert (await api.ask("POST", "/zones", secret=secret, json={"name": "b.example"})).status_code == 200


async def test_the_official_sdk_keeps_zones_and_settings(api: Api) -> None:
    client = strict_sdk(api)
    made = await client.zones.create(account={"id": api.account_id}, name="sdk.example", type="full")
    assert made is not None
    assert (await client.zones.get(zone_id=made.id)) == made
    assert [zone.name async for zone in client.zones.list(name="contains:sdk", per_page=5)] == ["sdk.example"]
    edited = await client.zones.edit(zone_id=made.id, paused=True)
    assert edited is not None
    assert edited.paused
    for setting, value in (("websockets", "off"), ("ssl", "strict"), ("min_tls_version", "1.3"), ("ciphers", [])):
        done: Any = await client.zones.settings.edit(setting, zone_id=made.id, value=value)
        assert (done.id, done.value) == (setting, value)
        got: Any = await client.zones.settings.get(setting, zone_id=made.id)
        assert (got.value, got.editable) == (value, True)
    deleted = await client.zones.delete(zone_id=made.id)
    assert deleted is not None
    assert deleted.id == made.id
