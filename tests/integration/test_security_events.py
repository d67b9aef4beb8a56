"""What the edge refuses is an event of the API: once, whatever becomes of control, and counted for all however many there are.

Law: the zone's switch for WebSockets is off, so that each upgrade is refused and each refusal is an event.
"""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.event_sampling import RATES
from tests.integration import wire
from tests.integration.installation import command
from tests.integration.origin import Origin
from tests.integration.run import CONTROL, Run
from tests.integration.test_control_returns import API, restart_control, zone_with_record
from tests.integration.test_crash_serving import HOST
from tests.integration.test_crash_writes import UNLIMITED, ZONE, asked, base_of
from tests.integration.waiting import LIMIT_S, poll

KILLS = 3
# Below the burst of one kind: none of them stands for another.
A_FEW = int(RATES.kind.burst) * 9 // 10


class Refusing:
    """An installation with a zone that takes no WebSockets."""

    def __init__(self, run: Run, zone_id: str) -> None:
        self.run, self.zone_id, self.token = run, zone_id, run.token

    def refuse(self, target: str) -> str:
        """Have an upgrade refused; its ray."""
        with wire.connect(self.run.plain) as client:
            client.send(wire.upgrade(target, host=HOST))
            answer = client.read_answer()
        assert answer.status == 403
        return answer.ray

    def events(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = asked(
            self.run, self.token, f"/zones/{self.zone_id}/security/events?limit=1000{query}"
        )
        return found

    def metric(self, pattern: str) -> float:
        """The value of a figure that `pattern` names with its labels, 0 where there is none."""
        _, text = self.run.ask("GET", "/metrics")
        match = re.search(rf"^{pattern} ([0-9.e+]+)$", text, re.MULTILINE)
        return float(match[1]) if match else 0.0


@pytest.fixture
def refusing(origin: Origin, tmp_path: Path) -> Iterator[Refusing]:
    with Run(tmp_path / "data", environment=UNLIMITED) as run:
        zone_id = zone_with_record(run, origin)
        one = Refusing(run, zone_id)
        setting = f"{API}/zones/{zone_id}/settings/websockets"
        assert run.ask("PATCH", setting, token=one.token, body={"value": "off"})[0] == 200
        yield one


def test_a_refusal_is_soon_an_event_that_its_ray_finds(refusing: Refusing) -> None:
    ray = refusing.refuse("/echo?a=1")
    [event] = poll(refusing.events, what="the event")
    assert (event["source"], event["action"], event["edge_response_status"]) == ("websockets", "refuse", 403)
    assert (event["host"], event["path"], event["query"], event["is_upgrade"]) == (HOST, "/echo", "a=1", True)
    assert event["client_ip"] == "127.0.0.1"
    assert asked(refusing.run, refusing.token, f"/zones/{refusing.zone_id}/security/events/{ray}") == [event]


def test_a_rule_that_blocks_and_one_that_logs_are_named_by_their_events(origin: Origin, tmp_path: Path) -> None:
    rules = [
        {"action": "log", "expression": 'http.host ne ""', "description": "Everything"},
        {"action": "block", "expression": 'http.request.uri.path contains "bad"', "description": "The bad ones"},
    ]
    with Run(tmp_path / "data", environment=UNLIMITED) as run:
        one = Refusing(run, zone_with_record(run, origin))
        plan = {"rate_plan": {"id": "enterprise"}}
        assert run.ask("POST", f"{API}/zones/{one.zone_id}/subscription", token=one.token, body=plan)[0] == 200
        entrypoint = f"{API}/zones/{one.zone_id}/rulesets/phases/http_request_firewall_custom/entrypoint"
        status, made = run.ask("PUT", entrypoint, token=one.token, body={"rules": rules})
        assert status == 200, made
        ray = one.refuse("/bad?x=1")
        poll(lambda: len(one.events()) == 2, what="both events")
        logged, blocked = asked(run, one.token, f"/zones/{one.zone_id}/security/events/{ray}")
        assert (logged["action"], logged["description"], logged["edge_response_status"]) == ("log", "Everything", None)
        assert (blocked["action"], blocked["description"], blocked["source"]) == (
            "block", "The bad ones", "firewallCustom",
        )  # fmt: skip
        ids = [rule["id"] for rule in made["result"]["rules"]]
        assert [logged["rule_id"], blocked["rule_id"]] == ids
        assert blocked["ruleset_id"] == made["result"]["id"]
        listed = command("events", "list", ZONE, "--action", "block", api=base_of(run), token=one.token)
        assert (listed.returncode, "The bad ones" in listed.stdout, ray[:16] in listed.stdout) == (0, True, True)


@pytest.mark.timeout(180)
def test_a_control_that_is_killed_loses_no_event_and_doubles_none(refusing: Refusing) -> None:
    rays: list[str] = []
    for restarts in range(1, KILLS + 1):
        rays += [refusing.refuse(f"/before/{restarts}/{number}") for number in range(A_FEW // (2 * KILLS))]
        restart_control(refusing.run, restarts=restarts)
        rays += [refusing.refuse(f"/after/{restarts}/{number}") for number in range(A_FEW // (2 * KILLS))]
    wanted = sorted(ray.partition("-")[0] for ray in rays)

    def are_all_there() -> bool:
        return len(refusing.events()) >= len(wanted)

    poll(are_all_there, what="all events")
    found = refusing.events()
    assert sorted(event["ray"] for event in found) == wanted
    assert {event["sample_interval"] for event in found} == {1}


@contextmanager
def client_from(address: str, edge: wire.Address) -> Iterator[wire.Wire]:
    with closing(socket.create_connection(edge, timeout=LIMIT_S, source_address=(address, 0))) as connection:
        yield wire.Wire(connection)


@pytest.mark.timeout(180)
def test_a_flood_from_a_thousand_addresses_is_counted_whole_and_kept_in_few_rows(refusing: Refusing) -> None:
    began = time.monotonic()
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    for address in addresses:
        with client_from(address, refusing.run.plain) as client:
            for number in range(2):
                answer, _ = client.request(wire.upgrade(f"/{number}", host=HOST))
                assert answer.status == 403
    label = r'holdfast_security_events_total\{action="refuse",source="websockets",zone="[^"]+"\}'
    # An edge that is busy may answer too late to be in the figures.
    poll(lambda: refusing.metric(label) == 2000, what="a figure of all")

    def is_whole() -> bool:
        return bool(sum(event["sample_interval"] for event in refusing.events()) == 2000)

    poll(is_whole, what="a count of all")
    rows = refusing.events()
    # Those of the burst, and what came in the seconds that all of this took.
    assert len(rows) <= RATES.kind.burst + RATES.kind.per_s * (time.monotonic() - began) + 1
    path = f"/zones/{refusing.zone_id}/security/events/summary"
    summary = asked(refusing.run, refusing.token, path)
    assert (summary["events"], summary["rows"]) == (2000, len(rows))


def test_what_is_told_while_the_edge_stops_is_kept(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path / "data", environment=UNLIMITED) as run:
        one = Refusing(run, zone_with_record(run, origin))
        token = one.token
        setting = f"{API}/zones/{one.zone_id}/settings/websockets"
        assert run.ask("PATCH", setting, token=token, body={"value": "off"})[0] == 200
        for number in range(10):
            one.refuse(f"/{number}")
        run.child(CONTROL)
    with Run(tmp_path / "data", environment=UNLIMITED) as again:
        found = asked(again, token, f"/zones/{one.zone_id}/security/events")
        assert len(found) == 10
