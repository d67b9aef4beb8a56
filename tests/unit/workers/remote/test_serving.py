"""What a script answers that another one calls."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.worker_egress import Called, RequestContext
from holdfast.workers.remote import serving
from holdfast.workers.remote.messages import ALIVE, LENGTH_BYTES, Frames, frame
from holdfast.workers.runtime.egress_request import Outgoing
from holdfast.workers.sdk.entrypoints import DurableObject, WorkerEntrypoint
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.web import url_parsing
from tests.unit.workers.remote.two_scripts import Line, TwoScripts, two_scripts

URL = url_parsing.parse("http://rpc.invalid/")


class Default(WorkerEntrypoint):
    release: asyncio.Event

    async def slow(self) -> str:
        await type(self).release.wait()
        return "slow"

    async def props(self) -> dict[str, Any]:
        return self.ctx.props

    async def leaves(self) -> None:
        raise SystemExit(3)

    async def fetch(self, request: Any) -> Response:
        raise ValueError("of fetch")


class Bare(WorkerEntrypoint):
    pass


class Room(DurableObject):
    async def who(self) -> str:
        return "room"

    async def fetch(self, request: Any) -> Response:
        return Response("room")


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    Default.release = asyncio.Event()
    async with two_scripts(monkeypatch, tmp_path, room=Room, Default=Default, Bare=Bare) as both:
        yield both


async def test_the_head_of_an_answer_comes_before_its_end_and_signs_of_life_between(
    two: TwoScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "ALIVE_EVERY_S", 0.001)
    outgoing = Outgoing("POST", URL, [], frame({"call": "slow", "args": [], "kwargs": {}}))
    line = Line(outgoing, RequestContext(ray="", script="k", called=Called(caller="chat", is_rpc=True)))
    task = asyncio.ensure_future(two.dispatcher.answer(line))  # type: ignore[arg-type]
    status, fields = await line.head
    assert (status, dict(fields)[b"X-Holdfast-Called"]) == (200, b"answer")
    assert await line.pieces.get() == ALIVE == bytes(LENGTH_BYTES)
    Default.release.set()
    await task
    pieces = []
    while (piece := await line.pieces.get()) is not None:
        pieces.append(piece)
    assert list(Frames().feed(b"".join(pieces))) == [{"done": "slow"}]


@pytest.mark.parametrize(
    "body",
    [b"", b"\x05\0\0\0abc", frame({"call": 1}), frame({}), frame({"call": "a", "args": {}, "kwargs": {}}), b"\xff" * 8],
)
async def test_what_is_no_call_is_answered_as_an_exception(two: TwoScripts, body: bytes) -> None:
    for called in (Called(caller="c", is_rpc=True), Called(caller="c", is_rpc=True, class_name="Room", object_id="0")):
        line = Line(Outgoing("POST", URL, [], body), RequestContext(ray="", script="k", called=called))
        await two.dispatcher.answer(line)  # type: ignore[arg-type]
        status, fields = line.head.result()
        said = dict(fields)[b"X-Holdfast-Called"]
        content = line.pieces.get_nowait()
        (message,) = Frames().feed(content or b"")
        assert (status, said) in {(500, b"exception"), (200, b"answer")}
        assert "type" in (message["failed"] if said == b"answer" else message)


async def test_an_entrypoint_has_the_props_of_the_binding_that_it_is_called_by(two: TwoScripts) -> None:
    assert await two.service().props() == {"user": "x"}
    assert await two.service("Default").props() == {}


async def test_what_is_not_there_says_what_is(two: TwoScripts) -> None:
    with pytest.raises(JsTypeError, match='no entrypoint "Nope"; expected one of: Bare, Default'):
        await two.service("Nope").hello()
    with pytest.raises(JsTypeError, match='no entrypoint "Nope"'):
        await two.service("Nope").fetch("http://x/")
    with pytest.raises(JsTypeError, match=r"does not export a fetch\(\) function"):
        await two.service("Bare").fetch("http://x/")


async def test_an_exception_of_fetch_is_the_callers(two: TwoScripts) -> None:
    with pytest.raises(ValueError, match="of fetch") as caught:
        await two.service().fetch("http://x/")
    assert caught.value.remote is True  # type: ignore[attr-defined]


async def test_what_would_end_a_program_ends_a_call(two: TwoScripts) -> None:
    with pytest.raises(Exception, match="3") as caught:
        await two.service().leaves()
    assert type(caught.value).__name__ == "SystemExit"
    assert two.log.of("request") == ["a call by chat 200"]


async def test_a_script_without_objects_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with two_scripts(monkeypatch, tmp_path, Default=Default) as two:
        with pytest.raises(JsTypeError, match="has no Durable Objects"):
            await two.namespace().getByName("a").who()
        with pytest.raises(JsTypeError, match="has no Durable Objects"):
            await two.namespace().getByName("a").fetch("http://x/")


async def test_objects_that_go_to_the_next_process_begin_nothing(two: TwoScripts) -> None:
    objects: Any = two.dispatcher._called.objects
    objects.is_retiring = True

    def there_again(*_: object) -> None:
        objects.is_retiring = False

    two.answers = [None, there_again]
    assert await two.namespace().getByName("a").who() == "room"
    objects.is_retiring = True
    two.answers = [None, there_again]
    assert await (await two.namespace().getByName("a").fetch("http://x/")).text() == "room"
