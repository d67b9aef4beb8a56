"""`holdfast.rules.bounded_memory`: what was made is found again, the oldest is forgotten, and remembering stays cheap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.bounded_memory import BoundedMemory


def _memory(max_chars: int) -> BoundedMemory[str, str]:
    return BoundedMemory(len, max_chars=max_chars)


def test_what_was_made_is_found_and_stays_as_the_latest() -> None:
    memory, makings = _memory(3), []
    for key in "abcadab":
        memory.found_or_made(key, lambda: "made")
        makings.append(memory.counts()[2])
    assert makings == [1, 2, 3, 3, 4, 4, 5]


def test_what_cannot_be_made_is_not_remembered() -> None:
    def fail() -> str:
        raise ValueError("no")

    memory = _memory(3)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            memory.found_or_made("a", fail)
    assert memory.counts() == (0, 0, 2)


@given(st.lists(st.text(max_size=9)), st.integers(0, 60))
def test_whatever_is_asked_for_the_room_is_enough_and_the_latest_is_there_if_it_fits(
    keys: list[str], room: int
) -> None:
    memory = _memory(room)
    for key in keys:
        assert memory.found_or_made(key, lambda key=key: f"{key}!") == f"{key}!"  # type: ignore[misc]
        count, chars, _ = memory.counts()
        assert chars <= room
        assert count <= len(set(keys))
        if len(key) <= room * 7 // 8:
            assert memory.found_or_made(key, lambda: "again") == f"{key}!"


def test_what_is_remembered_is_counted_anew_only_now_and_then() -> None:
    counted: list[int] = []

    def one(key: int) -> int:
        counted.append(key)
        return 1

    memory: BoundedMemory[int, int] = BoundedMemory(one, max_chars=1_000)
    for key in range(10_000):
        memory.found_or_made(key, lambda: 0)
    # Each once when it comes, once when it goes, and eight times at most while it is there.
    assert len(counted) <= 10 * 10_000 + 2_000
