"""A drain as clients, operators and service managers meet it: nobody new is taken, and who is there may stay for a while."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.integration import wire
from tests.integration.command import PROGRAM, lives, run_to_end
from tests.integration.edge import Edge
from tests.integration.frames import close
from tests.integration.origin import Origin
from tests.integration.releasing import echoes, interpreter, leave, newest_edge, released
from tests.integration.run import CONTROL, EDGE, WORKERS, Run
from tests.integration.test_control_returns import zone_with_record
from tests.integration.test_crash_serving import HOST
from tests.integration.waiting import LIMIT_S, poll

LISTEN = ("--listen", "127.0.0.1:0", "--threads", "2")
PATIENT = ("--release-deadline", "120", "--release-spread", "1")


def refuses(address: wire.Address) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection(address, timeout=LIMIT_S).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("to_the_group", [False, True])
def test_sigterm_keeps_who_is_there_refuses_who_comes_and_ends_with_the_last(
    to_the_group: bool, origin: Origin, tmp_path: Path
) -> None:
    """Also where a service manager sends it to every process of the group, as systemd does by default."""
    with (
        Edge(origin.url, tmp_path, *LISTEN, *PATIENT, under=["setsid"]) as up,
        wire.websocket(up.plain, "/echo") as (kept, _),
    ):
        assert echoes(kept, "before")
        (os.killpg if to_the_group else os.kill)(up.process.pid, signal.SIGTERM)
        # Before anybody knocks, who would be counted as well.
        assert up.record(lambda record: record["event"] == "edge_retiring")["connections"] == 1
        poll(lambda: refuses(up.plain), what="no more accepting")
        assert echoes(kept, "after")
        leave(kept)
        assert up.ended() == 0


def test_an_edge_without_clients_ends_at_once(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN) as up, wire.connect(up.plain) as idle:
        idle.request(wire.request("GET", "/status/200"))
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(30) == 0
        assert idle.read_to_end() == b""


def test_at_the_deadline_who_is_left_is_told_1012_with_a_reason(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, "--release-deadline", "0", "--release-spread", "0") as up:
        with wire.websocket(up.plain, "/echo") as (client, answer):
            up.process.send_signal(signal.SIGTERM)
            told = client.read_close()
            assert (told.close_code, told.close_reason.partition(":")[0]) == (1012, "drain")
            client.send_frame(close(1012))
            assert client.read_to_end() == b""
        assert up.ended() == 0
        record = up.closed(answer.ray)
        assert (record.closed_by, record.why, record.edge_close_code) == ("edge", "drain", 1012)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_tells_who_is_there_to_go_now(second: signal.Signals, origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.websocket(up.plain, "/echo") as (client, _):
        up.process.send_signal(signal.SIGTERM)
        up.record(lambda record: record["event"] == "edge_retiring")
        up.process.send_signal(second)
        assert client.read_close().close_code == 1012
        client.send_frame(close(1012))
        assert up.ended() == 0


def test_a_third_signal_kills(origin: Origin, tmp_path: Path) -> None:
    up = Edge(origin.url, tmp_path, *LISTEN, *PATIENT)
    try:
        with wire.websocket(up.plain, "/echo") as (client, _):
            edge = up.pid
            up.process.send_signal(signal.SIGTERM)
            up.record(lambda record: record["event"] == "edge_retiring")
            up.process.send_signal(signal.SIGTERM)
            assert client.read_close().close_code == 1012  # which the client does not answer
            up.process.send_signal(signal.SIGTERM)
            assert up.process.wait(30) == -signal.SIGTERM
        poll(lambda: not lives(edge), what="the edge's end")
    finally:
        up.kill()


def test_whoever_asks_for_a_drain_waits_for_its_end(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.websocket(up.plain, "/echo") as (client, _):
        begun = run_to_end(["drain", "--no-wait", "--data", tmp_path])
        assert (begun.returncode, begun.stdout) == (0, "no new clients are taken any more\n")
        with subprocess.Popen(
            [PROGRAM, "drain", "--data", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "it is ending already\n"
            leave(client)
            _, err = asking.communicate(timeout=LIMIT_S)
            assert (asking.returncode, err) == (0, "")
        assert up.ended() == 0


def test_sigterm_after_a_drain_that_was_asked_for_does_not_hurry_it(origin: Origin, tmp_path: Path) -> None:
    """As Kubernetes sends it when the hook before it has returned."""
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.websocket(up.plain, "/echo") as (client, _):
        assert run_to_end(["drain", "--no-wait", "--data", tmp_path]).returncode == 0
        up.process.send_signal(signal.SIGTERM)
        assert run_to_end(["drain", "--no-wait", "--data", tmp_path]).stdout == "it is ending already\n"
        assert echoes(client, "still here")
        leave(client)
        assert up.ended() == 0


def test_an_edge_of_an_earlier_release_is_waited_for_too(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up, wire.websocket(up.plain, "/echo") as (client, _):
        released(tmp_path)
        new = newest_edge(up, number=2)
        up.process.send_signal(signal.SIGTERM)
        poll(lambda: not lives(new), what="the end of the new edge, which has no clients")
        assert echoes(client, "of the old one")
        leave(client)
        assert up.ended() == 0


def test_a_drain_gives_up_a_release_that_is_under_way(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN, *PATIENT) as up:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        # Also for reading: to write waits for nobody who might have ended.
        opened = os.open(gate, os.O_RDWR)
        with subprocess.Popen(
            [PROGRAM, "release", "--data", tmp_path, "--python", interpreter(tmp_path, f"read _ < {gate}")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "a new edge is being started\n"
            up.process.send_signal(signal.SIGTERM)
            _, err = asking.communicate(timeout=LIMIT_S)
            assert (asking.returncode, err) == (1, "holdfast release: it was given up: everything is ending\n")
        os.write(opened, b"go\n")
        assert up.ended() == 0
        os.close(opened)


def test_control_serves_while_the_edge_drains_and_says_that_it_is_not_ready(tmp_path: Path, origin: Origin) -> None:
    with Run(tmp_path, *PATIENT) as run:
        token = run.token
        run.record(lambda record: record["event"] == "control_connected")
        assert run.ask("GET", "/readyz")[0] == 200
        zone_with_record(run, origin)
        with wire.websocket(run.plain, "/echo", name=HOST) as (client, _):
            run.process.send_signal(signal.SIGTERM)
            run.record(lambda record: record["event"] == "edge_retiring")
            poll(lambda: _says_that_it_drains(run), what="not ready")
            assert run.ask("GET", "/client/v4/zones", token=token)[0] == 200
            os.kill(run.child(CONTROL), signal.SIGKILL)
            run.child(CONTROL, restarts=1)
            poll(lambda: _says_that_it_drains(run), what="not ready")
            leave(client)
        assert run.ended() == 0
        run.kill()
        assert [one["child"] for one in run.records("child_exited")] == [CONTROL, EDGE, CONTROL, WORKERS]


def _says_that_it_drains(run: Run) -> bool:
    status, said = run.ask("GET", "/readyz")
    return (status, said.splitlines()[0]) == (503, "draining: no new clients are taken")
