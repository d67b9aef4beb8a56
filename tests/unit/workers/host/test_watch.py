"""Limits of a script's process, as figures in and sentences out."""

import pytest

from holdfast.model.worker_messages import Turn, WorkerLimits
from holdfast.workers.host.watch import BLOCKED_LIMIT_S, Watch

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
    said = [watch.look(now, cpu_s, 10 * MIB, 0.0) for now, cpu_s in looks]
    assert said == [*[""] * (len(looks) - 1), expected]


def test_memory_counts_whatever_runs() -> None:
    watch = Watch(LIMITS)
    assert watch.look(None, None, 100 * MIB, 0.0) == ""
    assert watch.look(None, None, None, 0.0) == ""
    assert watch.look(None, None, 101 * MIB, 0.0) == "it had 101 MiB in memory, limits.memory_mb is 100"


def test_only_what_runs_is_worth_a_look_at_its_clock() -> None:
    watch = Watch(LIMITS)
    assert [watch.is_busy(one) for one in (turn(1), turn(1, is_running=False), None)] == [True, False, False]


def blocked(watch: Watch, *, for_s: int, cpu_share: float = 0.0, step_s: float = 0.5, is_at_work: bool = False) -> str:
    """The first sentence about one event that has the loop for so long, and the processor for a share of that."""
    moments = (step * step_s for step in range(int(for_s / step_s) + 1))
    looks = (watch.look(turn(1), cpu_share * now, MIB, now, is_at_work=is_at_work) for now in moments)
    return next(filter(None, looks), "")


def test_an_event_that_waits_in_place_is_ended_though_it_uses_no_processor() -> None:
    assert blocked(Watch(LIMITS), for_s=int(BLOCKED_LIMIT_S) - 1) == ""
    assert "blocked it for 30 s" in blocked(Watch(LIMITS), for_s=int(BLOCKED_LIMIT_S))


def test_time_that_is_spent_computing_is_not_counted_as_waiting() -> None:
    patient = WorkerLimits(cpu_ms=60_000)
    assert blocked(Watch(patient), for_s=40, cpu_share=0.5) == ""
    assert "blocked it" in blocked(Watch(patient), for_s=62, cpu_share=0.5)


def test_an_event_on_a_busy_machine_has_its_processor_time_and_is_ended_for_nothing_else() -> None:
    patient = WorkerLimits(cpu_ms=30_000)
    assert blocked(Watch(patient), for_s=299, cpu_share=0.1, is_at_work=True) == ""
    assert "30000 ms of processor time" in blocked(Watch(patient), for_s=301, cpu_share=0.1, is_at_work=True)


def test_a_host_that_was_stopped_itself_blames_nobody_for_it() -> None:
    watch = Watch(LIMITS)
    assert [watch.look(turn(1), 0.0, MIB, now) for now in (0.0, 0.5, 3600.0, 3601.0)] == [""] * 4


def still(watch: Watch, *, for_s: float, is_at_work: bool = False, is_serving: bool = True, step_s: float = 0.5) -> str:
    """The first sentence about a loop that waits for so long and never comes round."""
    waiting = turn(1, is_running=False)
    for step in range(int(for_s / step_s) + 2):
        is_seen_at_work = is_at_work and watch.is_suspect(waiting)
        said = watch.look(waiting, None, MIB, step * step_s, is_at_work=is_seen_at_work, is_serving=is_serving)
        if said:
            return said
    return ""


def test_a_loop_that_does_not_come_round_though_nothing_has_it_is_ended() -> None:
    watch = Watch(LIMITS)
    assert still(watch, for_s=BLOCKED_LIMIT_S - 1) == ""
    assert still(watch, for_s=BLOCKED_LIMIT_S).startswith(
        "its event loop has stood still for 30 s though no event had it"
    )
    assert watch.exceeded == "blocked"


def test_a_loop_that_waits_for_a_processor_or_before_it_serves_is_not() -> None:
    assert still(Watch(LIMITS), for_s=300, is_at_work=True) == ""
    assert still(Watch(LIMITS), for_s=300, is_serving=False) == ""


def test_a_loop_that_comes_round_now_and_then_may_wait_for_ever() -> None:
    watch = Watch(LIMITS)
    for step in range(1000):
        waiting = turn(step // 20, is_running=False)
        assert watch.look(waiting, None, MIB, step * 0.5, is_serving=True) == ""
        assert not watch.is_suspect(waiting)


def test_a_host_that_was_stopped_itself_finds_no_loop_that_stood_still() -> None:
    watch = Watch(LIMITS)
    waiting = turn(1, is_running=False)
    assert [watch.look(waiting, None, MIB, now, is_serving=True) for now in (0.0, 0.5, 3600.0, 3601.0)] == [""] * 4
