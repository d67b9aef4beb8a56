"""What is written down of an object's outputs, when it is of no use any more, and which of it an edge has taken."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects.file import ObjectFile
from holdfast.workers.channel.records import ToEdge
from holdfast.workers.channel.session import Session
from holdfast.workers.durable import outbox
from holdfast.workers.durable.outbox import Entry, Outbox, entries_in, rows_of, was_taken, wire_number
from holdfast.workers.runtime.handled import Handled

A, B = 7, 8


class Links:
    """How far the kernel is: each mark is passed when it is said so."""

    def __init__(self) -> None:
        self.has_taken = False

    def __call__(self) -> "Links":
        return self

    def is_passed(self) -> bool:
        return self.has_taken


class Stage:
    """One object's file with its outbox."""

    def __init__(self, path: Path) -> None:
        self.file = ObjectFile.open(path)
        self.links = Links()
        self.handled = Handled(self.file, self.links)
        self.has_all_sockets = False
        self.changes = 0
        self.outbox = Outbox(
            self.file,
            self.handled,
            mark=self.links,
            has_all_sockets=lambda: self.has_all_sockets,
            changed=self.changed,
        )

    def changed(self) -> None:
        self.changes += 1

    def commits(self, *notes: Callable[[Outbox], object]) -> None:
        """A commit, for which outputs wait that note themselves so."""
        self.file.write(" INSERT OR REPLACE INTO _cf_KV VALUES ('key', 'value')")
        self.outbox.write_down([SimpleNamespace(note=note) for note in notes])
        self.file.commit()
        self.outbox.left()

    def says(self, *texts: str) -> None:
        self.commits(*(_note(text) for text in texts))

    @property
    def rows(self) -> list[list[str]]:
        """What each commit wrote down."""
        return [
            [entry.data for entry in entries_in(rows)]
            for _, rows in groupby(rows_of(self.file), key=lambda row: row[1])
        ]


def _note(text: str) -> Callable[[Outbox], object]:
    return lambda outbox: outbox.add(ToEdge.TEXT, [A], text)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "object.sqlite")


def test_what_waits_is_in_the_file_with_the_commit_and_not_without_it(stage: Stage, tmp_path: Path) -> None:
    stage.says("one", "two")
    stage.file.write(" INSERT OR REPLACE INTO _cf_KV VALUES ('key', 'other')")
    stage.outbox.write_down([SimpleNamespace(note=_note("three"))])
    stage.file.close()
    assert Stage(tmp_path / "object.sqlite").rows == [["one", "two"]]
    assert stage.changes == 1


def test_a_commit_for_which_nothing_waits_writes_nothing(stage: Stage) -> None:
    stage.commits()
    assert (stage.rows, stage.changes) == ([], 0)


def test_a_row_is_written_over_when_the_links_have_what_is_in_it(stage: Stage) -> None:
    stage.says("one")
    stage.says("two")
    assert stage.rows == [["one"], ["two"]]
    stage.links.has_taken = True
    stage.says("three")
    assert stage.rows == [["three"]]


def test_what_a_process_before_wrote_stays_until_all_its_sockets_are_here(stage: Stage, tmp_path: Path) -> None:
    stage.says("one")
    stage.file.close()
    later = Stage(tmp_path / "object.sqlite")
    later.links.has_taken = True
    later.says("two")
    later.says("three")
    assert later.rows == [["one"], ["three"]]
    later.has_all_sockets = True
    later.says("four")
    assert later.rows == [["four"]]


def test_numbers_rise_over_the_lives_of_processes(stage: Stage, tmp_path: Path) -> None:
    stage.says("one", "two")
    stage.file.close()
    later = Stage(tmp_path / "object.sqlite")
    later.says("three")
    assert [entry.number for entry in entries_in(rows_of(later.file))] == [1, 2, 3]


def test_what_is_too_much_is_not_written_down_and_has_no_number(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_BYTES", 1_000)
    numbers: list[int] = []
    stage.commits(
        lambda one: numbers.append(one.add(ToEdge.TEXT, [A], "x" * 900)),
        lambda one: numbers.append(one.add(ToEdge.MANY, [A, B], "y" * 900)),
    )
    assert numbers == [wire_number(1), 0]
    assert stage.rows == [["x" * 900]]
    # Not characters, bytes.
    stage.commits(lambda one: numbers.append(one.add(ToEdge.TEXT, [A], "語" * 400)))
    assert numbers[2:] == [0]
    # What the links have not taken takes its part of the room.
    stage.says("z" * 900)
    assert stage.rows == [["x" * 900]]


def test_what_is_longer_than_a_row_may_be_is_in_several(stage: Stage, tmp_path: Path) -> None:
    one, several = "x" * 5_000_000, [str(at) * 100_000 for at in range(10)] * 2
    stage.says(one)
    stage.says(*several)
    stage.file.close()
    later = Stage(tmp_path / "object.sqlite")
    assert later.rows == [[one], several]
    later.has_all_sockets = later.links.has_taken = True
    later.says("short")
    assert later.rows == [["short"]]


def test_what_is_sent_again_stays_until_the_links_have_it(stage: Stage, tmp_path: Path) -> None:
    stage.says("one")
    stage.file.close()
    later = Stage(tmp_path / "object.sqlite")
    later.has_all_sockets = True
    later.says("two")
    assert later.rows == [["one"], ["two"]]
    later.links.has_taken = True
    later.says("three")
    assert later.rows == [["three"]]


def test_events_whose_acknowledgement_waits_leave_their_traces(stage: Stage) -> None:
    session = Session(A, None, received=2)
    stage.commits(lambda one: one.done_with(session, 4), lambda one: one.done_with(session, 5))
    assert [stage.handled.was_handled(A, seq) for seq in range(2, 7)] == [False, True, True, True, False]


@given(st.integers(1, 2**40), st.integers(0, 5_000), st.integers(0, 5_000))
def test_an_edge_that_has_a_number_has_all_up_to_it(newest: int, behind: int, before: int) -> None:
    number, taken = max(newest - behind, 1), max(newest - before, 1)
    assert was_taken(number, newest=newest, last=wire_number(taken)) == (number <= taken)
    assert not was_taken(number, newest=newest, last=0)


def test_a_number_on_the_channel_is_never_none() -> None:
    assert all(0 < wire_number(number) < 2**32 for number in (1, 2**32 - 2, 2**32 - 1, 2**32, 2**64))


def test_a_row_that_is_to_be_written_over_and_was_deleted_is_written_anew(stage: Stage) -> None:
    stage.says("one")
    stage.links.has_taken = True
    stage.file.write(" DELETE FROM _cf_OUTBOX")
    stage.says("two")
    assert stage.rows == [["two"]]


def test_what_an_output_says_beside_its_message_is_found_again(stage: Stage) -> None:
    stage.commits(
        lambda one: one.add(ToEdge.CLOSE, [A], "gone", code=4000),
        lambda one: one.add(ToEdge.MANY, [A, B], b"all", drop=True, max_backlog_bytes=9),
    )
    assert entries_in(rows_of(stage.file)) == [
        Entry(number=1, kind=ToEdge.CLOSE, sids=[A], data="gone", code=4000),
        Entry(number=2, kind=ToEdge.MANY, sids=[A, B], data=b"all", is_dropping=True, max_backlog_bytes=9),
    ]
