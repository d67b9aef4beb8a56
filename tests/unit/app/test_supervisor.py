"""The supervisor with real processes: small programs of the tests' own in the place of roles.

It takes every child of its process, so it runs in one of its own.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.inheritance import VARIABLE

# A child that is ready at once and does what its argument says.
CHILD = f"""
import json, os, signal, socket, sys
line = socket.socket(fileno=json.loads(os.environ["{VARIABLE}"])["lifeline"])
what = sys.argv[1]
if what == "wrong":
    line.send(b"failed\\nthe moon is full")
    sys.exit(2)
if what == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if what == "lets go":
    line.send(b"ready")
    line.close()
else:
    line.send(b"ready\\nready: " + what.encode())
if what == "crash":
    sys.exit(7)
signal.pause()
"""

# A supervisor of such children. It reports on stdout, and logs to stderr.
SUPERVISOR = f"""
import os, signal, sys
from holdfast.app import back_off
from holdfast.app.child_process import ChildSpec
from holdfast.app.inheritance import Inheritance
from holdfast.app.supervision import ChildLimits
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

specs = [
    ChildSpec(limits=ChildLimits(name=name, start_limit_s=30, stop_limit_s=0.2),
              argv=("/nonexistent/python" if name == "nowhere" else sys.executable, "-c", {CHILD!r}, name),
              inheritance=Inheritance(command="test", kind="run", options={{}}))
    for name in sys.argv[1:]
]
try:
    status = supervise(specs, close_listeners=lambda: print("closed", flush=True), announce=announce, log=Log(2))
except HoldfastError as error:
    print("error:", error)
    status = error.exit_status
sys.exit(status)
"""


class Supervisor:
    """It, running."""

    def __init__(self, *children: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, *children], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ended(self) -> tuple[int, list[str], list[dict[str, Any]]]:
        """(exit status, what it said since, its records)."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out.splitlines(), [json.loads(line) for line in err.splitlines()]


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_children_are_announced_and_end_in_their_order(number: signal.Signals) -> None:
    supervisor = Supervisor("edge", "control")
    assert {supervisor.line(), supervisor.line()} == {"ready: edge", "ready: control"}
    supervisor.process.send_signal(number)
    status, said, records = supervisor.ended()
    assert (status, said[0]) == (0, "closed")
    exits = [(one["child"], one["signal"]) for one in records if one["event"] == "child_exited"]
    assert exits == [("edge", "SIGTERM"), ("control", "SIGTERM")]


def test_twenty_deaths_leave_no_descriptor_behind() -> None:
    status, said, records = Supervisor("crash").ended()
    assert status == 0
    first, last = (line for line in said if line.startswith("descriptors"))
    assert first == last
    assert sum(one["event"] == "child_exited" and one.get("status") == 7 for one in records) >= 20


@pytest.mark.parametrize("children", [("nowhere", "other"), ("other", "nowhere")])
def test_a_child_that_cannot_be_started_is_a_sentence_and_the_others_are_stopped(children: tuple[str, ...]) -> None:
    status, said, records = Supervisor(*children).ended()
    assert status == 2
    assert said[-1] == "error: the nowhere cannot be started: no such file or directory"
    assert "closed" in said
    assert not [one for one in records if one.get("child") == "nowhere"]


def test_a_configuration_that_is_wrong_is_the_childs_sentence_and_the_others_are_stopped() -> None:
    status, said, records = Supervisor("wrong", "other").ended()
    assert status == 2
    assert said[-1] == "error: the moon is full"
    assert not any(one.get("child") == "wrong" for one in records)


def test_a_child_that_is_deaf_is_killed_when_its_time_is_over() -> None:
    supervisor = Supervisor("deaf")
    assert supervisor.line() == "ready: deaf"
    supervisor.process.send_signal(signal.SIGTERM)
    status, _, records = supervisor.ended()
    assert status == 0
    assert records[-1]["signal"] == "SIGKILL"


def test_a_second_signal_kills_and_is_what_it_ends_by() -> None:
    supervisor = Supervisor("deaf")
    assert supervisor.line() == "ready: deaf"
    (child,) = children_of(supervisor.process.pid)
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.line() == "closed"
    supervisor.process.send_signal(signal.SIGINT)
    assert supervisor.ended()[0] in {-signal.SIGINT, 0}
    assert not Path(f"/proc/{child}").exists()


def test_a_child_that_lets_go_of_its_lifeline_costs_no_processor_time() -> None:
    supervisor = Supervisor("lets go", "other")
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
