"""Whose a CancelledError is: of who asked a task to end, or of user code that awaits what it has cancelled."""

import asyncio

import pytest

from holdfast.workers.sdk.cancellation import is_cancelled
from tests.unit.workers.durable.stage import turn


async def test_a_task_is_cancelled_by_who_asked_it_to_end() -> None:
    seen: list[bool] = []

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as raised:
            seen.append(is_cancelled(raised))
            raise

    task = asyncio.create_task(run())
    await turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [True]


@pytest.mark.parametrize("raised", [asyncio.CancelledError("mine"), ValueError(), SystemExit()])
async def test_what_user_code_raises_by_itself_cancels_nobody(raised: BaseException) -> None:
    assert not is_cancelled(raised)
