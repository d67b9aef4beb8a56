"""Whatever stands in whichever member of a request about a zone, the answer is a 2xx or a 4xx, and says why."""

from collections.abc import Iterator
from typing import Any

from tests.api.harness import Api
from tests.unit.certificates.making import a_key, cert_pem, key_pem

NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    0.5,
    2**63,
    -(2**63),
    1e300,
    "",
    " ",
    "x" * 70_000,
    "'; DROP TABLE zones; --",
    "\r\nX-Injected: 1",
    "\x01\x7f\u2028\U0001f600",
    "%00%0a",
    "../../etc/passwd",
    "${jndi:ldap://x}",
    [],
    {},
    [[]],
    {"a": {"b": [None]}},
    [None, 1, "x"],
    {"id": "x", "contains": "y"},
)


def _variants(body: Any) -> Iterator[Any]:
    """`body` with each nasty value in place of each of its members, at any depth, and of itself."""
    yield from NASTY
    members = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in members:
        for variant in _variants(value):
            copy = body.copy()
            copy[key] = variant
            yield copy


async def _try_all(api: Api, method: str, path: str, body: Any) -> None:
    async with api.client() as client:
        for variant in _variants(body):
            answer = await client.request(method, path, json=variant)
            assert answer.status_code < 500, (method, path, variant, answer.text, api.log[-1:])
            if answer.status_code >= 400:
                assert all(error["message"] for error in answer.json()["errors"]), answer.text


async def test_no_record_ends_in_an_internal_error(api: Api) -> None:
    path = f"/zones/{await api.zone()}/dns_records"
    record = {
        "name": "www",
        "type": "A",
        "content": "192.0.2.1",
        "ttl": 60,
        "proxied": False,
        "comment": "c",
        "tags": ["a:b"],
        "settings": {"ipv4_only": True},
        "private_routing": False,
    }
    made = await api.result("POST", path, json=record)
    for method in ("PUT", "PATCH"):
        await _try_all(api, method, f"{path}/{made['id']}", record)
    await _try_all(api, "POST", path, record)
    change = {"id": made["id"], "ttl": 120}
    await _try_all(api, "POST", f"{path}/batch", {"deletes": [], "patches": [change], "puts": [], "posts": [record]})


async def test_no_ruleset_ends_in_an_internal_error(api: Api) -> None:
    zone = await api.zone()
    rule = {
        "action": "route",
        "expression": "true",
        "description": "d",
        "enabled": True,
        "ref": "r",
        "action_parameters": {
            "host_header": "a.example",
            "origin": {"host": "b.example", "port": 1},
            "sni": {"value": "c.example"},
        },
    }
    entrypoint = f"/zones/{zone}/rulesets/phases/http_request_origin/entrypoint"
    await _try_all(api, "PUT", entrypoint, {"name": "n", "description": "d", "kind": "zone", "rules": [rule]})
    made = await api.result("PUT", entrypoint, json={"rules": [rule]})
    rules = f"/zones/{zone}/rulesets/{made['id']}/rules"
    await _try_all(api, "PATCH", f"{rules}/{made['rules'][0]['id']}", {**rule, "position": {"index": 1, "before": ""}})
    await _try_all(api, "POST", f"/zones/{zone}/rulesets", {"name": "n", "kind": "zone", "phase": "p"})


async def test_no_certificate_and_no_plan_ends_in_an_internal_error(api: Api) -> None:
    zone, key = await api.zone(), a_key()
    path = f"/zones/{zone}/custom_certificates"
    pair = {
        "certificate": cert_pem(key).decode(),
        "private_key": key_pem(key).decode(),
        "type": "sni_custom",
        "bundle_method": "force",
        "geo_restrictions": {"label": "us"},
        "policy": "p",
        "deploy": "production",
    }
    await _try_all(api, "POST", path, pair)
    await _try_all(api, "PUT", f"{path}/prioritize", {"certificates": [{"id": "0" * 32, "priority": 1}]})
    await _try_all(api, "PUT", f"/zones/{zone}/subscription", {"rate_plan": {"id": "pro"}, "frequency": "monthly"})


async def test_no_query_ends_in_an_internal_error(api: Api) -> None:
    zone = await api.zone()
    await api.result("POST", f"/zones/{zone}/dns_records", json={"name": "a", "type": "A", "content": "1.1.1.1"})
    names = ["page", "per_page", "name", "name.contains", "content", "comment.present", "tag", "search", "order"]
    values = ["", "%00", "%ff", "9" * 30, "-1", "'%20OR%201=1", "x" * 400, "%F0%9F%98%80", "[]"]
    async with api.client() as client:
        for path, asked in (("dns_records", names), ("custom_certificates", ["page", "per_page", "status"])):
            for query in (f"{name}={value}" for name in asked for value in values):
                answer = await client.get(f"/zones/{zone}/{path}?{query}")
                assert answer.status_code in {200, 400}, (path, query, answer.text)
        for value in values:
            answer = await client.put(f"/zones/{zone}/rulesets/phases/{value or 'x'}/entrypoint", json={})
            assert 400 <= answer.status_code < 500, value
