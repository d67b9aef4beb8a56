"""A release of a whole installation: zones, the API and what is on the disk go on, whichever process has them."""

import threading
from pathlib import Path

import httpx
import pytest

from tests.integration import wire
from tests.integration.command import START_LIMIT_S, lives
from tests.integration.origin import Origin
from tests.integration.releasing import echoes, interpreter, leave, newest_edge, release, released
from tests.integration.run import CONTROL, EDGE, Run
from tests.integration.test_crash_serving import HOST, add_record, upgraded
from tests.integration.test_crash_writes import UNLIMITED, ZONE, add_zone, base_of
from tests.integration.waiting import LIMIT_S, poll

PATIENT = ("--release-deadline", "120", "--release-spread", "1")
LATER = f"later.{ZONE}"
# Each starts two installations, or replaces all of one.
pytestmark = pytest.mark.timeout(300)


def upgraded_to(run: Run, host: str) -> int:
    """The status of one upgrade of a host."""
    with wire.connect(run.plain) as client:
        client.send(wire.upgrade("/echo", host=host))
        return client.read_answer().status


def newest_control(run: Run, *, number: int) -> int:
    """The process of the control that was ready as the `number`th, waiting for it."""

    def started() -> list[int]:
        return [one["pid"] for one in run.records("child_started") if one["child"] == CONTROL]

    run.changes.until(lambda: len(started()) >= number, what=f"{number} controls", limit_s=START_LIMIT_S)
    return started()[number - 1]


def test_zones_are_served_throughout_and_writes_are_in_force_on_the_new_edge(tmp_path: Path, origin: Origin) -> None:
    with Run(tmp_path, *PATIENT) as run:
        token = run.token
        run.record(lambda record: record["event"] == "control_connected")
        zone_id = add_zone(run, token, origin)
        add_record(run, token, zone_id, HOST)
        with wire.websocket(run.plain, "/echo", name=HOST) as (kept, _):
            old_edge, old_control = run.child(EDGE), run.child(CONTROL)
            said = released(tmp_path)
            assert said[-2].startswith(f"control {newest_control(run, number=2)} is ready after ")
            assert said[-1].startswith("workers ")
            poll(lambda: not lives(old_control), what="the end of the old control")
            assert echoes(kept, "on the old one")
            assert upgraded(run) == 101
            add_record(run, token, zone_id, LATER)
            assert upgraded_to(run, LATER) == 101
            assert newest_edge(run, number=2) == int((tmp_path / "edge.lock").read_text())
            leave(kept)
        poll(lambda: not lives(old_edge), what="the end of the old edge")
    # What the new edge wrote is what an edge starts from that nobody tells anything.
    with Run(tmp_path, verb=EDGE) as edge:
        assert [upgraded_to(edge, host) for host in (HOST, LATER)] == [101, 101]


def test_no_request_to_the_api_fails_while_control_is_replaced(tmp_path: Path) -> None:
    with Run(tmp_path, *PATIENT, environment=UNLIMITED) as run:
        token = run.token
        answers: list[int | str] = []
        more = threading.Semaphore(0)
        is_over = threading.Event()

        def keep_asking() -> None:
            while not is_over.is_set():
                try:
                    headers = {"Authorization": f"Bearer {token}"}
                    answer = httpx.get(f"{base_of(run)}/zones", headers=headers, timeout=LIMIT_S, trust_env=False)
                    answers.append(answer.status_code)
                except httpx.HTTPError as error:
                    answers.append(repr(error))
                more.release()

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            assert all(more.acquire(timeout=LIMIT_S) for _ in range(5))
            released(tmp_path)
            assert all(more.acquire(timeout=LIMIT_S) for _ in range(5))
        finally:
            is_over.set()
            asking.join(LIMIT_S)
        assert set(answers) == {200}


def test_control_that_does_not_start_is_gone_and_the_one_before_and_the_new_edge_stay(
    tmp_path: Path, origin: Origin
) -> None:
    with Run(tmp_path, *PATIENT) as run:
        token = run.token
        control = run.child(CONTROL)
        broken = interpreter(tmp_path, 'case "$*" in *control*) exit 1;; esac', "export HELD_BY=another")
        ended = release(tmp_path, "--python", broken)
        assert ended.returncode == 1
        assert ended.stderr.startswith(
            "holdfast release: the edge is replaced, but the new control did not become ready"
        )
        assert ended.stderr.endswith("the one before goes on\n")
        assert b"HELD_BY" in Path(f"/proc/{newest_edge(run, number=2)}/environ").read_bytes()
        assert run.child(CONTROL) == control
        assert lives(control)
        assert run.ask("GET", "/client/v4/zones", token=token)[0] == 200


def test_a_retired_edge_meets_the_new_control_and_does_what_the_api_asks(tmp_path: Path, origin: Origin) -> None:
    with Run(tmp_path, *PATIENT) as run:
        token = run.token
        run.record(lambda record: record["event"] == "control_connected")
        zone_id = add_zone(run, token, origin)
        add_record(run, token, zone_id, HOST)
        with wire.websocket(run.plain, "/echo", name=HOST) as (kept, _):
            old = run.child(EDGE)
            released(tmp_path)
            poll(
                lambda: sum(record["pid"] == old for record in run.records("edge_connected")) >= 2,
                what="the old edge at the new control",
            )
            # What is asked of a zone's connections is asked of those of earlier releases too.
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{base_of(run)}/zones/{zone_id}/websocket_connections"
            closed = httpx.delete(url, headers=headers, timeout=LIMIT_S, trust_env=False)
            assert (closed.status_code, closed.json()["result"]["closed"]) == (200, 1)
            assert kept.read_close().close_code == 1001
        poll(lambda: not lives(old), what="the end of the old edge")
