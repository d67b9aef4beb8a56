"""`js.Date`: an aware `datetime` in UTC that answers to JavaScript's names too, so that it can be stored and compared as one.

Law: times have milliseconds, as JavaScript's; `Date.new(date.getTime())` is `date`.
"""

from __future__ import annotations

import email.utils
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.workers.sdk.errors import JsRangeError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Date(datetime):
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
    def now(cls, tz: Any = None) -> int:  # type: ignore[override]  # noqa: ANN401, ARG003 - JavaScript's `Date.now()`
        """Ms of Unix time."""
        return int(time.time() * 1000)

    @classmethod
    def parse(cls, text: str) -> int:
        """Ms of Unix time of an ISO 8601 or an HTTP date. RangeError for what is none."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            try:
                moment = email.utils.parsedate_to_datetime(text)
            except ValueError:
                raise JsRangeError("Invalid time value") from None
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
        return f"{self.strftime('%Y-%m-%dT%H:%M:%S').rjust(19, '0')}.{self.microsecond // 1000:03d}Z"

    toJSON = toISOString  # noqa: N815 - JavaScript's name

    def toUTCString(self) -> str:  # noqa: N802 - JavaScript's name
        """As HTTP writes it."""
        return email.utils.format_datetime(self, usegmt=True)

    def getUTCFullYear(self) -> int:  # noqa: N802 - JavaScript's name
        """The year."""
        return self.year

    def getUTCMonth(self) -> int:  # noqa: N802 - JavaScript's name
        """The month, from 0."""
        return self.month - 1

    def getUTCDate(self) -> int:  # noqa: N802 - JavaScript's name
        """The day of the month."""
        return self.day

    def getUTCDay(self) -> int:  # noqa: N802 - JavaScript's name
        """The day of the week, Sunday 0."""
        return self.isoweekday() % 7

    def getUTCHours(self) -> int:  # noqa: N802 - JavaScript's name
        """Hours."""
        return self.hour

    def getUTCMinutes(self) -> int:  # noqa: N802 - JavaScript's name
        """Minutes."""
        return self.minute

    def getUTCSeconds(self) -> int:  # noqa: N802 - JavaScript's name
        """Seconds."""
        return self.second

    def getUTCMilliseconds(self) -> int:  # noqa: N802 - JavaScript's name
        """Ms."""
        return self.microsecond // 1000

    def toDateString(self) -> str:  # noqa: N802 - JavaScript's name
        """`Thu Nov 26 2026`."""
        return self.strftime("%a %b %d %Y")

    def toString(self) -> str:  # noqa: N802 - JavaScript's name
        """`Thu Nov 26 2026 09:00:00 GMT+0000 (Coordinated Universal Time)`."""
        return self.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")

    getMilliseconds = getUTCMilliseconds  # noqa: N815 - JavaScript's name
    getFullYear, getMonth, getDate, getDay = getUTCFullYear, getUTCMonth, getUTCDate, getUTCDay  # noqa: N815
    getHours, getMinutes, getSeconds = getUTCHours, getUTCMinutes, getUTCSeconds  # noqa: N815

    def getTimezoneOffset(self) -> int:  # noqa: N802 - JavaScript's name
        """Minutes: none."""
        return 0

    def to_py(self) -> datetime:
        """This: it is Python's already."""
        return self


def _ms_of(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.astimezone()
    return (aware - _EPOCH) // timedelta(milliseconds=1)
