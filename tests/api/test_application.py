"""Whatever goes wrong, the answer is in the envelope, and says whose turn it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.api.request_body import MAX_BODY_BYTES
from tests.api.harness import ABSENT, Api, check_envelope, codes
from tests.api.routes import routes

WRITES = [route for route in routes() if route.is_write]


async def test_an_unknown_route_is_named(api: Api) -> None:
    for secret in (None, ""):
        answer = await api.ask("GET", "/zonez/x", secret=secret)
        assert answer.status_code == 404
        assert answer.json()["errors"] == [
            {
                "code": 7003,
                "message": "Could not route to /client/v4/zonez/x, perhaps your object identifier is invalid?",
            },
            {"code": 7000, "message": "No route for that URI"},
        ]


@pytest.mark.parametrize(
    "path", ["/", "//", "/../zones", "/zones/", "/zones//settings", "/%00", "/%ff", "/" + "a" * 9000]
)
async def test_odd_paths_are_unknown_routes(api: Api, path: str) -> None:
    answer = await api.ask("GET", path)
    assert (answer.status_code, codes(answer)) == (404, [7003, 7000])
    assert len(answer.text) < 1000


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "FOO"])
async def test_a_method_that_a_route_has_not_is_a_405_with_those_it_has(api: Api, method: str) -> None:
    answer = await api.ask(method, "/zones")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "HEAD"} or answer.headers["allow"] == "POST"


async def test_a_body_that_is_no_json_is_a_400_on_every_route_that_takes_one(api: Api) -> None:
    async with api.client() as client:
        for route in WRITES:
            if route.path.endswith("/import"):
                continue
            for body in (
                b"{",
                b"\xff",
                b'{"name":"\\u0000"}',
                b'{"ttl":1e999}',
                b"[" * 5000,
                b'{"a":' + b"9" * 40 + b"}",
            ):
                answer = await client.request(route.method, route.about(account_id=api.account_id), content=body)
                assert (answer.status_code, codes(answer)) == (400, [6007]), (route, body)


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "", "application/x-www-form-urlencoded", "\xff"]
)
async def test_a_body_is_taken_for_json_whatever_it_is_called(api: Api, content_type: str) -> None:
    headers = {"content-type": content_type.encode("latin-1")}
    answer = await api.ask("POST", "/zones", content=b'{"name":"a.example"}', headers=headers)
    assert answer.status_code == 200


async def test_a_body_too_long_is_a_413_announced_or_not(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    for content in (b" " * (MAX_BODY_BYTES + 1), pieces()):
        answer = await api.ask("POST", "/zones", content=content)
        assert (answer.status_code, codes(answer)) == (413, [10413])
    announced = await api.ask("POST", "/zones", content=b"{}", headers={"content-length": "9" * 30})
    assert announced.status_code == 413


async def test_wrong_types_are_named_with_their_place(api: Api) -> None:
    answer = await api.ask("POST", "/zones", json={"name": ["x"], "account": {"id": 5}, "type": "odd"})
    found = {error["source"]["pointer"]: error["message"] for error in answer.json()["errors"]}
    assert found.keys() == {"/name", "/account/id", "/type"}
    assert found["/account/id"] == "account.id: input should be a valid string, got 5"


async def test_a_pointer_leads_to_a_member_that_the_request_has(api: Api) -> None:
    zone_id = await api.zone()
    settings, group = f"/zones/{zone_id}/settings", {"id": ABSENT}
    policy = {"effect": "allow", "permission_groups": [group], "resources": {"com.cloudflare.api.account.zone.*": 1}}
    cases: list[tuple[str, str, Any, set[str]]] = [
        ("PATCH", settings, {"items": [{"value": "on"}]}, {"/items/0/id"}),
        ("PATCH", settings, [{"value": "on"}], {"/0/id"}),
        ("PATCH", settings, {}, {"/items"}),
        ("PATCH", settings, None, {""}),
        ("PATCH", settings, [{"id": "ssl"}] * 101, {""}),
        ("POST", "/user/tokens", {"name": "x", "policies": [policy]}, {"/policies/0/resources/com.cloudflare.api.account.zone.*"}),
        ("POST", "/user/tokens", {"name": "x", "policies": [], "condition": {"request_ip": {"ni": []}}},
         {"/policies", "/condition/request_ip/ni"}),
    ]  # fmt: skip
    for method, path, body, pointers in cases:
        answer = await api.ask(method, path, json=body)
        assert answer.status_code == 400, body
        assert {error["source"]["pointer"] for error in answer.json()["errors"]} == pointers, answer.text


async def test_what_came_is_said_back_only_where_it_can_be_no_secret(api: Api) -> None:
    path = f"/zones/{await api.zone()}/custom_certificates"
    secret = "-----BEGIN PRIVATE KEY-----secret"
    for body in (
        {"certificate": [secret], "private_key": {"a": secret}},
        {"certificate": {"x": "secret"}},
        [secret],
        secret,
    ):
        answer = await api.ask("POST", path, json=body)
        assert answer.status_code == 400
        assert "secret" not in answer.text


async def test_an_answer_has_a_bound_whatever_is_wrong(api: Api) -> None:
    path = f"/zones/{await api.zone()}/settings"
    key = "k" * 100_000
    for body in ([{"id": "x", "value": 1}] * 100, [{"id": "x", "value": 1}] * 50_000, {"items": [{"id": {key: 1}}]}):
        answer = await api.ask("PATCH", path, json=body)
        assert answer.status_code == 400
        assert len(answer.json()["errors"]) <= 20
        assert len(answer.content) < 20_000


async def test_a_failure_of_ours_tells_a_client_nothing_and_the_log_what(api: Api) -> None:
    async def fail(_: object) -> None:
        raise RuntimeError("the inside story")

    object.__setattr__(api.control.application.state.context, "on_change", fail)
    answer = await api.ask("POST", "/zones", json={"name": "a.example"})
    assert (answer.status_code, codes(answer)) == (500, [10500])
    assert "inside" not in answer.text
    event, fields = api.log[-1]
    assert (event, fields["error"]) == ("api_failed", "RuntimeError: the inside story")
    assert fields["request_id"] == answer.headers["cf-ray"]


async def test_a_database_that_is_away_is_a_503_and_comes_back(api: Api) -> None:
    from holdfast.store.database import StoreUnavailable

    database = api.control.database
    look = database.look

    def away() -> Any:
        raise StoreUnavailable("it is away")

    database.look = away  # type: ignore[method-assign]
    answer = await api.ask("GET", "/zones")
    assert (answer.status_code, codes(answer), answer.headers["retry-after"]) == (503, [10503], "2")
    database.look = look  # type: ignore[method-assign]
    assert (await api.ask("GET", "/zones")).status_code == 200


NAMES = st.sampled_from(
    [
        "id",
        "name",
        "type",
        "paused",
        "plan",
        "account",
        "policies",
        "effect",
        "permission_groups",
        "resources",
        "condition",
        "request_ip",
        "in",
        "not_in",
        "value",
        "items",
        "content",
        "ttl",
        "proxied",
        "comment",
        "tags",
        "settings",
        "posts",
        "puts",
        "patches",
        "deletes",
        "first_name",
        "certificate",
        "private_key",
        "rules",
        "action",
        "expression",
        "phase",
        "kind",
        "description",
        "enabled",
        "action_parameters",
        "origin",
        "host",
        "port",
        "status",
        "expires_on",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "\0", "' OR 1=1 --", "example.com", "2026-11-25T08:00:00Z", "192.0.2.1", ABSENT, "A", "allow", "on", "*",
         "com.cloudflare.api.account.zone.*", "x\r\nSet-Cookie: a=b", "\U0001f600" * 300, "true", "9" * 30]
    ),
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
QUERIES = st.dictionaries(
    st.sampled_from(["page", "per_page", "name", "order", "direction", "since", "before", "cursor", "limit", "zone.name",
                     "account.id", "type", "match", "id", "action_type.not", "content", "proxied", "search"]),
    TEXTS, max_size=3,
)  # fmt: skip


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_nothing_that_is_asked_is_our_failure(api: Api, data: st.DataObject) -> None:
    context = api.control.application.state
    if not getattr(context, "fuzzed_zone", None):
        context.fuzzed_zone = await api.zone("fuzzed.test")
    route = data.draw(st.sampled_from(routes()))
    path = route.about(
        account_id=api.account_id,
        zone_id=data.draw(st.sampled_from([context.fuzzed_zone, ABSENT])),
        setting_id=data.draw(st.sampled_from(["websockets", "ciphers", "proxy_read_timeout", "security_header", "x"])),
    )
    body = json.dumps(data.draw(VALUES)).encode() if route.is_write else b""
    async with api.client() as client:
        answer = await client.request(route.method, path, params=data.draw(QUERIES), content=body)
    # A zone file is no JSON.
    if not (route.path.endswith("/export") and answer.status_code == 200):
        check_envelope(answer)
    assert answer.status_code < 500, (route, answer.text, api.log[-1:])
    if str(route) == "DELETE /zones/{zone_id}" and answer.status_code == 200:
        context.fuzzed_zone = None
