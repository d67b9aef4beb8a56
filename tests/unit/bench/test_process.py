"""Children: their readiness, and that none is left."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from pathlib import Path

import pytest

from bench import meter
from bench.errors import MeasurementError
from bench.process import Child, accepts

# It says its port, which nobody else can have taken.
LISTENING = """
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""
LIMIT_S = 30.0
WITH_CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"])
print("started", flush=True)
time.sleep(60)
"""


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Killed, and not yet collected by whoever inherited it; or collected just now.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "ZX"
    return True


def test_a_child_is_waited_for_and_then_ended(tmp_path: Path) -> None:
    with Child("listener", [sys.executable, "-c", LISTENING], tmp_path) as child:
        child.wait_until(lambda: child.stdout.read_text().endswith("\n"), limit_s=LIMIT_S)
        port = int(child.stdout.read_text())
        assert accepts(port)
        assert not is_gone(child.pid)
    assert is_gone(child.pid)
    assert not accepts(port)


def test_what_a_child_started_is_ended_with_it(tmp_path: Path) -> None:
    with Child("parent", [sys.executable, "-c", WITH_CHILD], tmp_path) as child:
        child.wait_until(lambda: "started" in child.stdout.read_text(), limit_s=LIMIT_S)
        _, grandchild = meter.tree(child.pid)
    assert is_gone(child.pid)
    # SIGKILL is on its way; a pidfd tells when it has arrived.
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(grandchild)], [], [], LIMIT_S)
    assert is_gone(grandchild)


def test_a_child_is_ended_when_the_run_is_interrupted(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path) as child,
    ):
        raise KeyboardInterrupt
    assert is_gone(child.pid)


def test_a_child_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    script = "import sys; print('no such certificate', file=sys.stderr); sys.exit(3)"
    with (
        Child("broken", [sys.executable, "-c", script], tmp_path) as child,
        pytest.raises(MeasurementError, match=r"broken ended with status 3: no such certificate"),
    ):
        child.wait_until(lambda: False, limit_s=LIMIT_S)


def test_waiting_for_a_child_has_a_limit(tmp_path: Path) -> None:
    with (
        Child("silent", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path) as child,
        pytest.raises(MeasurementError, match="not ready after 0 s"),
    ):
        child.wait_until(lambda: False, limit_s=0.05)
