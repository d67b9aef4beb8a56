"""What is written down with an object's commits, until when it stays, and who is found to have been handled."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from holdfast.workers.channel.records import ToEdge
from holdfast.workers.channel.session import Session
from holdfast.workers.durable import ledger
from holdfast.workers.durable.ledger_rows import rows_of
from holdfast.workers.durable.outbox import Outbox, entries_in, wire_number
from tests.unit.workers.durable.ledger_scene import A, B, Scene, text


def _is_done(session: Session, seq: int, outbox: Outbox) -> None:
    outbox.done_with(session, seq)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "object.sqlite")
    yield made
    made.file.close()


# Outputs.


def test_what_waits_is_in_the_file_with_the_commit_and_not_without_it(scene: Scene) -> None:
    scene.says("one", "two")
    scene.writes()
    scene.writes_down(text("three"))
    assert scene.again().said == [["one", "two"]]
    assert scene.changes == 1


def test_a_commit_for_which_nothing_waits_writes_nothing(scene: Scene) -> None:
    scene.says()
    assert (scene.said, scene.changes) == ([], 0)


def test_a_row_is_written_over_when_the_links_have_what_is_in_it(scene: Scene) -> None:
    scene.says("one")
    scene.says("two")
    assert scene.said == [["one"], ["two"]]
    scene.links.has_taken = True
    scene.says("three")
    assert (scene.said, scene.rows) == ([["three"]], 1)


def test_a_commit_takes_one_mark_and_one_row(scene: Scene) -> None:
    scene.links.has_taken = True
    session = scene.session(A)
    for seq in range(1, 10):
        before = scene.links.marks
        scene.writes((A, seq))
        scene.writes_down(text("answer"), partial(_is_done, session, seq))
        scene.file.commit()
        scene.acknowledges(A, seq)
        scene.ledger.left()
        assert (scene.links.marks - before, scene.rows) == (1, 1)


def test_what_a_process_before_wrote_stays_until_all_its_sockets_are_here(scene: Scene) -> None:
    scene.says("one")
    later = scene.again(has_taken=True)
    later.says("two")
    later.says("three")
    assert later.said == [["one"], ["three"]]
    later.has_all_sockets = True
    later.says("four")
    assert later.said == [["four"]]


def test_what_is_sent_again_stays_until_the_links_have_it(scene: Scene) -> None:
    scene.says("one")
    later = scene.again(has_all_sockets=True)
    later.says("two")
    assert later.said == [["one"], ["two"]]
    later.links.has_taken = True
    later.says("three")
    assert later.said == [["three"]]


def test_numbers_rise_over_the_lives_of_processes_whatever_was_written_over(scene: Scene) -> None:
    scene.links.has_taken = True
    scene.says("one", "two")
    # A row without an output takes the place of the one with the highest number.
    scene.writes((A, 1))
    scene.commits()
    assert scene.said == []
    later = scene.again()
    later.says("three")
    assert [entry.number for entry in entries_in(rows_of(later.file))] == [3]


def test_what_is_too_much_is_not_written_down_and_has_no_number(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_BYTES", 1_000)
    numbers: list[int] = []
    scene.writes()
    scene.commits(
        lambda one: numbers.append(one.add(ToEdge.TEXT, [A], "x" * 900)),
        lambda one: numbers.append(one.add(ToEdge.MANY, [A, B], "y" * 900)),
    )
    assert numbers == [wire_number(1), 0]
    assert scene.said == [["x" * 900]]
    # What the links have not taken takes its part of the room.
    scene.says("z" * 900)
    assert scene.said == [["x" * 900]]
    scene.links.has_taken = True
    scene.says("z" * 900)
    assert scene.said == [["z" * 900]]


def test_what_is_longer_than_a_row_may_be_is_in_several(scene: Scene) -> None:
    one, several = "x" * 5_000_000, [str(at) * 100_000 for at in range(10)] * 2
    scene.says(one)
    scene.says(*several)
    later = scene.again()
    assert later.said == [[one], several]
    later.has_all_sockets = later.links.has_taken = True
    later.says("short")
    assert (later.said, later.rows) == ([["short"]], 1)


def test_a_row_that_is_to_be_written_over_and_was_deleted_is_written_anew(scene: Scene) -> None:
    scene.says("one")
    scene.links.has_taken = True
    scene.file.write(" DELETE FROM _cf_OWED")
    scene.says("two")
    assert scene.said == [["two"]]


# Traces.


def test_an_event_that_wrote_has_left_a_trace_for_the_next_process(scene: Scene) -> None:
    assert scene.handled(B, range(4)) == []
    scene.writes((B, 1))
    scene.commits()
    scene.writes((B, 2))
    scene.writes_down()
    later = scene.again()
    assert later.handled(B, range(4)) == [1]
    assert not later.ledger.was_handled(A, 1)


def test_a_write_of_no_event_leaves_none(scene: Scene) -> None:
    scene.writes()
    scene.commits()
    assert rows_of(scene.file) == []


def test_asking_makes_no_file(scene: Scene) -> None:
    assert scene.handled(A, range(3)) == []
    scene.ledger.acknowledged(A, 1)
    scene.ledger.closed(A)
    assert not scene.file.exists


def test_events_whose_acknowledgement_waits_leave_their_traces(scene: Scene) -> None:
    session = Session(A, None, received=2)
    scene.writes()
    scene.commits(lambda one: one.done_with(session, 4), lambda one: one.done_with(session, 5))
    assert scene.again().handled(A, range(2, 7)) == [3, 4, 5]


def test_one_trace_is_left_by_however_many_writes_and_events_mix(scene: Scene) -> None:
    for seq in (1, 2, 1, 2, 3):
        scene.writes((A, seq))
    scene.commits()
    scene.writes((A, 1))
    scene.commits()
    assert scene.rows == 1
    assert scene.again().handled(A, range(5)) == [1, 2, 3]


def test_a_nested_transaction_that_is_undone_takes_its_own_traces_and_no_others(scene: Scene) -> None:
    scene.writes((A, 1))
    outer = scene.file.begin_nested()
    scene.writes((A, 2))
    inner = scene.file.begin_nested()
    scene.writes((A, 3))
    scene.file.end_nested(inner, keep=True)
    inner = scene.file.begin_nested()
    scene.writes((A, 4))
    scene.writes((A, 2))
    scene.file.end_nested(inner, keep=False)
    assert scene.handled(A, range(6)) == [1, 2, 3]
    scene.file.end_nested(outer, keep=True)
    scene.commits()
    later = scene.again()
    assert later.handled(A, range(6)) == [1, 2, 3]
    later.writes((A, 5))
    later.file.rollback()
    assert later.handled(A, range(6)) == [1, 2, 3]


def test_a_trace_stays_until_the_kernel_has_its_acknowledgement(scene: Scene) -> None:
    for event in ((A, 1), (A, 2), (B, 1)):
        scene.writes(event)
    scene.commits()
    scene.acknowledges(A, 1)
    scene.writes((A, 3))
    scene.commits()
    # These come behind a mark that is not passed.
    scene.acknowledges(A, 2)
    scene.ledger.closed(B)
    scene.writes((A, 4))
    scene.commits()
    later = scene.again()
    assert (later.handled(A, range(6)), later.handled(B, range(3))) == ([1, 2, 3, 4], [1])


def test_a_trace_is_forgotten_when_the_kernel_has_its_acknowledgement(scene: Scene) -> None:
    scene.links.has_taken = True
    for event in ((A, 1), (B, 1)):
        scene.writes(event)
        scene.commits()
    scene.acknowledges(A, 1)
    scene.ledger.closed(B)
    for seq in (2, 3):
        scene.writes((A, seq))
        scene.commits()
    assert scene.rows == 2
    later = scene.again()
    assert (later.handled(A, range(5)), later.handled(B, range(3))) == ([2, 3], [])


def test_an_acknowledgement_that_did_not_wait_for_the_commit_takes_nothing_from_it(scene: Scene) -> None:
    scene.links.has_taken = True
    scene.writes((A, 1))
    scene.acknowledges(A, 1)
    scene.commits()
    assert scene.again().handled(A, range(3)) == [1]


def test_numbers_that_wrap_are_in_order(scene: Scene) -> None:
    for seq in (2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1):
        scene.writes((A, seq))
    scene.commits()
    scene.acknowledges(A, 2**32)
    scene.writes((B, 1))
    scene.commits()
    later = scene.again()
    later.session(A, 2**32 - 2)
    assert [later.ledger.was_handled(A, seq) for seq in (2**32 - 2, 2**32 - 1, 0, 1)] == [False, True, True, True]


def test_the_next_process_forgets_what_its_edges_have_and_the_sockets_that_are_gone(scene: Scene) -> None:
    for event in ((A, 4), (A, 5), (B, 5)):
        scene.writes(event)
        scene.commits()
    early = scene.again()
    early.session(A, 4)
    assert (early.handled(A, range(7)), early.handled(B, range(7))) == ([5], [5])
    later = early.again(has_taken=True, has_all_sockets=True)
    later.session(A, 4)
    assert (later.handled(A, range(7)), later.handled(B, range(7))) == ([5], [])
    later.writes((A, 6))
    later.commits()
    later.writes((A, 7))
    later.commits()
    # The one of the socket that is gone, and the first one, are written over.
    assert later.rows == 3


def test_the_outputs_of_a_handler_that_is_suspended_make_room_and_its_trace_stays(scene: Scene) -> None:
    scene.links.has_taken = True
    scene.writes((A, 1))
    scene.commits(text("x" * 1_000_000))
    for number in range(3):
        scene.says(f"answer {number}")
    assert scene.said == [["answer 2"]]
    assert scene.rows == 2
    assert scene.again().handled(A, range(3)) == [1]


def test_a_commit_looks_at_no_handler_that_is_suspended(scene: Scene) -> None:
    scene.links.has_taken = True
    for seq in range(1, 51):
        scene.writes((A, seq))
        scene.commits(text("x"))
    scene.says("last")
    assert len(scene.ledger._waiting) == 1
    scene.acknowledges(A, 50)
    for _ in range(20):
        scene.says("later")
    assert scene.rows == 1
    assert scene.ledger._traces._traces == {}


@pytest.mark.parametrize("writes", [False, True])
def test_an_object_that_stays_remembers_few_of_the_sockets_that_left(scene: Scene, writes: bool) -> None:
    scene.links.has_taken = True
    scene.writes((A, 1))
    scene.commits()
    for sid in range(100, 300):
        if writes:
            scene.writes((sid, 1))
            scene.commits()
        scene.acknowledges(sid, 1)
        scene.ledger.closed(sid)
        traces = scene.ledger._traces
        assert len(traces._traces) + len(traces._told) <= 4
    scene.writes((A, 2))
    scene.commits()
    assert scene.rows <= 4
