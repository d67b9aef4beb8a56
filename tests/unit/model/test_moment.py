"""`holdfast.model.moment`: microseconds and the text the API writes them as."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.moment import moment_of, parsed, written, written_or_none

TIMES = st.datetimes(timezones=st.just(dt.UTC))


@given(TIMES)
def test_what_is_written_is_read_again(time: dt.datetime) -> None:
    moment = moment_of(time)
    assert parsed(written(moment)) == moment


@given(TIMES, TIMES)
def test_written_moments_sort_as_the_moments_do(one: dt.datetime, other: dt.datetime) -> None:
    assert (moment_of(one) < moment_of(other)) == (written(moment_of(one)) < written(moment_of(other)))


def test_a_moment_is_written_with_six_digits_and_z() -> None:
    assert written(1_000_000) == "1970-01-01T00:00:01.000000Z"
    assert (written_or_none(None), written_or_none(0)) == (None, "1970-01-01T00:00:00.000000Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_a_date_and_time_with_any_offset_is_read(text: str, expected: int) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize("text", ["", "now", "2026-11-25", "2026-11-25T08:00:00", "2026-13-01T00:00:00Z", "1" * 500])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 2026-11-25T08:00:00Z"):
        parsed(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_a_moment_that_could_not_be_written_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        parsed(text)


def test_early_years_have_four_digits() -> None:
    assert written(parsed("0099-01-01T00:00:00Z")) == "0099-01-01T00:00:00.000000Z"
