"""Which tries are due, by a clock that nobody sets."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.alarm_retries import Retries

MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("expect"), st.integers(0, 4), st.integers(0, 20)),
        st.tuples(st.just("forget"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("ask"), st.integers(0, 6), st.integers(0, 20)),
    ),
    max_size=300,
)


@given(MOVES)
def test_what_is_due_is_told_in_its_order_until_it_is_forgotten(moves: list[tuple[str, int, int]]) -> None:
    retries, expected = Retries(), dict[int, int]()
    for what, number, at in moves:
        if what == "expect":
            retries.expect(("Room", str(number)), number, at)
            expected[number] = at
        elif what == "forget":
            retries.forget(("Room", str(number)))
            expected.pop(number, None)
        else:
            due = sorted((due_at, one) for one, due_at in expected.items() if due_at <= at)
            assert retries.due(at, number) == [one for _, one in due[:number]]
        assert retries.next() == min(expected.values(), default=None)
        assert len(retries) == len(expected)


def test_times_that_were_said_before_are_not_kept() -> None:
    retries = Retries()
    for number in range(10_000):
        retries.expect(("Room", "a"), None, number)
    assert len(retries._line) < 100
    assert retries.next() == 9_999
