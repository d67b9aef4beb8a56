"""`holdfast.model.cron`: what expressions mean, by a table of moments, and which are none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.cron import MAX_CHARS, Cron


def minute(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


def due(cron: str, month: str, at: str = "00:00") -> list[int]:
    """The days of a month on which an expression is due at that time."""
    first, found = minute(f"{month}-01T{at}"), []
    for day in range(31):
        moment = datetime.fromtimestamp((first + day * 1440) * 60, UTC)
        if f"{moment:%Y-%m}" == month and Cron(cron).is_due(first + day * 1440):
            found.append(moment.day)
    return found


# November 2026 begins on a Sunday, August 2026 on a Saturday; May 2026 ends on a Sunday, February 2026 on a Saturday.
DAYS = [
    ("0 0 * * *", "2026-02", list(range(1, 29))),
    ("0 0 29 2 *", "2026-02", []),
    ("0 0 29 2 *", "2028-02", [29]),
    ("0 0 L * *", "2026-02", [28]),
    ("0 0 L * *", "2028-02", [29]),
    ("0 0 L-3 * *", "2026-11", [27]),
    ("0 0 LW * *", "2026-02", [27]),
    ("0 0 LW * *", "2026-05", [29]),
    ("0 0 L-1W * *", "2026-05", [29]),
    ("0 0 1W * *", "2026-08", [3]),
    ("0 0 1W * *", "2026-11", [2]),
    ("0 0 15W * *", "2026-11", [16]),
    ("0 0 14W * *", "2026-11", [13]),
    ("0 0 31W * *", "2026-05", [29]),
    ("0 0 31W * *", "2026-11", []),
    ("0 0 1-3,10,20/5 * *", "2026-11", [1, 2, 3, 10, 20, 25, 30]),
    ("0 0 30-2 * *", "2026-11", [1, 2, 30]),
    ("0 0 */10 * *", "2026-11", [1, 11, 21]),
    ("0 0 * * SUN", "2026-11", [1, 8, 15, 22, 29]),
    ("0 0 * * 1", "2026-11", [1, 8, 15, 22, 29]),
    ("0 0 * * L", "2026-11", [7, 14, 21, 28]),
    ("0 0 * * mon-fri", "2026-11", [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27, 30]),
    ("0 0 * * 6-1", "2026-11", [1, 6, 7, 8, 13, 14, 15, 20, 21, 22, 27, 28, 29]),
    ("0 0 * * 2L", "2026-11", [30]),
    ("0 0 * * FRIL", "2026-11", [27]),
    ("0 0 * * MON#1", "2026-11", [2]),
    ("0 0 * * 1#5", "2026-11", [29]),
    ("0 0 * * 7#5", "2026-11", []),
    ("0 0 13 * FRI", "2026-02", [6, 13, 20, 27]),
    ("0 0 1 * MON", "2026-11", [1, 2, 9, 16, 23, 30]),
    ("0 0 * nov *", "2026-10", []),
    ("0 0 1 NOV-JAN *", "2026-11", [1]),
    ("0 0 1 */5 *", "2026-11", [1]),
]


@pytest.mark.parametrize(("cron", "month", "days"), DAYS)
def test_the_days_of_a_month_on_which_it_is_due(cron: str, month: str, days: list[int]) -> None:
    assert due(cron, month) == days


@pytest.mark.parametrize(
    ("cron", "at"),
    [
        ("*/30 * * * *", [0, 30]),
        ("50-10/10 * * * *", [0, 10, 50]),
        ("7 * * * *", [7]),
        ("57/1 * * * *", [57, 58, 59]),
    ],
)
def test_the_minutes_of_an_hour_in_which_it_is_due(cron: str, at: list[int]) -> None:
    first = minute("2026-11-26T10:00")
    assert [one for one in range(60) if Cron(cron).is_due(first + one)] == at


def test_the_hours_are_utc() -> None:
    first = minute("2026-11-26T00:00")
    assert [one for one in range(24) if Cron("0 22-2/2 * * *").is_due(first + one * 60)] == [0, 2, 22]


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("", "expected five fields"),
        ("* * * *", "expected five fields"),
        ("* * * * * *", "expected five fields"),
        ("* * * * *" + " " * MAX_CHARS, "at most 255"),
        ("60 * * * *", "minute: expected 0 to 59, got '60'"),
        ("* 24 * * *", "hour: expected 0 to 23"),
        ("* * 0 * *", "day of the month: expected 1 to 31"),
        ("* * * 13 *", "month: expected 1 to 12 or JAN to DEC"),
        ("* * * * 0", "day of the week: expected 1 to 7 or SUN to SAT"),
        ("* * * * 8", "day of the week"),
        ("*,* * * * *", "minute"),
        ("*/0 * * * *", "minute: expected a step"),
        ("*/60 * * * *", "minute: expected a step"),
        ("1-2-3 * * * *", "minute"),
        ("+1 * * * *", "minute"),
        ("٣ * * * *", "expected five fields"),
        ("* * L-31 * *", "expected an offset"),
        ("* * 32W * *", "day of the month"),
        ("* * L,3 * *", "day of the month"),
        ("* * * * 2#6", "expected # and a number"),
        ("* * * * 2#0", "expected # and a number"),
        ("* * ? * *", "day of the month"),
        ("* * 31 4 *", "a day that there is in some month"),
        ("* * 30,31 FEB *", "a day that there is in some month"),
        ("@daily", "expected five fields"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_field(cron: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Cron(cron)


@given(st.one_of(st.text(), st.lists(st.text("0123456789*/-,LW#?MONSUJAN", max_size=6), min_size=5, max_size=5)))
def test_whatever_the_text_it_is_an_expression_or_a_value_error(given_text: str | list[str]) -> None:
    text = given_text if isinstance(given_text, str) else " ".join(given_text)
    try:
        cron = Cron(text)
    except ValueError:
        return
    assert cron.is_due(29_000_000) in {True, False}
