"""Functions that go from one script to another, over two ends that are joined."""

import asyncio
import gc
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from holdfast.workers.durable.errors import ObjectError, Overloaded
from holdfast.workers.remote import functions
from holdfast.workers.remote.functions import FarFunction, Session, replaced
from holdfast.workers.remote.messages import Frames
from holdfast.workers.sdk.errors import DOMException
from tests.unit.workers.durable.stage import until

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


class Ends:
    """Two sessions; what one writes, the other hears, in a turn of its own."""

    def __init__(self) -> None:
        self.rested: list[str] = []
        self.here = Session(self._to(lambda: self.there), lambda: self.rested.append("here"))
        self.there = Session(self._to(lambda: self.here), lambda: self.rested.append("there"))

    def _to(self, other: Callable[[], Session]) -> Callable[[bytes], None]:
        loop, frames = asyncio.get_running_loop(), Frames()

        def hear(data: bytes) -> None:
            for message in frames.feed(data):
                assert other().hear(message)

        def write(data: bytes) -> None:
            loop.call_soon(hear, data)

        return write

    def carried(self, value: Any) -> Any:
        """The value as it arrives there."""
        (message,) = Frames().feed(self.here.sent({"done": self.here.taken(value)}))
        return self.there.found(message["done"], message)


@pytest.fixture
async def ends() -> Ends:
    return Ends()


async def test_a_function_runs_where_it_lives_and_its_result_comes_back(ends: Ends) -> None:
    async def add(a: int, *, b: int) -> list[Any]:
        return [a + b, WHOSE.get()]

    WHOSE.set("mine")
    far = ends.carried(add)
    WHOSE.set("another's")
    assert isinstance(far, FarFunction)
    assert await far(1, b=2) == [3, "mine"]
    assert await far.dup()(2, b=2) == [4, "mine"]
    far.destroy()


async def test_functions_are_found_wherever_they_are_and_texts_stay_texts(ends: Ends) -> None:
    text = f"{ends.here._lot}"[:-1]
    value: dict[str, Any] = {"a": [len, {"b": len}], "text": text, "set": {1, "x"}}
    value["self"] = value
    arrived = ends.carried(value)
    assert arrived["self"] is arrived
    assert (arrived["text"], arrived["set"]) == (text, {1, "x"})
    assert await arrived["a"][0]("abc") == 3
    assert await arrived["a"][1]["b"]([1]) == 1


async def test_a_function_may_take_and_give_functions(ends: Ends) -> None:
    async def twice(function: Any) -> Any:
        async def result(value: int) -> int:
            return int(await function(await function(value)))

        return result

    far = ends.carried(twice)
    made = await far(lambda value: value * 3)
    assert await made(2) == 18


async def test_what_somebody_else_gave_is_passed_on(ends: Ends) -> None:
    other = Ends()
    far = ends.carried(lambda: "the first one's")
    assert await other.carried([far])[0]() == "the first one's"


async def test_an_exception_of_a_function_is_its_callers(ends: Ends) -> None:
    def fails() -> None:
        raise KeyError("k")

    def odd() -> object:
        return object()

    with pytest.raises(KeyError) as caught:
        await ends.carried(fails)()
    assert caught.value.remote is True  # type: ignore[attr-defined]
    with pytest.raises(DOMException) as uncopyable:
        await ends.carried(odd)()
    assert uncopyable.value.name == "DataCloneError"
    with pytest.raises(DOMException):
        ends.carried(fails)(object())


async def test_a_function_is_let_go_of_when_nobody_has_it(ends: Ends) -> None:
    far = ends.carried([len, print])
    assert [session.is_needed for session in (ends.here, ends.there)] == [True, True]
    assert await far[0]("a") == 1
    del far
    gc.collect()
    await until(lambda: not ends.here.is_needed)
    assert not ends.there.is_needed
    assert ends.rested.count("here") >= 1


async def test_a_function_that_is_not_there_any_more_says_so(ends: Ends) -> None:
    far = ends.carried(len)
    ends.here._given.clear()
    with pytest.raises(ObjectError, match="not there any more"):
        await far("a")


async def test_the_end_of_the_streams_fails_what_is_under_way_and_what_comes_later(ends: Ends) -> None:
    began = asyncio.Event()

    async def waits() -> None:
        began.set()
        await asyncio.Event().wait()

    far = ends.carried(waits)
    call = asyncio.ensure_future(far())
    await began.wait()
    for session in (ends.here, ends.there, ends.there):
        session.close()
    for work in (call, far()):
        with pytest.raises(ObjectError, match="Network connection lost") as caught:
            await work
        assert caught.value.retryable is True


async def test_so_many_calls_may_be_under_way(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "MAX_ASKED", 2)
    far = ends.carried(len)
    calls = [far("a"), far("b"), far("c")]
    with pytest.raises(ObjectError, match="Too many requests queued"):
        await calls[2]
    assert [await one for one in calls[:2]] == [1, 1]


@pytest.mark.parametrize(
    "message",
    [
        {"invoke": 1, "as": None},
        {"invoke": "x", "as": 1, "args": 1, "kwargs": []},
        {"answered": 7, "done": 1},
        {"answered": "x"},
        {"release": "x"},
    ],
)
async def test_nonsense_of_the_other_side_harms_nothing(ends: Ends, message: dict[str, Any]) -> None:
    assert ends.there.hear(message)
    assert await ends.carried(len)("abc") == 3
    assert not ends.there.hear({"done": 1})


def test_leaves_of_shared_and_circular_containers_are_seen_once() -> None:
    shared = [1]
    value: dict[str, Any] = {"a": shared, "b": shared, "c": {1, 2}}
    value["d"] = value
    assert replaced(value, lambda part: part + 1 if isinstance(part, int) else part) is value
    assert (shared, value["b"] is shared, value["c"]) == ([2], True, {2, 3})


async def test_no_more_calls_run_at_once_than_may_though_the_other_side_asks(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, running = asyncio.Event(), list[int]()

    async def wait(number: int) -> int:
        running.append(number)
        await go.wait()
        return number

    far = ends.carried(wait)
    calls = [far(number) for number in range(4)]
    monkeypatch.setattr(functions, "MAX_ASKED", 2)
    await until(lambda: len(running) == 2)
    for late in calls[2:]:
        with pytest.raises(Overloaded):
            await late
    go.set()
    assert [await call for call in calls[:2]] == [0, 1]
