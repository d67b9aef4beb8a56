"""Alarms: when they run, how they are tried again, and a clock that jumps."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.alarm_marks import FILE_NAME
from holdfast.workers.durable.alarms import (
    MAX_RETRIES,
    MAX_RUNNING,
    MOST_PAUSE_S,
    RunDied,
    Scheduler,
    backoff_ms,
    pause_s,
)
from holdfast.workers.durable.errors import StorageReset
from tests.unit.loop_clock import LoopClock
from tests.unit.workers.durable.stage import NOW_MS, Acceptor, Stage, stage, turn, until


class Row(NamedTuple):
    class_name: str
    object_id: str
    next_ms: int
    retry_count: int = 0


class Table:
    """The table of alarms, in memory."""

    def __init__(self, *rows: Row) -> None:
        self.rows = list(rows)
        self.on_change: Callable[[], None] | None = None
        self.broken = False

    def due(self, now_ms: int, limit: int) -> list[Row]:
        if self.broken:
            raise OSError("no disk")
        return sorted((row for row in self.rows if row.next_ms <= now_ms), key=lambda row: row.next_ms)[:limit]

    def retries(self) -> list[Row]:
        if self.broken:
            raise OSError("no disk")
        return [row for row in self.rows if row.retry_count]

    def retry_of(self, class_name: str, object_id: str) -> Row | None:
        return next((row for row in self.retries() if row[:2] == (class_name, object_id)), None)

    def next_ms(self, after_ms: int | None = None) -> int | None:
        times = (row.next_ms for row in self.rows)
        return min((at for at in times if after_ms is None or at > after_ms), default=None)


class Clock:
    """A scheduler over a table, a wall clock that is set by hand, and what it began."""

    def __init__(self, table: Table) -> None:
        self.now_ms = 1000
        self.begun: list[str] = []
        self.settle: dict[str, Callable[[bool], None]] = {}
        self.reports: list[str] = []
        self.table = table
        self.scheduler = Scheduler(table, self.run, lambda: self.now_ms, self.report)

    def run(self, row: Any, settled: Callable[[bool], None]) -> None:
        self.begun.append(row.object_id)
        self.settle[row.object_id] = settled

    def report(self, level: str, text: str, error: BaseException | None) -> None:
        self.reports.append(text)

    def look(self, now_ms: int) -> list[str]:
        """What begins when the time of day is this."""
        self.now_ms = now_ms
        self.begun.clear()
        self.scheduler.look()
        return list(self.begun)

    @property
    def waits_s(self) -> float:
        timer = self.scheduler._timer
        assert timer is not None
        return timer.when() - asyncio.get_running_loop().time()


@pytest.fixture
async def passes_s() -> Callable[[float], None]:
    """Lets seconds pass on the clock that nobody sets."""
    return LoopClock(asyncio.get_running_loop(), stands_still=True).passes


@given(st.integers(0, 20), st.floats(0, 1, exclude_max=True))
def test_the_wait_doubles_from_two_seconds_with_at_most_a_quarter_more(failures: int, chance: float) -> None:
    least = 2_000 * 2 ** min(failures, 9)
    assert least <= backoff_ms(failures, chance) <= least * 1.25


async def test_what_is_due_begins_once_and_in_the_order_of_time() -> None:
    clock = Clock(Table(Row("Room", "b", 900), Row("Room", "a", 800), Row("Room", "c", 5000)))
    assert clock.look(1000) == ["a", "b"]
    assert clock.look(1000) == []
    clock.settle["a"](False)  # noqa: FBT003  as it is called
    assert clock.look(1000) == ["a"]
    assert clock.look(6000) == ["c"]
    clock.scheduler.stop()
    assert clock.look(9000) == []


@pytest.mark.usefixtures("passes_s")
async def test_what_processes_died_of_before_waits_the_longer_the_more_did_and_keeps_no_other_waiting() -> None:
    clock = Clock(Table(Row("Room", "a", 800), Row("Room", "b", 900)))
    clock.scheduler.start({("Room", "a"): 2})
    assert clock.begun == ["b"]
    assert 4.0 <= clock.waits_s <= 5.0
    clock.scheduler.stop()


@pytest.mark.usefixtures("passes_s")
def test_the_pause_after_processes_that_ended_while_alarms_ran_begins_with_the_third_and_is_bounded() -> None:
    assert [pause_s(ends) for ends in (0, 1, 2, 3, 4, 5, 99_999)] == [0, 0, 0, 1, 2, 4, MOST_PAUSE_S]


async def test_in_a_pause_nothing_begins(passes_s: Callable[[float], None]) -> None:
    clock = Clock(Table(Row("Room", "a", 0)))
    clock.scheduler.start(in_s=4.0)
    passes_s(3.9)
    clock.scheduler.look()
    assert clock.begun == []
    passes_s(0.2)
    clock.scheduler.look()
    assert clock.begun == ["a"]
    clock.scheduler.stop()


@pytest.mark.usefixtures("passes_s")
async def test_it_waits_until_the_next_one_is_due_but_not_long_for_a_clock_may_be_set() -> None:
    clock = Clock(Table(Row("Room", "a", 4000)))
    clock.look(1000)
    assert clock.waits_s == pytest.approx(3.0)
    clock.table.rows = [Row("Room", "a", 10_000_000)]
    clock.look(1000)
    assert clock.waits_s == pytest.approx(10.0)
    clock.scheduler.stop()


@pytest.mark.usefixtures("passes_s")
async def test_one_that_runs_or_waits_for_another_try_keeps_no_other_waiting() -> None:
    clock = Clock(Table(Row("Room", "long", 900), Row("Room", "next", 1500), Row("Room", "broken", 950)))
    assert clock.look(1000) == ["long", "broken"]
    assert clock.waits_s == pytest.approx(0.5)
    clock.settle["broken"](True)  # noqa: FBT003  as it is called
    clock.look(1100)
    assert clock.waits_s == pytest.approx(0.4)
    assert clock.look(1500) == ["next"]
    assert 1.99 < clock.waits_s < 2.51, "until the broken one is tried again"
    clock.scheduler.stop()


async def test_a_clock_set_forward_makes_alarms_due_and_one_set_back_makes_them_wait() -> None:
    clock = Clock(Table(Row("Room", "a", 1_000_000)))
    assert clock.look(1000) == []
    assert clock.look(1_000_001) == ["a"]
    clock.settle["a"](False)  # noqa: FBT003  as it is called
    clock.table.rows = [Row("Room", "a", 2_000_000)]
    assert clock.look(5) == []
    assert clock.look(2_000_000) == ["a"]
    clock.scheduler.stop()


DAY_MS = 86_400_000


async def test_another_try_comes_after_its_wait_however_far_back_the_clock_is_set(
    passes_s: Callable[[float], None],
) -> None:
    clock = Clock(Table(Row("Room", "a", 1000), Row("Room", "later", 5 * DAY_MS)))
    assert clock.look(1000 + DAY_MS) == ["a"]
    # It fails.
    clock.table.rows[0] = Row("Room", "a", 3000 + DAY_MS, 1)
    clock.settle["a"](False)  # noqa: FBT003  as it is called
    assert clock.look(1000) == []
    assert clock.waits_s == pytest.approx(2.0)
    passes_s(1.9)
    assert clock.look(2900) == []
    passes_s(0.1)
    assert clock.look(3000) == ["a"]
    assert clock.look(3000) == []
    # It fails again; no clock is set, and the time of day comes first.
    clock.table.rows[0] = Row("Room", "a", 8000, 2)
    clock.settle["a"](False)  # noqa: FBT003  as it is called
    assert clock.look(8000) == ["a"]
    # Now it is well; nothing is left of its tries.
    clock.table.rows[0] = Row("Room", "a", 9 * DAY_MS)
    clock.settle["a"](False)  # noqa: FBT003  as it is called
    passes_s(3600)
    assert clock.look(9000) == []
    assert clock.waits_s == pytest.approx(10.0)
    clock.scheduler.stop()


@pytest.mark.parametrize(("retry_count", "longest_s"), [(1, 2.5), (2, 5.0), (6, 80.0)])
async def test_what_a_process_before_this_one_saw_fail_waits_no_longer_than_it_can_have_had_to(
    passes_s: Callable[[float], None], retry_count: int, longest_s: float
) -> None:
    clock = Clock(Table(Row("Room", "a", 1000 + DAY_MS, retry_count), Row("Room", "b", 1001, retry_count)))
    clock.now_ms = 1000
    clock.scheduler.start()
    assert clock.look(1001) == ["b"]
    passes_s(longest_s - 0.1)
    assert clock.look(1001) == []
    passes_s(0.1)
    assert clock.look(1001) == ["a"]
    clock.scheduler.stop()


async def test_one_that_could_not_be_run_is_tried_after_its_wait_though_the_clock_is_set_back(
    passes_s: Callable[[float], None],
) -> None:
    clock = Clock(Table(Row("Room", "a", DAY_MS)))
    assert clock.look(DAY_MS) == ["a"]
    clock.settle["a"](True)  # noqa: FBT003  as it is called
    assert clock.look(1) == []
    passes_s(2.5)
    assert clock.look(1) == ["a"]
    clock.scheduler.stop()


async def test_a_table_that_cannot_be_read_when_a_run_ends_is_said(passes_s: Callable[[float], None]) -> None:
    clock = Clock(Table(Row("Room", "a", 1)))
    clock.look(1000)
    clock.table.broken = True
    clock.settle["a"](False)  # noqa: FBT003  as it is called
    assert clock.reports == ["the table of alarms cannot be read"]
    clock.scheduler.stop()


@pytest.mark.usefixtures("passes_s")
async def test_one_that_could_not_be_run_is_not_tried_again_at_once() -> None:
    clock = Clock(Table(Row("Room", "a", 1)))
    assert clock.look(1000) == ["a"]
    clock.settle["a"](True)  # noqa: FBT003  as it is called
    assert clock.look(1000) == []
    assert 1.99 < clock.waits_s < 2.51
    clock.scheduler.stop()


async def test_only_so_many_run_at_once() -> None:
    clock = Clock(Table(*(Row("Room", f"{number:04}", 1) for number in range(MAX_RUNNING + 5))))
    assert len(clock.look(1000)) == MAX_RUNNING
    assert clock.look(1000) == []
    assert clock.scheduler.running == MAX_RUNNING
    clock.table.rows = clock.table.rows[1:]
    clock.settle["0000"](False)  # noqa: FBT003  as it is called
    assert clock.look(1000) == [f"{MAX_RUNNING:04}"]
    clock.scheduler.stop()


async def test_a_table_that_cannot_be_read_is_said_and_looked_at_again() -> None:
    clock = Clock(Table(Row("Room", "a", 1)))
    clock.table.broken = True
    assert clock.look(1000) == []
    assert clock.reports == ["the table of alarms cannot be read"]
    clock.table.broken = False
    assert clock.look(1000) == ["a"]
    clock.scheduler.stop()


async def test_a_change_of_the_table_is_looked_at_soon() -> None:
    clock = Clock(Table())
    clock.scheduler.start()
    clock.table.rows.append(Row("Room", "a", 1))
    assert clock.table.on_change is not None
    clock.table.on_change()
    await until(lambda: clock.begun == ["a"])
    clock.scheduler.stop()


class Sleeper(Acceptor):
    """Sets alarms, and hears them."""

    heard: list[Any] = []  # noqa: RUF012  of the test
    failures = 0

    async def set(self, in_ms: int) -> None:
        await self.ctx.storage.setAlarm(NOW_MS + in_ms)

    async def when(self) -> int | None:
        found: int | None = await self.ctx.storage.getAlarm()
        return found

    async def alarm(self, info: Any) -> None:
        cls = type(self)
        cls.heard.append((info.scheduledTime - NOW_MS, info.retryCount, info.isRetry, self.ctx.id.name))
        await self.ctx.storage.put("runs", len(cls.heard))
        if cls.failures:
            cls.failures -= 1
            raise RuntimeError("not this time")

    async def runs(self) -> int | None:
        found: int | None = await self.ctx.storage.get("runs")
        return found


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    Sleeper.heard.clear()
    Sleeper.failures = 0


async def passes(scene: Stage, until_ms: int) -> None:
    """The time of day becomes this, and what is due has run."""
    scene.now_ms = NOW_MS + until_ms
    scheduler = scene.objects._scheduler
    assert scheduler is not None
    scheduler.look()
    await until(lambda: not scheduler.running)


async def test_an_alarm_runs_when_it_is_due_and_once(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        await scene.stub().set(5000)
        assert await scene.stub().when() == NOW_MS + 5000
        await passes(scene, 4999)
        assert Sleeper.heard == []
        await passes(scene, 5000)
        await passes(scene, 60_000)
        assert Sleeper.heard == [(5000, 0, False, "a")]
        assert await scene.stub().when() is None


async def test_an_alarm_wakes_an_object_of_a_process_before_this_one_by_its_name(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        await scene.stub().set(5000)
    async with stage(tmp_path, Room=Sleeper) as scene:
        await passes(scene, 6000)
        assert Sleeper.heard == [(5000, 0, False, "a")]


async def test_a_failed_alarm_is_tried_again_and_in_the_end_given_up(tmp_path: Path) -> None:
    Sleeper.failures = 100
    async with stage(tmp_path, Room=Sleeper) as scene:
        await scene.stub().set(0)
        for hours in range(1, 12):
            await passes(scene, hours * 3_600_000)
        assert [retry for _, retry, _, _ in Sleeper.heard] == list(range(MAX_RETRIES + 1))
        assert [is_retry for _, _, is_retry, _ in Sleeper.heard] == [False, *[True] * MAX_RETRIES]
        assert "given up" in scene.texts[-1]
        assert await scene.stub().when() is None


@pytest.mark.usefixtures("passes_s")
async def test_what_a_failed_alarm_wrote_is_kept_and_its_time_is_shown_meanwhile(tmp_path: Path) -> None:
    Sleeper.failures = 1
    async with stage(tmp_path, Room=Sleeper) as scene:
        await scene.stub().set(10)
        await passes(scene, 10)
        assert await scene.stub().runs() == 1
        assert await scene.stub().when() == NOW_MS + 10
        await passes(scene, 10 + 1999)
        assert len(Sleeper.heard) == 1
        await passes(scene, 10 + 2600)
        assert len(Sleeper.heard) == 2


async def test_an_alarm_of_a_class_that_is_not_there_waits_for_it(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        await scene.stub().set(10)
    async with stage(tmp_path, Other=Acceptor) as scene:
        await passes(scene, 5000)
    async with stage(tmp_path, Room=Sleeper) as scene:
        await passes(scene, 5000)
        assert len(Sleeper.heard) == 1


async def test_an_alarm_that_resets_its_object_has_failed_and_is_given_up_likewise(tmp_path: Path) -> None:
    class Breaks(Sleeper):
        aborts = MAX_RETRIES + 1

        async def alarm(self, info: Any) -> None:
            await super().alarm(info)
            if type(self).aborts:
                type(self).aborts -= 1
                self.ctx.abort("in the alarm")

    async with stage(tmp_path, Room=Breaks) as scene:
        for left, heard in ((MAX_RETRIES + 1, MAX_RETRIES + 1), (1, 2)):
            Breaks.aborts = left
            Sleeper.heard.clear()
            await scene.stub().set(0)
            for hours in range(1, 20):
                await passes(scene, hours * 3_600_000)
                await turn()
            assert [retry for _, retry, _, _ in Sleeper.heard] == list(range(heard))
            assert await scene.stub().when() is None
            scene.now_ms = NOW_MS
        assert sum("given up" in text for text in scene.texts) == 1
        assert await scene.stub().runs() == 2, "what the others wrote is lost with them"


async def test_an_alarm_whose_object_the_platform_ends_has_not_failed(tmp_path: Path) -> None:
    class Breaks(Sleeper):
        async def alarm(self, info: Any) -> None:
            await super().alarm(info)
            if len(self.heard) == 1:
                ctx: Any = self.ctx
                ctx._life.break_(StorageReset("the disk"))

    async with stage(tmp_path, Room=Breaks) as scene:
        await scene.stub().set(10)
        await passes(scene, 10)
        scheduler = scene.objects._scheduler
        assert scheduler is not None
        scheduler._failed = {key: (count, 0.0) for key, (count, _) in scheduler._failed.items()}
        await passes(scene, 20)
        assert [retry for _, retry, _, _ in Sleeper.heard] == [0, 0]


@pytest.mark.usefixtures("passes_s")
async def test_an_alarm_that_ended_its_process_has_failed_and_waits(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        await scene.stub().set(10)
        key = f"Room {scene.stub().id}\n"
    # As it is found after a kill in the middle of it.
    (tmp_path / FILE_NAME).write_text(key)
    async with stage(tmp_path, Room=Sleeper) as scene:
        await passes(scene, 20)
        assert Sleeper.heard == []
        assert isinstance(scene.reports[0][2], RunDied)
        await passes(scene, 20 + 2600)
        assert Sleeper.heard == [(10, 1, True, "a")]
        assert (tmp_path / FILE_NAME).read_text() == ""


async def test_one_that_was_only_about_to_run_when_its_process_ended_has_not_failed(tmp_path: Path) -> None:
    marked: list[list[str]] = []

    class Looking(Sleeper):
        async def alarm(self, info: Any) -> None:
            marked.append((tmp_path / FILE_NAME).read_text().splitlines())
            await super().alarm(info)

    async with stage(tmp_path, Room=Looking) as scene:
        for name in "ab":
            await scene.stub(name).set(10)
        await passes(scene, 20)
        # The other one waits behind the first.
        assert len(marked[0]) == 1
        assert len(Sleeper.heard) == 2


@pytest.mark.usefixtures("passes_s")
async def test_after_several_processes_that_ended_while_alarms_ran_the_next_one_runs_none_for_a_while(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, Room=Sleeper) as scene:
        await scene.stub().set(10)
        mark = f"Room {scene.stub().id}\n"
    for ends, reports in ((7, 0), (1, 1)):
        (tmp_path / FILE_NAME).write_text(f"{ends}\n{mark}")
        async with stage(tmp_path, Room=Sleeper) as scene:
            await passes(scene, 20)
            assert len(scene.reports) == reports
