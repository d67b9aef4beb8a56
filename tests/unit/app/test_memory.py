"""When an edge gives memory back: once after each rush, coming or going, and not while it lasts."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.app.memory import QUIET_PART, RUSH, Tidying, give_back, moved

RATES = st.lists(st.integers(0, 4 * RUSH), max_size=200)


def looks(latest: list[int]) -> list[bool]:
    tidying, moves, due = Tidying(), 0, []
    for count in latest:
        moves += count
        due.append(tidying.look(moves))
    return due


def test_it_is_done_once_when_a_rush_is_over() -> None:
    assert looks([RUSH, RUSH, 0, 0, 1]) == [False, False, True, False, False]


def test_what_goes_on_all_the_time_does_not_keep_it_from_being_done() -> None:
    assert looks([100] * 2 * QUIET_PART) == ([False] * (QUIET_PART - 1) + [True]) * 2


def test_a_few_that_come_after_many_do_not_keep_it_from_being_done() -> None:
    assert looks([0, 5000, 50]) == [False, False, True]


@given(RATES)
def test_it_is_never_done_in_a_rush_nor_for_little(latest: list[int]) -> None:
    since = 0
    for count, is_due in zip(latest, looks(latest), strict=True):
        since += count
        assert is_due == (since >= RUSH and count <= since / QUIET_PART)
        since = 0 if is_due else since


@given(st.lists(st.sampled_from(["accept", "leave", "open", "close"]), max_size=50))
def test_what_has_moved_only_rises(moves: list[str]) -> None:
    figures = {"connections_accepted": 0, "connections_open": 0, "tunnels_opened": 0, "tunnels_open": 0}
    was = moved(figures)
    for move in moves:
        if move == "accept":
            figures["connections_accepted"] += 1
            figures["connections_open"] += 1
        elif move == "open":
            figures["tunnels_opened"] += 1
            figures["tunnels_open"] += 1
        else:
            gone = "connections_open" if move == "leave" else "tunnels_open"
            figures[gone] = max(0, figures[gone] - 1)
        assert moved(figures) >= was
        was = moved(figures)


def test_giving_back_does_no_harm() -> None:
    kept = [bytes(100) for _ in range(1000)]
    give_back()
    assert all(one == bytes(100) for one in kept)
