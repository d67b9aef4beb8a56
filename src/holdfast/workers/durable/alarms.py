"""Alarms: who is due, one run, another try.

The truth of an alarm is in its object's file and part of its transactions; the table of all alarms says which files to look into, and is at
worst too early. So a run begins with a look into the file, and ends with a write there: at least once, through crashes too.

Due times are times of day. Waiting is not: it goes by the monotonic clock and is short, so that a clock that was set forward or back is
noticed within RECHECK_S. What a retry waits for is no time of day but a while: it is kept by both clocks, and over a restart by what is left of
it, but not more than it can have been; the one that comes first counts (`alarm_retries.py`).

Law 1: an object's alarm never runs twice at the same time.
Law 2: a failed run is tried again after 2 s, 4 s, 8 s … (up to a quarter more, by chance), MAX_RETRIES times; then it is given up, and that is said.
Law 3: a run that ended its process, or reset its object, has failed (`alarm_marks.py`): an alarm that never ends does not kill one process after
the other.
Law 4: a run that could not begin (an object that cannot be made, also where its process dies of it), or that the platform ended (storage that fails, new code), is tried again likewise, and not counted: the cause
is not the handler's.
Law 5: where several processes in a row have ended while alarms ran, the next one runs none for a while (`pause_s`): each alarm that ends its
process takes one along, and what else the script does has its turn between them.
Source: the product's documentation of alarms; workerd `alarm-scheduler.c++`, as measured.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from types import MappingProxyType
from typing import Any, Protocol, cast

from holdfast.model.back_off import HEALTHY_AFTER_S
from holdfast.store.objects.errors import StorageError
from holdfast.workers.durable.alarm_marks import AlarmMarks, Key
from holdfast.workers.durable.alarm_retries import Retries
from holdfast.workers.durable.errors import StorageReset
from holdfast.workers.durable.events import Event, fitting
from holdfast.workers.durable.owner import Fenced
from holdfast.workers.durable.services import File
from holdfast.workers.sdk.entrypoints import DurableObjectAbort

MAX_RETRIES = 6
FIRST_RETRY_MS = 2_000
# Of retries that are not counted. Precedent: workerd's, 2 s doubled 9 times.
MAX_RETRY_MS = FIRST_RETRY_MS << 9
JITTER = 0.25
# Ends of processes, while alarms ran, that have no pause after them; then the first one, which doubles. The longest lets the next restart come at once.
ENDS_WITHOUT_PAUSE = 2
FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = HEALTHY_AFTER_S + 2.0
# Objects whose alarms run at once; the others wait for one of them to end.
MAX_RUNNING = 256
# How long a clock that was set may go unnoticed.
RECHECK_S = 10.0


class RunDied(RuntimeError):
    """What a run has failed of that did not live to say so."""


class AlarmInfo:
    """What `alarm(info)` is told: when it was set for (Unix milliseconds), and how often it has failed."""

    __slots__ = ("isRetry", "retryCount", "scheduledTime")

    def __init__(self, scheduled_ms: int, retry_count: int) -> None:
        self.scheduledTime = scheduled_ms
        self.retryCount = retry_count
        self.isRetry = retry_count > 0

    @property
    def scheduled_time(self) -> int:
        """As `scheduledTime`."""
        return self.scheduledTime

    @property
    def retry_count(self) -> int:
        """As `retryCount`."""
        return self.retryCount

    @property
    def is_retry(self) -> bool:
        """As `isRetry`."""
        return self.isRetry


class AlarmHost(Protocol):
    """The instance, as its alarm knows it."""

    @property
    def file(self) -> File: ...
    def wrote(self, *, confirmed: bool = True) -> None: ...


class AlarmRun(Event):
    """One run of an object's alarm. `settled(retry)` is called once: `retry` where it could not begin or end."""

    __slots__ = ("_key", "_marks", "_now_ms", "_retry_count", "_runs", "_settled", "seen")

    label = "an alarm"
    kind = "alarm"

    def __init__(self, key: Key, marks: AlarmMarks, now_ms: Callable[[], int], settled: Callable[[bool], None]) -> None:
        super().__init__()
        self._key = key
        self._marks = marks
        self._now_ms = now_ms
        self._settled = settled
        self._retry_count = 0
        self._runs = False
        self.seen: Callable[[], object] | None = None

    def prepare(self, context: Context) -> None:
        """Let what it says be found."""
        if self.seen is not None:
            context.run(self.seen)

    def handler(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The handler, if the file says that there is something to run."""
        self._marks.born(self._key)
        cell = self._host.file.alarm
        alarm = cell.stored()
        # When another try is due is the scheduler's to know.
        if alarm is None or (alarm.retry_count == 0 and alarm.next_ms > self._now_ms()):
            cell.settle()
            return _nothing, ()
        method = getattr(self.host.code, "alarm", None) or getattr(self.host.code, "on_alarm", None)
        if method is None:
            self.host.report("An alarm is due and the class has no alarm() handler: it is given up", None)
            method = _nothing
        cell.begin()
        self._runs = True
        self._retry_count = alarm.retry_count
        info = AlarmInfo(alarm.scheduled_ms, alarm.retry_count)
        if self._marks.take(self._key):
            return _died, ()
        return self._first_step, (method, fitting(method, (info,)))

    def _first_step(self, method: Callable[..., Any], args: tuple[Any, ...]) -> Any:  # noqa: ANN401  as `done`
        """Whoever was only about to run when its process died has not failed."""
        self._marks.begin(self._key)
        return method(*args)

    def done(self, result: Any, error: BaseException | None) -> None:  # noqa: ANN401  whatever user code returns
        """Write down how it ended, in the transaction of what the handler wrote."""
        host = self.host
        if host.broken is not None or isinstance(error, DurableObjectAbort):
            # `fail` has told the scheduler, or will.
            return
        if error is not None:
            host.failed(self)
        try:
            if self._runs:
                self._write_down(error)
            elif error is not None:
                host.report("The alarm could not be run", error)
        except Exception as fault:  # noqa: BLE001  the file's: the next commit breaks the object
            host.report("What became of an alarm could not be written", fault)
        host.emit(lambda: self._leave(retry=error is not None and not self._runs))

    def _leave(self, *, retry: bool) -> None:
        # It runs until what became of it is on the disk.
        self.host.ended(self)
        self._settle(retry=retry)

    def fail(self, error: BaseException) -> None:
        """The object broke, or could not be made: the alarm is still in its file."""
        self._marks.born(self._key)
        if self._runs and not _is_the_platforms(error):
            # The next run, at once, writes down that this one has failed: what this one writes is undone.
            self._marks.fail(self._key)
            self._settle(retry=False)
        else:
            self._settle(retry=True)

    def _write_down(self, error: BaseException | None) -> None:
        cell = self._host.file.alarm
        if error is None:
            cell.succeed()
        elif self._retry_count >= MAX_RETRIES:
            self.host.report(f"Uncaught exception in alarm; after {MAX_RETRIES} retries it is given up", error)
            cell.succeed()
        else:
            self.host.report("Uncaught exception in alarm", error)
            cell.fail(self._now_ms() + backoff_ms(self._retry_count, random.random()))  # noqa: S311  spread, not a secret
        self._host.wrote()

    @property
    def _host(self) -> AlarmHost:
        return cast("AlarmHost", self.host)

    def _settle(self, *, retry: bool) -> None:
        self._marks.end(self._key)
        settled, self._settled = self._settled, _ignored
        settled(retry)


def backoff_ms(failures: int, chance: float) -> int:
    """How long to wait after so many failures before; `chance` in [0, 1) decides how much more than the least it is."""
    least = min(FIRST_RETRY_MS << min(failures, 9), MAX_RETRY_MS)
    return least + int(least * JITTER * chance)


def pause_s(ends: int) -> float:
    """How long a process runs no alarms, when so many in a row before it have ended while alarms ran."""
    further = ends - ENDS_WITHOUT_PAUSE
    return min(FIRST_PAUSE_S * 2 ** min(further - 1, 10), MOST_PAUSE_S) if further > 0 else 0.0


def longest_backoff_ms(retry_count: int) -> int:
    """How long the wait for the try `retry_count` (from 1 on) can have been."""
    return backoff_ms(max(retry_count - 1, 0), 1.0)


class AlarmTable(Protocol):
    """The table of all alarms (`store.objects.alarms`)."""

    on_change: Callable[[], None] | None

    def due(self, now_ms: int, limit: int) -> Sequence[Any]: ...
    def next_ms(self, after_ms: int | None = None) -> int | None: ...
    def retries(self) -> Sequence[Any]: ...
    def retry_of(self, class_name: str, object_id: str) -> Any: ...  # noqa: ANN401


class Scheduler:
    """Looks at the table when something in it is due, and has the objects run: `run(row, settled)`."""

    def __init__(
        self,
        table: AlarmTable,
        run: Callable[[Any, Callable[[bool], None]], None],
        wall_ms: Callable[[], int],
        report: Callable[[str, str, BaseException | None], None],
    ) -> None:
        self._table = table
        self._run = run
        self._wall_ms = wall_ms
        self._report = report
        self._running: dict[Key, Any] = {}
        # Those that could not be run: how often, and when (monotonic) they are looked at again.
        self._failed: dict[Key, tuple[int, float]] = {}
        self._retries = Retries()
        self._timer: asyncio.TimerHandle | None = None
        # When (monotonic) the first one may begin.
        self._pause_until = 0.0
        self._is_stopped = False
        self._loop = asyncio.get_running_loop()

    def start(self, died_at_birth: Mapping[Key, int] = MappingProxyType({}), *, in_s: float = 0.0) -> None:
        """Begin, in so many seconds. `died_at_birth`: how often processes before this one have died of making these objects for their
        alarms."""
        self._pause_until = self._loop.time() + in_s
        for key, times in died_at_birth.items():
            wait_ms = backoff_ms(times - 1, random.random())  # noqa: S311  spread, not a secret
            self._failed[key] = (times, self._loop.time() + wait_ms / 1000)
        self._table.on_change = self._changed
        self._expect_all(self._table.retries)
        self.look()

    def stop(self) -> None:
        """Begin no more runs."""
        self._is_stopped = True
        self._table.on_change = None
        if self._timer is not None:
            self._timer.cancel()

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    def look(self) -> None:
        """Begin what is due, and come back when the next one is."""
        if self._is_stopped:
            return
        if (pause := self._pause_until - self._loop.time()) > 0:
            self._wait_s(pause)
            return
        try:
            self._begin_due()
            self._wait()
        except Exception as error:  # noqa: BLE001  the disk's: it may be there again in a while
            self._report("error", "the table of alarms cannot be read", error)
            self._wait_s(RECHECK_S)

    def _begin_due(self) -> None:
        room = MAX_RUNNING - len(self._running)
        if room <= 0:
            return
        now = self._loop.time()
        by_day = self._table.due(self._wall_ms(), MAX_RUNNING + len(self._failed))
        for row in (*by_day, *self._retries.due(now, room)):
            key = (row.class_name, row.object_id)
            if room <= 0:
                return
            if key in self._running or self._failed.get(key, (0, 0.0))[1] > now:
                continue
            room -= 1
            self._retries.forget(key)
            self._running[key] = row
            self._run(row, lambda retry, key=key: self._settled(key, retry=retry))  # type: ignore[misc]  # bound per turn

    def _wait(self) -> None:
        if self._table.next_ms() is None:
            return
        # What is due and did not begin now runs, waits for another try, or for room. Each of those calls back.
        now_ms, soonest = (
            self._wall_ms(),
            min((at for _, at in self._failed.values()), default=self._loop.time() + RECHECK_S),
        )
        until_s = soonest - self._loop.time()
        if (next_ms := self._table.next_ms(now_ms)) is not None:
            until_s = min(until_s, (next_ms - now_ms) / 1000)
        if len(self._running) < MAX_RUNNING and (retry := self._retries.next()) is not None:
            until_s = min(until_s, retry - self._loop.time())
        self._wait_s(min(max(until_s, 0.0), RECHECK_S))

    def _expect_all(self, rows: Callable[[], Iterable[Any]]) -> None:
        """Another try of each of these alarms is due when what is left of its wait has passed."""
        try:
            for row in rows():
                left_ms = min(max(row.next_ms - self._wall_ms(), 0), longest_backoff_ms(row.retry_count))
                self._retries.expect((row.class_name, row.object_id), row, self._loop.time() + left_ms / 1000)
        except Exception as error:  # noqa: BLE001  the disk's: they are found by their times of day
            self._report("error", "the table of alarms cannot be read", error)

    def _wait_s(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.look, context=Context())

    def _settled(self, key: Key, *, retry: bool) -> None:
        row = self._running.pop(key)
        if retry:
            failures = self._failed.get(key, (0, 0.0))[0]
            wait_ms = backoff_ms(failures, random.random())  # noqa: S311  spread, not a secret
            at = self._loop.time() + wait_ms / 1000
            self._failed[key] = (failures + 1, at)
            self._retries.expect(key, row, at)
        else:
            self._failed.pop(key, None)
            self._expect_all(lambda: filter(None, [self._table.retry_of(*key)]))
        self._soon()

    def _changed(self) -> None:
        # In whatever thread committed.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._soon, context=Context())

    def _soon(self) -> None:
        if not self._is_stopped:
            self._wait_s(0.0)


def _nothing() -> None:
    """The handler where there is nothing to run."""


def _died() -> None:
    raise RunDied(
        "the object was reset while the alarm ran, or its process ended: it took too long, too much memory, or was killed"
    )


def _is_the_platforms(error: BaseException) -> bool:
    """Whether an object broke of what no handler can help."""
    return isinstance(error, (StorageError, StorageReset, Fenced)) or bool(getattr(error, "retryable", False))


def _ignored(retry: bool) -> None:
    """Who has been told."""
