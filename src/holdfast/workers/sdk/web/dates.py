"""`js.Date`: an aware `datetime` in UTC that answers to JavaScript's names too, so that it can be stored and compared as one.

Law 1: what is made here has milliseconds, as JavaScript's dates; `Date.new(date.getTime())` is `date`.
Law 2: what was a datetime (`Date.of`: out of storage) is equal to it, in its zone and with its microseconds; JavaScript's names say its moment in UTC.
Law 3: a Date does not change. JavaScript's setters are refused, with what to do instead.
"""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from holdfast.workers.sdk.errors import JsRangeError, JsTypeError
from holdfast.workers.sdk.proxied import Constructed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What Python's own readers do not take, and JavaScript does.
_FORMATS = (
    "%Y",
    "%Y-%m",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d, %Y %H:%M:%S",
    "%B %d, %Y %H:%M:%S",
    "%d %b %Y",
    "%d %B %Y",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M:%S",
)


class Date(datetime, Constructed):
    """A moment. Local time is UTC, as in Workers; months count from 0 where JavaScript's do."""

    @classmethod
    def new(cls, *given: Any) -> Date:  # noqa: ANN401 - JavaScript's overloads
        """Now; of ms of Unix time; of a text; of another date; of year, month (from 0), day, …"""
        if not given:
            return cls.of_ms(cls.now())
        if len(given) > 1:
            return cls.of_ms(cls.UTC(*given))
        value = given[0]
        if isinstance(value, datetime):
            return cls.of_ms(_ms_of(value))
        return cls.of_ms(cls.parse(value) if isinstance(value, str) else value)

    @classmethod
    def of_ms(cls, milliseconds: float) -> Date:
        """Of ms of Unix time. RangeError beyond the years that Python has (1 to 9999)."""
        try:
            moment = _EPOCH + timedelta(milliseconds=int(milliseconds))
        except (OverflowError, ValueError, TypeError):
            raise JsRangeError("Invalid time value") from None
        day, clock = moment.date(), moment.time()
        return cls(day.year, day.month, day.day, clock.hour, clock.minute, clock.second, clock.microsecond, tzinfo=UTC)

    @classmethod
    def of(cls, moment: datetime) -> Date:
        """A datetime by JavaScript's names too."""
        return cls(
            moment.year,
            moment.month,
            moment.day,
            moment.hour,
            moment.minute,
            moment.second,
            moment.microsecond,
            tzinfo=moment.tzinfo,
            fold=moment.fold,
        )

    @classmethod
    def now(cls, tz: Any = None) -> int:  # type: ignore[override]  # noqa: ANN401, ARG003 - JavaScript's `Date.now()`
        """Ms of Unix time."""
        return int(time.time() * 1000)

    @classmethod
    def parse(cls, text: str) -> float:
        """Ms of Unix time of an ISO 8601 or an HTTP date, or one as people write it; NaN for what is none."""
        moment = _read(str(text))
        if moment is None:
            return math.nan
        return _ms_of(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))

    @classmethod
    def UTC(cls, year: int, month: int = 0, day: int = 1, *clock: int) -> int:  # noqa: N802 - JavaScript's name
        """Ms of Unix time of year, month (from 0), day, hours, minutes, seconds, ms; what is too much carries over."""
        hours, minutes, seconds, milliseconds = (*clock, 0, 0, 0, 0)[:4]
        try:
            first = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
            moment = first + timedelta(
                days=day - 1, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds
            )
        except (OverflowError, ValueError):
            raise JsRangeError("Invalid time value") from None
        return _ms_of(moment)

    def getTime(self) -> int:  # noqa: N802 - JavaScript's name
        """Ms of Unix time."""
        return _ms_of(self)

    valueOf = getTime  # noqa: N815 - JavaScript's name

    def toISOString(self) -> str:  # noqa: N802 - JavaScript's name
        """`2026-11-26T09:00:00.000Z`."""
        return f"{self._utc.strftime('%Y-%m-%dT%H:%M:%S').rjust(19, '0')}.{self._utc.microsecond // 1000:03d}Z"

    toJSON = toISOString  # noqa: N815 - JavaScript's name

    def toUTCString(self) -> str:  # noqa: N802 - JavaScript's name
        """As HTTP writes it."""
        return email.utils.format_datetime(self._utc, usegmt=True)

    def getUTCFullYear(self) -> int:  # noqa: N802 - JavaScript's name
        """The year."""
        return self._utc.year

    def getUTCMonth(self) -> int:  # noqa: N802 - JavaScript's name
        """The month, from 0."""
        return self._utc.month - 1

    def getUTCDate(self) -> int:  # noqa: N802 - JavaScript's name
        """The day of the month."""
        return self._utc.day

    def getUTCDay(self) -> int:  # noqa: N802 - JavaScript's name
        """The day of the week, Sunday 0."""
        return self._utc.isoweekday() % 7

    def getUTCHours(self) -> int:  # noqa: N802 - JavaScript's name
        """Hours."""
        return self._utc.hour

    def getUTCMinutes(self) -> int:  # noqa: N802 - JavaScript's name
        """Minutes."""
        return self._utc.minute

    def getUTCSeconds(self) -> int:  # noqa: N802 - JavaScript's name
        """Seconds."""
        return self._utc.second

    def getUTCMilliseconds(self) -> int:  # noqa: N802 - JavaScript's name
        """Ms."""
        return self._utc.microsecond // 1000

    def toDateString(self) -> str:  # noqa: N802 - JavaScript's name
        """`Thu Nov 26 2026`."""
        return self._utc.strftime("%a %b %d %Y")

    def toString(self) -> str:  # noqa: N802 - JavaScript's name
        """`Thu Nov 26 2026 09:00:00 GMT+0000 (Coordinated Universal Time)`."""
        return self._utc.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")

    getMilliseconds = getUTCMilliseconds  # noqa: N815 - JavaScript's name
    getFullYear, getMonth, getDate, getDay = getUTCFullYear, getUTCMonth, getUTCDate, getUTCDay  # noqa: N815
    getHours, getMinutes, getSeconds = getUTCHours, getUTCMinutes, getUTCSeconds  # noqa: N815

    def getTimezoneOffset(self) -> int:  # noqa: N802 - JavaScript's name
        """Minutes: none."""
        return 0

    def to_py(self, **_options: object) -> datetime:
        """It as a plain datetime, for what takes those alone (orjson, msgspec)."""
        return datetime.combine(self.date(), self.timetz())

    @property
    def _utc(self) -> datetime:
        return self if self.tzinfo is UTC else self.astimezone(UTC)

    def _set(self, *_numbers: float) -> NoReturn:
        raise JsTypeError(
            "A Date does not change here, as it is a datetime: make another, as Date.new(date.getTime() + ms)"
        )

    setTime = setFullYear = setMonth = setDate = setHours = setMinutes = setSeconds = setMilliseconds = _set  # noqa: N815
    setUTCFullYear = setUTCMonth = setUTCDate = setUTCHours = setUTCMinutes = setUTCSeconds = setUTCMilliseconds = _set  # noqa: N815


def _read(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, email.utils.parsedate_to_datetime, *map(_reader, _FORMATS)):
        # Of some texts that are no dates the one for HTTP says a TypeError, or more.
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            return read(text)
    return None


def _reader(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - UTC where it names no other


def _ms_of(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.astimezone()
    return (aware - _EPOCH) // timedelta(milliseconds=1)
