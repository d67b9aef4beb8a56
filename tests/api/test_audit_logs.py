"""The audit log, in both versions: every write is in it, with both values, and no secret ever is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.control.audit_retention import trim
from holdfast.control.first_start import another_token
from holdfast.model.permission import BY_NAME
from holdfast.store import identities
from holdfast.store.audit import Share
from tests.api.harness import ACCOUNT, SECOND, ZONE, Api, allow, codes, on_account, on_user, strict_sdk

BETWEEN = "since=2026-11-01&before=2026-12-01"
POLICY = {"effect": "allow", "permission_groups": [{"id": BY_NAME["Zone Read"].id}], "resources": {f"{ZONE}.*": "*"}}


def values(entry: dict[str, Any]) -> tuple[Any, Any]:
    return json.loads(entry["oldValue"] or "null"), json.loads(entry["newValue"] or "null")


async def test_a_write_is_there_with_who_what_where_and_both_values(api: Api) -> None:
    zone_id = await api.zone()
    await api.result("PATCH", f"/zones/{zone_id}/settings/websockets", json={"value": "off"}, address="192.0.2.7")
    entry = (await api.entries())[0]
    assert values(entry) == ({"value": "on"}, {"value": "off"})
    assert entry["action"] == {"type": "update", "result": True}
    assert entry["actor"] == {"id": api.user_id, "email": "owner@localhost", "ip": "192.0.2.7", "type": "user"}
    assert entry["resource"] == {"id": "websockets", "type": "zone_setting"}
    assert entry["owner"] == {"id": api.account_id}
    assert entry["metadata"]["zone_name"] == "example.com"
    assert entry["metadata"]["token_name"] == "first token"
    trail = (await api.result("GET", f"/accounts/{api.account_id}/logs/audit?{BETWEEN}"))[0]
    assert trail["id"] == entry["id"]
    assert (trail["resource"]["old_value"], trail["resource"]["request"]) == ({"value": "on"}, {"value": "off"})
    assert trail["raw"]["uri"] == f"/client/v4/zones/{zone_id}/settings/websockets"
    assert trail["zone"] == {"id": zone_id, "name": "example.com"}


async def test_a_write_that_is_refused_leaves_nothing(api: Api) -> None:
    zone_id = await api.zone()
    before = await api.entries()
    for value in ("maybe", None, 1):
        await api.ask("PATCH", f"/zones/{zone_id}/settings/websockets", json={"value": value})
    await api.ask("POST", "/zones", json={"name": "example.com"})
    await api.ask("POST", "/user/tokens", json={"name": "x", "policies": []})
    assert await api.entries() == before


async def test_no_secret_is_ever_written_down(api: Api) -> None:
    made = await api.result("POST", "/user/tokens", json={"name": "one", "policies": [POLICY]})
    path = f"/accounts/{api.account_id}/tokens"
    of_account = await api.result("POST", path, json={"name": "two", "policies": [POLICY]})
    secrets = [api.secret, made["value"], of_account["value"]]
    secrets.append(await api.result("PUT", f"/user/tokens/{made['id']}/value", json={}))
    secrets.append(await api.result("PUT", f"{path}/{of_account['id']}/value", json={}))
    await api.result("PUT", f"/user/tokens/{made['id']}", json={"name": "three", "policies": [POLICY]})
    await api.result("DELETE", f"/user/tokens/{made['id']}")
    seen = [
        (await api.ask("GET", f"/accounts/{api.account_id}/audit_logs")).text,
        (await api.ask("GET", f"/accounts/{api.account_id}/logs/audit?{BETWEEN}")).text,
        (await api.ask("GET", "/user/audit_logs")).text,
        (await api.ask("GET", "/user/tokens")).text,
        repr(api.log),
    ]
    assert not [secret for secret in secrets for text in seen if secret in text]
    kinds = [(one["action"]["type"], one["resource"]["type"]) for one in await api.entries()]
    assert kinds == [
        ("delete", "token"),
        ("update", "token"),
        ("update", "token_value"),
        ("update", "token_value"),
        ("create", "token"),
        ("create", "token"),
    ]


async def test_filters_take_what_they_name(api: Api) -> None:
    zone_id = await api.zone("one.example")
    await api.zone("two.example")
    await api.result("PATCH", f"/zones/{zone_id}", json={"paused": True}, address="192.0.2.7")
    await api.result("PATCH", "/user", json={"first_name": "Ada"})
    moment = (await api.entries())[1]["when"]
    expected = {
        "action.type=update": 2,
        "action.type=create": 2,
        "actor.ip=192.0.2.7": 1,
        "actor.ip=198.51.100.1": 0,
        "actor.email=owner@localhost": 4,
        "actor.email=x": 0,
        "zone.name=two.example": 1,
        "zone.name=two.example&action.type=update": 0,
        f"since={moment}": 2,
        f"before={moment}": 2,
        "since=2026-11-25": 4,
        "before=2026-11-25": 0,
        "hide_user_logs=true": 3,
        f"id={'0' * 32}": 0,
        "per_page=3": 3,
        "per_page=3&page=2": 1,
        "per_page=3&page=3": 0,
    }
    for query, count in expected.items():
        assert len(await api.result("GET", f"/accounts/{api.account_id}/audit_logs?{query}")) == count, query
    oldest_first = await api.result("GET", f"/accounts/{api.account_id}/audit_logs?direction=asc")
    assert oldest_first == list(reversed(await api.entries()))
    assert await api.result("GET", "/user/audit_logs?zone.name=one.example&action.type=create")


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("logs/audit", "since=2026-01-01", "/before"),
        ("logs/audit", "before=2026-01-01", "/since"),
        ("logs/audit", "since=2026-13-01&before=2026-01-01", "/since"),
        ("logs/audit", "since=0000-01-01&before=2026-01-01", "/since"),
        ("logs/audit", f"{BETWEEN}&cursor=x", "/cursor"),
        ("logs/audit", f"{BETWEEN}&cursor=%C3%A4", "/cursor"),
        ("logs/audit", f"{BETWEEN}&cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5IHg=", "/cursor"),
        ("logs/audit", f"{BETWEEN}&limit=0", "/limit"),
        ("logs/audit", f"{BETWEEN}&limit=1001", "/limit"),
        ("logs/audit", f"{BETWEEN}&direction=up", "/direction"),
        ("audit_logs", "since=yesterday", "/since"),
        ("audit_logs", "actor.ip=nonsense", "/actor.ip"),
        ("audit_logs", "per_page=0", "/per_page"),
    ],
)
async def test_a_bad_parameter_is_named(api: Api, path: str, query: str, pointer: str) -> None:
    answer = await api.ask("GET", f"/accounts/{api.account_id}/{path}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, pointer)


async def test_nobody_reads_the_log_of_others(api: Api) -> None:
    await api.zone()
    account_id, user_id = await api.account()
    everything = {f"{ACCOUNT}.*": "*"}
    secret = await api.token(allow("Access: Audit Logs Read", on=everything), owner_id=user_id)
    for path in ("audit_logs", f"logs/audit?{BETWEEN}"):
        assert codes(await api.ask("GET", f"/accounts/{api.account_id}/{path}", secret=secret)) == [9109]
        assert await api.result("GET", f"/accounts/{account_id}/{path}", secret=secret) == []
    reader = await api.token(allow("Account Settings Read", on=on_account(api.account_id)))
    assert (await api.ask("GET", f"/accounts/{api.account_id}/audit_logs", secret=reader)).status_code == 403


async def test_a_users_log_shows_of_accounts_what_the_token_may_read_there(api: Api) -> None:
    zone_id = await api.zone("secret.example")
    await api.result("PATCH", f"/zones/{zone_id}", json={"paused": True})
    await api.result("PATCH", "/user", json={"first_name": "Ada"})
    await api.result("POST", "/user/tokens", json={"name": "one", "policies": [POLICY]})
    details = allow("User Details Read", on=on_user(api.user_id))
    for policies, of_account, values_of_token in (
        ([details], 0, False),
        ([details, allow("API Tokens Read", on=on_user(api.user_id))], 0, True),
        ([details, allow("Access: Audit Logs Read", on=on_account(api.account_id))], 2, False),
        ([details, allow("Access: Audit Logs Read", on=on_account("e" * 32))], 0, False),
    ):
        secret = await api.token(*policies)
        answer = await api.ask("GET", "/user/audit_logs", secret=secret)
        token, user, *others = answer.json()["result"]
        assert (token["resource"]["type"], user["resource"]["type"]) == ("token", "user")
        assert (token["newValue"] is not None) is values_of_token
        assert user["newValue"] is not None
        assert len(others) == answer.json()["result_info"]["total_count"] - 2 == of_account
        assert ("secret.example" in answer.text) is (of_account > 0)


async def test_an_accounts_log_shows_no_values_of_what_its_users_have_elsewhere(api: Api) -> None:
    elsewhere, _ = await api.account()
    async with api.control.database.write() as connection:
        await identities.insert_member(connection, elsewhere, api.user_id)
    on = {f"{ACCOUNT}.{elsewhere}": {f"{ZONE}.*": "*"}}
    made = await api.result("POST", "/user/tokens", json={"name": "one", "policies": [{**POLICY, "resources": on}]})
    for owner in ("user", "account"):
        secret = await api.token(allow("Access: Audit Logs Read", on=on_account(api.account_id)), owner=owner)
        for path in ("audit_logs", f"logs/audit?{BETWEEN}"):
            answer = await api.ask("GET", f"/accounts/{api.account_id}/{path}", secret=secret)
            assert made["id"] in answer.text
            assert elsewhere not in answer.text
    # Who may read the token itself reads it here, too.
    assert values((await api.entries())[0])[1]["policies"][0]["resources"] == on


async def test_what_the_installation_did_itself_is_told_apart(api: Api) -> None:
    assert await another_token(api.control.database, now=api.clock())
    entry = (await api.entries())[0]
    assert entry["actor"] == {"id": api.user_id, "email": "", "ip": "", "type": "admin"}
    assert (entry["interface"], entry["resource"]["type"]) == ("CLI", "token")
    path = f"/accounts/{api.account_id}/logs/audit?{BETWEEN}"
    (trail,) = await api.result("GET", f"{path}&actor_type=system&actor_context.not=api_token")
    assert (trail["actor"]["type"], trail["actor"]["context"], trail["actor"]["token_id"]) == ("system", None, None)
    (seen,) = [one async for one in strict_sdk(api).audit_logs.list(account_id=api.account_id) if one.actor]
    assert seen.actor is not None
    assert seen.actor.type == "admin"


async def test_the_official_sdk_reads_both_versions(api: Api) -> None:
    zone_id = await api.zone()
    await api.result("PATCH", f"/zones/{zone_id}", json={"paused": True})
    client = strict_sdk(api)
    first = [entry async for entry in client.audit_logs.list(account_id=api.account_id, per_page=1)]
    assert [entry.action.type for entry in first if entry.action] == ["update", "create"]
    of_user = [entry async for entry in client.user.audit_logs.list(action={"type": "create"})]
    assert len(of_user) == 1
    trail = client.accounts.logs.audit.list(
        account_id=api.account_id, since="2026-11-01", before="2026-12-01", limit=1, action_type={"not": ["delete"]}
    )
    assert [entry.action.type async for entry in trail if entry.action] == ["update", "create"]


async def test_what_is_old_or_too_much_is_forgotten_and_nothing_else(api: Api) -> None:
    zone_id = await api.zone()
    for number in range(6):
        api.clock.advance(1)
        await api.result("PATCH", f"/zones/{zone_id}/settings/proxy_read_timeout", json={"value": number + 1})
    kept = await api.entries()
    database = api.control.database
    assert await trim(database, now=api.clock.now) == 0
    assert await trim(database, now=api.clock.now, quotas={Share.ZONE: 7}) == 0
    assert await trim(database, now=api.clock.now, quotas={Share.ZONE: 4}) == 3
    assert await api.entries() == kept[:4]
    assert await trim(database, now=api.clock.now, retention_us=2 * SECOND) == 2
    assert await api.entries() == kept[:2]


async def test_a_value_too_long_to_be_kept_is_cut(api: Api) -> None:
    zone_id = await api.zone()
    async with api.control.database.write() as connection:
        access = await _access(api)
        await access.record(connection, "update", "thing", zone_id, new={"text": "ä" * 40_000})
    _, new = values((await api.entries())[0])
    assert new["bytes"] > 80_000
    assert len(new["truncated"]) < 9_000


async def _access(api: Api) -> Any:
    from fastapi import Request

    from holdfast.api.access import Access, principal_of

    application = api.control.application
    scope = {
        "type": "http",
        "method": "PATCH",
        "path": "/x\0",
        "query_string": b"",
        "server": ("x", 1),
        "scheme": "http",
        "app": application,
        "client": ("127.0.0.1", 1),
        "headers": [(b"authorization", f"Bearer {api.secret}".encode()), (b"user-agent", b"\xff" * 2000)],
    }
    request = Request(scope)
    async with api.control.database.look() as connection:
        principal = await principal_of(request, connection)
    return Access(context=application.state.context, principal=principal, request=request, account_id=api.account_id)
