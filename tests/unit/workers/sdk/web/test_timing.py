"""Timers: tasks of the code that set them; what their callbacks raise is reported and ends nothing else."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.web import timing
from holdfast.workers.sdk.web.timing import clearInterval, clearTimeout, queueMicrotask, setInterval, setTimeout


async def test_a_timeout_calls_once_with_its_arguments() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    number = setTimeout(heard.put_nowait, 0, "x")
    assert isinstance(number, int)

    async def slow(value: str) -> None:
        await heard.put(value)

    setTimeout(slow, "no number", "y")  # type: ignore[arg-type]
    assert {await heard.get(), await heard.get()} == {"x", "y"}


async def test_a_cleared_timer_does_not_call() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    clearTimeout(setTimeout(heard.put_nowait, 0, "cleared"))
    clearTimeout(None)
    clearTimeout(123_456)
    setTimeout(heard.put_nowait, 1, "kept")
    assert await heard.get() == "kept"


async def test_an_interval_calls_until_it_is_cleared_by_itself_too() -> None:
    heard: list[int] = []
    done = asyncio.Event()

    def tick() -> None:
        heard.append(len(heard))
        if len(heard) == 3:
            clearInterval(number)
            done.set()

    number = setInterval(tick, 1)
    async with asyncio.timeout(30):
        await done.wait()
    setTimeout(done.clear, 5)
    async with asyncio.timeout(30):
        while done.is_set() or timing.statistics()["timers"]:
            await timing.scheduler.wait(1)
    assert heard == [0, 1, 2]


async def test_what_a_callback_raises_is_reported_and_an_interval_goes_on() -> None:
    reported: asyncio.Queue[Any] = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: reported.put_nowait(str(what["exception"])))

    def fail() -> None:
        raise ValueError("oops")

    number = setInterval(fail, 1)
    queueMicrotask(fail)
    assert [await reported.get() for _ in range(3)] == ["oops"] * 3
    clearInterval(number)


async def test_there_are_so_many_timers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "MAX_TIMERS", 1)
    number = setTimeout(lambda: None, 10_000)
    with pytest.raises(DOMException, match="exceeded the number of active timeouts") as caught:
        setTimeout(lambda: None, 0)
    assert caught.value.name == "QuotaExceededError"
    clearTimeout(number)


def test_performance_has_its_origin_at_zero() -> None:
    assert timing.performance.now() > 1_700_000_000_000
    assert timing.performance.timeOrigin == 0
