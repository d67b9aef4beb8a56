"""Namespaces and stubs as user code has them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.workers.durable.errors import ObjectReset
from holdfast.workers.durable.ids import IdSpace
from holdfast.workers.durable.namespace import Namespace
from holdfast.workers.sdk.entrypoints import DurableObject
from holdfast.workers.sdk.errors import JsException, JsTypeError
from tests.unit.workers.durable.stage import stage, until


class Room(DurableObject):
    made = 0

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        type(self).made += 1
        self.number = type(self).made
        self.fails = False

    async def who(self) -> tuple[int, str | None]:
        return self.number, self.ctx.id.name

    async def fall(self) -> None:
        async def broken() -> None:
            raise ValueError("in there")

        await self.ctx.blockConcurrencyWhile(broken)


async def test_neither_ids_nor_stubs_make_an_object(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        before = Room.made
        scene.stub("a")
        assert scene.objects.figures().known == 0
        number, name = await scene.stub("a").who()
        assert (Room.made, number, name) == (before + 1, before + 1, "a")


async def test_every_way_to_an_id_leads_to_the_same_object(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        rooms = scene.objects.namespace("Room")
        wanted = rooms.idFromName("a")
        assert str(wanted) == str(IdSpace("chat-Room").from_name("a"))
        stubs = [
            rooms.get(wanted),
            rooms.get(rooms.idFromString(str(wanted)), {"locationHint": "weur"}),
            rooms.getByName("a"),
            rooms.get_by_name("a"),
            rooms.get(rooms.id_from_name("a")),
            scene.stub("a").dup(),
        ]
        assert len({(await stub.who())[0] for stub in stubs}) == 1
        assert stubs[0].id == wanted
        assert (stubs[0].name, stubs[1].name) == ("a", None)


async def test_a_unique_id_is_an_object_of_its_own(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        rooms = scene.objects.namespace("Room")
        first, second = rooms.newUniqueId(), rooms.new_unique_id({"jurisdiction": "eu"})
        assert first != second
        assert second.jurisdiction == "eu"
        assert (await rooms.get(first).who())[1] is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("xyz", "Invalid Durable Object ID: must be 64 hex digits"),
        ("0" * 64, "Durable Object ID is not valid for this namespace."),
    ],
)
async def test_what_is_no_id_is_refused_as_an_error_of_javascript(tmp_path: Path, text: str, error: str) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        with pytest.raises(JsException) as caught:
            scene.objects.namespace("Room").idFromString(text)
        assert (caught.value.name, caught.value.message) == ("TypeError", error)


async def test_a_name_is_no_id(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        with pytest.raises(JsTypeError, match="getByName"):
            scene.objects.namespace("Room").get("a")  # type: ignore[arg-type]  # what user code may do


async def test_a_jurisdiction_is_kept_with_ids_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        rooms = scene.objects.namespace("Room").jurisdiction("eu")
        assert isinstance(rooms, Namespace)
        assert rooms.idFromName("a").jurisdiction == "eu"
        assert rooms.jurisdiction().idFromName("a").jurisdiction is None
        with pytest.raises(JsTypeError, match="'moon'"):
            rooms.jurisdiction("moon")


async def test_a_stub_stays_broken_and_a_new_one_reaches_a_new_instance(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        stub = scene.stub()
        number, _ = await stub.who()
        for _ in range(2):
            with pytest.raises(ValueError, match="in there") as caught:
                await stub.fall()
            assert caught.value.remote is True  # type: ignore[attr-defined]  # of every error that comes out of an object
        with pytest.raises(ValueError, match="in there"):
            await stub.who()
        assert (await scene.stub().who())[0] == number + 1
        await until(lambda: any("blockConcurrencyWhile" in text for text in scene.texts))


async def test_python_does_not_take_a_stub_for_what_it_is_not(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        stub = scene.stub()
        with pytest.raises(TypeError):
            iter(stub)
        with pytest.raises(AttributeError, match="must be awaited"):
            _ = stub.who.name
        assert "Room a" in repr(stub)
        assert "Room" in repr(scene.objects.namespace("Room"))


class Elsewhere:
    """Stubs of another process's objects, that say what they are asked."""

    def get(self, id: Any) -> Any:  # noqa: A002  as `id` of the original
        return SimpleNamespace(
            fetch=lambda request: self._answer(f"{id.name} fetch {request.url}"),
            who=lambda *args: self._answer(f"{id.name} who {args}"),
        )

    @staticmethod
    async def _answer(text: str) -> str:
        return text


async def test_where_another_process_has_the_objects_calls_reach_them_there(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        before, stub = Room.made, scene.stub("a")
        scene.objects.elsewhere = {"Room": Elsewhere()}  # type: ignore[dict-item]
        scene.objects.has_left = True
        assert await stub.fetch("http://edge/x") == "a fetch http://edge/x"
        assert await stub.dup().who(1) == "a who (1,)"
        scene.objects.elsewhere = {}
        with pytest.raises(ObjectReset) as lost:
            await stub.who()
        assert (lost.value.retryable, Room.made) == (True, before)
