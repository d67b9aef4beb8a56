"""The streams of a call that took functions along."""

import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.durable.errors import ObjectError
from holdfast.workers.remote import conversations
from holdfast.workers.remote.conversations import Asked, Asking, Stream, plain
from holdfast.workers.remote.messages import ALIVE, Frames, frame
from holdfast.workers.sdk.entrypoints import DurableObject, WorkerEntrypoint
from holdfast.workers.sdk.errors import DOMException
from tests.unit.workers.durable.stage import until
from tests.unit.workers.remote.two_scripts import TwoScripts, edge_says, two_scripts


class Default(WorkerEntrypoint):
    kept: Any = None

    async def each(self, values: list[int], function: Any) -> list[Any]:
        return [await function(value) for value in values]

    async def keep(self, function: Any) -> str:
        type(self).kept = function
        return "kept"

    async def gives_back(self, function: Any) -> Any:
        return lambda value: function(value)


class Room(DurableObject):
    async def each(self, values: list[int], function: Any) -> list[Any]:
        return [await function(value) for value in values]

    async def gives_back(self, function: Any) -> Any:
        async def both(value: int) -> list[Any]:
            return [value, await function(value)]

        return both


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    Default.kept = None
    async with two_scripts(monkeypatch, tmp_path, room=Room, Default=Default) as both:
        yield both
    Default.kept = None


async def over(two: TwoScripts) -> None:
    """Wait until no call is under way."""
    gc.collect()
    await until(lambda: not two.tasks)


async def test_a_function_is_called_while_the_call_goes_on_and_then_all_is_over(two: TwoScripts) -> None:
    for callee in (two.service(), two.namespace().getByName("a")):
        assert await callee.each([1, 2, 3], lambda value: value * 2) == [2, 4, 6]
        await over(two)


async def test_an_exception_of_a_callback_goes_all_the_way_round(two: TwoScripts) -> None:
    def fails(_value: int) -> None:
        raise ValueError("in the callback")

    with pytest.raises(ValueError, match="in the callback"):
        await two.service().each([1], fails)


async def test_a_function_that_is_kept_may_be_called_later(two: TwoScripts) -> None:
    heard: list[str] = []
    assert await two.service().keep(heard.append) == "kept"
    assert len(two.tasks) == 1
    # Who retires need not wait for it.
    assert two.line is not None
    assert two.line.is_answered
    await Default.kept("later")
    assert heard == ["later"]
    Default.kept = None
    await over(two)


async def test_a_function_may_be_the_result_where_one_was_given(two: TwoScripts) -> None:
    far = await two.service().gives_back(lambda value: value + 1)
    assert await far(1) == 2
    both = await two.namespace().getByName("a").gives_back(lambda value: value + 1)
    assert await both(1) == [1, 2]
    del far, both
    await over(two)


async def test_a_call_with_functions_is_not_made_again_once_its_streams_are_used(two: TwoScripts) -> None:
    two.answers = [edge_says("unbegun")]
    with pytest.raises(ObjectError, match="no longer active") as caught:
        await two.service().each([1], len)
    assert (caught.value.retryable, len(two.calls)) == (True, 1)


async def test_an_answer_that_ends_early_is_lost(two: TwoScripts) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield ALIVE

    asking = Asking()
    asking.taken(len)
    assert asking.session is not None
    with pytest.raises(ObjectError, match="Network connection lost"):
        await asking.result(chunks(), asking.session)
    assert not asking.session.is_open
    sent = [piece async for piece in asking.body(b"call")]
    assert sent == [b"call"]


async def test_a_stream_says_that_it_lives_and_ends_behind_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "ALIVE_EVERY_S", 0.001)
    stream = Stream()
    pieces = stream.pieces()
    assert await anext(pieces) == ALIVE
    monkeypatch.setattr(conversations, "ALIVE_EVERY_S", 10.0)
    stream.write(b"a")
    stream.end()
    assert [piece async for piece in pieces if piece != ALIVE] == [b"a"]


async def test_frames_that_came_with_the_call_are_heard_and_nonsense_ends_the_session() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"\xff" * 8

    frames = Frames()
    (_,) = frames.feed(frame({"call": "x"}))
    asked = Asked(chunks(), frames)
    await until(lambda: not asked.session.is_open)
    asked.answer(frame({"done": 1}))
    assert [piece async for piece in asked.pieces()] == [frame({"done": 1})]
    asked.end()


async def test_a_result_without_streams_has_no_functions(two: TwoScripts) -> None:
    assert plain({"a": [1, {2}]}) == {"a": [1, {2}]}
    asking = Asking()
    asking.taken(len)
    assert asking.session is not None
    far = asking.session.found(f"{'ab' * 16}1", {"functions": "ab" * 16})
    for value in (len, [far]):
        with pytest.raises(DOMException, match="does not support serialization"):
            plain(value)
    del far
