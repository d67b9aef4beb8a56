"""Which event is passed over after a process has ended, from how each of several ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_messages import Event, Turn
from holdfast.workers.host.blame import KILLS_BLAMED, Blame

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
