"""Control that comes back to an edge that went on: what it acknowledges, and what it says of WebSockets it cannot reach.

Law: the edge that is stopped here (SIGSTOP) is let go on again before the installation ends.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration import wire
from tests.integration.origin import Origin
from tests.integration.run import CONTROL, EDGE, Run
from tests.integration.test_crash_serving import HOST, add_record, upgraded
from tests.integration.test_crash_writes import add_zone
from tests.integration.waiting import poll

API = "/client/v4"


def zone_with_record(run: Run, origin: Origin) -> str:
    """The id of a zone that is served."""
    zone_id = add_zone(run, run.token, origin)
    add_record(run, run.token, zone_id, HOST)
    assert upgraded(run) == 101
    return zone_id


def restart_control(run: Run, *, restarts: int) -> None:
    """Kill control, and return when the next one is ready."""
    os.kill(run.child(CONTROL, restarts=restarts - 1), signal.SIGKILL)
    run.child(CONTROL, restarts=restarts)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        poll(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", what="its stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def closing(run: Run, token: str, zone_id: str) -> tuple[int, Any]:
    return run.ask("DELETE", f"{API}/zones/{zone_id}/websocket_connections", token=token)


def test_the_first_writes_of_a_control_that_came_back_are_in_force_when_they_are_answered(
    origin: Origin, tmp_path: Path
) -> None:
    with Run(tmp_path) as run:
        token, zone_id = run.token, zone_with_record(run, origin)
        for restarts in (1, 2, 3):
            restart_control(run, restarts=restarts)
            value, status = ("off", 403) if restarts % 2 else ("on", 101)
            setting = f"{API}/zones/{zone_id}/settings/websockets"
            assert run.ask("PATCH", setting, token=token, body={"value": value})[0] == 200
            assert upgraded(run) == status


def test_websockets_that_are_open_are_closed_by_the_first_request_of_a_control_that_came_back(
    origin: Origin, tmp_path: Path
) -> None:
    with Run(tmp_path) as run:
        token, zone_id = run.token, zone_with_record(run, origin)
        with wire.websocket(run.plain, "/echo", name=HOST) as (client, _):
            restart_control(run, restarts=1)
            status, answer = closing(run, token, zone_id)
            assert (status, answer["result"]) == (200, {"closed": 1})
            assert client.read_close().close_code == 1001


def test_an_edge_that_is_silent_is_not_one_without_websockets(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        token, zone_id, edge = run.token, zone_with_record(run, origin), run.child(EDGE)
        with wire.websocket(run.plain, "/echo", name=HOST) as (client, _):
            with stopped(edge):
                connected = closing(run, token, zone_id)
                restart_control(run, restarts=1)
                unconnected = closing(run, token, zone_id)
            for status, answer in (connected, unconnected):
                assert (status, answer["errors"][0]["code"]) == (503, 10504)
                assert "1 edge did not answer" in answer["errors"][0]["message"]
            # What the first request said is carried out as soon as the edge can.
            assert client.read_close().close_code == 1001


def test_a_zone_that_is_removed_takes_its_websockets_along(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        zone_id = zone_with_record(run, origin)
        with wire.websocket(run.plain, "/echo", name=HOST) as (client, _):
            assert run.ask("DELETE", f"{API}/zones/{zone_id}", token=run.token)[0] == 200
            frame = client.read_close()
            assert (frame.close_code, frame.payload[2:]) == (1001, b"closed_by_operator: the zone was removed")
        assert upgraded(run) == 530


def test_the_first_request_of_a_new_installation_is_told_that_there_are_no_zones(tmp_path: Path) -> None:
    with Run(tmp_path) as run, wire.connect(run.plain) as client:
        answer, _ = client.request(wire.request("GET", "/"))
        assert (answer.status, answer.value("cf-error-type")) == (530, "1001")
