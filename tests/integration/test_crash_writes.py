"""Processes that are killed while two clients write: what was acknowledged is there, at the API and on the edge.

Law: chance is seeded, and the seed is in the name of the test. CRASH_ROUNDS makes it more than a sample.
"""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration import wire
from tests.integration.command import START_LIMIT_S
from tests.integration.ledger import Ledger, Writer
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE
from tests.integration.run import CONTROL, EDGE, Run
from tests.integration.waiting import LIMIT_S, poll

ZONE = "crash.example"
SUPERVISOR = "supervisor"
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))
KILLS = 4
UNLIMITED = {"HOLDFAST_CONTROL_RATE_LIMIT": "0", "HOLDFAST_CONTROL_IP_RATE_LIMIT": "0"}
SETTINGS = ("true_client_ip_header", "origin_error_page_pass_thru")


def base_of(run: Run) -> str:
    return f"http://{run.api[0]}:{run.api[1]}/client/v4"


def asked(run: Run, token: str, path: str) -> Any:
    """The result of a GET that must succeed once control is back."""

    def look() -> list[Any] | None:
        try:
            answer = httpx.get(
                f"{base_of(run)}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=LIMIT_S, trust_env=False
            )
        except httpx.TransportError:
            return None
        assert answer.status_code in {200, 503}, answer.text
        return [answer.json()["result"]] if answer.status_code == 200 else None

    return poll(look, what=f"an answer to {path}", limit_s=START_LIMIT_S)[0]


def add_zone(run: Run, token: str, origin: Origin) -> str:
    """The zone that is written to; every name of it leads to the fake origin. Its id."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=base_of(run), headers=headers, timeout=LIMIT_S, trust_env=False) as client:
        made = client.post("/zones", json={"name": ZONE}).raise_for_status()
        zone_id: str = made.json()["result"]["id"]
        route = {"action": "route", "expression": "true", "action_parameters": {"origin": {"port": origin.port}}}
        path = f"/zones/{zone_id}/rulesets/phases/http_request_origin/entrypoint"
        client.put(path, json={"rules": [route]}).raise_for_status()
    return zone_id


def status_of(run: Run, name: str) -> int:
    """What the edge answers for a name; 0 while it answers nothing."""
    try:
        with wire.connect(run.plain) as client:
            answer, body = client.request(wire.request("GET", "/", "Connection: close", host=name))
    except (OSError, wire.EndedError):
        return 0
    assert answer.status != 200 or body == PAGE
    return answer.status


class Victim:
    """A running installation that loses processes, and is started again where its supervisor goes too."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self._data, self._arguments = data, arguments
        self.run = self._started()
        self.token = self.run.token
        self._deaths = {EDGE: 0, CONTROL: 0}

    def _started(self) -> Run:
        return Run(self._data, *self._arguments, environment=UNLIMITED)

    def kill(self, who: str) -> None:
        """SIGKILL to a process of it, and what a person would do then: nothing, or start it again."""
        if who == SUPERVISOR:
            self.run.process.kill()
            self.run.kill()
            self._deaths = {EDGE: 0, CONTROL: 0}
            self.run = self._started()
            return
        os.kill(self.run.child(who, restarts=self._deaths[who]), signal.SIGKILL)
        self._deaths[who] += 1

    def settle(self) -> None:
        """Wait until every process of it is back."""
        for who, deaths in self._deaths.items():
            self.run.child(who, restarts=deaths)


@contextmanager
def victim(data: Path, *arguments: str) -> Iterator[Victim]:
    one = Victim(data, *arguments)
    try:
        yield one
    finally:
        one.run.__exit__(None)


@contextmanager
def writing(one: Victim, zone_id: str, ledger: Ledger) -> Iterator[list[Writer]]:
    """Two clients that write all the while."""
    writers = [
        Writer(f"w{number}", base_of(one.run), one.token, (zone_id, ZONE), ledger, setting)
        for number, setting in enumerate(SETTINGS)
    ]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stop()


def check(one: Victim, zone_id: str, ledger: Ledger) -> None:
    """The API tells what was acknowledged, and the edge serves by it."""
    records = asked(one.run, one.token, f"/zones/{zone_id}/dns_records?per_page=50000")
    settings = {two["id"]: two["value"] for two in asked(one.run, one.token, f"/zones/{zone_id}/settings")}
    names = {record["name"] for record in records}
    assert ledger.faults(names, settings) == []
    poll(lambda: status_of(one.run, max(names)) == 200, what="the edge", limit_s=START_LIMIT_S)
    for wanted, those in ((200, names), (530, ledger.gone)):
        what = f"{wanted} for all of {sorted(those)}"
        poll(lambda: _all_are(one.run, wanted, those), what=what, limit_s=START_LIMIT_S)  # noqa: B023


def _all_are(run: Run, wanted: int, names: set[str]) -> bool:
    return all(status_of(run, name) == wanted for name in sorted(names))


@pytest.mark.timeout(60 + 120 * ROUNDS)
@pytest.mark.parametrize("who", [CONTROL, EDGE, "anybody"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_was_acknowledged_is_there_after_kills(who: str, seed: int, origin: Origin, tmp_path: Path) -> None:
    chance = random.Random(f"{who}-{seed}")
    ledger = Ledger()
    with victim(tmp_path / "data") as one:
        zone_id = add_zone(one.run, one.token, origin)
        with writing(one, zone_id, ledger) as writers:
            for _ in range(KILLS):
                writer = chance.choice(writers)
                more = writer.started + chance.randint(1, 12)
                writer.until_started(more)
                one.kill(chance.choice([CONTROL, EDGE, SUPERVISOR]) if who == "anybody" else who)
                for each in writers:
                    each.base = base_of(one.run)
            enough = ledger.acknowledged + 10
            one.settle()
            writers[0].changes.until(
                lambda: ledger.acknowledged >= enough, what="writes after the last kill", limit_s=START_LIMIT_S
            )
        check(one, zone_id, ledger)
        assert ledger.acknowledged > 10
