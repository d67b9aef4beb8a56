"""`js.Date`: a datetime by JavaScript's names."""

import math
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import JsRangeError, JsTypeError
from holdfast.workers.sdk.web.dates import Date


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_is_its_milliseconds(milliseconds: int) -> None:
    date = Date.new(milliseconds)
    assert date.getTime() == milliseconds
    assert Date.new(date.toISOString()) == date
    assert isinstance(date, datetime)


@pytest.mark.parametrize(
    ("given", "iso"),
    [
        ((0,), "1970-01-01T00:00:00.000Z"),
        (("2026-11-26",), "2026-11-26T00:00:00.000Z"),
        (("2026-11-26T10:00:00.123+01:00",), "2026-11-26T09:00:00.123Z"),
        (("Thu, 26 Nov 2026 09:00:00 GMT",), "2026-11-26T09:00:00.000Z"),
        ((2026, 10, 26, 9, 1, 2, 3), "2026-11-26T09:01:02.003Z"),
        (("2026",), "2026-01-01T00:00:00.000Z"),
        (("2026-11",), "2026-11-01T00:00:00.000Z"),
        (("Nov 26, 2026",), "2026-11-26T00:00:00.000Z"),
        (("26 November 2026",), "2026-11-26T00:00:00.000Z"),
        (("11/26/2026 09:01:02",), "2026-11-26T09:01:02.000Z"),
        ((2026, 12), "2027-01-01T00:00:00.000Z"),
        ((datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))),), "2026-01-01T22:00:00.000Z"),
    ],
)
def test_it_is_made_in_every_way(given: tuple[object, ...], iso: str) -> None:
    assert Date.new(*given).toISOString() == Date.new(*given).toJSON() == iso


@pytest.mark.parametrize("given", [("nonsense",), (1e20,), (None,), (99_999, 1)])
def test_what_is_no_time_is_refused(given: tuple[object, ...]) -> None:
    with pytest.raises(JsRangeError, match="Invalid time value"):
        Date.new(*given)


@pytest.mark.parametrize("text", ["", "nonsense", "2026-13-01", "//", "Tue,2020-01-01T10:00T", "25:00"])
def test_what_reads_as_no_time_is_not_a_number(text: str) -> None:
    assert math.isnan(Date.parse(text))


def test_its_parts_count_as_javascript_counts() -> None:
    date = Date.new("2026-11-29T09:01:02Z")
    assert (date.getFullYear(), date.getMonth(), date.getDate(), date.getDay()) == (2026, 10, 29, 0)
    assert (date.getHours(), date.getMinutes(), date.getSeconds(), date.getTimezoneOffset()) == (9, 1, 2, 0)
    assert (date.toUTCString(), date.valueOf()) == ("Sun, 29 Nov 2026 09:01:02 GMT", 1_795_942_862_000)
    assert date.to_py() == datetime(2026, 11, 29, 9, 1, 2, tzinfo=UTC)


def test_it_is_written_as_javascript_writes_it() -> None:
    one = Date.new(5)
    assert one.toString() == "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)"
    assert (one.toDateString(), one.getMilliseconds()) == ("Thu Jan 01 1970", 5)


def test_now_is_in_milliseconds() -> None:
    assert abs(Date.new().getTime() - Date.now()) < 60_000


def test_a_datetime_of_another_zone_is_told_in_utc_and_stays_what_it_was() -> None:
    moment = datetime(2026, 1, 1, 1, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=2)))
    date = Date.of(moment)
    assert (date, date.tzinfo, date.microsecond) == (moment, moment.tzinfo, 123_456)
    assert date.toISOString() == "2025-12-31T23:30:00.123Z"
    assert (date.getFullYear(), date.getMonth(), date.getDate(), date.getHours()) == (2025, 11, 31, 23)
    assert date.toUTCString() == "Wed, 31 Dec 2025 23:30:00 GMT"


@given(st.datetimes(timezones=st.none() | st.just(UTC)), st.integers(0, 1))
def test_to_py_gives_a_plain_datetime_with_all_that_it_has(moment: datetime, fold: int) -> None:
    plain = Date.of(moment.replace(fold=fold)).to_py()
    assert (type(plain), plain, plain.fold) == (datetime, moment, fold)
    assert msgspec.json.decode(msgspec.json.encode(plain), type=datetime) == moment


@pytest.mark.parametrize("setter", ["setTime", "setHours", "setUTCDate", "setMonth"])
def test_a_setter_says_that_dates_do_not_change(setter: str) -> None:
    with pytest.raises(JsTypeError, match=r"make another, as Date\.new"):
        getattr(Date.new(0), setter)(1)
