"""AbortController and AbortSignal: aborted once, with one reason, everybody told."""

import asyncio

import pytest

from holdfast.workers.sdk.errors import DOMException, JsException
from holdfast.workers.sdk.web.aborting import AbortController, AbortSignal, unless_aborted


def test_a_controller_aborts_its_signal_once() -> None:
    controller = AbortController.new()
    heard: list[object] = []
    controller.signal.onabort = lambda event: heard.append(event.type)
    controller.signal.addEventListener("abort", lambda event: heard.append(event.target is controller.signal))
    removed = heard.append
    controller.signal.addEventListener("abort", removed)
    controller.signal.removeEventListener("abort", removed)
    controller.signal.throwIfAborted()
    controller.abort("why")
    controller.abort("again")
    assert (heard, controller.signal.aborted, controller.signal.reason) == (["abort", True], True, "why")
    with pytest.raises(JsException, match="why"):
        controller.signal.throwIfAborted()


def test_without_a_reason_it_is_an_abort_error() -> None:
    with pytest.raises(DOMException) as caught:
        AbortSignal.abort().throwIfAborted()
    assert caught.value.name == "AbortError"


async def test_work_is_given_up_when_the_signal_is_aborted() -> None:
    controller = AbortController()
    begun, given_up = asyncio.Event(), False

    async def work() -> None:
        nonlocal given_up
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up = True

    task = asyncio.ensure_future(unless_aborted(work(), controller.signal))
    await begun.wait()
    controller.abort(ValueError("enough"))
    with pytest.raises(ValueError, match="enough"):
        await task
    assert given_up


async def test_work_ends_as_it_does_without_a_signal_and_with_one_that_stays_silent() -> None:
    async def work() -> int:
        return 5

    assert await unless_aborted(work(), None) == await unless_aborted(work(), AbortSignal()) == 5
    with pytest.raises(DOMException):
        await unless_aborted(work(), AbortSignal.abort())


async def test_a_timeout_aborts_by_itself_and_any_with_the_first() -> None:
    signal = AbortSignal.any([AbortSignal(), AbortSignal.timeout(1)])
    with pytest.raises(DOMException) as caught:
        await unless_aborted(asyncio.Event().wait(), signal)
    assert caught.value.name == "TimeoutError"
    assert AbortSignal.any([AbortSignal.abort("x")]).reason == "x"


async def test_who_is_cancelled_cancels_the_work() -> None:
    work = asyncio.ensure_future(asyncio.Event().wait())
    task = asyncio.ensure_future(unless_aborted(work, AbortSignal()))
    await asyncio.wait([task], timeout=0)
    task.cancel()
    await asyncio.wait([task, work], timeout=30)
    assert task.cancelled()
    assert work.cancelled()
