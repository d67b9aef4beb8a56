"""`ctx`: what the original takes and refuses, in its words; the order of sockets; broadcasts."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.durable.actor import Actor
from holdfast.workers.durable.state import MAX_SOCKETS, DurableObjectState, tags_of
from holdfast.workers.runtime.sockets import WebSocketPair, WebSocketRequestResponsePair
from holdfast.workers.sdk.errors import JsException, JsRangeError, JsTypeError
from tests.unit.workers.durable.stage import Acceptor, Echo, Stage, stage


class Room(Echo):
    """Says what its context is."""

    async def context(self) -> str:
        return self.ctx.id.name or ""


async def state_of(scene: Stage, name: str = "a") -> DurableObjectState:
    """The `ctx` of the object of that name, woken."""
    await scene.stub(name).context()
    actor = next(one for one in scene.objects._live if one.id.name == name)
    assert actor.instance is not None
    state = actor.instance.code.ctx
    assert isinstance(state, DurableObjectState)
    return state


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (None, ()),
        ([], ()),
        (["a", "b", "a"], ("a", "b")),
        (("",), ("",)),
        ([str(n) for n in range(10)] * 2, tuple(str(n) for n in range(10))),
        (["x" * 256], ("x" * 256,)),
        ([7, "7", 8], ("7", "8")),
        (["\ud800", "\udc00", "\ud83c\udf88"], ("\ufffd", "🎈")),
    ],
)
def test_tags_are_kept_each_once(tags: Any, kept: tuple[str, ...]) -> None:
    assert tags_of(tags) == kept


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ([str(n) for n in range(11)], "a Hibernatable WebSocket cannot have more than 10 tags"),
        (["x" * 257], f'"{"x" * 257}" is longer than the max tag length (256 characters).'),
        ("abc", "acceptWebSocket(): the tags are a str, a list of str was expected"),
        ([1.5], "acceptWebSocket(): a tag is float, a str was expected"),
        (["a", None], "acceptWebSocket(): a tag is NoneType, a str was expected"),
    ],
)
def test_tags_that_the_original_refuses_are_refused_in_its_words(tags: Any, error: str) -> None:
    with pytest.raises(JsException) as caught:
        tags_of(tags)
    assert caught.value.message == error


async def test_sockets_are_in_the_order_of_their_acceptance_with_and_without_a_tag(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        halves = [WebSocketPair.new()[1] for _ in range(5)]
        for number, half in enumerate(halves):
            ctx.acceptWebSocket(half, ["odd" if number % 2 else "even", f"user:{number}"])
        assert ctx.getWebSockets() == halves
        assert ctx.get_websockets("even") == [halves[0], halves[2], halves[4]]
        assert ctx.getWebSockets("none") == []
        assert ctx.getTags(halves[1]) == ["odd", "user:1"]


async def test_sockets_and_tags_answer_to_the_names_of_javascripts_arrays(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        half = WebSocketPair.new()[1]
        ctx.acceptWebSocket(half, ["a", "b"])
        sockets, tags = ctx.getWebSockets(), ctx.getTags(half)
        assert (sockets.length, sockets.to_py(), sockets.map(lambda ws: ws.readyState)) == (1, [half], [1])
        assert (tags.length, tags.includes("b"), tags.to_py()) == (2, True, ["a", "b"])


async def test_the_tags_of_a_socket_that_is_not_hibernatable_cannot_be_asked(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        _, half = WebSocketPair.new()
        with pytest.raises(JsException, match=r"you must call 'acceptWebSocket\(\)' before"):
            ctx.getTags(half)
        half.accept()
        with pytest.raises(JsException, match="only hibernatable websockets can have tags"):
            ctx.getTags(half)


async def test_what_is_no_socket_is_not_accepted(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        for wrong in (None, "text", WebSocketPair.new()):
            with pytest.raises(JsTypeError, match=f"not of type 'WebSocket'. It is a {type(wrong).__name__}"):
                ctx.acceptWebSocket(wrong)


async def test_a_socket_more_than_the_original_takes_is_refused(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        actor = next(iter(scene.objects._live))
        actor.sockets = dict.fromkeys(range(MAX_SOCKETS))  # type: ignore[arg-type]  # only counted
        with pytest.raises(
            JsException, match="only 32768 websockets can be accepted on a single Durable Object instance"
        ):
            ctx.acceptWebSocket(WebSocketPair.new()[1])
        actor.sockets = {}


async def test_a_socket_that_was_accepted_already_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        _, server = WebSocketPair.new()
        server.accept()
        with pytest.raises(JsException, match="was already accepted via `accept"):
            ctx.acceptWebSocket(server)
        assert ctx.getWebSockets() == []


async def test_an_auto_response_is_told_to_the_edges_and_given_back(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        assert ctx.getWebSocketAutoResponse() is None
        ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))
        ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair("ping", "pong"))
        pair = ctx.getWebSocketAutoResponse()
        assert pair is not None
        assert (pair.request, pair.getResponse(), pair.get_request()) == ("ping", "pong", "ping")
        ctx.setWebSocketAutoResponse()
        group = int(str(ctx.id)[:16], 16)
        assert scene.channels.autos == [(group, "ping", "pong"), (group, None, None)]


@pytest.mark.parametrize(
    ("request_text", "response", "error"),
    [
        ("x" * 2049, "", "Request cannot be larger than 2048 bytes. A request of size 2049 was provided."),
        ("", "é" * 1025, "Response cannot be larger than 2048 bytes. A response of size 2050 was provided."),
    ],
)
async def test_an_auto_response_that_is_too_long_is_refused(
    tmp_path: Path, request_text: str, response: str, error: str
) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        with pytest.raises(JsRangeError) as caught:
            ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair(request_text, response))
        assert caught.value.message == error
        assert scene.channels.autos == []


@pytest.mark.parametrize("wrong", ["ping", 5, object()])
async def test_an_auto_response_is_a_pair(tmp_path: Path, wrong: Any) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        with pytest.raises(JsTypeError, match=f"takes a WebSocketRequestResponsePair, not {type(wrong).__name__}$"):
            ctx.setWebSocketAutoResponse(wrong)


async def test_when_an_edge_answered_last_is_known(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        ctx = await state_of(scene)
        (socket,) = ctx.getWebSockets()
        assert ctx.getWebSocketAutoResponseTimestamp(socket) is None
        session.socket.auto_answered(1_700_000_000_500)
        at = ctx.getWebSocketAutoResponseTimestamp(socket)
        assert at == datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC)
        assert (at.getTime(), at.toISOString()) == (1_700_000_000_500, "2023-11-14T22:13:20.500Z")


async def test_the_timeout_of_events_has_the_bounds_of_the_original(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        assert ctx.getHibernatableWebSocketEventTimeout() is None
        ctx.setHibernatableWebSocketEventTimeout(604_800_000)
        assert ctx.getHibernatableWebSocketEventTimeout() == 604_800_000
        for wrong in (604_800_001, float("inf"), float("nan")):
            with pytest.raises(JsException, match="should not exceed 604800000 ms"):
                ctx.setHibernatableWebSocketEventTimeout(wrong)
        with pytest.raises(JsTypeError, match="it is negative"):
            ctx.setHibernatableWebSocketEventTimeout(-1)
        ctx.setHibernatableWebSocketEventTimeout()
        assert ctx.getHibernatableWebSocketEventTimeout() is None


async def test_a_broadcast_is_one_record_for_all_open_sockets(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        sessions = [await scene.client(scene.stub()) for _ in range(4)]
        ctx = await state_of(scene)
        sockets = ctx.getWebSockets()
        sockets[3].close()
        assert ctx.broadcast("all") == 3
        assert ctx.broadcast(b"some", exclude=sockets[0], drop=True, max_backlog_bytes=5) == 2
        assert ctx.broadcast(bytearray(b"none"), tag="x", exclude=[sockets[0]]) == 0
        assert scene.channels.many == [
            (sessions[:3], "all", False, 0),
            (sessions[1:3], b"some", True, 5),
            ([], b"none", False, 0),
        ]


@pytest.mark.parametrize("wrong", [-1, 2**32, "q", 1.5, None])
async def test_a_broadcast_has_a_backlog_that_can_be_told(tmp_path: Path, wrong: Any) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        with pytest.raises(JsRangeError, match=f"max_backlog_bytes is {wrong!r}, a number from 0 to 4294967295"):
            ctx.broadcast("text", max_backlog_bytes=wrong)


async def test_a_broadcast_takes_what_a_socket_sends(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        session = await scene.client(scene.stub())
        ctx = await state_of(scene)
        assert ctx.broadcast("\ud800x") == 1
        assert scene.channels.many == [([session], "\ufffdx", False, 0)]
        with pytest.raises(JsTypeError, match=r"broadcast\(\) takes text or bytes, not dict"):
            ctx.broadcast({"a": 1})  # type: ignore[arg-type]


async def test_a_broadcast_reaches_sockets_whose_client_is_in_this_process(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        answer = await scene.stub().fetch("http://edge/", headers={"Upgrade": "websocket"})
        heard: asyncio.Queue[str] = asyncio.Queue()
        answer.web_socket.accept()
        answer.web_socket.addEventListener("message", lambda event: heard.put_nowait(event.data))
        (await state_of(scene)).broadcast("here")
        assert await asyncio.wait_for(heard.get(), 30) == "here"
        answer.web_socket.close()


async def test_the_context_knows_the_id_and_the_scripts_classes(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room, Other=Acceptor) as scene:
        ctx = await state_of(scene)
        assert ctx.id == scene.stub().id
        assert ctx.exports.Other is scene.objects.namespace("Other")
        assert ctx.props == {}
        with pytest.raises(AttributeError, match="exports no class 'Nope'"):
            _ = ctx.exports.Nope


async def test_why_it_is_in_memory_can_be_asked(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        assert ctx.reasons() == []
        waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ctx.waitUntil(waits)
        assert ctx.reasons() == ["waitUntil()"]
        waits.set_result(None)
        assert isinstance(next(iter(scene.objects._live)), Actor)


async def test_an_auto_response_of_a_process_before_this_one_can_be_cleared(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        ctx = await state_of(scene)
        ctx.setWebSocketAutoResponse()
        assert scene.channels.autos == [(int(str(ctx.id)[:16], 16), None, None)]
