"""A log that is heard again goes on where it ended."""

from typing import Any

from holdfast.client.log_memory import KEPT, LogMemory


def line(text: str, ts_ms: int) -> dict[str, Any]:
    return {"type": "log", "message": text, "ts_ms": ts_ms}


def shown(memory: LogMemory, *lines: dict[str, Any]) -> list[str]:
    return [one["message"] for one in lines if memory.is_new(one)]


def test_what_was_shown_is_not_shown_again_and_what_came_meanwhile_is() -> None:
    memory = LogMemory()
    before = [line("b", 2), line("b", 2), line("c", 3)]
    assert shown(memory, *before) == ["b", "b", "c"]
    assert memory.opened_again() == {"lines": str(KEPT)}
    assert shown(memory, line("a", 1), *before, line("c", 3), line("d", 4), line("d", 4)) == ["c", "d", "d"]
    memory.opened_again()
    assert shown(memory, line("c", 3), line("d", 4), line("d", 4), line("e", 5)) == ["e"]


def test_where_nothing_was_shown_nothing_of_before_is_asked_for() -> None:
    memory = LogMemory()
    assert memory.opened_again() == {"lines": "0"}
    assert shown(memory, line("a", 1)) == ["a"]


def test_a_clock_that_is_set_back_hides_no_more_than_the_lines_of_before() -> None:
    memory = LogMemory()
    shown(memory, line("a", 1_000_000))
    memory.opened_again()
    lines = [line(str(number), number) for number in range(KEPT + 2)]
    assert shown(memory, *lines) == [str(KEPT), str(KEPT + 1)]


def test_a_line_without_a_time_is_shown_once() -> None:
    memory = LogMemory()
    missed = {"type": "missed", "lines": 3}
    assert memory.is_new(line("a", 5))
    assert memory.is_new(missed)
    memory.opened_again()
    assert not memory.is_new(missed)
    assert memory.is_new(missed)
