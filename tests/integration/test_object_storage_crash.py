"""Storage of an object whose process is killed at any moment: what was acknowledged is there, and every transaction whole.

Law: chance is seeded, and the seed is in the name of the test. CRASH_ROUNDS makes it more than a sample.
"""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.store.objects import sql
from tests.integration.object_writer import KEYS, ROOM, SID, Opened, alarm_of, write

KILLS = 10 * int(os.environ.get("CRASH_ROUNDS", "1"))
# A process has at most so many transactions before it is killed: in the middle of the next one, or between two.
MOST = 60
LIMIT_S = 30.0
ROOT = Path(__file__).parents[2]


def writer(directory: Path, *arguments: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.object_writer", str(directory), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
    )


def written_until_killed(directory: Path, first: int, count: int) -> int:
    """Let a process write from transaction `first` on, and kill it after `count`; the last one that it said is durable."""
    process = writer(directory, first)
    assert process.stdout is not None
    with process, process.stdout as output:
        said = [output.readline() for _ in range(count)]
        process.kill()
        said += output.readlines()
    assert said[-1], "the process ended before it was killed"
    return int(said[-1])


def check(directory: Path, acknowledged: int) -> int:
    """Everything of the last transaction is there and nothing of another; its number, which is at least `acknowledged`."""
    opened = Opened(directory)
    number = opened.number
    assert acknowledged <= number <= acknowledged + 1
    last = {key: max((n for n in range(1, number + 1) if n % KEYS == key), default=0) for key in range(KEYS)}
    for key, one in last.items():
        assert opened.keys.get(f"key {key}") == (b"%d" % one * (1 + one % 300) if one else None)
    assert opened.keys.get("never") is None
    assert sql.run(opened.file, "SELECT number, length(text) FROM log").rest() == [
        (one, one % 1000) for one in range(1, number + 1)
    ]
    assert opened.file.read(" PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [opened.ledger.was_handled(SID, one) for one in (number, number + 1)] == [True, False]
    check_alarm(opened, alarm_of(number))
    opened.close()
    return number


def check_alarm(opened: Opened, at_ms: int | None) -> None:
    """The file has the transaction's alarm; the table says that time or an earlier one, and is corrected by the file."""
    assert opened.file.alarm.get() == at_ms
    tabled = opened.table.next_ms()
    if at_ms is not None:
        assert tabled is not None
        assert tabled <= at_ms
    opened.file.alarm.settle()
    assert opened.table.next_ms() == at_ms


@pytest.mark.parametrize("seed", [1])
def test_what_a_killed_process_acknowledged_is_there_and_whole(tmp_path: Path, seed: int) -> None:
    chance, number = random.Random(seed), 0
    for _ in range(KILLS):
        acknowledged = written_until_killed(tmp_path, number + 1, chance.randint(1, MOST))
        number = check(tmp_path, acknowledged)
    assert number >= KILLS


@pytest.mark.parametrize("most_bytes", [100_000, 250_000])
def test_a_disk_without_room_loses_nothing_that_was_acknowledged(tmp_path: Path, most_bytes: int) -> None:
    said, complaint = writer(tmp_path, 1, most_bytes).communicate(timeout=LIMIT_S)
    assert b"StorageBroken" in complaint
    assert check(tmp_path, int(said.split()[-1])) > 1


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as a crash leaves it: transactions 1 to 9 in the journal only."""
    directory, left = (tmp_path_factory.mktemp(name) for name in ("journal", "left"))
    opened = Opened(directory)
    for number in range(1, 10):
        write(opened, number)
        opened.commit()
    shutil.copytree(directory, left, dirs_exist_ok=True)
    opened.close()
    return left


@given(st.data())
@settings(max_examples=25)
def test_a_journal_that_was_cut_anywhere_is_whole_transactions(
    journal: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """As after a power cut that lost the journal's end: with `synchronous=FULL` only what nobody was told of can be lost."""
    directory = tmp_path_factory.mktemp("cut")
    shutil.copytree(journal, directory, dirs_exist_ok=True)
    wal = directory / "Room" / f"{ROOM.object_id}.sqlite-wal"
    wal.with_name(wal.name.replace("-wal", "-shm")).unlink()
    content = wal.read_bytes()
    wal.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    opened = Opened(directory)
    number = opened.number
    if number:
        rows = sql.run(opened.file, "SELECT number FROM log").rest()
        assert rows == [(one,) for one in range(1, number + 1)]
    assert opened.file.alarm.get() == (alarm_of(number) if number else None)
    opened.close()
