"""The table of all alarms of a script."""

import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.store.objects.alarm_cell import Alarm
from holdfast.store.objects.alarms import AlarmRow, AlarmTable
from holdfast.store.objects.errors import StorageBroken, StorageError
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.identity import Identity
from tests.integration.waiting import poll

A, B, C = (Identity("Room", letter * 64, name) for letter, name in (("a", "lobby"), ("b", None), ("c", None)))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[AlarmTable]:
    opened = AlarmTable.open(tmp_path / "objects" / "metadata.sqlite")
    yield opened
    opened.close()


def test_those_that_are_due_come_earliest_first(table: AlarmTable) -> None:
    for whose, at_ms in ((A, 300), (B, 100), (C, 200)):
        table.put(whose, Alarm(at_ms, at_ms))
    assert table.next_ms() == 100
    assert [row.object_id[0] for row in table.due(250, 10)] == ["b", "c"]
    assert [row.object_id[0] for row in table.due(300, 1)] == ["b"]
    assert table.due(99, 10) == []


def test_a_row_says_all_that_is_needed_to_wake_the_object(table: AlarmTable) -> None:
    table.put(A, Alarm(100, 150, 2, 7))
    assert table.due(150, 1) == [AlarmRow("Room", "a" * 64, "lobby", 100, 2, 150)]


def test_those_that_have_failed_are_found_by_themselves_and_by_their_object(table: AlarmTable) -> None:
    table.put(A, Alarm(100, 150, 2))
    table.put(B, Alarm(100, 100))
    failed = AlarmRow("Room", "a" * 64, "lobby", 100, 2, 150)
    assert table.retries() == [failed]
    assert (table.retry_of("Room", "a" * 64), table.retry_of("Room", "b" * 64)) == (failed, None)


def test_one_object_has_one_row(table: AlarmTable) -> None:
    table.put(A, Alarm(100, 100))
    table.put(A, Alarm(300, 300), is_durable=False)
    assert [row.next_ms for row in table.due(1000, 10)] == [300]
    table.delete("Room", "a" * 64)
    assert (table.next_ms(), table.due(1000, 10)) == (None, [])


def test_rows_are_there_after_it_was_opened_again(table: AlarmTable, tmp_path: Path) -> None:
    table.put(A, Alarm(100, 100))
    other = AlarmTable.open(tmp_path / "objects" / "metadata.sqlite")
    assert other.next_ms() == 100
    other.close()


def test_changes_are_announced(table: AlarmTable) -> None:
    told: list[int | None] = []
    table.on_change = lambda: told.append(table.next_ms())
    table.put(A, Alarm(100, 100))
    table.put(A, None)
    assert told == [100, None]


def test_any_thread_may_write(table: AlarmTable) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 20):
            table.put(Identity("Room", f"{number:064x}"), Alarm(number, number), is_durable=number % 2 == 0)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [row.next_ms for row in table.due(100, 100)] == list(range(60))


def test_those_who_write_at_once_are_written_together(table: AlarmTable) -> None:
    statements: list[str] = []
    table._connection.set_trace_callback(statements.append)
    with table._lock:
        threads = [
            threading.Thread(target=table.put, args=(Identity("Room", f"{number:064x}"), Alarm(number, number)))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        poll(lambda: len(table._waiting) == 8, what="eight who wait")
    for thread in threads:
        thread.join(30)
    assert statements.count("COMMIT") == 1
    assert len(table.due(100, 100)) == 8


def test_readers_wait_for_no_writer(table: AlarmTable) -> None:
    with table._lock:
        assert (table.next_ms(), table.due(100, 1)) == (None, [])


def test_an_error_is_told_to_everybody_whose_write_it_was_and_ends_with_it(table: AlarmTable) -> None:
    with pytest.raises(StorageError, match=r"metadata\.sqlite: NOT NULL constraint failed"):
        table.put(Identity("Room", None), Alarm(1, 1))  # type: ignore[arg-type]
    table.put(A, Alarm(100, 100))
    assert table.next_ms() == 100


def test_a_lost_table_is_made_again_from_the_files(table: AlarmTable, tmp_path: Path) -> None:
    for whose, at_ms in ((A, 100), (B, 200), (C, None)):
        file = ObjectFile.open(tmp_path / f"{whose.object_id}.sqlite", identity=whose)
        file.write(" INSERT INTO _cf_KV VALUES ('a', 'b')")
        file.alarm.set(at_ms)
        file.commit()
        file.close()
    table.put(Identity("Room", "d" * 64), Alarm(1, 1))
    assert table.rebuild(tmp_path.glob("*.sqlite")) == 2
    assert [(row.object_name, row.next_ms) for row in table.due(1000, 10)] == [("lobby", 100), (None, 200)]


def objects_in(directory: Path) -> Callable[[], Iterator[Path]]:
    """Some objects' files with alarms, one without, and files that are of no use; what finds them."""
    for whose, at_ms in ((A, 100), (B, 200), (C, None)):
        file = ObjectFile.open(directory / "Room" / f"{whose.object_id}.sqlite", identity=whose)
        file.write(" INSERT INTO _cf_KV VALUES ('a', 'b')")
        file.alarm.set(at_ms)
        file.commit()
        file.close()
    (directory / "Room" / "broken.sqlite").write_bytes(b"x" * 5000)
    (directory / "Room" / "empty.sqlite").touch()
    return lambda: directory.glob("*/*.sqlite")


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"x" * 5000)])
def test_a_table_that_was_lost_is_made_again_when_it_is_opened(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path, files = tmp_path / "metadata.sqlite", objects_in(tmp_path)
    AlarmTable.open(path).close()
    spoil(path)
    for _ in range(2):
        table = AlarmTable.open(path, files)
        assert [(row.object_name, row.next_ms) for row in table.due(1000, 10)] == [("lobby", 100), (None, 200)]
        table.close()


def test_one_that_was_not_built_to_its_end_is_built_again_and_one_that_was_is_not(tmp_path: Path) -> None:
    path, files = tmp_path / "metadata.sqlite", objects_in(tmp_path)
    table = AlarmTable.open(path)
    table.put(Identity("Room", "d" * 64), Alarm(1, 1))
    table.close()
    table = AlarmTable.open(path, files)
    assert [row.next_ms for row in table.due(1000, 10)] == [100, 200]
    table.put(Identity("Room", "d" * 64), Alarm(1, 1))
    table.close()
    table = AlarmTable.open(path, files)
    assert [row.next_ms for row in table.due(1000, 10)] == [1, 100, 200]
    table.close()


def test_the_file_is_its_owners_alone(table: AlarmTable, tmp_path: Path) -> None:
    table.put(A, Alarm(100, 100))
    modes = {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "objects").iterdir()}
    assert modes == {0o600}


def test_a_file_of_no_use_is_named(tmp_path: Path) -> None:
    (tmp_path / "metadata.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(
        StorageBroken, match=r"metadata\.sqlite: the table of alarms cannot be opened: file is not a database"
    ):
        AlarmTable.open(tmp_path / "metadata.sqlite")
    with pytest.raises(StorageBroken, match="cannot be opened"):
        AlarmTable.open(tmp_path)


def test_what_a_file_says_of_its_class_may_be_its_name_of_before(tmp_path: Path) -> None:
    for name in ("chat-Room", "hall-Room"):
        (tmp_path / name).mkdir()
        file = ObjectFile.open(tmp_path / name / f"{'a' * 64}.sqlite", identity=A)
        file.alarm.set(100)
        file.commit()
        file.close()
    names = {"chat-Room": "chat-Room", "hall-Room": "Room"}
    opened = AlarmTable.open(
        tmp_path / "metadata.sqlite", lambda: tmp_path.glob("*/*.sqlite"), lambda path, _: names[path.parent.name]
    )
    assert sorted(row.class_name for row in opened.due(100, 9)) == ["Room", "chat-Room"]
    opened.close()
