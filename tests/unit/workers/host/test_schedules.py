"""`holdfast.workers.host.schedules`: each minute is looked at once, whoever hosts and whatever the clock does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.model.data_dir import worker_schedules_file
from holdfast.model.worker_messages import Scheduled
from holdfast.workers.host.schedules import (
    CORRECTED_MINUTES,
    LOOK_S,
    WAIT_S,
    ScheduleError,
    Timetable,
    Waiting,
    seconds_to_next_look,
)

KEY = "a" * 12
# A minute that begins an hour.
START = 1_795_687_200 // 60


def table(data_dir: Path, *crons: str) -> Timetable:
    """A table of one script with these schedules."""
    file = worker_schedules_file(data_dir, KEY)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(crons), encoding="utf-8")
    made = Timetable(data_dir)
    made.read(KEY)
    return made


def due(of: Timetable, minute: float) -> list[str]:
    """The expressions that are due."""
    return [one.cron for _, one in of.due(minute * 60)]


def test_what_is_due_is_told_with_its_minute(tmp_path: Path) -> None:
    found = list(table(tmp_path, "* * * * *", "30 * * * *").due(START * 60 + 17.5))
    assert found == [(KEY, Scheduled(cron="* * * * *", scheduled_ms=START * 60_000))]


def test_a_script_may_run_at_times_that_nobody_has_written_down(tmp_path: Path) -> None:
    made = table(tmp_path)
    made.put(KEY, ["* * * * *", "30 * * * *"])
    assert due(made, START) == ["* * * * *"]
    made.put(KEY, [])
    assert due(made, START + 1) == []
    with pytest.raises(ValueError, match="expected five fields"):
        made.put(KEY, ["* * * *"])


def test_a_minute_is_looked_at_once_also_by_the_next_host(tmp_path: Path) -> None:
    first = table(tmp_path, "* * * * *")
    assert due(first, START) == ["* * * * *"]
    assert due(first, START + 0.9) == []
    second = table(tmp_path, "* * * * *")
    assert due(second, START + 0.95) == []
    assert due(second, START + 1) == ["* * * * *"]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        # Nobody looked for ten minutes.
        ((0, 10), [1, 1]),
        # Set back a little: what was run is not run again.
        ((0, 1, 0, 1, 2), [1, 1, 0, 0, 1]),
        # It was an hour and more ahead, and is right now.
        ((CORRECTED_MINUTES + 1, 0, 1), [1, 1, 1]),
        ((CORRECTED_MINUTES, 0, 1), [1, 0, 0]),
    ],
)
def test_a_clock_that_jumps_neither_repeats_minutes_nor_makes_up_for_them(
    tmp_path: Path, minutes: tuple[int, ...], expected: list[int]
) -> None:
    one = table(tmp_path, "* * * * *")
    assert [len(due(one, START + minute)) for minute in minutes] == expected


def test_schedules_that_are_replaced_or_removed_are_not_due_any_more(tmp_path: Path) -> None:
    one = table(tmp_path, "* * * * *")
    worker_schedules_file(tmp_path, KEY).write_text('["0 * * * *", "1 * * * *"]', encoding="utf-8")
    one.read(KEY)
    assert due(one, START) == ["0 * * * *"]
    worker_schedules_file(tmp_path, KEY).unlink()
    one.read(KEY)
    assert due(one, START + 1) == []


@pytest.mark.parametrize("text", ["", "{", '["60 * * * *"]', "[1]", "1", "[" * 100_000])
def test_what_cannot_be_read_is_said_and_changes_nothing(tmp_path: Path, text: str) -> None:
    one = table(tmp_path, "* * * * *")
    worker_schedules_file(tmp_path, KEY).write_text(text, encoding="utf-8")
    with pytest.raises(ScheduleError, match=f"the schedules of {KEY} cannot be read"):
        one.read(KEY)
    assert due(one, START) == ["* * * * *"]


def test_what_is_due_waits_for_a_process_but_not_for_ever(tmp_path: Path) -> None:
    waiting = Waiting()
    early, late = (Scheduled(cron="* * * * *", scheduled_ms=at) for at in (0, 60_000))
    waiting.add(early, 0)
    waiting.add(late, 60)
    assert list(waiting.take(60 + WAIT_S)) == [late]
    assert list(waiting.take(61)) == []
    waiting.add(early, 0)
    assert list(waiting.take(WAIT_S + 1)) == []


@pytest.mark.parametrize(("now_s", "wait_s"), [(0.0, LOOK_S), (55.0, 5.001), (59.999, 0.002), (60.0, LOOK_S)])
def test_the_clock_is_looked_at_when_a_minute_begins(now_s: float, wait_s: float) -> None:
    assert seconds_to_next_look(now_s) == pytest.approx(wait_s)
