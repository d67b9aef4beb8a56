"""Bindings to another script as user code has them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.worker_egress import BoundCall, RequestContext
from holdfast.workers.durable.errors import ObjectError
from holdfast.workers.durable.ids import IdSpace
from holdfast.workers.remote.bindings import MAX_NAME_BYTES
from holdfast.workers.runtime.egress_answer import Incoming
from holdfast.workers.runtime.egress_request import Outgoing
from holdfast.workers.sdk.context import Invocation, running
from holdfast.workers.sdk.entrypoints import DurableObject, WorkerEntrypoint
from holdfast.workers.sdk.errors import DOMException, JsTypeError
from holdfast.workers.sdk.response import Response
from tests.unit.workers.durable.stage import ByHand, until
from tests.unit.workers.remote.two_scripts import TwoScripts, two_scripts


class Default(WorkerEntrypoint):
    limit = 7

    async def fetch(self, request: Any) -> Response:
        if request.url.endswith("/redirect"):
            return Response.redirect("http://inner/other")
        text = f"{request.method} {request.url} {await request.text()} {request.headers.get('x-a')}"
        return Response(text, status=201, headers={"X-Holdfast-Called": "exception", "X-B": "c"})

    def plain(self, *args: Any, **kwargs: Any) -> Any:
        return [list(args), kwargs]

    async def later(self, value: Any) -> Any:
        return value

    async def fails(self) -> None:
        error = ValueError("in there")
        error.custom = 5  # type: ignore[attr-defined]
        raise error

    async def cancels(self) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel("enough")
        await task

    def gives_a_function(self) -> Any:
        return lambda: 1


class Admin(WorkerEntrypoint):
    async def who(self) -> str:
        return f"admin {self.env.A}"


class Room(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.count = 0
        self.seen: list[int] = []

    async def fetch(self, request: Any) -> Response:
        if request.url.endswith("/fail"):
            raise KeyError("no")
        return Response(f"{self.ctx.id.name} {request.url}")

    async def order(self, number: int) -> None:
        self.seen.append(number)

    async def who(self) -> list[Any]:
        return [str(self.ctx.id), self.ctx.id.name]

    async def fall(self) -> None:
        async def broken() -> None:
            raise ValueError("of mine")

        await self.ctx.blockConcurrencyWhile(broken)

    async def fails(self) -> None:
        raise ValueError("in there")

    async def writes_and_calls(self) -> Any:
        _ = self.ctx.storage.put("a", 1)
        return await self.env.later("after it")


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    async with two_scripts(monkeypatch, tmp_path, room=Room, Default=Default, Admin=Admin) as both:
        yield both


async def test_a_service_answers_requests(two: TwoScripts) -> None:
    answer = await two.service().fetch("http://inner/x?y=1", method="POST", body="hello", headers={"X-A": "b"})
    assert (answer.status, answer.headers.get("x-b"), "x-holdfast-called" in answer.headers) == (201, "c", False)
    assert await answer.text() == "POST http://inner/x?y=1 hello b"
    assert (await two.service().fetch("http://inner/redirect", redirect="manual")).status == 302
    followed = await two.service().fetch("http://inner/redirect")
    assert await followed.text() == "GET http://inner/other  None"


async def test_a_service_has_methods_and_properties(two: TwoScripts) -> None:
    assert await two.service().plain(1, "a", b=[None, 2.5]) == [[1, "a"], {"b": [None, 2.5]}]
    assert await two.service().later({"a": {1, 2}, "b": b"\0", "c": (1,)}) == {"a": {1, 2}, "b": b"\0", "c": [1]}
    assert await two.service().limit == 7
    assert await two.service("Admin").who() == "admin 1"
    assert (await two.service().later({"a": 1})).a == 1


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("nope", JsTypeError, 'The RPC receiver does not implement the method "nope".'),
        ("limit", JsTypeError, '"limit" is not a function.'),
        ("alarm", JsTypeError, "'alarm' is a reserved method and cannot be called over RPC."),
        ("env", JsTypeError, 'does not implement the method "env"'),
        ("gives_a_function", DOMException, 'Could not serialize object of type "function"'),
    ],
)
async def test_what_cannot_be_called_is_refused(two: TwoScripts, name: str, kind: type, text: str) -> None:
    with pytest.raises(kind, match=text):
        await getattr(two.service(), name)()


async def test_an_exception_arrives_as_it_was_and_is_logged_where_it_was_raised(two: TwoScripts) -> None:
    with pytest.raises(ValueError, match="in there") as caught:
        await two.service().fails()
    assert (caught.value.custom, caught.value.remote) == (5, True)  # type: ignore[attr-defined]
    assert not hasattr(caught.value, "__notes__")
    assert "in fails" in two.log.of("exception")[0]
    room = two.namespace().getByName("a")
    with pytest.raises(ValueError, match="in there"):
        await room.fails()
    assert "in fails" in two.log.of("exception")[1]
    with pytest.raises(KeyError, match="no"):
        await room.fetch("http://inner/fail")


async def test_an_object_has_the_same_id_on_both_sides(two: TwoScripts) -> None:
    rooms = two.namespace()
    assert str(rooms.idFromName("a")) == str(IdSpace("chat-Room").from_name("a"))
    assert await rooms.getByName("a").who() == [str(rooms.idFromName("a")), "a"]
    unique = rooms.newUniqueId()
    assert await rooms.get(unique).who() == [str(unique), None]
    again = rooms.idFromString(str(rooms.idFromName("a")))
    assert await rooms.get(again).who() == [str(again), "a"]
    assert (rooms.get(again).id, rooms.getByName("b").name) == (again, "b")
    assert await rooms.jurisdiction("eu").getByName("a").dup().who() == [str(again), "a"]
    assert await (await rooms.getByName("a").fetch("http://x/y")).text() == "a http://x/y"


async def test_an_id_of_another_namespace_is_refused_on_both_sides(two: TwoScripts) -> None:
    other = two.namespace("other").getByName("a")
    with pytest.raises(TypeError, match="is not valid for this namespace"):
        await other.who()
    with pytest.raises(TypeError, match="is not valid for this namespace"):
        await other.fetch("http://x/")
    with pytest.raises(TypeError, match="is not valid for this namespace"):
        two.namespace().idFromString(str(other.id))
    with pytest.raises(TypeError, match="parameter 1 is not of type 'DurableObjectId'"):
        two.namespace().get("a")


async def test_a_name_that_is_too_long_for_a_header_is_kept_here(two: TwoScripts) -> None:
    long = "x" * (MAX_NAME_BYTES + 1)
    digits, name = await two.namespace().getByName(long).who()
    assert (digits, name) == (str(IdSpace("chat-Room").from_name(long)), None)


async def test_calls_of_one_stub_begin_in_their_order_awaited_or_not(two: TwoScripts) -> None:
    room = two.namespace().getByName("a")
    calls = [room.order(number) for number in range(20)]
    await asyncio.gather(*calls)
    assert await room.seen == list(range(20))


async def test_a_stub_whose_object_broke_stays_broken(two: TwoScripts) -> None:
    room = two.namespace().getByName("a")
    for _ in range(2):
        with pytest.raises(Exception, match="of mine"):
            await room.fall()
    assert len(two.calls) == 1
    assert (await two.namespace().getByName("a").who())[1] == "a"


async def test_arguments_are_taken_when_the_call_is_made(two: TwoScripts) -> None:
    value = [1]
    call = two.service().later(value)
    value.append(2)
    assert await call == [1]
    with pytest.raises(DOMException, match="cannot be sent to another object"):
        two.service().later(object())
    with pytest.raises(DOMException, match="could not be cloned"):
        two.service().later(two.service())


async def test_a_call_of_an_object_leaves_when_its_writes_are_durable(two: TwoScripts) -> None:
    assert two.scene is not None
    disk = two.scene.objects.services.disk = ByHand()
    two.scene.objects.env = two.service()
    called = two.scene.stub("a").writes_and_calls()
    await until(lambda: disk.waiting)
    assert two.calls == []
    disk.run()
    assert await called == "after it"
    assert len(two.calls) == 1


async def test_a_call_is_for_the_request_that_is_being_answered(two: TwoScripts) -> None:
    context = RequestContext(ray="cd", script="k", zone="z", depth=3, cf={"country": "DE"})
    running.set(Invocation(env=None, wait_until=lambda _: None, request=context))
    try:
        await two.service().fetch("http://x/")
        await two.service().plain()
    finally:
        running.set(None)
    assert two.contexts == [context, context]
    assert [call.cf for call in two.calls] == [{"country": "DE"}, {}]


async def test_a_method_that_awaits_what_was_cancelled_has_failed_and_is_not_to_be_tried_again(two: TwoScripts) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(Exception, match="enough") as caught:
            await two.service().cancels()
    assert (type(caught.value).__name__, caught.value.remote) == ("CancelledError", True)  # type: ignore[attr-defined]
    assert not hasattr(caught.value, "retryable")


async def test_who_calls_is_told_where_what_sends_the_call_is_cancelled(two: TwoScripts) -> None:
    def cancelled(_outgoing: Outgoing, _bound: BoundCall) -> Incoming:
        raise asyncio.CancelledError("mine")

    two.answers = [cancelled]
    async with asyncio.timeout(30):
        with pytest.raises(ObjectError, match="Network connection lost") as caught:
            await two.service().plain(1)
    assert caught.value.retryable


async def test_there_are_no_other_sockets_and_no_chains(two: TwoScripts) -> None:
    with pytest.raises(JsTypeError, match=r"connect\(\) is not supported"):
        two.service().connect("host:1")
    with pytest.raises(AttributeError, match="must be awaited before its 'b' is read"):
        two.service().a.b  # noqa: B018  reading it is the test
    with pytest.raises(AttributeError):
        two.service().__wrapped__  # noqa: B018  as above
    assert [repr(one) for one in (two.service(), two.namespace(), two.namespace().getByName("a"))] == [
        "<Fetcher OTHER>",
        "<DurableObjectNamespace Room>",
        "<DurableObjectStub Room a>",
    ]
