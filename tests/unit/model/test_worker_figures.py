"""Figures of scripts: sums, times, and what is read now and then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_figures import (
    BOUNDS_S,
    MAX_CLASSES,
    OTHER_CLASS,
    Rising,
    Times,
    added,
    added_by_class,
    bounded,
    counted,
    times_of,
)


def test_sizes_are_told_apart_from_what_counts() -> None:
    assert counted({"requests": 3, "sessions": 9, "live": 1}) == {"requests": 3}


def test_sums_go_by_name_and_by_class() -> None:
    assert added([{"a": 1}, {"a": 2, "b": 3}]) == {"a": 3, "b": 3}
    assert added_by_class([{"Room": {"a": 1}}, {"Room": {"a": 1}, "User": {"b": 2}}]) == {
        "Room": {"a": 2},
        "User": {"b": 2},
    }


def test_classes_beyond_the_bound_are_shown_as_one() -> None:
    classes = {f"C{number:03}": {"a": 1} for number in range(MAX_CLASSES + 3)}
    shown = bounded(classes)
    assert len(shown) == MAX_CLASSES + 1
    assert shown[OTHER_CLASS] == {"a": 3}


def test_times_come_back_as_buckets_that_hold_what_is_below_them() -> None:
    times = Times()
    times.add(0.001)
    times.add(0.0011, weight=16)
    times.add(99.0)
    buckets, count, sum_s = times_of(times.flat("handler"), "handler") or ([], 0, 0.0)
    assert buckets == [(bound, 1 if bound == BOUNDS_S[0] else 17) for bound in BOUNDS_S]
    assert count == 18
    assert sum_s == pytest.approx(99.0186)


def test_what_never_took_any_time_has_no_figures() -> None:
    assert Times().flat("handler") == {}
    assert times_of({}, "handler") is None


@given(st.lists(st.integers(0, 1000)))
def test_what_is_read_never_goes_down_and_rises_by_what_was_counted_since(values: list[int]) -> None:
    rising, last, before = Rising(), 0, 0
    for value in values:
        read = rising.read(("key", "a"), value)
        assert read - last == (value - before if value >= before else value)
        last, before = read, value


def test_what_is_gone_is_forgotten() -> None:
    rising = Rising()
    rising.read(("gone", "a"), 5)
    rising.read(("here", "a"), 5)
    rising.retain({"here"})
    assert (rising.read(("gone", "a"), 1), rising.read(("here", "a"), 1)) == (1, 6)


def test_others_stay_others() -> None:
    classes = {f"Room{number:02}": {"woken": 1} for number in range(MAX_CLASSES + 3)}
    once = bounded(classes)
    assert once[OTHER_CLASS] == {"woken": 3}
    assert bounded(once) == once
    assert bounded({**once, "Z": {"woken": 4}})[OTHER_CLASS] == {"woken": 7}
