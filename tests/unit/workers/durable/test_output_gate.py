"""What an object lets out, in which order, and behind which of its writes."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.output_gate import OutputGate


def output_gate() -> tuple[OutputGate, list[BaseException]]:
    failures: list[BaseException] = []
    return OutputGate(failures.append), failures


def test_what_is_emitted_without_writes_leaves_at_once() -> None:
    gate, _ = output_gate()
    left: list[int] = []
    gate.emit(lambda: left.append(1))
    assert left == [1]
    assert gate.is_clear


def test_what_is_emitted_after_a_write_waits_for_its_commit_and_no_other() -> None:
    gate, _ = output_gate()
    left: list[str] = []
    gate.wrote()
    gate.emit(lambda: left.append("first"))
    first = gate.begin()
    gate.wrote()
    gate.emit(lambda: left.append("second"))
    assert (left, gate.waiting) == ([], 2)
    gate.confirm(first)
    assert left == ["first"]
    gate.confirm(gate.begin())
    assert left == ["first", "second"]
    assert gate.is_clear


def test_a_broken_gate_lets_nothing_out() -> None:
    gate, _ = output_gate()
    left: list[int] = []
    gate.wrote()
    gate.emit(lambda: left.append(1))
    gate.break_()
    gate.confirm(gate.begin())
    gate.emit(lambda: left.append(2))
    assert left == []


def test_an_action_that_fails_is_told_and_the_next_one_leaves() -> None:
    gate, failures = output_gate()
    left: list[int] = []

    def fails() -> None:
        raise OSError("gone")

    gate.wrote()
    gate.emit(fails)
    gate.emit(lambda: left.append(1))
    gate.confirm(gate.begin())
    assert [str(one) for one in failures] == ["gone"]
    assert left == [1]


@given(st.lists(st.sampled_from(["write", "emit", "commit", "confirm"]), max_size=60))
def test_actions_leave_in_order_each_after_all_writes_before_it(moves: list[str]) -> None:
    gate, _ = output_gate()
    writes = durable = 0
    begun: list[tuple[int, int]] = []
    emitted: list[int] = []
    left: list[int] = []

    def action(number: int, needs: int) -> Callable[[], None]:
        def leave() -> None:
            assert needs <= durable
            left.append(number)

        return leave

    for move in moves:
        if move == "write":
            writes += 1
            gate.wrote()
        elif move == "emit":
            emitted.append(len(emitted))
            gate.emit(action(emitted[-1], writes))
        elif move == "commit":
            begun.append((gate.begin(), writes))
        elif begun:
            generation, durable = begun.pop(0)
            gate.confirm(generation)
    for generation, count in [*begun, (gate.begin(), writes)]:
        durable = count
        gate.confirm(generation)
    assert left == emitted
