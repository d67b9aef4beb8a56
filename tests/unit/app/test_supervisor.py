"""The supervisor with real processes: small programs of the tests' own in the place of roles.

It takes every child of its process, so it runs in one of its own.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.ask_supervisor import NotReleasedError, run_drain, run_release
from holdfast.app.inheritance import VARIABLE
from holdfast.errors import SetupError
from tests.integration.waiting import poll

# A child that is ready at once and does what its argument says.
CHILD = f"""
import json, os, signal, socket, sys
line = socket.socket(fileno=json.loads(os.environ["{VARIABLE}"])["lifeline"])
what = sys.argv[1]
if what == "wrong":
    line.send(b"failed\\nthe moon is full")
    sys.exit(2)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if what == "lets go":
    line.send(b"ready")
    line.close()
else:
    line.send(b"ready\\nready: " + what.encode())
if what == "crash":
    sys.exit(7)
while what not in ("deaf", "lets go"):
    said = line.recv(65536)
    word = json.loads(said)["word"] if said else "stop"
    if word == "retire":
        line.send(b"retiring\\n0")
    if word in ("stop", "retire"):
        sys.exit(0)
signal.pause()
"""

# A supervisor of such children. It reports on stdout, and logs to stderr.
SUPERVISOR = f"""
import os, signal, sys
from holdfast.model import back_off
from pathlib import Path
from holdfast.app.child_process import ChildSpec
from holdfast.app.family import ChildLimits
from holdfast.app.inheritance import Inheritance
from holdfast.app.releasing import ReleasePlan
from holdfast.app.supervisor import supervise
from holdfast.errors import HoldfastError
from holdfast.event_log import EventLog

back_off.FIRST_DELAY_S = 0.0  # the tests of `back_off` wait for nothing either

class Log(EventLog):
    exits = 0
    def write(self, event, fields):
        super().write(event, fields)
        Log.exits += event == "child_exited"
        if Log.exits in {{1, 20}} and event == "child_exited":
            print("descriptors", len(os.listdir("/proc/self/fd")), flush=True)
        if Log.exits == 20 and event == "child_exited":
            os.kill(os.getpid(), signal.SIGTERM)

def announce(lines):
    print(*lines, sep="\\n", flush=True)

def stop_limit_s(name):
    # Of those that do not end by themselves a short one is over soon; the others have as long as a busy machine takes.
    return 0.2 if name in ("deaf", "lets go") else 60

specs = [
    ChildSpec(limits=ChildLimits(name=name, start_limit_s=60, stop_limit_s=stop_limit_s(name), keeps_clients=name == "edge"),
              argv=lambda python, name=name: (
                  "/nonexistent/python" if name == "nowhere" else python or sys.executable, "-c", {CHILD!r}, name
              ),
              inheritance=Inheritance(command="test", kind="run", options={{}}))
    for name in sys.argv[2:]
]
try:
    status = supervise(specs, close_listeners=lambda role: print("closed", role, flush=True), announce=announce, log=Log(2),
                       plan=ReleasePlan(deadline_s=20, spread_s=0), data_dir=Path(sys.argv[1]))
except HoldfastError as error:
    print("error:", error)
    status = error.exit_status
sys.exit(status)
"""


# Longest wait for what should happen at once. The machine may be busy with other tests.
LIMIT_S = 100.0
# Releases in which a hang-up must have been heard: some seconds of them.
MOST_ASKED = 100


class Supervisor:
    """It, running on a directory."""

    def __init__(self, data_dir: Path, *children: str, environment: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.log = data_dir / f"records-{secrets.token_hex(4)}"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, data_dir, *children],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **(environment or {})},
            )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ended(self) -> tuple[int, list[str], list[dict[str, Any]]]:
        """(exit status, what it said since, its records)."""
        out, _ = self.process.communicate(timeout=LIMIT_S)
        records = [json.loads(line) for line in self.log.read_text().splitlines()]
        return self.process.returncode, out.splitlines(), records


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_children_are_announced_and_end_in_their_order(number: signal.Signals, tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "edge", "control")
    assert {supervisor.line(), supervisor.line()} == {"ready: edge", "ready: control"}
    supervisor.process.send_signal(number)
    status, said, records = supervisor.ended()
    assert (status, said[0]) == (0, "closed edge")
    exits = [(one["child"], one["status"]) for one in records if one["event"] == "child_exited"]
    assert exits == [("edge", 0), ("control", 0)]


def test_twenty_deaths_leave_no_descriptor_behind(tmp_path: Path) -> None:
    status, said, records = Supervisor(tmp_path, "crash").ended()
    assert status == 0
    first, last = (line for line in said if line.startswith("descriptors"))
    assert first == last
    assert sum(one["event"] == "child_exited" and one.get("status") == 7 for one in records) >= 20


@pytest.mark.parametrize("children", [("nowhere", "other"), ("other", "nowhere")])
def test_a_child_that_cannot_be_started_is_a_sentence_and_the_others_are_stopped(
    children: tuple[str, ...], tmp_path: Path
) -> None:
    status, said, records = Supervisor(tmp_path, *children).ended()
    assert status == 2
    assert said[-1] == "error: the nowhere cannot be started: no such file or directory"
    assert "closed nowhere" in said
    assert not [one for one in records if one.get("child") == "nowhere"]


def test_a_configuration_that_is_wrong_is_the_childs_sentence_and_the_others_are_stopped(tmp_path: Path) -> None:
    status, said, records = Supervisor(tmp_path, "wrong", "other").ended()
    assert status == 2
    assert said[-1] == "error: the moon is full"
    assert not any(one.get("child") == "wrong" for one in records)


def test_a_child_that_is_deaf_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "deaf")
    assert supervisor.line() == "ready: deaf"
    supervisor.process.send_signal(signal.SIGTERM)
    status, _, records = supervisor.ended()
    assert status == 0
    assert records[-1]["signal"] == "SIGKILL"


def test_a_second_signal_kills_what_is_stopped_and_is_what_it_ends_by(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "deaf")
    assert supervisor.line() == "ready: deaf"
    (child,) = children_of(supervisor.process.pid)
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.line() == "closed deaf"
    supervisor.process.send_signal(signal.SIGINT)
    assert supervisor.ended()[0] in {-signal.SIGINT, 0}
    assert not Path(f"/proc/{child}").exists()


def test_a_child_that_lets_go_of_its_lifeline_costs_no_processor_time(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "lets go", "other")
    assert "ready: other" in {supervisor.line(), supervisor.line()}
    pid = supervisor.process.pid
    before = _ticks(pid)
    for _ in range(3):  # tenths of a second, in which a supervisor that spins would use as much
        subprocess.run([sys.executable, "-c", "import asyncio"], check=True)
    assert _ticks(pid) - before < 5
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.ended()[0] == 0


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# --- Who asks -------------------------------------------------------------------------------------------------------


def test_a_release_that_is_asked_for_is_made_and_leaves_no_descriptor_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = Supervisor(tmp_path, "edge", "control")
    assert {supervisor.line(), supervisor.line()} == {"ready: edge", "ready: control"}
    pid = supervisor.process.pid
    before, open_before = children_of(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))
    for _ in range(6):
        assert run_release(tmp_path, python=None, waits=True) == 0
    assert "keeps 0 connections" in capsys.readouterr().out
    # Those that were told to end before a release was done may end and be reaped a moment after it.
    poll(lambda: not set(children_of(pid)) & set(before), what="the end of the first ones", limit_s=LIMIT_S)
    poll(
        lambda: len(list(Path(f"/proc/{pid}/fd").iterdir())) <= open_before,
        what="as few descriptors as before",
        limit_s=LIMIT_S,
    )
    supervisor.process.send_signal(signal.SIGTERM)
    status, _, records = supervisor.ended()
    assert (status, sum(one["event"] == "release_done" for one in records)) == (0, 6)
    assert not (tmp_path / "supervisor.sock").exists()


def test_a_release_by_an_interpreter_that_is_none_changes_nothing_and_says_why(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "edge")
    assert supervisor.line() == "ready: edge"
    before = children_of(supervisor.process.pid)
    with pytest.raises(NotReleasedError, match=r"/nonexistent/python: no such file or directory; nothing has changed$"):
        run_release(tmp_path, python=Path("/nonexistent/python"), waits=True)
    with pytest.raises(NotReleasedError, match=r"it ended with status 1; nothing has changed$"):
        run_release(tmp_path, python=Path("/bin/false"), waits=True)
    assert children_of(supervisor.process.pid) == before
    supervisor.process.send_signal(signal.SIGINT)
    assert supervisor.ended()[0] == 0


def test_a_hang_up_is_a_release(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "edge", "control")
    assert {supervisor.line(), supervisor.line()} == {"ready: edge", "ready: control"}
    supervisor.process.send_signal(signal.SIGHUP)
    poll(lambda: '"release_done"' in supervisor.log.read_text(), what="the release", limit_s=LIMIT_S)
    supervisor.process.send_signal(signal.SIGTERM)
    status, _, records = supervisor.ended()
    assert (status, sum(one["event"] == "release_done" for one in records)) == (0, 1)


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_is_closed_ends_it_unless_it_was_told_not_to_mind(ignored: bool, tmp_path: Path) -> None:
    """As the end of an ssh session; `nohup` has hang-ups ignored."""
    ours, theirs = os.openpty()
    said, saying = os.pipe()
    log = tmp_path / "log"
    prepare = f"""
import os, signal, sys
os.login_tty({theirs})
os.dup2({saying}, 1)
os.dup2(os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
if {ignored}:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
    process = subprocess.Popen([sys.executable, "-c", prepare, SUPERVISOR, tmp_path, "edge"], pass_fds=[theirs, saying])
    assert b"ready: edge" in os.read(said, 4096)
    for descriptor in (theirs, ours):
        os.close(descriptor)
    asked = 0
    # The kernel takes its time to hang up; what it says is a release more than were asked for.
    while ignored and log.read_text().count('"event":"release_done"') <= asked < MOST_ASKED:
        asked += 1
        assert run_release(tmp_path, python=None, waits=True) == 0
    if ignored:
        assert run_drain(tmp_path, waits=True) == 0
    assert process.wait(LIMIT_S) == 0
    assert log.read_text().count('"event":"release_done"') == (asked + 1 if ignored else 0)
    for descriptor in (said, saying):
        os.close(descriptor)


def test_a_drain_that_is_asked_for_ends_the_supervisor_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = Supervisor(tmp_path, "edge", "control")
    assert {supervisor.line(), supervisor.line()} == {"ready: edge", "ready: control"}
    assert run_drain(tmp_path, waits=True) == 0
    assert capsys.readouterr().out.startswith("no new clients are taken any more\n")
    assert supervisor.ended()[0] == 0


def test_where_nobody_runs_there_is_nobody_to_ask(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=rf"^nothing runs on the data directory {tmp_path}: start"):
        run_drain(tmp_path, waits=True)


def test_a_second_supervisor_on_a_directory_says_that_it_cannot_be_asked_and_runs(tmp_path: Path) -> None:
    first = Supervisor(tmp_path, "edge")
    assert first.line() == "ready: edge"
    second = Supervisor(tmp_path, "edge")
    assert second.line() == "ready: edge"
    second.process.send_signal(signal.SIGINT)
    status, _, records = second.ended()
    assert status == 0
    (warning,) = [one for one in records if one["event"] == "supervisor_warning"]
    assert f"process {first.process.pid} has the data directory {tmp_path} already" in warning["reason"]
    assert run_drain(tmp_path, waits=True) == 0
    assert first.ended()[0] == 0


def test_a_service_manager_hears_what_is_done(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LIMIT_S)
        supervisor = Supervisor(tmp_path, "edge", environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        pid = supervisor.process.pid
        assert manager.recv(4096).decode() == f"READY=1\nSTATUS=Serving\nMAINPID={pid}"
        supervisor.process.send_signal(signal.SIGHUP)
        assert manager.recv(4096).decode().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(4096).decode().startswith("READY=1\n")
        supervisor.process.send_signal(signal.SIGTERM)
        assert manager.recv(4096).decode() == "STOPPING=1\nSTATUS=Draining"
        assert supervisor.ended()[0] == 0
