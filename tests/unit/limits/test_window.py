"""`holdfast.limits.window`: the arithmetic of two buckets, beside what really came in the last period."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.limits.window import MAX_STEP_BACK_S, Window

NOW = 1_700_000_000.0
NONSENSE = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.parametrize(
    ("after_s", "previous", "count", "estimate"),
    [
        (0.0, 0.0, 8, 8.0),
        (9.0, 0.0, 8, 8.0),
        # The last of them came 5 s after the first.
        (10.0, 8.0, 0, 8.0),
        (12.5, 8.0, 0, 6.0),
        (14.0, 8.0, 0, pytest.approx(4.8)),
        (15.0, 0.0, 0, 0.0),
        (1_000.0, 0.0, 0, 0.0),
    ],
)
def test_the_bucket_before_counts_as_far_as_it_is_covered(
    after_s: float, previous: float, count: int, estimate: float
) -> None:
    window = Window(NOW, 0.0, 8, last_s=5.0)
    window.move_to(NOW + after_s, 10)
    assert (window.previous, window.count) == (previous, count)
    assert window.estimate(NOW + after_s, 10) == estimate


def test_a_mitigation_makes_all_before_it_a_bucket_that_ended_with_its_beginning() -> None:
    window = Window(NOW, 4.0, 6, last_s=5.0)
    window.mitigate(NOW + 5, 10, 3)
    assert (window.start, window.previous, window.count) == (NOW + 5, 8.0, 0)
    assert window.mitigated_s(NOW + 6, 3) == 2.0
    # What the rule says now is the longest there may be.
    assert Window(NOW, limited_s=600).mitigated_s(NOW + 1, 10) == 9.0
    assert window.mitigated_s(NOW + 8, 3) == 0.0
    assert window.limited_s == 0
    window.move_to(NOW + 8, 10)
    assert window.estimate(NOW + 8, 10) == pytest.approx(8.0 * 0.7)
    window.move_to(NOW + 15, 10)
    assert window.estimate(NOW + 15, 10) == 0.0


@given(st.floats(0, MAX_STEP_BACK_S), st.integers(1, 600))
def test_a_clock_that_steps_back_makes_no_window_longer(step: float, period_s: int) -> None:
    window = Window(NOW, 0.0, 5, last_s=0.5)
    window.move_to(NOW - step, period_s)
    assert window.count == 5
    window.move_to(NOW - step + 2 * period_s, period_s)
    assert window.estimate(NOW - step + 2 * period_s, period_s) == 0.0
    limited = Window(NOW, limited_s=60)
    assert limited.mitigated_s(NOW - step, 60) <= 60
    assert limited.mitigated_s(NOW - step + 60, 60) == 0.0


@given(NONSENSE, NONSENSE, st.integers(0, 2**32 - 1), NONSENSE, st.integers(0, 2**31))
def test_nonsense_is_over_within_what_the_rule_says(
    start: float, previous: float, count: int, last_s: float, limited_s: int
) -> None:
    window = Window(start, previous, count, last_s, limited_s)
    assert 0 <= window.mitigated_s(NOW, 60) <= 60
    window.mitigated_s(NOW + 60, 60)
    window.move_to(NOW, 10)
    window.bounded_by(100)
    assert 0 <= window.estimate(NOW, 10) <= 200
    assert 0 <= window.free_after_s(NOW, 10, 100) <= 20
    window.move_to(NOW + 20, 10)
    assert window.estimate(NOW + 20, 10) == 0.0


@given(
    st.lists(st.integers(0, 80), min_size=1, max_size=40),
    st.integers(1, 10),
    st.integers(1, 12),
)
def test_who_comes_back_when_it_was_told_finds_room(gaps: list[int], period_s: int, limit: int) -> None:
    """Time goes in eighths of a second, which floats hold exactly."""
    now, window = NOW, Window(NOW)
    for gap in gaps:
        now += gap / 8
        window.move_to(now, period_s)
        if window.estimate(now, period_s) + 1 <= limit:
            window.add(now)
            assert window.free_after_s(now, period_s, limit) <= 2 * period_s
            continue
        wait_s = window.free_after_s(now, period_s, limit)
        assert 0 < wait_s <= 2 * period_s
        back = now + math.ceil(wait_s)
        returned = Window(window.start, window.previous, window.count, window.last_s)
        returned.move_to(back, period_s)
        assert returned.estimate(back, period_s) + 1 <= limit + 1e-6


def test_a_limit_of_nothing_lets_nobody_back() -> None:
    assert Window(NOW).free_after_s(NOW, 10, 0) == 10.0
