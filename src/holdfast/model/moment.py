"""Moments: whole microseconds since 1970 in UTC, and the text the API writes them as.

Law 1: `Moment` is an int, so that it sorts, compares and is stored the same everywhere.
Law 2: `parsed(written(moment)) == moment` for every moment of the years 1 to 9999.

Source: RFC 3339 §5.6, as the v4 API writes it: UTC, six digits of fraction, "Z".
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

Moment = int

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_IN_UTC = _EPOCH.replace(tzinfo=None)
_MICROSECOND = dt.timedelta(microseconds=1)


def moment_of(time: dt.datetime) -> Moment:
    """The moment of an aware datetime."""
    return (time - _EPOCH) // _MICROSECOND


_FIRST = moment_of(dt.datetime(1, 1, 1, tzinfo=dt.UTC))
_LAST = moment_of(dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC))


def written(moment: Moment) -> str:
    """`2026-11-25T08:00:00.000000Z`."""
    return (_EPOCH_IN_UTC + dt.timedelta(microseconds=moment)).isoformat(timespec="microseconds") + "Z"


def written_or_none(moment: Moment | None) -> str | None:
    """The same, where there may be no moment."""
    return None if moment is None else written(moment)


def parsed(text: str) -> Moment:
    """The moment of an RFC 3339 date-time, with any offset. Raises ValueError, a sentence."""
    time = None
    with suppress(ValueError):
        time = dt.datetime.fromisoformat(text)
    if time is None or time.tzinfo is None or len(text) < len("2026-11-25T08:00:00Z"):
        raise ValueError(f"expected a date and time such as 2026-11-25T08:00:00Z, got {text[:60]!r}")
    moment = moment_of(time)
    if not _FIRST <= moment <= _LAST:
        raise ValueError(f"expected a date of the years 1 to 9999 in UTC, got {text[:60]!r}")
    return moment
