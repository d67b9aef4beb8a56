"""A release as clients and operators meet it: nothing is refused, lost or cut; what cannot start changes nothing."""

import os
import signal
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.app.releasing import MOST_RETIRING
from tests.integration import wire
from tests.integration.command import PROGRAM, START_LIMIT_S, lives, open_descriptors
from tests.integration.edge import Edge
from tests.integration.frames import close
from tests.integration.origin import Origin
from tests.integration.releasing import (
    done,
    echoes,
    interpreter,
    leave,
    newest_edge,
    release,
    released,
    started_edges,
    with_a_syntax_error,
    without_holdfast,
    without_the_core,
)
from tests.integration.waiting import poll

LISTEN = ("--listen", "127.0.0.1:0", "--threads", "2")
# A release whose connections are kept longer than any test, and one that closes them at once.
PATIENT = ("--release-deadline", "120", "--release-spread", "1")
IMPATIENT = ("--release-deadline", "0", "--release-spread", "0")


def test_open_sockets_stay_with_the_old_edge_and_new_ones_come_to_the_new_one(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.websocket(up.plain, "/echo") as (kept, _):
        assert echoes(kept, "before")
        old = up.pid
        said = released(tmp_path)
        new = newest_edge(up, number=2)
        assert said[0] == "a new edge is being started"
        assert said[1].startswith(f"edge {new} is ready after ")
        assert said[2].startswith(f"edge {old} keeps 1 connection, until ")
        assert echoes(kept, "after")
        with wire.websocket(up.plain, "/echo") as (fresh, _):
            os.kill(old, signal.SIGSTOP)  # whoever serves this is not the old one
            assert echoes(fresh, "new")
            os.kill(old, signal.SIGCONT)
        assert echoes(kept, "still")
        leave(kept)
        poll(lambda: not lives(old), what="the end of the old edge, with its last connection")
        assert up.record(lambda record: record["event"] == "child_exited" and record["pid"] == old)["status"] == 0


def test_nothing_is_refused_lost_or_reordered_in_three_releases_in_a_row(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        failures: list[BaseException] = []
        opened = threading.Semaphore(0)
        is_over = threading.Event()

        def keep_talking() -> None:
            try:
                with wire.websocket(up.plain, "/echo") as (client, _):
                    number = 0
                    while not is_over.is_set():
                        number += 1
                        assert echoes(client, f"message {number}")
            except BaseException as error:  # noqa: BLE001  the test says what it was
                failures.append(error)

        def keep_coming() -> None:
            try:
                while not is_over.is_set():
                    with wire.websocket(up.plain, "/echo") as (client, _):
                        assert echoes(client, "hello")
                        opened.release()
            except BaseException as error:  # noqa: BLE001  as above
                failures.append(error)

        clients = [threading.Thread(target=work) for work in [keep_talking] * 4 + [keep_coming] * 3]
        for client in clients:
            client.start()
        try:
            for _ in range(3):
                assert opened.acquire(timeout=30)
                released(tmp_path)
            assert all(opened.acquire(timeout=30) for _ in range(20))
        finally:
            is_over.set()
            for client in clients:
                client.join(30)
        assert not failures
        newest_edge(up, number=4)
        assert len(set(started_edges(up))) == 4


def test_at_the_deadline_who_is_left_is_told_1012_with_a_reason(origin: Origin, tmp_path: Path, token: str) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *IMPATIENT) as up:
        with wire.websocket(up.plain, f"/echo?{token}") as (client, answer):
            assert echoes(client, "open")
            released(tmp_path)
            told = client.read_close()
            assert told.close_code == 1012
            assert told.close_reason == "release: the edge is being replaced, connect again"
            client.send_frame(close(1012))
            assert client.read_to_end() == b""
            assert not client.was_reset
        record = up.closed(answer.ray)
        assert (record.closed_by, record.why, record.edge_close_code) == ("edge", "release", 1012)
        with wire.websocket(up.plain, "/echo") as (client, _):
            assert echoes(client, "again")


def test_a_request_in_flight_is_answered_by_the_old_edge(origin: Origin, tmp_path: Path, token: str) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.connect(up.plain) as client:
        old = up.pid
        client.send(wire.request("GET", f"/held?{token}"))
        answer = client.read_answer()
        released(tmp_path)
        assert lives(old)
        origin.find(token).release()
        assert client.read_body(answer) == b"firstsecond"
        poll(lambda: not lives(old), what="the end of the old edge")


def test_sighup_is_a_release(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        old = up.pid
        up.process.send_signal(signal.SIGHUP)
        up.record(lambda record: record["event"] == "release_done", limit_s=START_LIMIT_S)
        assert newest_edge(up, number=2) != old
        poll(lambda: not lives(old), what="the end of the old edge")


def test_two_releases_at_once_are_made_one_after_the_other(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        asked = [
            subprocess.Popen([PROGRAM, "release", "--data", tmp_path], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in asked:
            process.communicate(timeout=2 * START_LIMIT_S)
        assert [process.returncode for process in asked] == [0, 0]
        done(up, "release_done", times=2)


def test_one_that_does_not_wait_returns_when_it_has_begun(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        said = released(tmp_path, "--no-wait", "--python", interpreter(tmp_path, f"read _ < {gate}"))
        assert said == ["a new edge is being started"]
        gate.write_text("go\n")
        up.record(lambda record: record["event"] == "release_done", limit_s=START_LIMIT_S)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_seventeen_releases_in_a_row_keep_sixteen_edges_and_close_the_oldest_early(
    origin: Origin, tmp_path: Path
) -> None:
    quick = ("--release-deadline", "590", "--release-spread", "0", "--threads", "1")
    with Edge(origin.url, tmp_path, "--listen", "127.0.0.1:0", *quick) as up, ExitStack() as stack:
        clients: list[wire.Wire] = []
        for _ in range(MOST_RETIRING + 1):
            clients.append(stack.enter_context(wire.websocket(up.plain, "/echo"))[0])
            # Whoever says nothing while all of these start would be asked whether it is there, and not answer.
            assert all(echoes(client, "here") for client in clients)
            released(tmp_path)
        newest_edge(up, number=MOST_RETIRING + 2)
        assert len(set(started_edges(up))) == MOST_RETIRING + 2
        told = clients[0].read_close()
        assert (told.close_code, told.close_reason.partition(":")[0]) == (1012, "release")
        assert all(echoes(client, "kept") for client in clients[1:])
        assert [record["pid"] for record in done(up, "edge_closes_early")] == started_edges(up)[:1]


def test_a_release_leaves_no_descriptor_behind(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        before = open_descriptors(up.process.pid)
        for _ in range(2):
            released(tmp_path)
        done(up, "child_exited", times=2)
        # Whoever asked for the last one may be about to leave.
        poll(lambda: open_descriptors(up.process.pid) == before, what=f"{before} descriptors, as before")


# --- What cannot start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda tmp: interpreter(tmp, "exit 1"), "it ended with status 1"),
        (lambda tmp: interpreter(tmp, "kill -SEGV $$"), "it ended with signal SIGSEGV"),
        (without_the_core, "_native"),
        (without_holdfast, "No module named 'holdfast'"),
        (with_a_syntax_error, "SyntaxError"),
        (lambda tmp: tmp / "nowhere", "nowhere: no such file or directory"),
        (lambda tmp: tmp, "permission denied"),
    ],
)
def test_an_edge_that_does_not_start_changes_nothing_and_says_why(
    broken: object, sentence: str, origin: Origin, tmp_path: Path
) -> None:
    assert callable(broken)
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.websocket(up.plain, "/echo") as (kept, _):
        old = up.pid
        ended = release(tmp_path, "--python", broken(tmp_path))
        assert ended.returncode == 1
        assert ended.stderr.startswith("holdfast release: the new edge did not become ready: ")
        assert sentence in ended.stderr
        assert ended.stderr.endswith("; nothing has changed\n")
        (record,) = done(up, "release_rolled_back")
        assert sentence in record["reason"]
        assert echoes(kept, "as if nothing had happened")
        with wire.websocket(up.plain, "/echo") as (fresh, _):
            assert echoes(fresh, "new")
        assert up.pid == old
        # And what is started next is what there was.
        released(tmp_path)


def test_nobody_there_is_a_sentence_and_status_2(tmp_path: Path) -> None:
    ended = release(tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"holdfast release: nothing runs on the data directory {tmp_path}")


def test_an_edge_that_is_killed_while_its_successor_starts_is_back_before_it(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        old = up.pid
        released(tmp_path, "--no-wait", "--python", interpreter(tmp_path, f"read _ < {gate}"))
        os.kill(old, signal.SIGKILL)
        back = newest_edge(up, number=2)
        with wire.websocket(up.plain, "/echo") as (client, _):
            assert echoes(client, "back")
            gate.write_text("go\n")
            up.record(lambda record: record["event"] == "release_done", limit_s=START_LIMIT_S)
            assert echoes(client, "kept")
            assert newest_edge(up, number=3) not in {old, back}


def test_an_old_edge_that_hangs_holds_nobody_up(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.websocket(up.plain, "/echo") as (kept, _):
        old = up.pid
        os.kill(old, signal.SIGSTOP)
        assert released(tmp_path)[-1] == f"edge {old} has not said that it retires"
        for _ in range(20):
            with wire.websocket(up.plain, "/echo") as (client, _):
                assert echoes(client, "new")
        os.kill(old, signal.SIGCONT)
        up.record(lambda record: record["event"] == "edge_retiring" and record["pid"] == old)
        assert echoes(kept, "it goes on where it was")
        leave(kept)
        poll(lambda: not lives(old), what="the end of the old edge")


def test_another_interpreter_is_taken_for_later_starts_too(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        released(tmp_path, "--python", interpreter(tmp_path, "export HELD_BY=another"))
        assert _is_of_another(newest_edge(up, number=2))
        os.kill(newest_edge(up, number=2), signal.SIGKILL)
        assert _is_of_another(newest_edge(up, number=3))
        released(tmp_path)
        assert _is_of_another(newest_edge(up, number=4))


def _is_of_another(pid: int) -> bool:
    return b"HELD_BY=another" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
