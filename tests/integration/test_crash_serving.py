"""The edge without control, without the database, and with a journal that was torn: it serves, and catches up."""

import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.databases import Cluster
from tests.integration import wire
from tests.integration.command import START_LIMIT_S
from tests.integration.ledger import Ledger
from tests.integration.origin import Origin
from tests.integration.run import CONTROL, EDGE, Run
from tests.integration.test_crash_writes import ZONE, add_zone, base_of, check, status_of, victim, writing
from tests.integration.waiting import LIMIT_S, poll

HOST = f"chat.{ZONE}"
# Between two upgrades of a client, so that the next control has the processors too.
BETWEEN_S = 0.01
DATABASE_FILES = ("holdfast.db", "holdfast.db-wal", "holdfast.db-shm")


def client_of(run: Run, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=base_of(run), headers=headers, timeout=LIMIT_S, trust_env=False)


def add_record(run: Run, token: str, zone_id: str, name: str) -> None:
    record = {"type": "A", "name": name, "content": "127.0.0.1", "proxied": True, "ttl": 1}
    with client_of(run, token) as client:
        client.post(f"/zones/{zone_id}/dns_records", json=record).raise_for_status()


def upgraded(run: Run) -> int:
    """The status of one upgrade of HOST."""
    with wire.connect(run.plain) as client:
        client.send(wire.upgrade("/echo", host=HOST))
        return client.read_answer().status


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, origin: Origin) -> tuple[Path, str, str]:
    """An installation with a zone, that has ended: its data, token and zone."""
    data = tmp_path_factory.mktemp("ended") / "data"
    with Run(data) as run:
        token = run.token
        run.record(lambda record: record["event"] == "control_connected")
        zone_id = add_zone(run, token, origin)
        add_record(run, token, zone_id, HOST)
        assert upgraded(run) == 101
    return data, token, zone_id


@pytest.fixture
def stopped(ended: tuple[Path, str, str], tmp_path: Path) -> tuple[Path, str, str]:
    """The same, with data of the test's own."""
    data, token, zone_id = ended
    return shutil.copytree(data, tmp_path / "data"), token, zone_id


def test_not_one_upgrade_fails_while_control_dies_again_and_again(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.record(lambda record: record["event"] == "control_connected")
        add_record(run, run.token, add_zone(run, run.token, origin), HOST)
        answers: list[int] = []
        more = threading.Semaphore(0)
        is_over = threading.Event()

        def keep_upgrading() -> None:
            while not is_over.wait(BETWEEN_S):
                try:
                    answers.append(upgraded(run))
                except (OSError, wire.EndedError):
                    answers.append(0)
                more.release()

        clients = [threading.Thread(target=keep_upgrading) for _ in range(3)]
        for client in clients:
            client.start()
        try:
            for restarts in range(3):
                os.kill(run.child(CONTROL, restarts=restarts), signal.SIGKILL)
                assert all(more.acquire(timeout=LIMIT_S) for _ in range(100))
        finally:
            is_over.set()
            for client in clients:
                client.join(LIMIT_S)
        assert len(answers) >= 300
        assert set(answers) == {101}


def test_an_edge_starts_and_serves_without_control_and_database_and_catches_up(
    stopped: tuple[Path, str, str], tmp_path: Path
) -> None:
    data, token, zone_id = stopped
    away = tmp_path / "away"
    away.mkdir()
    for name in DATABASE_FILES:
        if (data / name).exists():
            shutil.move(data / name, away / name)
    with Run(data, verb=EDGE) as edge:
        assert upgraded(edge) == 101
        for file in away.iterdir():
            shutil.move(file, data / file.name)
        with Run(data, verb=CONTROL) as control:
            edge.record(lambda record: record["event"] == "control_connected")
            add_record(control, token, zone_id, f"late.{ZONE}")
            assert status_of(edge, f"late.{ZONE}") == 200
            assert upgraded(edge) == 101
        # And goes on when control has gone again.
        assert status_of(edge, f"late.{ZONE}") == 200


def test_a_database_that_is_lost_takes_no_zone_off_the_edge_and_is_taken_again_when_it_is_back(
    stopped: tuple[Path, str, str], tmp_path: Path
) -> None:
    data, token, zone_id = stopped
    away = tmp_path / "away"
    with Run(data) as run:
        run.record(lambda record: record["event"] == "control_connected")
        away.mkdir()
        for name in DATABASE_FILES:
            if (data / name).exists():
                shutil.move(data / name, away / name)
        os.kill(run.child(CONTROL), signal.SIGKILL)
        exits = run.changes.until(
            lambda: [one for one in run.records("child_exited") if "put the database back" in one.get("reason", "")],
            what="control's reason",
            limit_s=START_LIMIT_S,
        )
        assert exits[0]["status"] == 1
        assert upgraded(run) == 101
        assert not any((data / name).exists() for name in DATABASE_FILES)
        for file in away.iterdir():
            shutil.move(file, data / file.name)
        run.changes.until(lambda: len(run.records("control_connected")) == 2, what="control", limit_s=START_LIMIT_S)
        add_record(run, token, zone_id, f"late.{ZONE}")
        assert status_of(run, f"late.{ZONE}") == 200


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        ("cut", {200, 530}),
        ("flipped", {200, 530}),
        ("noise after", {200}),
        # Nothing is left, so it is not known which zones there are.
        ("cut in the first frame", {503}),
        ("emptied", {503}),
        ("noise", {503}),
    ],
)
def test_a_damaged_journal_costs_what_is_damaged_and_is_made_good_by_control(
    damage: str, left: set[int], stopped: tuple[Path, str, str]
) -> None:
    data, _, _ = stopped
    journal = data / "edge" / "snapshot.bin"
    journal.write_bytes(damaged(journal.read_bytes(), damage))
    with Run(data, verb=EDGE) as edge:
        assert status_of(edge, HOST) in left
        if damage != "emptied":
            edge.record(lambda record: record["event"] == "journal_warning")
        with Run(data, verb=CONTROL):
            edge.record(lambda record: record["event"] == "control_connected")
            poll(lambda: status_of(edge, HOST) == 200, what="the zone")
    with Run(data, verb=EDGE) as again:
        assert status_of(again, HOST) == 200
        assert not again.records("journal_warning")


def damaged(journal: bytes, how: str) -> bytes:
    """A journal that something has happened to."""
    chance = random.Random(how)
    noise = chance.randbytes(500)
    at = chance.randrange(len(journal) // 2, max(len(journal) - 1, 1)) if journal else 0
    return {
        "cut": journal[:-3],
        "cut in the first frame": journal[:20],
        "flipped": journal[:at] + bytes([journal[at] ^ 0x10 if journal else 0]) + journal[at + 1 :],
        "noise after": journal + noise,
        "emptied": b"",
        "noise": noise,
    }[how]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this test's own, to be stopped."""
    one = Cluster()
    yield one
    one.close()


@pytest.mark.timeout(180)
def test_a_postgresql_that_is_stopped_and_started_under_load_costs_no_write_and_no_upgrade(
    cluster: Cluster, origin: Origin, tmp_path: Path
) -> None:
    ledger = Ledger()
    with victim(tmp_path / "data", "--database-url", cluster.url(cluster.create())) as one:
        zone_id = add_zone(one.run, one.token, origin)
        add_record(one.run, one.token, zone_id, HOST)
        ledger.open.add(HOST)
        with writing(one, zone_id, ledger) as writers:
            for number in range(2):
                writers[0].until_started(writers[0].started + 10)
                cluster.stop()
                refused = httpx.get(
                    f"{base_of(one.run)}/zones",
                    headers={"Authorization": f"Bearer {one.token}"},
                    timeout=LIMIT_S,
                    trust_env=False,
                )
                assert refused.status_code == 503, refused.text
                assert int(refused.headers["retry-after"]) >= 1
                assert {upgraded(one.run) for _ in range(20)} == {101}
                unanswered = ledger.unanswered
                writers[1].changes.until(lambda: ledger.unanswered > unanswered, what="a write refused")  # noqa: B023
                cluster.start()
                enough = ledger.acknowledged + 10
                writers[1].changes.until(
                    lambda: ledger.acknowledged >= enough,  # noqa: B023
                    what=f"writes after stop {number}",
                    limit_s=START_LIMIT_S,
                )
        assert not one.run.records("api_failed")
        check(one, zone_id, ledger)
        assert not one.run.records("child_exited")
