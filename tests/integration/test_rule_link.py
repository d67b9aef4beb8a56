"""What rules draw on, on a running edge: accounts, lists and managed rules are in force when they are said to be, alone."""

import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.control_link import Applied, Delta, FullSnapshot, Refused
from holdfast.model.rule_documents import (
    AccessRuleDocument,
    AccountDocument,
    ListDocument,
    ManagedDocument,
    RuleDocument,
    RulesetDocument,
)
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from holdfast.rules.seclang import OWASP_RULESET_ID
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.zone_parts import EDGE_IP, ORIGIN_IP, SOURCE, Bench, bench
from tests.unit.edge.origins import a_document, a_record

HOST = "chat.example.com"
ACCOUNT_ID, LIST_ID = "a" * 32, "7" * 32
CUSTOM, MANAGED = "http_request_firewall_custom", "http_request_firewall_managed"
LIST_ITEMS = 100_000
# An upgrade takes some milliseconds, and the list far longer; only a machine that stands still answers fewer meanwhile.
LEAST_MEANWHILE = 5
# Two rules of a Core Rule Set: one that scores, and the threshold.
RELEASE = b"""
SecRule ARGS "@contains attack" "id:942100,phase:2,block,t:none,msg:'An attack',tag:'paranoia-level/1',\\
  severity:'CRITICAL',setvar:'tx.anomaly_score=+5'"
SecRule TX:ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" "id:949110,phase:2,deny,t:none,msg:'Exceeded'"
"""


@pytest.fixture
def parts(tmp_path: Path, authority: Authority) -> Iterator[Bench]:
    with bench(tmp_path, authority.issue("own.test")) as everything:
        yield everything


def a_rule(expression: str, action: str = "block", **parameters: Any) -> RuleDocument:
    return RuleDocument(id="1" * 32, version=1, action=action, expression=expression, action_parameters=parameters)


def a_ruleset(kind: Any, phase: str, *rules: RuleDocument) -> RulesetDocument:
    return RulesetDocument(id="2" * 32, kind=kind, phase=phase, version=1, rules=rules)


def zone(*rulesets: RulesetDocument) -> ZoneDocument:
    """A zone of the account, with these rules, whose names go to the origin."""
    records = (a_record("example.com", ORIGIN_IP), a_record("*.example.com", ORIGIN_IP))
    return a_document("example.com", *records, account_id=ACCOUNT_ID, rulesets=rulesets)


def an_account(*rules: RuleDocument, blocks: str = "") -> AccountDocument:
    access = AccessRuleDocument(id="3" * 32, mode="block", target="ip", value=blocks)
    return AccountDocument(
        id=ACCOUNT_ID,
        version=1,
        rulesets=(a_ruleset("root", CUSTOM, *rules),) if rules else (),
        access_rules=(access,) if blocks else (),
    )


def a_list(*items: str, ident: str = LIST_ID, name: str = "bad") -> ListDocument:
    return ListDocument(id=ident, account_id=ACCOUNT_ID, version=1, name=name, kind="ip", items=items)


def managed_rules() -> ManagedDocument:
    files = {"rules.conf": zlib.compress(RELEASE)}
    return ManagedDocument(id=OWASP_RULESET_ID, version=1, release="3.3.4", files=files)


def publish(parts: Bench, refused: int = 0, **news: Any) -> list[Refused]:
    """Publish a change, and wait until it is in force; what the edge refused of it."""
    control = parts.control
    control.revision += 1
    control.send(Delta(source=SOURCE, base=control.revision - 1, revision=control.revision, **news))
    refusals = [control.hear(Refused) for _ in range(refused)]
    assert control.hear(Applied).revision == control.revision
    return refusals


def status(parts: Bench, target: str = "/echo") -> int:
    with wire.connect(parts.plain) as client:
        client.send(wire.upgrade(target, host=HOST))
        return client.read_answer().status


def start(parts: Bench, *zones: ZoneDocument) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(*zones)
    assert status(parts) == 101


def test_what_an_account_says_is_in_force_for_its_zones(parts: Bench) -> None:
    start(parts, zone())
    publish(parts, accounts=(an_account(a_rule('http.host eq "chat.example.com"')),))
    assert status(parts) == 403
    publish(parts, accounts=(an_account(a_rule("false")),))
    assert status(parts) == 101
    publish(parts, accounts=(an_account(blocks=EDGE_IP),))
    assert status(parts) == 403
    publish(parts, removed=(ACCOUNT_ID,))
    assert status(parts) == 101


def test_a_list_is_in_force_for_the_rules_that_name_it_without_them(parts: Bench) -> None:
    start(parts, zone(a_ruleset("zone", CUSTOM, a_rule("ip.src in $bad"))))
    publish(parts, lists=(a_list(EDGE_IP),))
    assert status(parts) == 403
    publish(parts, lists=(a_list("192.0.2.0/24"),))
    assert status(parts) == 101
    publish(parts, lists=(a_list("127.0.0.0/8", name="good"),))
    assert status(parts) == 101
    publish(parts, lists=(a_list("127.0.0.0/8"),))
    assert status(parts) == 403
    publish(parts, removed=(LIST_ID,))
    assert status(parts) == 101


def test_managed_rules_are_in_force_for_the_rules_that_execute_them(parts: Bench) -> None:
    overrides = {"rules": [{"id": "6179ae15870a4bb7b2d480d4843b323c", "score_threshold": 5}]}
    executing = a_ruleset("zone", MANAGED, a_rule("true", "execute", id=OWASP_RULESET_ID, overrides=overrides))
    start(parts, zone(executing))
    attack = "/echo?x=attack"
    assert status(parts, attack) == 101
    publish(parts, managed=(managed_rules(),))
    assert (status(parts, attack), status(parts)) == (403, 101)
    publish(parts, removed=(OWASP_RULESET_ID,))
    assert status(parts, attack) == 101


def test_our_own_managed_rules_need_not_be_loaded(parts: Bench) -> None:
    start(parts, zone(a_ruleset("zone", MANAGED, a_rule("true", "execute", id=HOLDFAST_RULESET_ID))))
    assert status(parts, "/echo?file=../../../../etc/passwd") == 403


def test_what_is_refused_keeps_its_last_good_version(parts: Bench) -> None:
    start(parts, zone(a_ruleset("zone", CUSTOM, a_rule("ip.src in $bad"))))
    publish(parts, lists=(a_list(EDGE_IP),))
    refusals = publish(parts, refused=2, lists=(a_list("nonsense"),), accounts=(an_account(blocks="nonsense"),))
    assert [(one.kind, one.id) for one in refusals] == [("account", ACCOUNT_ID), ("list", LIST_ID)]
    assert "items[0]: expected an address or a network, got 'nonsense'" in refusals[1].reason
    assert status(parts) == 403


def test_an_edge_that_starts_without_control_serves_by_all_of_it(parts: Bench) -> None:
    first = parts.start_edge()
    parts.control.welcome()
    in_managed = a_ruleset(
        "zone", MANAGED, a_rule('http.request.uri.path eq "/managed"', "execute", id=OWASP_RULESET_ID)
    )
    served = zone(a_ruleset("zone", CUSTOM, a_rule('http.request.uri.path eq "/list" and ip.src in $bad')), in_managed)
    parts.control.revision = 1
    everything = SnapshotDocument(
        source=SOURCE,
        revision=1,
        zones=(served,),
        accounts=(an_account(a_rule('http.request.uri.path eq "/account"')),),
        managed=(managed_rules(),),
    )
    parts.control.send(FullSnapshot(snapshot=everything))
    assert parts.control.hear(Applied).revision == 1
    publish(parts, lists=(a_list(EDGE_IP),))
    first.stop()
    parts.control.hang_up()
    second = parts.start_edge()
    assert second.had_a_journal
    assert [status(parts, target) for target in ("/account", "/list", "/echo")] == [403, 403, 101]
    assert set(second.policy.snapshot.managed) == {OWASP_RULESET_ID, HOLDFAST_RULESET_ID}
    hello = parts.control.welcome()
    assert (hello.source, hello.revision) == (SOURCE, 2)
    publish(parts, removed=(LIST_ID, ACCOUNT_ID))
    assert [status(parts, target) for target in ("/account", "/list")] == [200, 200]


def test_a_list_of_a_hundred_thousand_keeps_no_request_waiting(parts: Bench) -> None:
    start(parts, zone(a_ruleset("zone", CUSTOM, a_rule("ip.src in $bad"))))
    items = [f"10.{number // 65536}.{number // 256 % 256}.{number % 256}" for number in range(LIST_ITEMS - 1)]
    answers: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            answers.append(status(parts))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        publish(parts, lists=(a_list(*items, EDGE_IP),))
    finally:
        done.set()
        asking.join()
    assert status(parts) == 403
    # Until the list is in force, requests are answered as before; from then on by the list.
    assert answers == sorted(answers)
    assert answers.count(101) >= LEAST_MEANWHILE
    assert set(answers) <= {101, 403}
    publish(parts, lists=(a_list(*items),))
    assert status(parts) == 101
