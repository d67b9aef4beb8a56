"""Cron expressions: when a script runs by itself. Parsed, and asked whether they mean a minute. Pure; all times are UTC.

Five fields: minute, hour, day of the month, month (or JAN), day of the week (1 is Sunday, or SUN). Each is `*`, or a list of values, ranges
(`a-b`, which may go round the end) and steps (`*/n`, `a/n`, `a-b/n`). A day of the month may be `L` (the last), `L-n`, `nW` (the weekday nearest
to it, in the same month), `LW` and `L-nW`; a day of the week `L` (Saturday), `nL` (the last of the month) and `n#k` (the k-th).

Law 1: where both days are given, either suffices; where one is `*`, the other decides.
Law 2: whatever the text, parsing gives a value or raises ValueError, a sentence that names the field. One that can never be due is refused.

Source: Cloudflare, "Cron Triggers", and its parser, github.com/cloudflare/saffron.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec

# Longest expression. Precedent: none; all 60 minutes written out are 170 characters.
MAX_CHARS = 255
EXPECTED = "five fields such as */5 9-17 * * MON-FRI: minute, hour, day of the month, month, day of the week"
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
_DAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_NEAR = re.compile(r"(?:(?P<day>[0-9]{1,2})|L(?:-(?P<offset>[0-9]{1,2}))?)(?P<near>W?)", re.ASCII)
_NTH = re.compile(r"(?P<day>[0-9A-Za-z]{1,3}?)(?:L|#(?P<nth>[0-9]))", re.ASCII)
_SATURDAY = 7


class _Field(msgspec.Struct, frozen=True):
    name: str
    least: int
    most: int
    names: dict[str, int] = {}


_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _MONTH = _Field("day of the month", 1, 31), _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day of the week", 1, 7, _DAYS)
# Whether a date is meant; None for a field that does not care.
_Days = Callable[[date], bool]


class Cron:
    """One expression. `text` is as it was written."""

    __slots__ = ("_days", "_hours", "_minutes", "_months", "_weekdays", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        fields = text.split()
        if len(text) > MAX_CHARS or len(fields) != 5 or not text.isascii():
            raise ValueError(f"expected {EXPECTED}, at most {MAX_CHARS} characters")
        self.text = text
        self._minutes = _values(fields[0], _MINUTE)
        self._hours = _values(fields[1], _HOUR)
        self._days = _days_of_month(fields[2])
        self._months = _values(fields[3], _MONTH)
        self._weekdays = _days_of_week(fields[4])
        if not self._is_ever_due():
            raise ValueError(f"expected a day that there is in some month, got {fields[2]} of {fields[3]}")

    def is_due(self, minute: int) -> bool:
        """Whether it is due in this minute, counted from the Unix epoch."""
        moment = datetime.fromtimestamp(minute * 60, UTC)
        return moment.minute in self._minutes and moment.hour in self._hours and self._means(moment.date())

    def _means(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        asked = [means(day) for means in (self._days, self._weekdays) if means is not None]
        return any(asked) if asked else True

    def _is_ever_due(self) -> bool:
        # Whether a day of the month falls on a weekday recurs within 28 years; what is refused here is the 31st of April.
        return self._weekdays is not None or any(
            self._means(date(year, month, day))
            for year in (2024, 2025)
            for month in range(1, 13)
            for day in range(1, calendar.monthrange(year, month)[1] + 1)
        )


def _values(text: str, field: _Field) -> frozenset[int]:
    """All values that a list of values, ranges and steps means. Raises ValueError."""
    if text == "*":
        return frozenset(range(field.least, field.most + 1))
    return frozenset(value for part in text.split(",") for value in _part(part, field))


def _part(text: str, field: _Field) -> list[int]:
    span, slash, step = text.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        if not slash:
            raise _bad(text, field)
        start, end = field.least, field.most
    else:
        start = _value(first, field)
        end = _value(last, field) if dash else field.most if slash else start
    values = list(range(start, end + 1))
    if start > end:
        values = [*range(start, field.most + 1), *range(field.least, end + 1)]
    return values[:: _step(step, field)] if slash else values


def _value(text: str, field: _Field) -> int:
    if (named := field.names.get(text.upper())) is not None:
        return named
    if not text.isdigit() or len(text) > 2 or not field.least <= int(text) <= field.most:
        raise _bad(text, field)
    return int(text)


def _step(text: str, field: _Field) -> int:
    if not text.isdigit() or len(text) > 2 or not 1 <= int(text) <= field.most:
        raise ValueError(f"{field.name}: expected a step from 1 to {field.most}, got {text[:20]!r}")
    return int(text)


def _days_of_month(text: str) -> _Days | None:
    if text == "*":
        return None
    match = _NEAR.fullmatch(text)
    if match is None or not (match["near"] or text.startswith("L")):
        days = _values(text, _DAY)
        return lambda day: day.day in days
    named = _value(match["day"], _DAY) if match["day"] else 0
    offset = int(match["offset"] or 0)
    if match["offset"] is not None and not 1 <= offset <= 30:
        raise ValueError(f"{_DAY.name}: expected an offset from 1 to 30, got {text[:20]!r}")
    is_near = bool(match["near"])

    def means(day: date) -> bool:
        last = calendar.monthrange(day.year, day.month)[1]
        wanted = named or last - offset
        if not 1 <= wanted <= last:
            return False
        return day.day == (_nearest_weekday(day.replace(day=wanted), last) if is_near else wanted)

    return means


def _nearest_weekday(day: date, last: int) -> int:
    """The day of the month, from Monday to Friday, that is nearest to `day` and in its month."""
    if day.weekday() == calendar.SATURDAY:
        return day.day - 1 if day.day > 1 else 3
    if day.weekday() == calendar.SUNDAY:
        return day.day + 1 if day.day < last else last - 2
    return day.day


def _days_of_week(text: str) -> _Days | None:
    if text == "*":
        return None
    if text == "L":
        return lambda day: _weekday(day) == _SATURDAY
    match = _NTH.fullmatch(text)
    if match is None:
        days = _values(text, _WEEKDAY)
        return lambda day: _weekday(day) in days
    wanted, nth = _value(match["day"], _WEEKDAY), int(match["nth"] or 0)
    if match["nth"] is not None and not 1 <= nth <= 5:
        raise ValueError(f"{_WEEKDAY.name}: expected # and a number from 1 to 5, got {text[:20]!r}")

    def means(day: date) -> bool:
        if _weekday(day) != wanted:
            return False
        if nth:
            return (day.day - 1) // 7 + 1 == nth
        return day.day + 7 > calendar.monthrange(day.year, day.month)[1]

    return means


def _weekday(day: date) -> int:
    """1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def _bad(text: str, field: _Field) -> ValueError:
    names = f" or {next(iter(field.names))} to {list(field.names)[-1]}" if field.names else ""
    return ValueError(f"{field.name}: expected {field.least} to {field.most}{names}, got {text[:20]!r}")
