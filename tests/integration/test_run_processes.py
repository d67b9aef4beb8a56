"""`holdfast run` as a person and an operator meet it: starts, ends, deaths of each process, and what is said of them."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.integration import wire
from tests.integration.command import START_LIMIT_S, children_of, lives, open_descriptors, run_to_end
from tests.integration.edge import Edge
from tests.integration.frames import TEXT, Frame, close
from tests.integration.origin import Origin
from tests.integration.run import CONTROL, EDGE, WORKERS, Run
from tests.integration.waiting import poll

LISTEN = ("--listen", "127.0.0.1:0", "--threads", "1")


# --- Starting -------------------------------------------------------------------------------------------------------


def test_the_first_start_prints_a_token_that_works_and_the_second_does_not_print_it(tmp_path: Path) -> None:
    with Run(tmp_path) as first:
        token = first.token
        assert first.ask("GET", "/client/v4/zones", token=token)[0] == 200
    with Run(tmp_path) as second:
        assert not any("token" in line for line in second.ready_lines)
        assert second.ask("GET", "/client/v4/zones", token=token)[0] == 200
        assert not any(token in line for line in [*first.log_lines, *second.log_lines])


def test_roles_find_each_other_when_they_run_alone(tmp_path: Path) -> None:
    with Run(tmp_path, verb=EDGE) as edge, Run(tmp_path, verb=CONTROL) as control:
        edge.record(lambda record: record["event"] == "control_connected")
        assert control.ask("GET", "/readyz")[0] == 200
        assert control.token
        assert children_of(edge.process.pid) == children_of(control.process.pid) == []


def test_a_second_edge_on_the_same_data_is_refused_with_one_sentence(tmp_path: Path) -> None:
    with Run(tmp_path, verb=EDGE) as edge:
        ended = run_to_end(["edge", "--data", tmp_path, *LISTEN])
        assert ended.returncode == 2
        assert f"has a running edge already (process {edge.process.pid})" in ended.stderr


@pytest.mark.parametrize("flag", ["--listen", "--control-listen"])
def test_a_port_in_use_is_one_sentence_and_leaves_nothing_behind(flag: str, tmp_path: Path) -> None:
    free = {"--listen": "127.0.0.1:0", "--control-listen": "127.0.0.1:0"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free[flag] = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run_to_end(["run", "--data", tmp_path / "data", *(word for pair in free.items() for word in pair)])
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (f"holdfast run: cannot listen on {free[flag]}: the port is in use by another program\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--control-cert", "no.pem", "--control-key", "no.key"], "cannot read no.pem"),
        (["--tls-listen", "127.0.0.1:0", "--cert", "no.pem", "--key", "no.key"], "cannot read no.pem"),
        (["--geoip-database", "no.mmdb"], "the GeoIP database no.mmdb cannot be used"),
        (["--database-url", "sqlite+aiosqlite:////proc/no/db"], "/proc/no/db cannot be used"),
    ],
)
def test_what_a_child_finds_wrong_at_the_first_start_ends_all_with_one_sentence(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    listen = [*LISTEN, "--control-listen", "127.0.0.1:0"]
    ended = run_to_end(["run", "--data", tmp_path, *listen, *arguments])
    assert ended.returncode == 2, ended
    sentences = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(sentences) == 1, ended.stderr
    assert sentences[0].startswith("holdfast run: ")
    assert said in sentences[0]
    assert "Traceback" not in ended.stderr


def test_a_database_server_that_is_away_does_not_keep_the_edge_from_serving(tmp_path: Path) -> None:
    with socket.socket() as nobody:  # bound and not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql+asyncpg://me:hunter2@127.0.0.1:{nobody.getsockname()[1]}/holdfast"
        with Run(tmp_path, environment={"HOLDFAST_DATABASE_URL": url}, roles=(EDGE,)) as run:
            record = run.record(
                lambda one: one["event"] == "child_exited" and one["child"] == CONTROL and one["restart_in_ms"] > 0,
                limit_s=2 * START_LIMIT_S,
            )
            assert record["status"] == 1
            assert "database" in record["reason"]
            with wire.connect(run.plain) as client:
                answer, _ = client.request(wire.request("GET", "/"))
                assert (answer.status, answer.value("retry-after")) == (503, "2")
        assert not any("hunter2" in line for line in run.log_lines)


# --- Deaths ---------------------------------------------------------------------------------------------------------


def test_an_edge_that_is_killed_is_back_and_no_connection_is_refused_meanwhile(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN) as up:
        refused: list[BaseException] = []
        upgraded = threading.Semaphore(0)
        is_over = threading.Event()

        def keep_upgrading() -> None:
            while not is_over.is_set():
                try:
                    with wire.websocket(up.plain, "/echo"):
                        upgraded.release()
                except ConnectionRefusedError as error:
                    refused.append(error)
                    is_over.set()
                except (OSError, wire.EndedError):
                    pass  # it was open, or accepted, when the edge was killed

        clients = [threading.Thread(target=keep_upgrading) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            pids = [up.pid]
            for _ in range(3):
                assert upgraded.acquire(timeout=30)
                os.kill(pids[-1], signal.SIGKILL)
                started = up.record(
                    lambda record: record["event"] == "child_started" and record["restarts"] == len(pids),
                    limit_s=START_LIMIT_S,
                )
                pids.append(started["pid"])
            # After the last death as many as were in flight, and more.
            assert all(upgraded.acquire(timeout=30) for _ in range(40))
        finally:
            is_over.set()
            for client in clients:
                client.join(30)
        assert not refused
        assert len(set(pids)) == 4


def test_control_that_is_killed_is_back_and_open_connections_never_notice(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        token, edge, control = run.token, run.child(EDGE), run.child(CONTROL)
        run.record(lambda record: record["event"] == "control_connected")
        os.kill(control, signal.SIGKILL)
        assert run.exit_of(control)["signal"] == "SIGKILL"
        assert run.child(CONTROL, restarts=1) != control
        assert run.ask("GET", "/client/v4/zones", token=token)[0] == 200
        poll(lambda: len(run.records("control_connected")) >= 2, what="the edge's link to the new control")
        assert lives(edge)
        assert not any(record["child"] == EDGE for record in run.records("child_exited"))


def test_children_of_a_supervisor_that_is_killed_end_in_an_orderly_way(origin: Origin, tmp_path: Path) -> None:
    with Edge(origin.url, tmp_path, *LISTEN) as up, wire.websocket(up.plain, "/echo") as (client, _):
        edge = up.pid
        up.process.kill()
        assert client.read_close().close_code == 1001
        client.send_frame(close(1001))
        poll(lambda: not lives(edge), what="the edge's end")
        up.record(lambda record: record["event"] == "supervisor_gone")
        up.kill()


def test_both_roles_end_with_their_supervisor_and_a_new_one_can_start_at_once_on_the_same_ports(tmp_path: Path) -> None:
    with Run(tmp_path) as killed:
        pids = [killed.child(EDGE), killed.child(CONTROL)]
        ports = [f"{host}:{port}" for host, port in (killed.plain, killed.api)]
        killed.process.kill()
        with Run(tmp_path, listen=ports[0], control_listen=ports[1]) as next_one:
            assert next_one.ask("GET", "/healthz")[0] == 200
        poll(lambda: not any(map(lives, pids)), what="their end")
        killed.kill()


def test_each_death_in_a_row_is_waited_after_for_longer(tmp_path: Path) -> None:
    with Run(tmp_path, roles=(EDGE,)) as run:
        waits = []
        for restarts in range(4):
            pid = run.child(EDGE, restarts=restarts)
            os.kill(pid, signal.SIGKILL)
            waits.append(run.exit_of(pid)["restart_in_ms"])
        assert waits == [0, 100, 200, 400]


def test_a_restart_leaves_no_descriptor_and_no_zombie_behind(tmp_path: Path) -> None:
    with Run(tmp_path, roles=(EDGE,)) as run:
        supervisor = run.process.pid
        run.child(CONTROL)
        run.child(WORKERS)
        before = open_descriptors(supervisor)
        for restarts in range(3):
            os.kill(run.child(EDGE, restarts=restarts), signal.SIGKILL)
        edge = run.child(EDGE, restarts=3)
        poll(lambda: open_descriptors(supervisor) == before, what=f"{before} descriptors, as before")
        assert sorted(children_of(supervisor)) == sorted([run.child(CONTROL), run.child(WORKERS), edge])


# --- Ending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_edge_ends_before_control_and_scripts_last_and_the_status_is_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Run(tmp_path) as run:
        run.child(EDGE)
        run.child(CONTROL)
        run.child(WORKERS)
        run.process.send_signal(number)
        assert run.ended() == 0
        run.kill()
        ended = run.records("child_exited")
        assert [(one["child"], one.get("status")) for one in ended] == [(EDGE, 0), (CONTROL, 0), (WORKERS, 0)], ended


def test_an_interrupt_to_the_whole_group_ends_all_in_order(origin: Origin, tmp_path: Path) -> None:
    """As a terminal sends Ctrl-C: children get it too, and keep their grace."""
    with (
        Edge(origin.url, tmp_path, *LISTEN, under=["setsid"]) as up,
        wire.websocket(up.plain, "/echo") as (client, _),
    ):
        client.send_frame(Frame(TEXT, b"open"))
        assert client.read_message() == b"open"
        assert os.getpgid(up.pid) == up.process.pid
        os.killpg(up.process.pid, signal.SIGINT)
        assert client.read_close().close_code == 1001
        client.send_frame(close(1001))
        assert client.read_to_end() == b""
        assert up.ended() == 0


def test_a_second_signal_kills_all_at_once(origin: Origin, tmp_path: Path, token: str) -> None:
    with Edge(origin.url, tmp_path, *LISTEN) as up:
        edge = up.pid
        with wire.connect(up.plain) as client:
            client.send(wire.request("GET", f"/held?{token}"))  # would keep it for its whole grace
            client.read_answer()
            up.process.send_signal(signal.SIGINT)
            poll(lambda: refuses(up.plain), what="no more accepting")
            up.process.send_signal(signal.SIGTERM)
            assert up.process.wait(30) == -signal.SIGTERM
        poll(lambda: not lives(edge), what="the edge's end")


def refuses(address: wire.Address) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection(address, timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False
