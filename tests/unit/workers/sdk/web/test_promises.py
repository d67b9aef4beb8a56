"""`js.Promise`: futures by JavaScript's names."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.sdk.errors import JsException
from holdfast.workers.sdk.web.promises import Promise


async def value_of(value: Any) -> Any:
    return value


async def failing() -> None:
    raise ValueError("no")


async def test_all_takes_whatever_may_be_awaited_and_plain_values() -> None:
    assert await Promise.all([1, value_of(2), Promise.resolve(3), asyncio.ensure_future(value_of(4))]) == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="no"):
        await Promise.all([1, failing()])


async def test_all_settled_says_how_each_ended() -> None:
    outcomes = await Promise.allSettled([1, failing(), Promise.reject("why")])
    assert [one.status for one in outcomes] == ["fulfilled", "rejected", "rejected"]
    assert (outcomes[0].value, str(outcomes[1].reason), outcomes[2].reason.message) == (1, "no", "why")


async def test_race_and_any_give_the_first() -> None:
    never = asyncio.get_running_loop().create_future()
    assert await Promise.race([never, value_of(1)]) == 1
    assert await Promise.any([never, failing(), value_of(2)]) == 2
    with pytest.raises(JsException, match="All promises were rejected") as caught:
        await Promise.any([failing()])
    assert caught.value.name == "AggregateError"
    never.cancel()


async def test_an_executor_settles_it_once() -> None:
    def executor(resolve: Any, reject: Any) -> None:
        resolve(value_of(5))
        reject("too late")

    assert await Promise.new(executor) == 5
    with pytest.raises(JsException, match="why"):
        await Promise.new(lambda _resolve, reject: reject("why"))

    def broken(*_: Any) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Promise.new(broken)


async def test_its_ends_may_be_had_apart() -> None:
    made = Promise.withResolvers()
    made.resolve(5)
    made.reject("too late")
    seen: list[int] = []
    assert await getattr(made.promise, "finally")(lambda: seen.append(1)) == 5
    assert seen == [1]


async def test_then_catch_and_finally_follow_one_another() -> None:
    heard: list[str] = []
    assert await Promise.resolve(2).then(lambda value: value_of(value + 1)).finally_(lambda: heard.append("end")) == 3
    assert await Promise.of(failing()).catch(str) == "no"
    assert await Promise.of(failing()).then(lambda _: 1, lambda error: value_of(repr(error))) == "ValueError('no')"
    with pytest.raises(ValueError, match="no"):
        await Promise.of(failing()).then(lambda _: 1)
    assert await Promise.resolve(7).then() == 7
    assert heard == ["end"]


async def test_it_begins_when_it_is_made_and_ends_with_who_gives_it_up() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    promise = Promise.of(work())
    async with asyncio.timeout(30):
        await begun.wait()
        promise.cancel()
        await ended.wait()


async def test_what_is_cancelled_cancels_it() -> None:
    work = asyncio.get_running_loop().create_future()
    promise = Promise.of(work)
    work.cancel()
    await asyncio.wait([promise], timeout=30)
    assert promise.cancelled()
