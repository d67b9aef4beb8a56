"""Calls into objects: what is copied, what is refused, what becomes of errors, functions and circles."""

import asyncio
import gc
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any, ClassVar

import pytest

from holdfast.workers.durable import calls
from holdfast.workers.durable.errors import ObjectError
from holdfast.workers.sdk import ffi, in_place
from holdfast.workers.sdk.context import Env, Invocation, running
from holdfast.workers.sdk.entrypoints import DurableObject
from holdfast.workers.sdk.errors import DOMException, JsException, JsTypeError
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.web.response import Response as WebResponse
from tests.unit.workers.durable.stage import Acceptor, Stage, stage, turn, until

NAMESPACE: dict[str, Any] = {}


class Custom(Exception):
    """An error of user code."""


class Room(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.kept: list[Any] = []
        self.count = 0
        self.opened = asyncio.Event()

    async def keep(self, value: Any) -> list[Any]:
        self.kept.append(value)
        return self.kept

    def plain(self, first: int, *, second: int = 2) -> int:
        return first + second

    async def fails(self) -> None:
        error = Custom("no")
        error.custom = 5  # type: ignore[attr-defined]  # properties survive
        raise error

    async def unsendable(self) -> object:
        return object()

    async def _private(self) -> str:
        return "reached"

    async def ask(self, function: Any) -> Any:
        return await function({"from": "the object"})

    async def give(self) -> Any:
        return self.add

    async def add(self, number: int) -> int:
        self.count += number
        return self.count

    async def circle(self, other: str, depth: int) -> int:
        if depth == 0:
            return 0
        deeper: int = await NAMESPACE["Room"].getByName(other).circle(self.ctx.id.name, depth - 1)
        return 1 + deeper

    async def waits(self) -> str:
        await self.opened.wait()
        return "opened"

    async def opens(self) -> None:
        self.opened.set()

    async def fetch(self, request: Any) -> Any:
        kind = request.url.rsplit("/", 1)[-1]
        answers = {"web": WebResponse("text"), "none": None}
        return answers[kind] if kind in answers else Response(f"{request.method} {await request.text()}", status=201)


@pytest.mark.parametrize(
    ("sent", "arrives"), [({"a": [1]}, {"a": [1]}), ((1, b"x"), [1, b"x"]), (None, None), ({1, 2}, {1, 2})]
)
async def test_arguments_and_results_are_copies(tmp_path: Path, sent: Any, arrives: Any) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        kept = await scene.stub().keep(sent)
        assert kept == [arrives]
        kept.append("changed here")
        if isinstance(sent, dict):
            sent["a"].append("changed here too")
        assert await scene.stub().kept == [arrives]


async def test_what_is_sent_is_what_it_was_when_it_was_sent(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        value = [1]
        promise = scene.stub().keep(value)
        value.append(2)
        assert await promise == [[1]]


async def test_plain_methods_and_keywords_work(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        assert await scene.stub().plain(1, second=5) == 6


async def test_a_call_may_be_gathered_made_a_task_and_awaited_twice(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        stub = scene.stub()
        promise = stub.add(1)
        assert [await promise, await promise] == [1, 1]
        assert list(await asyncio.gather(stub.add(1), asyncio.create_task(stub.add(1)))) == [2, 3]
        with pytest.raises(AttributeError, match="must be awaited"):
            _ = promise.x


async def test_a_call_is_made_when_it_is_made_not_when_it_is_awaited(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        promise = scene.stub().add(5)
        assert await scene.stub().add(1) == 6
        assert await promise == 5


@pytest.mark.parametrize("name", ["alarm", "webSocketMessage", "webSocketClose", "webSocketError"])
async def test_handlers_are_reserved(tmp_path: Path, name: str) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        with pytest.raises(JsTypeError) as caught:
            await getattr(scene.stub(), name)()
        assert caught.value.message == f"'{name}' is a reserved method and cannot be called over RPC."


@pytest.mark.parametrize("name", ["nope", "ctx", "env", "constructor"])
async def test_what_is_not_there_or_not_for_callers_is_not_implemented(tmp_path: Path, name: str) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        for attempt in (getattr(scene.stub(), name)(), getattr(scene.stub(), name)):
            with pytest.raises(JsTypeError) as caught:
                await attempt
            assert caught.value.message == f'The RPC receiver does not implement the method "{name}".'
            assert caught.value.remote is True  # type: ignore[attr-defined]  # of every error that comes out of an object


async def test_a_name_with_an_underscore_is_reached_as_in_the_original(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        assert await scene.stub()._private() == "reached"


async def test_properties_are_read_and_cannot_be_called(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        assert await scene.stub().count == 0
        with pytest.raises(JsTypeError, match='"count" is not a function'):
            await scene.stub().count()


async def test_an_error_keeps_class_text_and_properties(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        with pytest.raises(Custom, match="no") as caught:
            await scene.stub().fails()
        assert (caught.value.custom, caught.value.remote) == (5, True)  # type: ignore[attr-defined]  # properties survive
        assert "in fails" in caught.value.__notes__[0]
        assert await scene.stub().count == 0


async def test_what_cannot_be_sent_is_told_to_who_sends_or_asks(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        with pytest.raises(DOMException, match="object"):
            _ = scene.stub().keep(object())
        with pytest.raises(DOMException, match="object"):
            await scene.stub().unsendable()


async def test_a_function_is_called_where_it_lives(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        heard: list[Any] = []

        async def here(value: Any) -> str:
            heard.append(value)
            return "from here"

        assert await scene.stub().ask(here) == "from here"
        assert heard == [{"from": "the object"}]
        add = await scene.stub().give()
        assert await add(3) == 3
        assert await add.dup()(4) == 7
        assert await (await scene.stub().add)(1) == 8
        add.destroy()


async def test_an_error_of_a_function_reaches_who_called_it(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:

        def here(value: Any) -> None:
            raise LookupError(value["from"])

        with pytest.raises(LookupError, match="the object"):
            await scene.stub().ask(here)


@pytest.mark.parametrize("error", [asyncio.CancelledError("mine"), SystemExit("mine"), KeyboardInterrupt("mine")])
async def test_whatever_a_function_of_no_object_raises_its_caller_is_told_and_the_loop_goes_on(
    error: BaseException,
) -> None:
    async def fails() -> None:
        raise error

    with pytest.raises(JsException, match="mine") as caught:
        await calls.RemoteFunction(fails, Context())()
    assert (caught.value.name, vars(caught.value)["remote"]) == (type(error).__name__, True)


async def test_a_method_that_awaits_what_was_cancelled_has_failed_and_is_not_to_be_tried_again(tmp_path: Path) -> None:
    class Cancelling(DurableObject):
        async def waits(self) -> None:
            task = asyncio.create_task(asyncio.Event().wait())
            task.cancel("enough")
            await task

    async with stage(tmp_path, Room=Cancelling) as scene:
        with pytest.raises(JsException, match="enough") as caught:
            await scene.stub().waits()
        assert (caught.value.name, vars(caught.value)["remote"]) == ("CancelledError", True)
        assert not hasattr(caught.value, "retryable")


async def test_a_function_of_an_instance_that_is_gone_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        add = await scene.stub().give()
        await scene.sleep_all()
        with pytest.raises(ObjectError, match="no longer active"):
            await add(1)


async def test_objects_that_call_each_other_in_a_circle_end(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        NAMESPACE["Room"] = scene.objects.namespace("Room")
        assert await scene.stub("a").circle("b", 20) == 20
        assert await scene.stub("a").circle("a", 5) == 5


async def test_handlers_interleave_where_they_await(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        waits = scene.stub().waits()
        await scene.stub().opens()
        assert await waits == "opened"


async def test_a_request_and_its_answer_are_handed_over(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        answer = await scene.stub().fetch("http://x/", method="POST", body="hello")
        assert (answer.status, await answer.text()) == (201, "POST hello")
        assert await (await scene.stub().fetch("http://x/web")).text() == "text"
        with pytest.raises(JsTypeError, match="did not return a Response object"):
            await scene.stub().fetch("http://x/none")


async def test_a_class_without_fetch_says_so(tmp_path: Path) -> None:
    class Bare(DurableObject):
        pass

    async with stage(tmp_path, Bare=Bare) as scene:
        with pytest.raises(JsTypeError, match=r"^Handler does not export a fetch\(\) function\.$"):
            await scene.stub(kind="Bare").fetch("http://x/")


async def blocked(scene: Stage) -> asyncio.Event:
    """The object of the stage lets nobody in until the event is set."""
    event = asyncio.Event()
    started = asyncio.Event()

    async def block() -> None:
        started.set()
        await event.wait()

    await scene.stub().count
    actor = next(iter(scene.objects._live))
    assert actor.instance is not None
    _ = actor.instance.context.copy().run(actor.instance.block, block)
    await started.wait()
    return event


async def test_more_calls_than_may_wait_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_QUEUED", 3)
    async with stage(tmp_path, Room=Room) as scene:
        opens = await blocked(scene)
        waiting = [scene.stub().add(1) for _ in range(3)]
        await turn()
        with pytest.raises(ObjectError, match=r"overloaded\. Too many requests queued\.") as caught:
            await scene.stub().add(1)
        assert (caught.value.overloaded, caught.value.retryable) == (True, False)
        opens.set()
        assert [await one for one in waiting] == [1, 2, 3]


async def test_messages_that_wait_keep_nobody_from_calling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hears(Acceptor, Room):
        """Says nothing to what it hears."""

    monkeypatch.setattr(calls, "MAX_QUEUED", 2)
    async with stage(tmp_path, Room=Hears) as scene:
        session = await scene.client(scene.stub())
        opens = await blocked(scene)
        for number in range(10):
            session.says(str(number))
        waiting = [scene.stub().add(1) for _ in range(2)]
        await turn()
        with pytest.raises(ObjectError, match="Too many requests queued"):
            await scene.stub().add(1)
        opens.set()
        assert [await one for one in waiting] == [1, 2]


async def test_a_call_that_waited_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        opens = await blocked(scene)
        promise = scene.stub().add(1)
        await turn()
        monkeypatch.setattr(calls, "QUEUE_LIMIT_S", -1.0)
        opens.set()
        with pytest.raises(ObjectError, match="queued for too long"):
            await promise


async def test_a_caller_that_gave_up_harms_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Room) as scene:
        task = asyncio.create_task(scene.stub().waits())
        await scene.stub().count
        task.cancel()
        await until(task.done)
        await scene.stub().opens()
        assert await scene.stub().count == 0


async def test_more_calls_than_may_run_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_RUNNING", 2)
    async with stage(tmp_path, Room=Room) as scene:
        waiting = [scene.stub().waits() for _ in range(2)]
        await turn()
        await turn()
        with pytest.raises(ObjectError, match="Too many requests queued"):
            await scene.stub().add(1)
        actor = next(iter(scene.objects._live))
        assert actor.instance is not None
        actor.instance.code.opened.set()
        assert [await one for one in waiting] == ["opened"] * 2
        assert await scene.stub().add(1) == 1


async def test_a_method_knows_whose_request_it_works_for(tmp_path: Path) -> None:
    class Knows(Room):
        async def whose(self) -> str:
            invocation = running.get()
            return "" if invocation is None else str(invocation.env)

    async with stage(tmp_path, Room=Knows) as scene:
        token = running.set(Invocation(env="of the request", wait_until=print))
        try:
            assert await scene.stub().whose() == "of the request"
        finally:
            running.reset(token)


async def test_a_fetch_that_takes_no_request_is_called_without(tmp_path: Path) -> None:
    class Plain(DurableObject):
        async def fetch(self) -> Response:  # type: ignore[override, unused-ignore]  # as public code has it
            return Response("plain")

    async with stage(tmp_path, Room=Plain) as scene:
        assert await (await scene.stub().fetch("http://x/")).text() == "plain"


async def test_an_object_is_called_from_threads(tmp_path: Path) -> None:
    class Fetched(Room):
        async def fetch(self, request: Any) -> Response:
            return Response(f"{request.method} of a thread")

    async with stage(tmp_path, Room=Fetched) as scene:
        ffi.at_home(asyncio.get_running_loop())
        stub = scene.stub()

        def in_thread() -> tuple[int, str]:
            answer = ffi.run_sync(stub.fetch("http://x/", method="PUT"))
            return ffi.run_sync(stub.add(2)), ffi.run_sync(answer.text())

        assert await asyncio.to_thread(in_thread) == (2, "PUT of a thread")


async def test_a_fetch_may_want_env_and_ctx_and_be_given_options_as_in_javascript(tmp_path: Path) -> None:
    class Older(DurableObject):
        async def on_fetch(self, request: Any, env: Any, ctx: Any) -> Response:
            assert (env, ctx) == (self.env, self.ctx)
            return Response(f"{request.method} {await request.text()} {request.headers['x-a']}")

    async with stage(tmp_path, Room=Older) as scene:
        answer = await scene.stub().fetch("http://x/", {"method": "POST", "body": "b", "headers": {"X-A": "1"}})
        assert await answer.text() == "POST b 1"


@pytest.mark.parametrize("is_waited_for", [True, False])
async def test_the_socket_of_an_answer_that_nobody_has_ends_before_the_collector_comes(
    tmp_path: Path, *, is_waited_for: bool
) -> None:
    closed = asyncio.Event()

    class Lobby(Acceptor):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            self.may_answer = asyncio.Event()

        async def fetch(self, request: Any) -> Response:
            answer = await super().fetch(request)
            if request.url.endswith("/late"):
                await self.may_answer.wait()
            return answer

        async def opens(self) -> None:
            self.may_answer.set()

        async def webSocketClose(self, *_: object) -> None:  # noqa: N802  the platform's name
            closed.set()

    async with stage(tmp_path, Lobby=Lobby) as scene:
        lobby = scene.stub(kind="Lobby")
        gc.disable()
        try:
            if is_waited_for:
                assert (await lobby.fetch("http://x/")).status == 101
            else:
                asking = asyncio.ensure_future(lobby.fetch("http://x/late"))
                await turn()
                asking.cancel()
                del asking
                await lobby.opens()
            async with asyncio.timeout(30):
                await closed.wait()
        finally:
            gc.enable()


class Patient(DurableObject):
    """Its plain methods wait in place; what happens is in `order`."""

    order: ClassVar[list[str]] = []

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.opened = asyncio.Event()

    def plain(self, number: int) -> int:
        self.order.append("begins")
        found = ffi.run_sync(self.add(number))
        self.order.append("goes on")
        return found

    async def add(self, number: int) -> int:
        await asyncio.wait_for(self.opened.wait(), 30)
        return int(await self.ctx.storage.get("n") or 0) + number

    async def section(self) -> None:
        async def alone() -> None:
            self.opened.set()
            for _ in range(5):
                await asyncio.wait({asyncio.ensure_future(self.opened.wait())})
            self.order.append("section ends")

        await self.ctx.blockConcurrencyWhile(alone)

    async def by_a_task(self, number: int) -> int:
        async def task() -> int:
            return ffi.run_sync(self.add(number))

        return await asyncio.create_task(task())

    def whole(self) -> str:
        try:
            self.ctx.storage.transactionSync(lambda: ffi.run_sync(self.add(1)))
        except RuntimeError as error:
            return str(error)
        return "nothing"


@pytest.fixture
def in_places() -> Iterator[None]:
    in_place.want()
    Patient.order.clear()
    yield
    in_place.Wanted.on_stacks = None


@pytest.mark.usefixtures("in_places")
async def test_code_of_an_object_waits_in_place_and_goes_on_behind_its_gate(tmp_path: Path) -> None:
    async with stage(tmp_path, Room=Patient) as scene:
        stub = scene.stub()
        waiting = asyncio.ensure_future(stub.plain(2))
        await stub.section()
        assert await waiting == 2
        assert Patient.order == ["begins", "section ends", "goes on"]
        assert await stub.by_a_task(3) == 3
        assert await stub.whole() == "run_sync() cannot wait in transactionSync(): nothing may come between"


class Open(DurableObject):
    """Gives away what it is asked for."""

    async def give(self, what: str) -> Any:
        storage = self.ctx.storage
        cursor = storage.sql.exec("SELECT 1")
        kept: list[Any] = []

        async def keep(txn: Any) -> None:
            kept.append(txn)

        await storage.transaction(keep)
        return {"ctx": self.ctx, "storage": [storage], "sql": storage.sql, "kv": storage.kv, "env": self.env, "transaction": kept[0],
                "cursor": {"rows": cursor}, "raw": cursor.raw(), "id": self.ctx.id}[what]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("ctx", "DurableObjectState"),
        ("storage", "DurableObjectStorage"),
        ("sql", "SqlStorage"),
        ("kv", "SyncKvStorage"),
        ("env", "Env"),
        ("transaction", "DurableObjectTransaction"),
        ("cursor", "Cursor"),
        ("raw", "RawIterator"),
    ],
)
async def test_what_an_object_has_its_storage_by_stays_with_it(tmp_path: Path, what: str, name: str) -> None:
    async with stage(tmp_path, Room=Open) as scene:
        scene.objects.env = Env({"SECRET": "x"})
        with pytest.raises(DOMException, match=f'Could not serialize object of type "{name}"') as refused:
            await scene.stub().give(what)
        assert refused.value.name == "DataCloneError"
        assert str(await scene.stub().give("id")) == str(scene.stub().id)
