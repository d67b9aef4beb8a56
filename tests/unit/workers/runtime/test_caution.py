"""Who begins when, of those that are held back. What handlers make of it: `test_pump.py`."""

import asyncio
from contextvars import Context

import pytest

from holdfast.workers.runtime.caution import Caution
from tests.unit.workers.durable.stage import turn, until

HOUR_S = 3600.0


class Held:
    """Some that are held back, and which of them have begun."""

    def __init__(self, *names: str, for_s: float = HOUR_S, wait_s: float = HOUR_S) -> None:
        self.begun: list[str] = []
        self.caution: Caution[str] = Caution(self.begun.append, for_s=for_s, wait_s=wait_s, context=Context())
        for name in names:
            self.caution.hold(name)

    async def quiet(self) -> list[str]:
        """Those that have begun after some turns of the loop."""
        for _ in range(10):
            await turn()
        return list(self.begun)


async def test_the_next_begins_when_the_one_before_has_ended_and_none_at_once() -> None:
    held = Held("a", "b", "c")
    assert held.begun == []
    assert await held.quiet() == ["a"]
    held.caution.ended("c")
    assert await held.quiet() == ["a"]
    held.caution.ended("a")
    assert held.begun == ["a"]
    assert await held.quiet() == ["a", "b"]
    held.caution.hold("d")
    held.caution.ended("b")
    assert await held.quiet() == ["a", "b", "c"]


async def test_one_that_takes_too_long_is_not_waited_for() -> None:
    held = Held("a", "b", wait_s=0.01)
    await until(lambda: held.begun == ["a", "b"])
    # It may still end, and is nobody's concern then.
    held.caution.ended("a")
    assert await held.quiet() == ["a", "b"]


async def test_what_one_leaves_behind_comes_before_the_next_where_nobody_is_waited_for_either() -> None:
    seen: list[str] = []

    def begin(name: str) -> None:
        seen.append(name)
        asyncio.get_running_loop().call_soon(seen.append, f"behind {name}")

    caution = Caution(begin, for_s=HOUR_S, wait_s=0.0, context=Context())
    for name in ("a", "b"):
        caution.hold(name)
    await until(lambda: len(seen) == 4)
    assert seen == ["a", "behind a", "b", "behind b"]


@pytest.mark.parametrize("for_s", [HOUR_S, -1.0])
async def test_it_is_over_after_its_time_when_nothing_is_held(for_s: float) -> None:
    held = Held("a", "b", for_s=for_s, wait_s=0.0)
    assert not held.caution.is_over
    assert await held.quiet() == ["a", "b"]
    assert held.caution.is_over is (for_s < 0)


async def test_who_is_bold_waits_for_nobody_any_more() -> None:
    held = Held("a", "b", "c")
    assert await held.quiet() == ["a"]
    held.caution.be_bold()
    assert await held.quiet() == ["a", "b", "c"]
    assert held.caution.is_over
