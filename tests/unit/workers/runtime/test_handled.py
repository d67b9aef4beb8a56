"""Traces of events in an object's file."""

import tracemalloc
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects.file import ObjectFile
from holdfast.workers.runtime.handled import MAX_ENDED, MAX_TOLD_BLINDLY, Handled
from holdfast.workers.runtime.turns import see_event

SID = 0xF000_0000_0100_0001


class Links:
    """How far the kernel is: each mark is passed when it is said so."""

    def __init__(self, *, has_taken: bool) -> None:
        self.has_taken = has_taken

    def __call__(self) -> "Links":
        return Links(has_taken=True) if self.has_taken else self

    def is_passed(self) -> bool:
        return self.has_taken


TAKEN = Links(has_taken=True)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ObjectFile]:
    opened = ObjectFile.open(tmp_path / "x.sqlite")
    yield opened
    opened.close()


def write(file: ObjectFile, event: tuple[int, int] | None, key: str = "k") -> None:
    """What a handler of that event does."""

    def handle() -> None:
        if event is not None:
            see_event(*event)
        file.write(" INSERT OR REPLACE INTO _cf_KV VALUES (?, 'v')", (key,))

    copy_context().run(handle)


def traces(file: ObjectFile) -> set[tuple[int, int]]:
    return set(file.read(" SELECT sid % 256, seq FROM _cf_HANDLED").fetchall())


def again(file: ObjectFile) -> tuple[ObjectFile, Handled]:
    """The next process: what was not committed is gone."""
    file.close()
    opened = ObjectFile.open(file.path)
    return opened, Handled(opened, TAKEN)


def test_an_event_that_wrote_has_left_a_trace_for_the_next_process(file: ObjectFile) -> None:
    handled = Handled(file, TAKEN)
    assert not handled.was_handled(SID, 1)
    write(file, (SID, 1))
    file.commit()
    write(file, (SID, 2))
    other, handled = again(file)
    assert [handled.was_handled(SID, seq) for seq in (1, 2, 3)] == [True, False, False]
    assert not handled.was_handled(SID + 1, 1)
    other.close()


def test_a_write_of_no_event_leaves_none(file: ObjectFile) -> None:
    Handled(file, TAKEN)
    write(file, None)
    assert file.read(" SELECT * FROM _cf_HANDLED").fetchall() == []


def test_asking_makes_no_file(file: ObjectFile) -> None:
    handled = Handled(file, TAKEN)
    assert not handled.was_handled(SID, 1)
    handled.acknowledged(SID, 1)
    handled.closed(SID)
    handled.retain([])
    assert not file.exists


def test_one_trace_is_left_by_however_many_writes_and_events_mix(file: ObjectFile) -> None:
    Handled(file, TAKEN)
    for seq in (1, 2, 1, 2, 3):
        write(file, (SID, seq))
    assert {seq for _, seq in traces(file)} == {1, 2, 3}


def test_a_rolled_back_trace_is_none(file: ObjectFile) -> None:
    handled = Handled(file, TAKEN)
    write(file, (SID, 1))
    file.commit()
    depth = file.begin_nested()
    write(file, (SID, 2))
    assert handled.was_handled(SID, 2)
    file.end_nested(depth, keep=False)
    assert [handled.was_handled(SID, seq) for seq in (1, 2)] == [True, False]
    write(file, (SID, 2))
    file.rollback()
    assert [handled.was_handled(SID, seq) for seq in (1, 2)] == [True, False]


def test_an_acknowledged_trace_makes_room_for_the_next(file: ObjectFile) -> None:
    handled = Handled(file, TAKEN)
    for seq in range(1, 50):
        write(file, (SID, seq))
        handled.acknowledged(SID, seq)
    file.commit()
    assert {seq for _, seq in traces(file)} == {49}


def test_a_trace_stays_until_the_kernel_has_its_acknowledgement(file: ObjectFile) -> None:
    links = Links(has_taken=False)
    handled = Handled(file, links)
    for event in ((SID, 1), (SID, 2), (7, 1)):
        write(file, event)
    handled.acknowledged(SID, 1)
    write(file, (SID, 3))
    # These come behind the mark that is not passed.
    handled.acknowledged(SID, 2)
    handled.closed(7)
    file.commit()
    other, after_a_kill = again(file)
    assert [after_a_kill.was_handled(*event) for event in ((SID, 1), (SID, 2), (7, 1))] == [True, True, True]
    other.close()


def test_a_trace_is_forgotten_when_the_kernel_has_its_acknowledgement(file: ObjectFile) -> None:
    links = Links(has_taken=False)
    handled = Handled(file, links)
    for event in ((SID, 1), (SID, 2), (7, 1)):
        write(file, event)
    handled.acknowledged(SID, 1)
    handled.closed(7)
    write(file, (SID, 3))
    assert {seq for _, seq in traces(file)} == {1, 2, 3}
    assert len(traces(file)) == 4
    links.has_taken = True
    handled.acknowledged(SID, 2)
    write(file, (SID, 4))
    assert {seq for _, seq in traces(file)} == {3, 4}


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize("writes", [False, True])
def test_an_object_that_stays_remembers_few_of_the_sockets_that_left(
    file: ObjectFile, writes: bool, is_slow: bool
) -> None:
    marks = list[Links]()

    def mark() -> Links:
        marks.append(Links(has_taken=not is_slow))
        return marks[-1]

    handled = Handled(file, mark)
    write(file, (SID, 1))
    remembered = list[int]()
    for sid in range(1, 3 * MAX_ENDED):
        if writes:
            write(file, (sid, 1))
        handled.acknowledged(sid, 1)
        handled.closed(sid)
        remembered.append(sum(map(len, (handled._told, handled._acknowledged, handled._ended))))
        for one in marks:
            # Passed, but not at once.
            one.has_taken = True
        marks.clear()
    assert max(remembered) <= MAX_ENDED + 3
    write(file, (7, 9))
    assert len(traces(file)) <= 3


def test_an_object_that_only_reads_remembers_few_of_the_sockets_that_left(file: ObjectFile) -> None:
    Handled(file, TAKEN)
    write(file, (SID, 1))
    file.commit()
    other, handled = again(file)
    for sid in range(1, 5 * MAX_TOLD_BLINDLY):
        handled.closed(sid)
    handled.closed(SID)
    tracemalloc.start()
    for sid in range(1, 5 * MAX_TOLD_BLINDLY):
        handled.closed(sid)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1024
    write(other, (7, 1))
    assert len(traces(other)) == 1
    other.close()


def test_traces_of_sockets_that_ended_go_along_with_the_next_one(file: ObjectFile) -> None:
    handled = Handled(file, TAKEN)
    for seq in range(1, 11):
        write(file, (SID, seq))
    handled.closed(SID)
    assert len(traces(file)) == 10
    write(file, (7, 1))
    assert traces(file) == {(7, 1)}


def test_the_next_process_forgets_the_sockets_that_are_gone(file: ObjectFile) -> None:
    Handled(file, TAKEN)
    for sid in (1, 2, 3):
        write(file, (sid, 5))
    file.commit()
    other, handled = again(file)
    handled.retain([2])
    assert [handled.was_handled(sid, 5) for sid in (1, 2, 3)] == [False, True, False]
    assert len(traces(other)) == 3
    write(other, (2, 6))
    other.commit()
    assert traces(other) == {(2, 5), (2, 6)}
    other.close()


def test_what_was_acknowledged_stays_forgotten_through_a_rollback(file: ObjectFile) -> None:
    handled = Handled(file, TAKEN)
    for event in ((1, 1), (1, 2), (2, 1)):
        write(file, event)
    file.commit()
    handled.acknowledged(1, 1)
    handled.closed(2)
    write(file, (1, 3))
    file.rollback()
    write(file, (1, 4))
    assert [handled.was_handled(*event) for event in ((1, 1), (1, 2), (2, 1), (1, 3))] == [False, True, False, False]
    assert traces(file) == {(1, 2), (1, 4)}


def test_numbers_that_wrap_are_in_order(file: ObjectFile) -> None:
    handled = Handled(file, TAKEN)
    for seq in (2**32 - 2, 2**32 - 1, 0, 1):
        write(file, (SID, seq))
    handled.acknowledged(SID, 0)
    write(file, (7, 1))
    assert [handled.was_handled(SID, seq) for seq in (2**32 - 2, 2**32 - 1, 0, 1)] == [False, False, False, True]


EVENTS = st.tuples(st.integers(1, 3), st.integers(1, 6))


@given(
    st.lists(
        st.tuples(st.just("write"), EVENTS)
        | st.tuples(st.sampled_from(["ack", "close", "commit", "rollback", "crash"]), EVENTS),
        max_size=30,
    )
)
def test_an_event_has_left_a_trace_exactly_if_what_it_wrote_is_there(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, tuple[int, int]]]
) -> None:
    """Law 1, for events that can still be sent again: those that are neither acknowledged nor of a socket that ended."""
    file = ObjectFile.open(tmp_path_factory.mktemp("handled") / "x.sqlite")
    handled = Handled(file, TAKEN)
    done: set[tuple[int, int]] = set()
    for step, (sid, seq) in steps:
        if step == "write" and (sid, seq) not in done:
            write(file, (sid, seq), f"{sid}/{seq}")
        elif step == "ack":
            file.commit()
            handled.acknowledged(sid, seq)
            done |= {(sid, one) for one in range(1, seq + 1)}
        elif step == "close":
            file.commit()
            handled.closed(sid)
            done |= {(sid, one) for one in range(1, 7)}
        elif step == "commit":
            file.commit()
        elif step == "rollback":
            file.rollback()
        elif step == "crash":
            file, handled = again(file)
        there = {key for (key,) in file.read(" SELECT key FROM _cf_KV").fetchall()}
        for event in {(one, two) for one in range(1, 4) for two in range(1, 7)} - done:
            assert handled.was_handled(*event) is (f"{event[0]}/{event[1]}" in there)
    file.close()
