"""Laws of the input gate: who goes on, and in which order."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.current import Section
from holdfast.workers.durable.gates import Exited, InputGate, driven, gated, living, stepwise
from tests.unit.workers.durable.stage import turn


def input_gate() -> InputGate:
    return InputGate(lambda: None)


def state_of(gate: InputGate, section: Section) -> tuple[bool, bool, bool]:
    """(closed, admits everybody's code, admits the section's)."""
    return gate.is_closed, gate.admits(None), gate.admits(section)


def test_an_open_gate_admits_everybody_and_a_section_its_own_code_only() -> None:
    gate, section = input_gate(), Section()
    assert state_of(gate, section) == (False, True, True)
    gate.enter(section)
    assert state_of(gate, section) == (True, False, True)
    gate.leave(section)
    assert state_of(gate, section) == (False, True, True)


def test_an_inner_section_shuts_out_the_outer_ones_code() -> None:
    gate, outer = input_gate(), Section()
    inner = Section(outer)
    gate.enter(outer)
    gate.enter(inner)
    assert (gate.admits(outer), gate.admits(inner)) == (False, True)
    gate.leave(inner)
    assert gate.admits(outer)
    # What an inner section left running is the outer one's code now.
    assert gate.admits(inner)


def test_an_outer_section_that_ends_ends_what_is_inside_of_it() -> None:
    gate, outer = input_gate(), Section()
    gate.enter(outer)
    gate.enter(Section(outer))
    gate.leave(outer)
    assert not gate.is_closed


def test_a_hold_shuts_out_even_the_code_of_a_section() -> None:
    gate, section = input_gate(), Section()
    gate.enter(section)
    gate.hold()
    assert not gate.admits(section)
    gate.release()
    assert gate.admits(section)


def test_the_nearest_section_that_lives_counts() -> None:
    outer = Section()
    inner = Section(outer)
    inner.has_ended = True
    assert living(inner) is outer
    outer.has_ended = True
    assert living(inner) is None
    assert living(None) is None


async def test_who_waits_is_admitted_in_order_and_waits_again_in_the_same_order() -> None:
    gate = input_gate()
    gate.hold()
    seen: list[int] = []

    async def one(number: int) -> None:
        await gate.admission(None)
        seen.append(number)
        if number == 1:
            gate.hold()

    tasks = [asyncio.ensure_future(one(number)) for number in range(5)]
    await turn()
    assert gate.waiting == 5
    gate.release()
    await turn()
    await turn()
    assert seen == [0, 1]
    gate.release()
    await asyncio.gather(*tasks)
    assert seen == [0, 1, 2, 3, 4]


MOVES = st.lists(
    st.tuples(st.sampled_from(["hold", "release", "step", "enter", "leave"]), st.integers(0, 3)), max_size=40
)


@given(MOVES)
def test_no_step_runs_that_the_gate_does_not_admit_and_the_order_is_that_of_arrival(
    moves: list[tuple[str, int]],
) -> None:
    asyncio.run(_moves(moves))


class Line:
    """A gate, what closes it, and those who go through it."""

    def __init__(self) -> None:
        self.gate = input_gate()
        self.seen: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.sections: list[Section] = []
        self.holds = 0

    def move(self, move: str) -> None:
        if move == "hold":
            self.gate.hold()
            self.holds += 1
        elif move == "release" and self.holds:
            self.gate.release()
            self.holds -= 1
        elif move == "enter":
            self.sections.append(Section(self.sections[-1] if self.sections else None))
            self.gate.enter(self.sections[-1])
        elif move == "leave" and self.sections:
            self.gate.leave(self.sections.pop())
        elif move == "step":
            self.tasks.append(asyncio.ensure_future(self.step(len(self.tasks))))

    async def step(self, number: int) -> None:
        if self.gate.is_closed:
            await self.gate.admission(None)
        assert self.gate.admits(None)
        self.seen.append(number)


async def _moves(moves: list[tuple[str, int]]) -> None:
    line = Line()
    for move, turns in moves:
        line.move(move)
        for _ in range(turns):
            await turn()
    while line.holds or line.sections:
        line.move("release")
        line.move("leave")
    async with asyncio.timeout(30):
        await asyncio.gather(*line.tasks)
    assert line.seen == list(range(len(line.tasks)))
    assert (line.gate.is_closed, line.gate.waiting) == (False, 0)


async def test_who_comes_when_others_have_been_called_stands_behind_them() -> None:
    gate = input_gate()
    seen: list[str] = []

    async def one(name: str) -> None:
        if gate.is_closed:
            await gate.admission(None)
        seen.append(name)

    gate.hold()
    first = asyncio.ensure_future(one("first"))
    await turn()
    gate.release()
    # In this very turn: the first one has been called, and has not gone on.
    await gated(one, ("second",), gate, None)
    await first
    assert seen == ["first", "second"]


async def test_code_that_awaited_something_goes_on_only_when_the_gate_admits_it() -> None:
    gate = input_gate()
    happened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    steps: list[str] = []

    async def handler() -> str:
        steps.append("began")
        steps.append(await happened)
        return "result"

    task = asyncio.ensure_future(gated(handler, (), gate, None))
    await turn()
    gate.hold()
    happened.set_result("went on")
    await turn()
    await turn()
    assert steps == ["began"]
    gate.release()
    assert await task == "result"
    assert steps == ["began", "went on"]


async def test_a_plain_function_and_a_future_are_user_code_too() -> None:
    gate = input_gate()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(7)
    assert await gated(lambda: 5, (), gate, None) == 5
    assert await gated(lambda: future, (), gate, None) == 7


async def test_an_exception_of_what_was_awaited_reaches_user_code() -> None:
    async def handler() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return "timed out"
        return "not reached"

    assert await gated(handler, (), input_gate(), None) == "timed out"


async def test_a_cancellation_reaches_user_code_when_the_gate_opens() -> None:
    gate = input_gate()
    ended: list[str] = []

    async def handler() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("cleaned up")

    task = asyncio.ensure_future(gated(handler, (), gate, None))
    await turn()
    gate.hold()
    task.cancel()
    await turn()
    assert ended == []
    gate.release()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cleaned up"]


async def test_a_broken_gate_ends_user_code_where_it_is_whatever_it_catches() -> None:
    gate = input_gate()
    steps: list[str] = []

    async def handler() -> None:
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                steps.append("goes on all the same")

    task = asyncio.ensure_future(gated(handler, (), gate, None))
    await turn()
    gate.break_(RuntimeError("reset"))
    task.cancel()
    with pytest.raises(RuntimeError, match="reset"):
        await task
    assert steps == []
    with pytest.raises(RuntimeError, match="reset"):
        await gated(handler, (), gate, None)


async def test_user_code_that_is_thrown_away_is_closed() -> None:
    closed: list[bool] = []

    async def handler() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append(True)

    steps = driven(handler(), input_gate(), None)
    steps.__await__().send(None) if hasattr(steps, "__await__") else steps.send(None)
    steps.close()
    assert closed == [True]


@given(st.lists(st.sampled_from(["event", "close", "open", "turn"]), max_size=40), st.integers(0, 5))
def test_events_are_admitted_in_the_order_in_which_they_came(steps: list[str], closes_at: int) -> None:
    async def scenario() -> tuple[int, list[int]]:
        gate, began, tasks = input_gate(), list[int](), list[asyncio.Task[None]]()

        def handler(number: int) -> None:
            began.append(number)
            if len(began) == closes_at:
                gate.hold()  # as a commit does, which the handler's write has begun
                asyncio.get_running_loop().call_soon(gate.release)

        holds = 0
        for step in steps:
            if step == "event":
                tasks.append(asyncio.ensure_future(gated(handler, (len(tasks),), gate, None)))
            elif step == "turn":
                await turn()
            elif step == "close":
                gate.hold()
                holds += 1
            elif holds:
                gate.release()
                holds -= 1
        for _ in range(holds):
            gate.release()
        await asyncio.gather(*tasks)
        return len(tasks), began

    count, began = asyncio.run(scenario())
    assert began == list(range(count))


def test_an_event_that_is_cancelled_at_the_gate_holds_up_nobody() -> None:
    async def scenario() -> list[int]:
        gate, began = input_gate(), list[int]()
        gate.hold()
        first, _, third = (asyncio.ensure_future(gated(began.append, (number,), gate, None)) for number in range(3))
        await turn()
        first.cancel()
        await turn()
        gate.release()
        await third
        return began

    assert asyncio.run(scenario()) == [1, 2]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_user_code_cannot_end_the_loop(error: BaseException) -> None:
    async def exits() -> None:
        await turn()
        raise error

    gate = input_gate()
    for task in (gated(exits, (), gate, None), stepwise(exits(), gate, None)):
        with pytest.raises(Exited, match="cannot end its process") as caught:
            await asyncio.ensure_future(task)
        assert caught.value.__cause__ is error
