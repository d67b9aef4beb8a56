"""`holdfast.control.pacing`: pauses that end when control stops."""

import asyncio

from holdfast.control.pacing import Pacing

LONG_S = 3600.0


async def test_work_goes_on_after_a_pause() -> None:
    assert await Pacing().pause(0.001)


async def test_stopping_ends_a_pause_and_the_work() -> None:
    pacing = Pacing()
    pause = asyncio.create_task(pacing.pause(LONG_S))
    pacing.stop()
    async with asyncio.timeout(30):
        assert not await pause
        assert not await pacing.pause(LONG_S)
