"""How long idle objects stay in memory where there are many of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.crowding import FILE_KIB, HIBERNATE_S, Crowd, patience_s, room
from holdfast.workers.sdk.entrypoints import DurableObject
from tests.unit.loop_clock import LoopClock
from tests.unit.workers.durable.stage import stage, until


class Room(DurableObject):
    """Writes, or does not."""

    async def write(self) -> None:
        await self.ctx.storage.put("key", "value")

    async def rest(self) -> None:
        """Keeps its file closed."""


@given(st.integers(1, 4096), st.integers(0, 100_000), st.integers(1, 100_000))
def test_the_more_there_are_the_sooner_they_leave(memory_mb: int, open_files: int, more: int) -> None:
    most = room(memory_mb)
    assert HIBERNATE_S >= patience_s(open_files, most) >= patience_s(open_files + more, most) >= 0
    assert patience_s(most, most) == HIBERNATE_S


@given(st.integers(64, 4096), st.floats(1, 4))
def test_what_steadily_wakes_objects_does_not_fill_the_memory(memory_mb: int, woken_each_s_by_mb: float) -> None:
    """The number at which as many leave as are woken; for so many a second as a core can wake."""
    most, woken_each_s = room(memory_mb), woken_each_s_by_mb * memory_mb
    steady = (woken_each_s * HIBERNATE_S * most**2) ** (1 / 3)
    assert steady * FILE_KIB / 1024 < memory_mb


async def test_of_many_idle_objects_those_with_a_file_leave_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who leaves on the way has the others stay longer.
    monkeypatch.setattr(Crowd, "_look_in", lambda *_: None)
    async with stage(tmp_path, Room=Room) as scene:
        scene.objects._crowd.room = 10
        for number in range(40):
            await scene.stub(f"writes {number}").write()
        for number in range(40):
            await scene.stub(f"rests {number}").rest()
        later = asyncio.get_running_loop().time() + 1
        scene.objects.sweep(later)
        await until(lambda: not scene.objects._crowd.leaving)
        assert {reason.split()[0] for reason in scene.objects.reasons()} == {"Room"}
        assert scene.objects.figures().live == 40
        scene.objects.sweep(later + HIBERNATE_S)
        await until(lambda: not scene.objects._crowd.leaving)
        assert scene.objects.figures().live == 0


async def test_a_rush_is_looked_at_while_it_lasts(tmp_path: Path) -> None:
    # The next look does not come while it is looked at.
    LoopClock(asyncio.get_running_loop(), stands_still=True)
    async with stage(tmp_path, Room=Room) as scene:
        scene.objects._crowd.room = 5
        started = scene.objects._crowd.next
        assert started is not None
        for number in range(6):
            await scene.stub(f"{number}").write()
        sooner = scene.objects._crowd.next
        assert sooner is not None
        assert sooner.when() < started.when()
        # More that come do not put it off.
        for number in range(6, 18):
            await scene.stub(f"{number}").write()
        assert scene.objects._crowd.next is sooner


async def test_a_look_that_is_late_is_not_put_off() -> None:
    looks, clock = list[float](), LoopClock(asyncio.get_running_loop(), stands_still=True)
    live: dict[Any, None] = {}
    crowd = Crowd(live, 64, look=lambda: looks.append(1), report=lambda *_: None)
    crowd.begin()
    due = crowd.next
    assert due is not None
    for _ in range(5):
        clock.passes(10.0)
        for _ in range(2 * crowd.room):
            live[object()] = None
            crowd.woke()
    assert crowd.next is due
    crowd.stop()


async def test_a_look_that_fails_is_not_the_last() -> None:
    told = list[tuple[str, str, BaseException | None]]()

    def fails() -> None:
        raise OSError("no disk")

    crowd = Crowd({}, 64, look=fails, report=lambda *one: told.append(one))
    crowd.begin()
    assert crowd.next is not None
    assert [level for level, _, _ in told] == ["error"]
    crowd.stop()
