"""What an edge does with its connections once it has retired: transcripts, with the time as an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.app.retirement import QUIET_S, Open, Retirement, Step
from holdfast.app.words import CLOSING_LIMIT_S, Retire

WORD = Retire(why="release", deadline_s=100.0, spread_s=10.0, order="oldest")
LONGEST_S = 110.0 + CLOSING_LIMIT_S
SOME, NONE = Open(tunnels=2, connections=0), Open(tunnels=0, connections=0)
REQUEST = Open(tunnels=0, connections=1)


def test_nothing_is_closed_before_the_deadline_then_all_is_once_then_it_is_over() -> None:
    retirement = Retirement(WORD, 5.0)
    steps = [retirement.step(SOME, 5.0 + passed) for passed in (0.0, 99.9, 100.0, 100.1, LONGEST_S - 0.1, LONGEST_S)]
    assert steps == [Step.WAIT, Step.WAIT, Step.CLOSE, Step.WAIT, Step.WAIT, Step.END]


@pytest.mark.parametrize("some", [SOME, REQUEST])
def test_it_is_over_when_nothing_has_been_open_for_a_while(some: Open) -> None:
    retirement = Retirement(WORD, 0.0)
    looks = [(0.0, some), (0.1, NONE), (5.0, some), (5.1, NONE), (5.2, NONE), (5.1 + QUIET_S, NONE)]
    assert [retirement.step(one, now) for now, one in looks] == [*[Step.WAIT] * 5, Step.END]


def test_one_look_is_not_enough_however_late_it_comes() -> None:
    retirement = Retirement(WORD, 0.0)
    assert [retirement.step(NONE, now) for now in (50.0, 50.0 + QUIET_S)] == [Step.WAIT, Step.END]


def test_a_later_word_counts_from_when_it_came() -> None:
    retirement = Retirement(WORD, 0.0)
    assert retirement.step(SOME, 100.0) is Step.CLOSE
    retirement.told(Retire(why="drain", deadline_s=0.0, spread_s=0.0, order="oldest", closing_limit_s=4.0), 101.0)
    assert retirement.word.why == "drain"
    assert [retirement.step(SOME, now) for now in (101.0, 104.9, 105.0)] == [Step.CLOSE, Step.WAIT, Step.END]


@given(
    deadline=st.floats(0, 1e6), spread=st.floats(0, 1e5), looks=st.lists(st.tuples(st.booleans(), st.floats(0, 1e6)))
)
def test_whatever_is_open_it_is_closed_once_at_most_and_ends_in_time(
    deadline: float, spread: float, looks: list[tuple[bool, float]]
) -> None:
    word = Retire(why="release", deadline_s=deadline, spread_s=spread, order="idlest")
    retirement, now, steps = Retirement(word, 0.0), 0.0, []
    for is_open, passed in looks:
        now += passed
        steps.append(retirement.step(SOME if is_open else NONE, now))
        assert 0 <= retirement.wait_s(now, most_s=0.1) <= 0.1
        assert steps[-1] is Step.END or now < word.longest_s
        if steps[-1] is Step.END:
            break
    assert steps.count(Step.CLOSE) <= 1
