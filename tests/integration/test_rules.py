"""Rules on the way to the 101, seen from clients: refused requests, and the tunnel that nobody inspects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.rule_documents import RulesetDocument
from holdfast.model.zone_document import ZoneDocument
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.zone_parts import ORIGIN_IP, Bench, bench
from tests.unit.edge.firewall.rules import a_rule, a_ruleset
from tests.unit.edge.origins import a_document, a_record

HOST = "chat.example.com"


@pytest.fixture
def parts(tmp_path: Path, authority: Authority) -> Iterator[Bench]:
    with bench(tmp_path, authority.issue("own.test", common_name="own")) as everything:
        everything.start_edge()
        everything.control.welcome()
        yield everything


def zone(*rulesets: RulesetDocument, **fields: Any) -> ZoneDocument:
    """A zone with these rules, whose names go to the origin."""
    records = (a_record("example.com", ORIGIN_IP), a_record("*.example.com", ORIGIN_IP))
    return a_document("example.com", *records, rulesets=rulesets, **fields)


def upgrade(parts: Bench, target: str = "/echo", *lines: str) -> tuple[wire.Answer, bytes]:
    with wire.connect(parts.plain) as client:
        client.send(wire.upgrade(target, *lines, host=HOST))
        answer = client.read_answer()
        return answer, b"" if answer.status == 101 else client.read_body(answer)


def test_a_custom_rule_refuses_an_upgrade_and_lets_others_through(parts: Bench) -> None:
    rule = a_rule("b" * 32, expression='http.request.uri.path eq "/echo" and http.request.uri.query eq "no"')
    parts.control.full(zone(a_ruleset(rule, ident="a" * 32)))
    answer, body = upgrade(parts, "/echo?no")
    problem = json.loads(body)
    assert (answer.status, problem["error_code"], problem["rule_id"]) == (403, 1020, "b" * 32)
    assert problem["ray_id"] == answer.value("CF-Ray")
    assert answer.value("Holdfast-Refused") == (
        f'rule;id="{"b" * 32}";ruleset="{"a" * 32}";phase=http_request_firewall_custom;zone="example.com"'
    )
    assert upgrade(parts, "/echo?yes")[0].status == 101
