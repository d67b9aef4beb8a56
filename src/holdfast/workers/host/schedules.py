"""When scripts run by themselves: which are due in a minute, and that each minute is looked at once.

Law 1: in each minute a cron expression is due once, whoever hosts: the minute is written down before anything of it runs, so that
neither a restart nor a release runs it again.
Law 2: a minute that nobody looked at is gone: after a pause, or a clock that jumped ahead, only the minute that it is counts.
Law 3: a clock that was set back does not repeat minutes, unless it was off by more than CORRECTED_MINUTES: then what is written down was wrong.
Law 4: what is due waits for a process to serve it, WAIT_S at most: longer than a deployment takes. There is one of each expression.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.errors import SetupError, reason_of
from holdfast.model.cron import Cron
from holdfast.model.data_dir import worker_schedules_file, workers_fired_file
from holdfast.model.worker_messages import Scheduled

CORRECTED_MINUTES = 60
WAIT_S = 50.0
# A clock may be set at any time: it is looked at this often at least.
LOOK_S = 10.0
_MINUTE_S = 60


class ScheduleError(SetupError):
    """The schedules of a script cannot be read. `str` is a sentence."""


class Timetable:
    """The schedules of all scripts of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._crons: dict[str, tuple[Cron, ...]] = {}
        self._last: int | None = None

    def read(self, key: str) -> None:
        """Read when a script runs. Raises ScheduleError; then it runs as it did before."""
        file = worker_schedules_file(self._data_dir, key)
        try:
            crons = tuple(Cron(text) for text in json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            crons = ()
        except OSError as error:
            raise ScheduleError(f"the schedules of {key} cannot be read: {reason_of(error)}") from error
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ScheduleError(f"the schedules of {key} cannot be read: {error}") from error
        self._put(key, crons)

    def put(self, key: str, crons: Sequence[str]) -> None:
        """Have a script run at these times, which nobody writes down for it. Raises ValueError."""
        self._put(key, tuple(map(Cron, crons)))

    def forget(self, key: str) -> None:
        """There is no such script any more."""
        self._crons.pop(key, None)

    def due(self, now_s: float) -> Iterator[tuple[str, Scheduled]]:
        """What is due at `now_s` (Unix time), by key; nothing where its minute has been looked at."""
        minute = int(now_s // _MINUTE_S)
        if not self._crons or not self._is_new(minute):
            return
        self._last = minute
        self._write_down(minute)
        for key, crons in list(self._crons.items()):
            for cron in crons:
                if cron.is_due(minute):
                    yield key, Scheduled(cron=cron.text, scheduled_ms=minute * _MINUTE_S * 1000)

    def _put(self, key: str, crons: tuple[Cron, ...]) -> None:
        if crons:
            self._crons[key] = crons
        else:
            self.forget(key)

    def _is_new(self, minute: int) -> bool:
        if self._last is None:
            self._last = self._written_down()
        return minute > self._last or minute < self._last - CORRECTED_MINUTES

    def _written_down(self) -> int:
        try:
            return int(workers_fired_file(self._data_dir).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _write_down(self, minute: int) -> None:
        file = workers_fired_file(self._data_dir)
        beside = file.with_name(f".fired-{secrets.token_hex(4)}")
        # On a full disk scripts run all the same; that a minute runs twice is the smaller evil.
        with suppress(OSError):
            beside.write_text(str(minute), encoding="ascii")
            beside.replace(file)


class Waiting:
    """What is due of one script, until a process serves."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[Scheduled, float]] = {}

    def add(self, due: Scheduled, now: float) -> None:
        """It is due at `now` of a clock that does not jump."""
        self._due[due.cron] = (due, now)

    def take(self, now: float) -> Sequence[Scheduled]:
        """What is to be run now, once."""
        if not self._due:
            return ()
        found = [due for due, since in self._due.values() if now - since <= WAIT_S]
        self._due.clear()
        return found


def seconds_to_next_look(now_s: float) -> float:
    """How long to wait until the next minute begins, or the clock is to be looked at again."""
    return min(_MINUTE_S - now_s % _MINUTE_S + 0.001, LOOK_S)
