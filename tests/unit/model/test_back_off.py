"""Restarts: the first at once, then ever more rarely, and forgiven after health."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.back_off import FIRST_DELAY_S, HEALTHY_AFTER_S, MOST_DELAY_S, BackOff


def test_the_first_restart_comes_at_once_and_each_further_one_later() -> None:
    back_off = BackOff()
    delays = [back_off.delay_after_exit(now=float(n)) for n in range(9)]
    assert delays == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_health_earns_a_first_restart_again() -> None:
    back_off = BackOff()
    for now in range(5):
        back_off.delay_after_exit(float(now))
    back_off.ready(100.0)
    assert back_off.delay_after_exit(100.0 + HEALTHY_AFTER_S) == 0.0
    assert back_off.delay_after_exit(200.0) == FIRST_DELAY_S


def test_being_ready_for_a_moment_only_earns_nothing() -> None:
    back_off = BackOff()
    back_off.delay_after_exit(0.0)
    back_off.ready(1.0)
    assert back_off.delay_after_exit(1.0 + HEALTHY_AFTER_S - 0.01) == FIRST_DELAY_S


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e6)), max_size=2000))
def test_no_history_makes_it_wait_longer_than_the_most(history: list[tuple[bool, float]]) -> None:
    back_off, now = BackOff(), 0.0
    for was_ready, lived_s in history:
        if was_ready:
            back_off.ready(now)
        now += lived_s
        assert 0.0 <= back_off.delay_after_exit(now) <= MOST_DELAY_S
