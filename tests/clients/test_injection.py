"""Strings that would break out of SQL, of a header, of a log line or of JSON, in every place of the API that takes a string.

Law 1: each is taken as text or refused with 4xx; none is a server's error, and none ends the installation.
Law 2: afterwards the tables are the tables, the log has one JSON object a line, and no answer of the edge and no request to
the origin has a header of theirs.
"""

import copy
import http.client
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from holdfast.rules.managed import HOLDFAST_RULESET_ID
from tests.clients.conftest import UNLIMITED
from tests.integration import records, wire
from tests.integration.certificates import Authority
from tests.integration.installation import Installation
from tests.integration.origin import Origin

HEADER = "X-Injected"
PAYLOADS = [
    "' OR '1'='1",
    "'; DROP TABLE zones; --",
    '" OR ""=""; DELETE FROM tokens; --',
    "1); UPDATE tokens SET status='active'; /*",
    "%' ESCAPE '!' OR 1=1 --",
    f"a\r\n{HEADER}: 1",
    f"a\n{HEADER}: 1\n\n<html>",
    f"a%0d%0a{HEADER}: 1",
    'a", "level": "forged"}\n{"event": "forged"}',
    "a\0b",
    "\u202egnp.exe\u2028\u0085\ufeff",
    "\ud800",
    "\U0001f30a" * 100,
    "[" * 20_000,
    "x" * 100_000,
    "../../../../etc/passwd",
    "${jndi:ldap://127.0.0.1/a}{{7*7}}",
]
NAME = "inject.example"


def bodies(account_id: str, pair_cert: str, pair_key: str) -> dict[str, Any]:
    """For each route that takes a body, one that it takes well. Every string in it is then replaced."""
    record = {
        "type": "A",
        "name": "www",
        "content": "127.0.0.1",
        "ttl": 1,
        "proxied": True,
        "comment": "c",
        "tags": ["a:b"],
    }
    rule = {
        "action": "route",
        "expression": 'http.host eq "x"',
        "description": "d",
        "ref": "r",
        "action_parameters": {
            "host_header": "a.example",
            "origin": {"host": "a.example", "port": 80},
            "sni": {"value": "a.example"},
        },
    }
    ruleset = {"name": "n", "description": "d", "kind": "zone", "phase": "http_request_origin", "rules": [rule]}
    skip = {
        "action": "skip",
        "expression": "ssl",
        "action_parameters": {"phases": ["http_ratelimit"], "products": ["waf"], "ruleset": "current"},
        "logging": {"enabled": True},
    }
    answer = {"status_code": 403, "content_type": "text/plain", "content": "no"}
    block = {"action": "block", "expression": "ssl", "action_parameters": {"response": answer}}
    limit = {
        "action": "block",
        "expression": "ssl",
        "ratelimit": {
            "characteristics": ["cf.colo.id", 'http.request.headers["x"]'],
            "period": 10,
            "requests_per_period": 1,
            "mitigation_timeout": 10,
            "counting_expression": 'http.host eq "x"',
        },
    }
    overrides = {
        "action": "log",
        "categories": [{"category": "origin", "action": "block"}],
        "rules": [{"id": "0" * 32, "score_threshold": 5}],
    }
    execute = {
        "action": "execute",
        "expression": "true",
        "action_parameters": {"id": HOLDFAST_RULESET_ID, "version": "latest", "overrides": overrides},
    }
    exception = {
        "action": "skip",
        "expression": "true",
        "action_parameters": {"rules": {HOLDFAST_RULESET_ID: ["0" * 32]}, "rulesets": [HOLDFAST_RULESET_ID]},
    }
    entrypoint = "PUT /zones/{zone}/rulesets/phases/{phase}/entrypoint"
    firewall = {
        entrypoint.replace("{phase}", phase): {"rules": rules}
        for phase, rules in (
            ("http_request_firewall_custom", [skip, block]),
            ("http_ratelimit", [limit]),
            ("http_request_firewall_managed", [exception, execute]),
        )
    }
    executed = {"name": "n", "kind": "custom", "phase": "http_request_firewall_custom", "rules": [block]}
    policy = {
        "effect": "allow",
        "resources": {f"com.cloudflare.api.account.{account_id}": "*"},
        "permission_groups": [{"id": "c8fed203ed3043cba015a93ad1616f1f"}],
    }
    token = {
        "name": "t",
        "policies": [policy],
        "condition": {"request_ip": {"in": ["127.0.0.1"], "not_in": ["192.0.2.1"]}},
        "not_before": "2026-01-01T00:00:00Z",
        "expires_on": "2036-01-01T00:00:00Z",
    }
    certificate = {"certificate": pair_cert, "private_key": pair_key, "bundle_method": "force", "type": "sni_custom"}
    return {
        "POST /zones": {"name": "made.example", "account": {"id": account_id}, "type": "full"},
        "PATCH /zones/{zone}": {"type": "full", "plan": {"id": "free"}, "vanity_name_servers": ["ns.example"]},
        "PATCH /zones/{zone}/settings/ssl": {"value": "full"},
        "PATCH /zones/{zone}/settings/ciphers": {"value": ["ECDHE-RSA-AES128-GCM-SHA256"]},
        "PATCH /zones/{zone}/settings": {"items": [{"id": "ssl", "value": "full"}]},
        "POST /zones/{zone}/dns_records": record,
        "PATCH /zones/{zone}/dns_records/{record}": record,
        "POST /zones/{zone}/dns_records/batch": {"posts": [record], "deletes": [{"id": "0" * 32}]},
        "POST /zones/{zone}/custom_certificates": certificate,
        "PUT /zones/{zone}/custom_certificates/prioritize": {"certificates": [{"id": "0" * 32, "priority": 1}]},
        "POST /zones/{zone}/rulesets": ruleset,
        "PUT /zones/{zone}/rulesets/phases/http_request_origin/entrypoint": ruleset,
        **firewall,
        "POST /accounts/{account}/rulesets": executed,
        "PUT /zones/{zone}/subscription": {"rate_plan": {"id": "free"}, "frequency": "monthly"},
        "PUT /accounts/{account}": {"name": "n", "type": "standard"},
        "POST /accounts": {"name": "n", "type": "standard"},
        "PATCH /user": {"first_name": "f", "last_name": "l", "country": "NL", "telephone": "1", "zipcode": "2"},
        "POST /user/tokens": token,
        "POST /accounts/{account}/tokens": token,
    }


def variants(value: Any, payload: str) -> Iterator[Any]:
    """`value` with one string in it, or one key, replaced: each in its turn."""
    if isinstance(value, str):
        yield payload
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from ([*value[:at], one, *value[at + 1 :]] for one in variants(item, payload))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: one} for one in variants(item, payload))
            yield {payload if name == key else name: copy.deepcopy(one) for name, one in value.items()}


class Asker:
    """Who asks an API, with nothing of a client's own between."""

    def __init__(self, installed: Installation) -> None:
        host, _, port = installed.api.removeprefix("http://").partition("/")[0].partition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=60)
        self._headers = {"Authorization": f"Bearer {installed.token}", "User-Agent": "test' OR 1=1 --"}

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status and the answer, which is JSON whatever was asked."""
        # Escaped, so that a lone surrogate goes out as JSON writes it.
        sent = None if body is None else json.dumps(body).encode("ascii")
        self._connection.request(method, f"/client/v4{path}", sent, self._headers)
        answer = self._connection.getresponse()
        read = answer.read()
        assert answer.getheader(HEADER) is None, (method, path, body)
        return answer.status, json.loads(read) if "json" in (answer.getheader("Content-Type") or "") else read

    def result(self, method: str, path: str, body: object = None) -> Any:
        """The result, where it must succeed."""
        status, answer = self(method, path, body)
        assert status == 200, answer
        return answer["result"]

    def close(self) -> None:
        self._connection.close()


class Target:
    """An installation with a zone, whose names lead to the fake origin."""

    def __init__(self, installed: Installation, data: Path, origin: Origin) -> None:
        self.installed, self.data = installed, data
        self.ask = Asker(installed)
        self.account_id = self.ask.result("GET", "/accounts")[0]["id"]
        self.zone_id = self.ask.result("POST", "/zones", {"name": NAME})["id"]
        record = {"type": "A", "name": "@", "content": origin.host, "ttl": 1, "proxied": True}
        self.record_id = self.ask.result("POST", f"/zones/{self.zone_id}/dns_records", record)["id"]
        self.tables = self.of_database("SELECT name, sql FROM sqlite_master ORDER BY name")

    def of_database(self, statement: str) -> list[Any]:
        with sqlite3.connect(f"file:{self.data}/holdfast.db?mode=ro", uri=True) as connection:
            return connection.execute(statement).fetchall()

    def path(self, template: str) -> str:
        known = {"{zone}": self.zone_id, "{account}": self.account_id, "{record}": self.record_id}
        for name, value in known.items():
            template = template.replace(name, value)
        return template


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> Iterator[Target]:
    data = tmp_path_factory.mktemp("injection") / "data"
    with Installation(data, *UNLIMITED) as running:
        one = Target(running, data, origin)
        yield one
        one.ask.close()
        check_what_is_left(one, origin)


def check_what_is_left(target: Target, origin: Origin) -> None:
    """Law 2."""
    assert target.of_database("SELECT name, sql FROM sqlite_master ORDER BY name") == target.tables
    assert target.of_database("PRAGMA integrity_check") == [("ok",)]
    assert target.of_database("SELECT count(*) FROM tokens WHERE status NOT IN ('active', 'disabled')") == [(0,)]
    route = {"action": "route", "expression": "true", "action_parameters": {"origin": {"port": origin.port}}}
    ask, zone = Asker(target.installed), f"/zones/{target.zone_id}"
    for setting, value in (("ssl", "flexible"), ("websockets", "off")):
        ask.result("PATCH", f"{zone}/settings/{setting}", {"value": value})
    ask.result("PUT", f"{zone}/rulesets/phases/http_request_origin/entrypoint", {"rules": [route]})
    hosts = {one["name"] for one in ask.result("GET", f"{zone}/dns_records") if one["type"] == "A"}
    ask.close()
    for host in sorted(hosts):
        for request in (wire.request("GET", "/", "Connection: close", host=host), wire.upgrade("/echo", host=host)):
            with wire.connect(target.installed.plain) as client:
                assert client.request(request)[0].values(HEADER) == []
    assert not [head for seen in origin.connections for head in seen.heads if head.values(HEADER)]
    # A sentence of the command itself is for people, and begins with its name.
    lines = [line for line in target.installed.log_lines if not line.startswith("holdfast run: ")]
    broken = [line for line in lines if records.parse(line) is None]
    assert broken == []
    assert not [line for line in lines if json.loads(line).get("event") in {"forged", "api_failed"}]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload[:24]!r}")
def test_in_every_string_of_every_body(target: Target, authority: Authority, payload: str) -> None:
    pair = authority.issue(NAME)
    wrong = []
    for route, body in bodies(target.account_id, pair.cert.read_text(), pair.key.read_text()).items():
        method, _, template = route.partition(" ")
        for variant in variants(body, payload):
            status, answer = target.ask(method, target.path(template), variant)
            if not (status == 200 or 400 <= status < 500) or answer["success"] is not (status == 200):
                wrong.append((route, str(variant)[:300], status, str(answer)[:200]))
    assert wrong == []


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload[:24]!r}")
def test_in_every_parameter_of_every_question_and_in_every_path(target: Target, payload: str) -> None:
    asked = quote(payload[:4000], safe="", errors="surrogatepass")
    described = target.ask("GET", "/openapi.json")[1]["paths"]
    wrong = []
    for path, methods in described.items():
        known = path.removeprefix("/client/v4").replace("{zone_id}", target.zone_id)
        known = known.replace("{account_id}", target.account_id)
        parameters = methods.get("get", {}).get("parameters", [])
        inner = known.partition("{")[0] + asked if "{" in known else f"{known}/{asked}"
        questions = [inner, *(f"{known}?{one['name']}={asked}" for one in parameters if one["in"] == "query")]
        for question in questions:
            status, _ = target.ask("GET", question.replace("{", "%7B").replace("}", "%7D"))
            if not (status == 200 or 400 <= status < 500):
                wrong.append((question[:200], status))
    assert wrong == []
