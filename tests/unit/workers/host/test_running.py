"""What the host knows of a process, with this very process in its place."""

import os
from typing import cast

import pytest

from holdfast.model.worker_messages import Turn, WorkerLimits
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host import figures
from holdfast.workers.host.process import ScriptProcess
from holdfast.workers.host.running import Running

BUSY = Turn(number=1, sid=1, seq=1, is_running=True)
WAITS = Turn(number=1, sid=1, seq=1, is_running=False)


class Played:
    """A process that is at this."""

    def __init__(self, turn: Turn | None) -> None:
        self.pid = os.getpid()
        self.at = turn

    def turn(self) -> Turn | None:
        return self.at


def running(turn: Turn | None = None, *, memory_mb: int = 65_536, cpu_ms: int = 1000) -> Running:
    limits = WorkerLimits(memory_mb=memory_mb, cpu_ms=cpu_ms)
    version = ScriptVersion(key="0" * 12, name="chat", version="v", main="worker.py", limits=limits)
    return Running(cast("ScriptProcess", Played(turn)), version)


def test_its_processor_time_is_what_it_was_once_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    one = running()
    before = one.cpu_ms_now()
    assert before > 0
    monkeypatch.setattr(figures, "cpu_s", lambda _pid: None)
    assert one.cpu_ms_now() == before


def test_its_clock_is_asked_only_while_an_event_has_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def cpu_s(pid: int) -> float:
        asked.append(pid)
        return 2.0

    monkeypatch.setattr(figures, "cpu_s", cpu_s)
    assert [running(turn).look(0.0, is_serving=True)[0] for turn in (None, WAITS)] == [False, False]
    assert asked == []
    busy = running(BUSY)
    assert busy.look(0.0, is_serving=True) == (True, "")
    assert (asked, busy.cpu_ms) == ([os.getpid()], 2000)


def test_a_limit_that_it_exceeds_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((1.0, 3.0))
    monkeypatch.setattr(figures, "cpu_s", lambda _pid: next(clock))
    busy = running(BUSY)
    assert busy.look(0.0, is_serving=True)[1] == ""
    assert busy.look(0.1, is_serving=True)[1].endswith("limits.cpu_ms is 1000")
    assert running(memory_mb=1).look(0.0, is_serving=False)[1].endswith("limits.memory_mb is 1")
