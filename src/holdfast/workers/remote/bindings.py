"""Bindings to other scripts as user code has them in `env`: services, and namespaces of another script's objects, with their stubs.

Law 1: a binding costs nothing before it is used: whether the other script is there is seen when it is called.
Law 2: a call is made when it is made, awaited or not: arguments are copied then, and it leaves when the writes of who calls are durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from typing import Any, NoReturn

from holdfast.model.object_names import unique_key
from holdfast.model.worker_egress import RequestContext
from holdfast.workers.durable import current
from holdfast.workers.durable.calls import Promise
from holdfast.workers.durable.ids import DurableObjectId, IdSpace
from holdfast.workers.durable.namespace import Namespace
from holdfast.workers.durable.services import ObjectClass
from holdfast.workers.remote.calling import Caller, StubBroken, Way, lost
from holdfast.workers.remote.conversations import Asking
from holdfast.workers.sdk.cancellation import is_cancelled
from holdfast.workers.sdk.context import running
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.fetching import through
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import Response
from holdfast.workers.sdk.threads import wherever

# Longest name that goes along with an object's id: beyond it the object is not told what it is called. It is a header's.
MAX_NAME_BYTES = 2_048

# The loop itself holds no task.
_under_way: set[asyncio.Task[None]] = set()


class Remote:
    """What can be called in another script: `await it.fetch(…)`, `await it.method(…)`, `await it.property`."""

    __slots__ = ("_broken", "_caller")

    def __init__(self, way: Way) -> None:
        self._caller = Caller(way)
        self._broken: Exception | None = None

    @wherever
    def fetch(self, input: Any, init: Any = None, **options: Any) -> Promise:  # noqa: A002, ANN401  as `workers.fetch` takes them
        """Have its `fetch` answer a request, or a URL with options. Raises as `Request()` does."""
        request = (
            input if isinstance(input, Request) and init is None and not options else Request(input, init, **options)
        )
        return self._begin(partial(self._fetch, request, _context()))

    def __getattr__(self, name: str) -> RemoteMember:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return RemoteMember(self._rpc, name)

    def _rpc(self, message: dict[str, Any], asking: Asking) -> Promise:
        # Said before anything is sent: what cannot be is refused here.
        return self._begin(partial(self._called, asking.framed(message), _context(), asking))

    async def _fetch(self, request: Request, context: RequestContext | None) -> Response:
        return await through(request.js_object, partial(self._caller.fetch, context=context))

    async def _called(self, message: bytes, context: RequestContext | None, asking: Asking) -> Any:  # noqa: ANN401  user code's
        return await self._caller.rpc(message, context, asking)

    def _begin(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Promise:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._broken is not None:
            future.set_exception(self._broken)
        else:
            current.emit(partial(self._depart, work, future))
        return Promise(future)

    def _depart(self, work: Callable[[], Coroutine[Any, Any, Any]], future: asyncio.Future[Any]) -> None:
        # As nobody's: the caller's gate holds who waits for the result, and not what brings it.
        task = asyncio.Task(self._settle(work, future), loop=future.get_loop(), context=Context())
        _under_way.add(task)
        task.add_done_callback(_under_way.discard)

    async def _settle(self, work: Callable[[], Coroutine[Any, Any, Any]], future: asyncio.Future[Any]) -> None:
        try:
            result = await work()
        except StubBroken as broken:
            self._broken = broken.error
            _tell(future, broken.error)
        except asyncio.CancelledError as error:
            if is_cancelled(error):
                raise
            # Of what makes the body of a request, for instance.
            _tell(future, lost(repr(error)))
        except Exception as error:  # noqa: BLE001  whoever called is told
            _tell(future, error)
        else:
            if not future.done():
                future.set_result(result)


class Service(Remote):
    """`env.OTHER`: an entrypoint of another Worker."""

    __slots__ = ("_binding",)

    def __init__(self, way: Way) -> None:
        super().__init__(way)
        self._binding = way.binding

    def connect(self, *_: object, **__: object) -> NoReturn:
        """There are no sockets of TCP here."""
        raise JsTypeError("connect() is not supported: a Worker has HTTP and WebSockets")

    def __repr__(self) -> str:
        return f"<Fetcher {self._binding}>"


class RemoteStub(Remote):
    """A Durable Object of another script."""

    __slots__ = ("_id", "_kind")

    def __init__(self, way: Way, kind: str, id: DurableObjectId) -> None:  # noqa: A002  as `id` of the original
        super().__init__(way)
        self._kind = kind
        self._id = id

    @property
    def id(self) -> DurableObjectId:
        """Whose stub it is."""
        return self._id

    @property
    def name(self) -> str | None:
        """The name that its id was made from, if it was."""
        return self._id.name

    def dup(self) -> RemoteStub:
        """Another stub of the same object."""
        return RemoteStub(self._caller.way, self._kind, self._id)

    def __repr__(self) -> str:
        return f"<DurableObjectStub {self._kind} {self._id.name or self._id}>"


class RemoteNamespace(Namespace):
    """`env.ROOM` where the class is another script's: its ids are the same as in that script."""

    __slots__ = ("_way",)

    def __init__(self, way: Way, kind: ObjectClass, jurisdiction: str | None = None) -> None:
        super().__init__(kind, _nowhere, jurisdiction)
        self._way = way

    def _stub(self, id: DurableObjectId) -> Any:  # noqa: A002, ANN401  a stub of another kind
        name = id.name if id.name is not None and len(id.name.encode(errors="replace")) <= MAX_NAME_BYTES else None
        return RemoteStub(Way(self._way.binding, self._way.proof, str(id), name), self._kind.name, id)

    def _with(self, jurisdiction: str | None) -> RemoteNamespace:
        return RemoteNamespace(self._way, self._kind, jurisdiction)


class RemoteMember:
    """A name of it: called, it is a method; awaited, a property."""

    __slots__ = ("_name", "_send")

    def __init__(self, send: Callable[[dict[str, Any], Asking], Promise], name: str) -> None:
        self._send = send
        self._name = name

    @wherever
    def __call__(self, *args: Any, **kwargs: Any) -> Promise:  # noqa: ANN401  whatever the method takes
        """Call it, now; awaiting gives its result. DOMException "DataCloneError" for what cannot be sent."""
        asking = Asking()
        return self._send({"call": self._name, "args": asking.taken(args), "kwargs": asking.taken(kwargs)}, asking)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._send({"read": self._name}, Asking()).__await__()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  never
        raise AttributeError(f"'{self._name}' of another Worker must be awaited before its '{name}' is read")


def foreign_class(script: str, class_name: str, namespace: str) -> ObjectClass:
    """A class whose code is another script's; its objects are kept there under the name `namespace`."""
    key = unique_key(script, namespace)
    return ObjectClass(class_name, namespace, key, object, IdSpace(key))


def _context() -> RequestContext | None:
    invocation = running.get(None)
    return None if invocation is None else invocation.request


def _tell(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _nowhere(_kind: ObjectClass, _id: DurableObjectId) -> NoReturn:
    raise RuntimeError("an object of another script has no place here")
