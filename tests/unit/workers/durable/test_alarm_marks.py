"""Who was running when a process died is known to the next one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.alarm_marks import FILE_NAME, AlarmMarks

A, B, C = (("Room", digit * 64) for digit in "abc")


def test_who_runs_at_the_end_of_a_process_is_known_to_the_next_one_once(tmp_path: Path) -> None:
    dies = AlarmMarks(tmp_path)
    for key in (A, B, C):
        dies.begin(key)
    dies.end(B)
    dies.end(B)
    after = AlarmMarks(tmp_path)
    assert [after.take(key) for key in (A, B, A)] == [True, False, False]
    after.end(A)
    # One that dies before it has asked for all leaves the rest to the next.
    third = AlarmMarks(tmp_path)
    assert [third.take(key) for key in (A, C)] == [False, True]


def test_one_is_known_to_have_run_until_that_has_been_written_down(tmp_path: Path) -> None:
    AlarmMarks(tmp_path).begin(A)
    for _ in range(3):
        # It dies of another one's run, before it has written down that the first one has failed.
        dies = AlarmMarks(tmp_path)
        assert dies.take(A)
        dies.begin(B)
    after = AlarmMarks(tmp_path)
    assert [after.take(key) for key in (A, B)] == [True, True]
    after.end(A)
    after.end(B)
    assert not AlarmMarks(tmp_path).take(A)


def test_a_process_that_ends_as_it_should_leaves_no_marks(tmp_path: Path) -> None:
    marks = AlarmMarks(tmp_path)
    marks.begin(A)
    marks.close()
    # What ends later is nobody's matter any more.
    marks.end(A)
    assert not AlarmMarks(tmp_path).take(A)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_how_often_processes_died_of_making_an_object_is_known_until_one_makes_it(tmp_path: Path) -> None:
    marks = AlarmMarks(tmp_path)
    for died in range(3):
        marks = AlarmMarks(tmp_path)
        assert marks.died_at_birth == ({A: died} if died else {})
        marks.bear(A)
        marks.bear(B)
        marks.born(B)
    marks.born(A)
    marks.begin(A)
    after = AlarmMarks(tmp_path)
    assert (after.died_at_birth, after.take(A)) == ({}, True)
    after.bear(B)
    after.close()
    assert AlarmMarks(tmp_path).died_at_birth == {}


def test_how_many_processes_in_a_row_have_ended_while_alarms_ran_is_known(tmp_path: Path) -> None:
    for ends in range(3):
        marks = AlarmMarks(tmp_path)
        assert marks.ends == ends
        marks.take(A)
        marks.begin(A)
    # One that ends before it runs alarms counts for nothing, and what ran before is still known.
    assert [AlarmMarks(tmp_path).ends for _ in range(3)] == [3, 1, 1]
    marks = AlarmMarks(tmp_path)
    assert marks.take(A)
    marks.end(A)
    assert AlarmMarks(tmp_path).ends == 0


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"Room", b"Room a b\n", b"Room a 99999999999\n", b"Room a 1 2", b"\n\n"]
)
def test_what_is_no_mark_is_passed_over(tmp_path: Path, text: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(text + b"\nRoom " + b"a" * 64 + b"\n")
    assert AlarmMarks(tmp_path).take(A)


@given(st.lists(st.tuples(st.sampled_from(["begin", "end"]), st.sampled_from([A, B, C])), max_size=20))
def test_the_file_says_who_runs_after_every_step(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, tuple[str, str]]]
) -> None:
    directory = tmp_path_factory.mktemp("marks")
    marks = AlarmMarks(directory)
    running: set[tuple[str, str]] = set()
    for step, key in steps:
        if step == "begin":
            marks.begin(key)
            running.add(key)
        else:
            marks.end(key)
            running.discard(key)
        lines = (directory / FILE_NAME).read_text().splitlines()
        assert sorted(lines) == sorted(" ".join(one) for one in running)
    marks.close()
    assert [path.name for path in directory.iterdir()] == [FILE_NAME]
