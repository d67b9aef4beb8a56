"""Limits of a script's process, as figures in and sentences out."""

import pytest

from holdfast.model.worker_messages import Turn, WorkerLimits
from holdfast.workers.host.watch import Watch

LIMITS = WorkerLimits(cpu_ms=1000, memory_mb=100)
MIB = 1024 * 1024


def turn(number: int, *, is_running: bool = True) -> Turn:
    return Turn(number=number, sid=1, seq=1, is_running=is_running)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(turn(1), 5.0), (turn(1), 5.9)], "", id="below the limit"),
        pytest.param(
            [(turn(1), 5.0), (turn(1), 6.0)],
            "one event kept it busy for 1000 ms of processor time, limits.cpu_ms is 1000",
            id="at the limit",
        ),
        pytest.param([(turn(1), 5.0), (turn(2), 6.5), (turn(2), 7.0)], "", id="another event begins anew"),
        pytest.param([(turn(1), 5.0), (turn(1, is_running=False), 7.0), (turn(1), 7.1)], "", id="it let the loop go"),
        pytest.param([(turn(1), 5.0), (None, None), (turn(1), 7.1)], "", id="nothing is known"),
        pytest.param([(turn(1), 5.0), (turn(1), None)], "", id="it is gone"),
    ],
)
def test_processor_time_counts_while_one_event_has_the_loop(
    looks: list[tuple[Turn | None, float | None]], expected: str
) -> None:
    watch = Watch(LIMITS)
    said = [watch.look(now, cpu_s, 10 * MIB) for now, cpu_s in looks]
    assert said == [*[""] * (len(looks) - 1), expected]


def test_memory_counts_whatever_runs() -> None:
    watch = Watch(LIMITS)
    assert watch.look(None, None, 100 * MIB) == ""
    assert watch.look(None, None, None) == ""
    assert watch.look(None, None, 101 * MIB) == "it had 101 MiB in memory, limits.memory_mb is 100"


def test_only_what_runs_is_worth_a_look_at_its_clock() -> None:
    watch = Watch(LIMITS)
    assert [watch.is_busy(one) for one in (turn(1), turn(1, is_running=False), None)] == [True, False, False]
