"""Bodies that are made while they are sent: where, how fast, and how they end."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.durable.current import CURRENT
from holdfast.workers.durable.errors import ObjectReset
from holdfast.workers.sdk.entrypoints import DurableObject
from holdfast.workers.sdk.response import Response
from tests.unit.workers.durable.stage import ByHand, Stage, stage, turn, until

MADE: list[Any] = []


class Room(DurableObject):
    """Answers with what it makes while it is sent."""

    async def fetch(self, request: Any) -> Response:
        kinds = {"three": self.three, "fails": self.fails, "writes": self.writes, "endless": self.endless}
        return Response(kinds[request.url.rsplit("/", 1)[-1]]())

    async def three(self) -> AsyncIterator[bytes]:
        for number in range(3):
            MADE.append(CURRENT.get())
            yield b"%d" % number

    async def fails(self) -> AsyncIterator[bytes]:
        yield b"first"
        raise LookupError("no second")

    async def writes(self) -> AsyncIterator[bytes]:
        await self.ctx.storage.put("n", 1)
        yield b"written"

    async def endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                MADE.append("chunk")
                yield b"chunk"
        finally:
            MADE.append("ended")

    async def falls(self) -> None:
        self.ctx.abort("in between")


async def body(scene: Stage, kind: str) -> AsyncIterator[Any]:
    answer = await scene.stub().fetch(f"http://x/{kind}")
    source = answer.js_object.payload.take()
    assert isinstance(source, AsyncIterator)
    return source


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    MADE.clear()


async def test_it_is_made_where_the_object_is_and_keeps_it_in_memory(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        chunks = await body(scene, "three")
        await scene.sleep_all()
        assert list(scene.objects.reasons().values()) == [["task a streamed answer"]]
        assert [bytes(chunk) async for chunk in chunks] == [b"0", b"1", b"2"]
        actor = next(iter(scene.objects._live))
        assert [actor.instance] * 3 == MADE
        await until(lambda: scene.objects.reasons() == {f"Room {scene.stub().id}": []})


async def test_what_raises_while_it_is_made_is_told_to_who_reads(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        chunks = await body(scene, "fails")
        assert await anext(chunks) == b"first"
        with pytest.raises(LookupError, match="no second"):
            await anext(chunks)


async def test_nothing_is_made_that_was_not_asked_for_and_nobody_makes_for_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        chunks = await body(scene, "endless")
        for _ in range(2):
            assert await anext(chunks) == b"chunk"
        for _ in range(5):
            await turn()
        assert MADE == ["chunk"] * 2
        await chunks.aclose()  # type: ignore[attr-defined]  # as the server does when its client is gone
        await until(lambda: not next(iter(scene.objects.reasons().values())))


async def test_a_chunk_leaves_when_the_writes_before_it_are_durable(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        disk = ByHand()
        scene.objects.services.disk = disk
        chunks = await body(scene, "writes")
        waits = asyncio.ensure_future(anext(chunks))
        await until(lambda: disk.waiting)
        await turn()
        assert not waits.done()
        disk.run()
        assert await waits == b"written"


async def test_an_object_that_breaks_ends_it_with_its_error(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        chunks = await body(scene, "endless")
        assert await anext(chunks) == b"chunk"
        with pytest.raises(ObjectReset):
            await scene.stub().falls()
        with pytest.raises(ObjectReset):
            await anext(chunks)


async def test_an_answer_that_is_forgotten_does_not_keep_its_object(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        _ = await scene.stub().fetch("http://x/three")
        del _
        gc.collect()
        await until(lambda: not next(iter(scene.objects.reasons().values())))
        assert MADE == []
