"""Spellings of one path, seen from clients: rules know them for one, and the origin gets the one that was sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.firewall.counters_file import counters_file, open_counters
from holdfast.edge.firewall.values import MANAGED, RATE_LIMITS
from holdfast.limits.counters import RateCounters
from holdfast.model.request import Request
from holdfast.model.rule_documents import RulesetDocument
from holdfast.model.security_event import SecurityEvent
from holdfast.model.zone_document import OriginRuleDocument, UrlNormalization, ZoneDocument
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.zone_parts import ORIGIN_IP, Bench, bench
from tests.unit.edge.firewall.rules import a_limit, a_rule, a_ruleset
from tests.unit.edge.origins import a_document, a_record

HOST = "chat.example.com"
ADMIN = a_rule("b", expression='http.request.uri.path eq "/admin"')
SPELLINGS = ("/admin", "//admin", "/%61dmin", "/x/../admin", "/x/%2E%2e/admin", "/./admin", "/\\admin", "/x\\..\\admin")


@pytest.fixture
def events() -> list[SecurityEvent]:
    return []


@pytest.fixture
def parts(tmp_path: Path, authority: Authority, events: list[SecurityEvent]) -> Iterator[Bench]:
    def record(_: Request, found: Any) -> None:
        events.extend(found)

    def counters() -> RateCounters:
        return open_counters(counters_file(tmp_path), log=lambda *_: None, size=1024 * 1024)

    with bench(tmp_path, authority.issue("own.test", common_name="own")) as everything:
        everything.start_edge(open_counters=counters, record=record)
        everything.control.welcome()
        yield everything


def zone(*rulesets: RulesetDocument, **fields: Any) -> ZoneDocument:
    record = a_record("*.example.com", ORIGIN_IP)
    return a_document("example.com", record, rulesets=rulesets, **fields)


def statuses(parts: Bench, *targets: str) -> list[int]:
    """What is answered to an upgrade, and to another request, of each target: the same, or a test fails."""
    found = []
    for target in targets:
        given = []
        for data in (wire.upgrade(target, host=HOST), wire.request("GET", target, host=HOST)):
            with wire.connect(parts.plain) as client:
                client.send(data)
                given.append(client.read_answer().status)
        assert (given[0] == 403) is (given[1] == 403), target
        found.append(given[1])
    return found


def at_the_origin(parts: Bench, token: str) -> set[tuple[str, str]]:
    """Target and Host of the requests with `token` that the connection brought which is found by it."""
    seen = parts.plain_origin.look_up(token)
    assert seen is not None
    return {(head.target, head.value("Host")) for head in seen.heads if token in head.target}


def test_a_rule_on_a_path_sees_every_spelling_of_it(parts: Bench, events: list[SecurityEvent]) -> None:
    parts.control.full(zone(a_ruleset(ADMIN)))
    assert statuses(parts, *SPELLINGS) == [403] * len(SPELLINGS)
    # An event says what was sent, and what the rule saw.
    assert [event.path for event in events[::2]] == list(SPELLINGS)
    assert {event.fields for event in events} == {(("http.request.uri.path", "/admin"),)}


def test_other_paths_are_other_paths(parts: Bench) -> None:
    parts.control.full(zone(a_ruleset(ADMIN)))
    assert statuses(parts, "/ADMIN", "/ADMIN%2f", "/admin%2f", "/admin/", "/%2561dmin", "/admin/x/..") == [200] * 6


def test_a_target_that_begins_with_a_backslash_is_none(parts: Bench) -> None:
    parts.control.full(zone(a_ruleset(ADMIN)))
    for target in ("\\admin", "\\\\admin"):
        with wire.connect(parts.plain) as client:
            client.send(wire.upgrade(target, host=HOST))
            assert client.read_answer().status == 400


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        (UrlNormalization(), [403, 403, 403, 403]),
        (UrlNormalization(type="rfc3986"), [403, 403, 200, 200]),
        (UrlNormalization(scope="none"), [200, 200, 200, 200]),
    ],
)
def test_a_zone_says_how(parts: Bench, normalization: UrlNormalization, expected: list[int]) -> None:
    parts.control.full(zone(a_ruleset(ADMIN), url_normalization=normalization))
    assert statuses(parts, "/%61dmin", "/x/../admin", "//admin", "/\\admin") == expected
    assert statuses(parts, "/admin") == [403]


def test_the_origin_gets_what_was_sent(parts: Bench, token: str) -> None:
    rule = OriginRuleDocument(id="1", expression='http.request.uri.path eq "/b/c"', host_header="first.test")
    parts.control.full(zone(origin_rules=(rule,)))
    target = f"//a/../%62/c?{token}=//%61"
    assert statuses(parts, target)[0] == 200
    assert at_the_origin(parts, token) == {(target, "first.test")}


def test_a_paused_zone_has_its_origin_rules_see_the_same(parts: Bench, token: str) -> None:
    rule = OriginRuleDocument(id="1", expression='http.request.uri.path eq "/b/c"', host_header="first.test")
    parts.control.full(zone(a_ruleset(ADMIN), origin_rules=(rule,), paused=True))
    assert statuses(parts, "/admin", f"//%62/c?{token}") == [200, 200]
    assert at_the_origin(parts, token) == {(f"//%62/c?{token}", "first.test")}


def test_spellings_of_a_path_count_as_one(parts: Bench) -> None:
    limit = a_limit("l", 2, period=3600, characteristics=("cf.colo.id", "http.request.uri.path"))
    parts.control.full(zone(a_ruleset(limit, phase=RATE_LIMITS)))
    found = []
    for target in ("/a/b", "//a/b", "/%61/b", "/a/./b", "/a/c"):
        with wire.connect(parts.plain) as client:
            found.append(client.request(wire.request("GET", target, host=HOST))[0].status)
    assert found == [200, 200, 429, 429, 200]


def test_managed_rules_see_steps_that_are_normalised_away(parts: Bench, events: list[SecurityEvent]) -> None:
    parts.control.full(zone(a_ruleset(a_rule("m", executes=HOLDFAST_RULESET_ID), phase=MANAGED)))
    assert statuses(parts, "/static/../../etc/hosts", "/a/..\\secret", "/static/b.css") == [403, 403, 200]
    assert events
