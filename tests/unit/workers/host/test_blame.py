"""Which event is passed over after a process has ended, from how each of several ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_messages import Event, Turn
from holdfast.workers.host.blame import FIRST_WAIT_S, KILLS_BLAMED, KILLS_COUNTED, MOST_BLAMED, MOST_WAIT_S, Blame

A = Event(sid=1, seq=7)
# How a process ended: by a limit of ours, killed by somebody, by itself.
LIMIT, KILLED, ITSELF = (
    {"is_at_fault": True, "was_killed": False},
    {"is_at_fault": False, "was_killed": True},
    {"is_at_fault": False, "was_killed": False},
)


def at(event: Event, *, is_past: bool = False) -> Turn:
    return Turn(number=1, sid=event.sid, seq=event.seq, is_running=not is_past, is_past=is_past)


@pytest.mark.parametrize("is_past", [False, True])
@pytest.mark.parametrize("how", [LIMIT, KILLED, ITSELF])
def test_how_often_it_takes_until_an_event_is_to_blame(how: dict[str, bool], is_past: bool) -> None:
    blame, times = Blame(), 0
    while blame.died_in is None:
        blame.judge(at(A, is_past=is_past), **how)
        times += 1
    expected = KILLS_BLAMED if how is KILLED and is_past else 1 if how is LIMIT and not is_past else 2
    assert (times, blame.died_in, blame.suspect) == (expected, A, None)


@given(st.lists(st.tuples(st.integers(1, 2), st.sampled_from([LIMIT, KILLED, ITSELF]), st.booleans()), max_size=20))
def test_no_event_is_to_blame_that_the_process_was_not_at(ends: list[tuple[int, dict[str, bool], bool]]) -> None:
    blame, seen = Blame(), set[Event]()
    for seq, how, is_past in ends:
        event = Event(sid=1, seq=seq)
        seen.add(event)
        blame.judge(at(event, is_past=is_past), **how)
        assert {blame.died_in, blame.suspect} - {None} <= seen


def test_who_was_at_nothing_blames_nobody_and_clears_the_suspect() -> None:
    blame = Blame()
    blame.judge(at(A), **ITSELF)
    before = blame.suspect
    blame.judge(None, **ITSELF)
    assert (before, blame.suspect, blame.died_in) == (A, None, None)


@pytest.mark.parametrize(("how", "each"), [(ITSELF, 1), (KILLED, KILLS_COUNTED)])
def test_the_more_ends_nobody_is_to_blame_for_the_longer_the_next_process_waits(
    how: dict[str, bool], each: int
) -> None:
    blame, waits = Blame(), []
    for end in range(12):
        # Another event each time: the one that does it has let the loop go long ago.
        for kill in range(each):
            blame.judge(at(Event(sid=1, seq=end * each + kill), is_past=True), **how)
        waits.append(blame.wait_s)
    assert waits[0] == FIRST_WAIT_S
    assert waits == sorted(waits)
    assert waits[-1] == MOST_WAIT_S
    # With a verdict, or a process that was well, that is over.
    blame.was_well()
    assert blame.wait_s == 0.0


def test_a_verdict_ends_the_waiting() -> None:
    blame = Blame()
    blame.judge(at(A), **ITSELF)
    waited = blame.wait_s
    blame.judge(at(A), **ITSELF)
    assert (waited, blame.wait_s, blame.died_in) == (FIRST_WAIT_S, 0.0, A)


@pytest.mark.parametrize("late", [1, 4])
def test_an_event_that_ends_the_process_later_is_found_among_others_that_go_on(late: int) -> None:
    # Each process begins the same events in turn; the third ends it when `late` others have begun behind it, unless it is waited for.
    blame, ends = Blame(), 0
    while blame.died_in is None:
        last = 3 if blame.wait_s >= FIRST_WAIT_S * late else 3 + late + ends % 2
        blame.judge(at(Event(sid=1, seq=last), is_past=True), **ITSELF)
        ends += 1
    assert blame.died_in == Event(sid=1, seq=3)


def test_who_is_to_blame_stays_known_when_another_is() -> None:
    blame = Blame()
    for seq in (1, 2, 1, 3):
        for _ in range(2):
            blame.judge(at(Event(sid=1, seq=seq)), **ITSELF)
    assert (blame.died_in, blame.before) == (Event(sid=1, seq=3), (Event(sid=1, seq=2), Event(sid=1, seq=1)))
    for seq in range(10, 10 + 2 * MOST_BLAMED):
        blame.judge(at(Event(sid=1, seq=seq)), **LIMIT)
    assert len(blame.before) == MOST_BLAMED - 1
