"""All that can come of a call on its way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.durable.errors import ObjectError
from holdfast.workers.remote import calling
from holdfast.workers.remote.messages import ALIVE, frame
from holdfast.workers.runtime.egress import NoPlace
from holdfast.workers.sdk.entrypoints import WorkerEntrypoint
from holdfast.workers.sdk.errors import NetworkError
from holdfast.workers.sdk.response import Response
from tests.unit.workers.remote.two_scripts import Respond, TwoScripts, edge_says, raising, two_scripts


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return Response(await request.text())

    async def hello(self) -> str:
        return "hello"


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(calling, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(calling, "UNBOUND_S", 60.0)
    async with two_scripts(monkeypatch, tmp_path, Default=Default) as both:
        yield both


def answered(*pieces: bytes) -> Respond:
    """The called end's answer, as it is written here."""

    def respond(outgoing: Any, bound: Any) -> Any:
        answer = edge_says("answer", status=200)(outgoing, bound)
        assert answer is not None
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        for piece in (*pieces, None):
            queue.put_nowait(piece)
        answer.body._pieces = queue  # type: ignore[union-attr]  # of the fake
        return answer

    return respond


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("outcome", ["unbegun", "unbound"])
async def test_a_call_that_nobody_has_begun_is_made_again(two: TwoScripts, times: int, outcome: str) -> None:
    two.answers = [edge_says(outcome)] * times
    assert await two.service().hello() == "hello"
    two.answers = [edge_says(outcome)] * times
    answer = await two.service().fetch("http://x/", method="POST", body="again")
    assert await answer.text() == "again"
    assert len(two.calls) == 2 * (times + 1)


async def test_an_object_that_leaves_says_that_it_has_not_begun(two: TwoScripts) -> None:
    two.answers = [answered(frame({"unbegun": True}))]
    assert await two.service().hello() == "hello"


async def test_trying_again_has_an_end(two: TwoScripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "UNBEGUN_S", -1.0)
    monkeypatch.setattr(calling, "UNBOUND_S", -1.0)
    for outcome, text, is_retryable in (("unbegun", "no longer active", True), ("unbound", "no such binding", False)):
        two.answers = [edge_says(outcome, "no such binding")]
        with pytest.raises(ObjectError, match=text) as caught:
            await two.service().hello()
        assert caught.value.retryable is is_retryable
    two.answers = [answered(frame({"unbegun": True}))]
    with pytest.raises(ObjectError, match="no longer active"):
        await two.service().hello()


async def test_a_body_that_streams_is_not_sent_again(two: TwoScripts) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"once"

    for outcome, text in (("unbegun", "no longer active"), ("unbound", "nowhere")):
        two.answers = [edge_says(outcome, "nowhere")]
        with pytest.raises(ObjectError, match=text):
            await two.service().fetch("http://x/", method="POST", body=body())
    assert len(two.calls) == 2


@pytest.mark.parametrize(
    ("respond", "text"),
    [
        (edge_says("lost", "It closed the connection."), "Network connection lost."),
        (edge_says("something else"), "Network connection lost."),
        (raising(NetworkError("the edge is gone")), "Network connection lost."),
        (answered(), "Network connection lost."),
        (answered(frame({"done": 1})[:-1]), "Network connection lost."),
        (answered(b"\xff\xff\xff\xff"), "Network connection lost."),
    ],
)
async def test_what_is_lost_on_the_way_may_be_tried_again_by_who_knows(
    two: TwoScripts, respond: Respond, text: str
) -> None:
    two.answers = [respond]
    with pytest.raises(ObjectError, match=text) as caught:
        await two.service().hello()
    assert (caught.value.retryable, caught.value.overloaded, caught.value.remote) == (True, False, False)
    assert len(two.calls) == 1
    assert await two.service().hello() == "hello"


async def test_a_call_for_which_there_is_no_place_says_that_there_is_too_much_to_do(two: TwoScripts) -> None:
    two.answers = [raising(NoPlace("none"))]
    with pytest.raises(ObjectError, match="Requests queued for too long") as caught:
        await two.service().hello()
    assert (caught.value.retryable, caught.value.overloaded) == (False, True)


async def test_a_refusal_says_why(two: TwoScripts) -> None:
    two.answers = [edge_says("refused", 'the Worker "other" is not deployed.')]
    with pytest.raises(ObjectError, match='the Worker "other" is not deployed'):
        await two.service().hello()
    assert len(two.calls) == 1


async def test_signs_of_life_are_no_answer(two: TwoScripts) -> None:
    two.answers = [answered(ALIVE, ALIVE, frame({"done": 1}))]
    assert await two.service().hello() == 1
