"""Who has which session: as a dictionary would say, whatever comes and goes, and without anything left of what went."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.channel.sleepers import PAGE, Sleepers

# Near each other, as an edge numbers them, and far apart.
sids = st.one_of(st.integers(0, 3 * PAGE), st.integers(0, 2**64 - 1))


@given(st.lists(st.tuples(sids, st.sampled_from(["put", "pop", "get", "settle"]))))
def test_it_says_what_a_dictionary_says(steps: list[tuple[int, str]]) -> None:
    sleepers: Sleepers[str] = Sleepers()
    expected: dict[int, str] = {}
    for step, (sid, what) in enumerate(steps):
        if what == "put":
            sleepers[sid] = expected[sid] = f"of step {step}"
        elif what == "pop":
            assert sleepers.pop(sid, None) == expected.pop(sid, None)
        elif what == "settle":
            sleepers.settle()
        assert sleepers.get(sid) == expected.get(sid)
        assert (len(sleepers), bool(sleepers), sid in sleepers) == (len(expected), bool(expected), sid in expected)
    assert sorted(sleepers) == sorted(expected)
    assert (sleepers.any() in expected.values()) if expected else sleepers.any() is None


def test_a_page_that_nobody_is_on_any_more_is_gone() -> None:
    sleepers: Sleepers[str] = Sleepers()
    for sid in range(0, 100 * PAGE, PAGE):
        sleepers[sid] = "one alone"
    for sid in range(0, 100 * PAGE, PAGE):
        sleepers.pop(sid)
    assert sleepers._pages == {}
