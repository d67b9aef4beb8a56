"""Code that runs alone: what it shuts out, what its exceptions do, how long it may take."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.durable import sections
from holdfast.workers.durable.errors import ObjectReset
from tests.unit.workers.durable.stage import EVENTS, Echo, Writer, events, stage, told, turn


class Prepared(Echo):
    """Reads what it needs before anything else happens to it."""

    fails = False

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.ready: list[str] = []
        _ = ctx.blockConcurrencyWhile(self.prepare)
        ctx.waitUntil(None)

    async def prepare(self) -> None:
        await EVENTS["open"].wait()
        if self.fails:
            raise RuntimeError("cannot be prepared")
        self.ready.append("prepared")

    async def seen(self) -> list[str]:
        return self.ready


class Orderly(Echo):
    """Writes down what it does, in the order of its doing."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.done: list[str] = []

    async def sleep(self) -> None:
        EVENTS["began"].set()
        await EVENTS["open"].wait()
        self.done.append("section")

    async def blocking(self, how: str) -> None:
        await getattr(self, how)()
        self.done.append("behind the section")
        await self.ctx.storage.put("a", 1)
        self.done.append("further on")

    async def here(self) -> None:
        await self.ctx.blockConcurrencyWhile(self.sleep)

    async def below(self) -> None:
        await self.here()

    async def in_transaction(self) -> None:
        await self.ctx.storage.transaction(lambda _: self.sleep())

    async def in_writing_transaction(self) -> None:
        await self.ctx.storage.transaction(self.writing)

    async def writing(self, txn: Any) -> None:
        await self.sleep()
        await txn.put("b", 1)

    async def next_one(self) -> None:
        self.done.append("next event")

    async def earlier_one(self) -> None:
        await EVENTS["earlier"].wait()
        self.done.append("earlier event")

    async def said(self) -> list[str]:
        return self.done


@pytest.mark.parametrize("how", ["here", "below", "in_transaction", "in_writing_transaction"])
async def test_whoever_awaits_a_section_goes_on_before_the_next_event(tmp_path: Path, how: str) -> None:
    events("began", "open")
    async with stage(tmp_path, Room=Orderly) as scene:
        blocking = scene.stub().blocking(how)
        await EVENTS["began"].wait()
        others = [asyncio.ensure_future(scene.stub().next_one()) for _ in range(3)]
        await turn()
        EVENTS["open"].set()
        await asyncio.gather(blocking, *others)
        assert await scene.stub().said() == ["section", "behind the section", "further on"] + 3 * ["next event"]


@pytest.mark.parametrize("how", ["below", "in_writing_transaction"])
async def test_whoever_awaits_a_section_goes_on_before_those_in_the_line(tmp_path: Path, how: str) -> None:
    events("began", "open", "earlier")
    async with stage(tmp_path, Room=Orderly) as scene:
        earlier = scene.stub().earlier_one()
        await turn()
        blocking = scene.stub().blocking(how)
        await EVENTS["began"].wait()
        EVENTS["earlier"].set()
        await turn()
        await turn()
        EVENTS["open"].set()
        await asyncio.gather(blocking, earlier)
        assert await scene.stub().said() == ["section", "behind the section", "further on", "earlier event"]


async def test_what_a_constructor_blocks_for_comes_before_everything_else(tmp_path: Path) -> None:
    events("open")
    async with stage(tmp_path, Room=Prepared) as scene:
        waiting = [asyncio.ensure_future(scene.stub().seen()) for _ in range(3)]
        await turn()
        await turn()
        EVENTS["open"].set()
        assert await asyncio.gather(*waiting) == [["prepared"]] * 3


async def test_what_fails_there_is_told_to_all_who_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events("open")
    monkeypatch.setattr(Prepared, "fails", True)
    async with stage(tmp_path, Room=Prepared) as scene:
        waiting = [scene.stub().seen() for _ in range(3)]
        EVENTS["open"].set()
        for one in waiting:
            await told(one, RuntimeError, "cannot be prepared")


class Asking(Echo):
    """Asks another object within a transaction, with writes before it and in it."""

    async def moves(self) -> list[str]:
        await self.ctx.storage.put("before", 1)

        async def inner(txn: Any) -> None:
            await txn.put("inner", 1)

        async def closure(txn: Any) -> str:
            await txn.put("in it", 1)
            told: str = await self.ctx.exports.Room.getByName("other").says()
            await self.ctx.storage.transaction(inner)
            return told

        told = await self.ctx.storage.transaction(closure)
        return [told, *await self.ctx.storage.list()]

    async def says(self) -> str:
        return "told"


async def test_a_transaction_may_ask_others_whatever_was_written_before_and_in_it(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Asking) as scene:
        assert await scene.stub().moves() == ["told", "before", "in it", "inner"]


class LastHours(Echo):
    """Has something to do before it leaves."""

    seen: list[str] = []  # noqa: RUF012  of the test
    hangs = False

    async def preShutdown(self, info: Any) -> None:  # noqa: N802  the platform's name
        self.seen.append(info.reason)
        await self.ctx.storage.put("left", info.reason)
        if self.hangs:
            await asyncio.get_running_loop().create_future()

    async def left(self) -> Any:
        return await self.ctx.storage.get("left")


async def test_an_object_has_its_last_hours_and_what_it_writes_then_is_kept(tmp_path: Path) -> None:
    LastHours.seen.clear()
    async with stage(tmp_path, Room=LastHours) as scene:
        assert await scene.stub().left() is None
        await scene.sleep_all()
        assert await scene.stub().left() == "inactive"
    assert LastHours.seen == ["inactive", "codeUpdated"]


async def test_last_hours_that_do_not_end_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "PRE_SHUTDOWN_LIMIT_S", 0.01)
    monkeypatch.setattr(LastHours, "hangs", True)
    async with stage(tmp_path, Room=LastHours) as scene:
        await scene.stub().left()
        await scene.sleep_all()
        assert "preShutdown" in scene.texts[0]
        assert scene.objects.figures().live == 0


async def test_nothing_else_happens_while_a_section_runs(tmp_path: Path) -> None:
    events("began", "open")
    async with stage(tmp_path, Room=Writer) as scene:
        blocked = scene.stub().blocked("open")
        await EVENTS["began"].wait()
        other = asyncio.ensure_future(scene.stub().count())
        await turn()
        await turn()
        assert not other.done()
        assert scene.objects.reasons() != {}
        EVENTS["open"].set()
        assert (await blocked, await other) == ("alone", 0)


async def test_sections_nest_and_follow_each_other(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Writer) as scene:
        assert await scene.stub().nested() == ["inner", "outer"]
        assert await scene.stub().two_at_once() == ["first begins", "first ends", "second begins", "second ends"]


async def test_a_section_that_takes_too_long_resets_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events("began", "never")
    monkeypatch.setattr(sections, "BLOCK_LIMIT_S", 0.01)
    async with stage(tmp_path, Room=Writer) as scene:
        waiting = asyncio.ensure_future(scene.stub().blocked("never"))
        await told(waiting, ObjectReset, "waited for too long")
        assert await scene.stub().count() == 0


class Deaf(Echo):
    """Does not let itself be cancelled."""

    async def hangs(self) -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await EVENTS["never"].wait()

    async def blocks(self) -> None:
        await self.ctx.blockConcurrencyWhile(self.hangs)

    async def transacts(self) -> None:
        await self.ctx.storage.transaction(lambda _: self.hangs())

    def here(self) -> bool:
        return True


@pytest.mark.parametrize("how", ["blocks", "transacts"])
async def test_a_section_that_takes_too_long_and_is_not_to_be_cancelled_resets_the_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    events("never")
    monkeypatch.setattr(sections, "BLOCK_LIMIT_S", 0.01)
    async with stage(tmp_path, Room=Deaf) as scene:
        stub = scene.stub()
        waiting = asyncio.ensure_future(getattr(stub, how)())
        behind = asyncio.ensure_future(stub.here())
        await told(waiting, ObjectReset, "waited for too long")
        await told(behind, ObjectReset, "waited for too long")
        assert await scene.stub().here()


@pytest.mark.parametrize("fails", [True, False])
async def test_a_transaction_over_turns_is_kept_whole_or_not_at_all(tmp_path: Path, fails: bool) -> None:
    events("began", "open")
    async with stage(tmp_path, Room=Writer) as scene:
        moving = asyncio.ensure_future(scene.stub().transfer(fails))
        await EVENTS["began"].wait()
        other = asyncio.ensure_future(scene.stub().keys())
        await turn()
        assert not other.done()
        EVENTS["open"].set()
        if fails:
            await told(moving, LookupError, "not today")
        else:
            await moving
        assert await other == ([] if fails else ["a", "b"])
        assert scene.objects.figures().happened.get("reset") is None
