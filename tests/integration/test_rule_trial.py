"""`holdfast rule test` by the rules of a zone that is served: what it says would happen is what happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.rules.managed import HOLDFAST_RULESET_ID
from tests.integration import wire
from tests.integration.installation import command
from tests.integration.origin import Origin
from tests.integration.run import Run
from tests.integration.test_control_returns import API, zone_with_record
from tests.integration.test_crash_serving import HOST
from tests.integration.test_crash_writes import UNLIMITED, ZONE, base_of
from tests.integration.waiting import poll

CUSTOM, MANAGED = "http_request_firewall_custom", "http_request_firewall_managed"
RULES = [
    {"action": "skip", "expression": 'http.request.uri.query eq "trusted"', "action_parameters": {"phases": [MANAGED]}},
    {"action": "block", "expression": 'http.request.uri.path eq "/status/401"', "description": "Not that one"},
]
DEPLOYED = [{"action": "execute", "expression": "true", "action_parameters": {"id": HOLDFAST_RULESET_ID}}]
# What is asked for, the status that the edge gives, and what decides.
TARGETS = [
    ("/echo", 101, "forwarded"),
    ("/status/401", 403, "Not that one"),
    ("/echo?id=1%20union%20select%201,2", 403, "holdfast-1901"),
]


@pytest.fixture
def run(origin: Origin, tmp_path: Path) -> Iterator[Run]:
    """An installation with a zone that has these rules."""
    with Run(tmp_path / "data", environment=UNLIMITED) as running:
        zone = f"{API}/zones/{zone_with_record(running, origin)}/rulesets/phases"
        for phase, rules in ((CUSTOM, RULES), (MANAGED, DEPLOYED)):
            status, said = running.ask("PUT", f"{zone}/{phase}/entrypoint", token=running.token, body={"rules": rules})
            assert status == 200, said
        # An edge that is busy has more than the quarter of a second that a write waits for it to take.
        poll(lambda: upgraded(running, TARGETS[2][0]) == 403, what="rules that are in force")
        yield running


def tried(run: Run, *words: str) -> tuple[int, str]:
    ended = command("rule", "test", *words, "--zone", ZONE, api=base_of(run), token=run.token)
    return ended.returncode, ended.stdout + ended.stderr


def upgraded(run: Run, target: str) -> int:
    with wire.connect(run.plain) as client:
        client.send(wire.upgrade(target, host=HOST))
        return client.read_answer().status


@pytest.mark.parametrize(("target", "status", "decided"), TARGETS, ids=[one[0] for one in TARGETS])
def test_a_zone_says_what_it_would_do_and_does_it(run: Run, target: str, status: int, decided: str) -> None:
    code, said = tried(run, "--url", f"ws://{HOST}:{run.plain[1]}{target}")
    assert code == (0 if status == 101 else 1), said
    assert decided in said
    assert upgraded(run, target) == status


def test_an_expression_finds_its_requests_among_the_last_ones(run: Run) -> None:
    for target, status, _ in TARGETS:
        assert upgraded(run, target) == status

    def are_the_newest() -> bool:
        _, said = tried(run, 'http.request.uri.path eq "/echo"', "--recorded", "9")
        verdicts = [line.startswith("match") for line in said.splitlines()[1:]]
        return verdicts[:3] == [True, False, True]

    poll(are_the_newest, what="the requests, the newest first")
    code, said = tried(run, "--recorded", "9")
    assert code == 1
    assert all(decided in said for _, _, decided in TARGETS)
