"""The alarm in an object's own file, and what the table of all alarms hears of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.store.objects.alarm_cell import Alarm
from holdfast.store.objects.errors import StorageBroken, StorageError
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.identity import Identity

ROOM = Identity("Room", "ab" * 32)


class Table:
    """What was told, and what would be found after a crash. `fails`: which kind of writes do, durable ones or the others."""

    def __init__(self) -> None:
        self.told: list[tuple[int | None, bool]] = []
        self.fails: bool | None = None

    def put(self, identity: Identity, alarm: Alarm | None, *, is_durable: bool = True) -> None:
        assert identity == ROOM
        if is_durable is self.fails:
            raise StorageError("the table cannot be written")
        self.told.append((alarm.next_ms if alarm else None, is_durable))


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def file(tmp_path: Path, table: Table) -> Iterator[ObjectFile]:
    opened = ObjectFile.open(tmp_path / "x.sqlite", identity=ROOM, alarms=table)
    yield opened
    opened.close()


def again(file: ObjectFile, table: Table | None = None) -> ObjectFile:
    return ObjectFile.open(file.path, identity=ROOM, alarms=table)


def test_an_alarm_is_part_of_the_transaction(file: ObjectFile) -> None:
    file.alarm.set(100)
    file.commit()
    file.alarm.set(200)
    assert file.alarm.get() == 200
    file.rollback()
    assert file.alarm.get() == 100
    other = again(file)
    assert other.alarm.due() == Alarm(100, 100, 0, 1)
    other.close()


def test_deleting_none_writes_nothing(file: ObjectFile) -> None:
    file.alarm.set(None)
    assert (file.is_dirty, file.exists) == (False, False)


def test_the_table_hears_of_an_earlier_time_before_the_commit_and_of_a_later_one_after_it(
    file: ObjectFile, table: Table
) -> None:
    file.alarm.set(100)
    assert table.told == []
    file.commit()
    assert table.told == [(100, True)]
    file.alarm.set(50)
    file.commit()
    file.alarm.set(300)
    file.commit()
    file.alarm.set(None)
    file.commit()
    assert table.told == [(100, True), (50, True), (300, False), (None, False)]


def test_a_commit_without_a_change_tells_nothing(file: ObjectFile, table: Table) -> None:
    file.alarm.set(100)
    file.rollback()
    file.write(" INSERT INTO _cf_KV VALUES ('a', 'b')")
    file.commit()
    assert table.told in ([], [(None, False)])


def test_what_a_crash_leaves_in_the_table_is_corrected_by_the_truth(file: ObjectFile, table: Table) -> None:
    file.alarm.set(100)
    file.commit()
    file.alarm.before_commit()
    file.close()
    other = again(file, table)
    table.told.clear()
    other.alarm.settle()
    assert table.told == [(100, False)]
    other.close()


def test_a_table_that_cannot_take_a_promise_breaks_the_commit(file: ObjectFile, table: Table) -> None:
    table.fails = True
    file.alarm.set(100)
    with pytest.raises(StorageBroken, match="the table cannot be written"):
        file.commit()
    other = again(file)
    assert other.alarm.get() is None
    other.close()


def test_a_table_that_says_too_early_a_time_breaks_nothing(file: ObjectFile, table: Table) -> None:
    file.alarm.set(100)
    file.commit()
    table.fails = False
    file.alarm.set(300)
    file.commit()
    assert (table.told, file.alarm.get()) == ([(100, True)], 300)
    table.fails = None
    file.alarm.settle()
    assert table.told[1:] == [(300, False)]


def test_what_is_not_committed_is_not_told(file: ObjectFile, table: Table) -> None:
    file.alarm.set(100)
    file.commit()
    file.alarm.set(300)
    file.alarm.settle()
    assert table.told == [(100, True)]


def test_one_that_ends_well_is_done_with(file: ObjectFile) -> None:
    file.alarm.set(100)
    file.commit()
    assert file.alarm.begin() == Alarm(100, 100, 0, 1)
    assert file.alarm.get() is None
    file.alarm.succeed()
    file.commit()
    assert (file.alarm.get(), file.alarm.due()) == (None, None)


def test_one_that_fails_is_tried_again_and_says_the_time_it_was_set_for(file: ObjectFile) -> None:
    file.alarm.set(100)
    file.commit()
    for count in (1, 2):
        file.alarm.begin()
        file.alarm.fail(100 + count)
        file.commit()
        assert (file.alarm.get(), file.alarm.due()) == (100, Alarm(100, 100 + count, count, 1))
    file.alarm.begin()
    file.alarm.abandon()
    assert file.alarm.due() is None


@pytest.mark.parametrize("end", ["succeed", "fail", "abandon"])
@pytest.mark.parametrize("at_ms", [100, 500, None])
def test_one_that_is_set_while_another_runs_takes_its_place(file: ObjectFile, end: str, at_ms: int | None) -> None:
    file.alarm.set(100)
    file.commit()
    file.alarm.begin()
    file.alarm.set(at_ms)
    assert file.alarm.get() == at_ms
    if end == "fail":
        file.alarm.fail(1)
    else:
        getattr(file.alarm, end)()
    file.commit()
    assert file.alarm.get() == at_ms


def test_one_that_ran_when_the_process_died_runs_again(file: ObjectFile) -> None:
    file.alarm.set(100)
    file.commit()
    file.alarm.begin()
    file.write(" INSERT INTO _cf_KV VALUES ('a', 'b')")
    file.alarm.succeed()
    file.close()
    other = again(file)
    assert other.alarm.begin() == Alarm(100, 100, 0, 1)
    other.close()


def test_none_can_begin_where_none_is_set(file: ObjectFile) -> None:
    with pytest.raises(StorageError, match="no alarm is set"):
        file.alarm.begin()
    file.alarm.succeed()
    file.alarm.fail(1)
    assert not file.is_dirty
