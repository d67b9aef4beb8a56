"""A call into an object: of one of its methods, a readable property, its `fetch`, or a function that it gave away.

Arguments are copied when the call is made, the result when the method has returned. The call leaves the caller when the caller's writes are
durable, the result leaves the object when the object's are.

Law 1: the caller hears of it exactly once: the result, or an error with `remote` True if it came out of the object.
Law 2: what the original reserves or hides is refused, in its words. A name that begins with an underscore can be called, as it can there
(the guarantee of Python is none either); the names of Python's own protocols (`__init__`) cannot.
Law 3: what waits for an object is bounded, in number and time; beyond it the caller is told that the object is overloaded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, cast

from holdfast.workers.durable import current
from holdfast.workers.durable.actor import Actor
from holdfast.workers.durable.current import CURRENT
from holdfast.workers.durable.errors import QUEUED_TOO_LONG, TOO_MANY_QUEUED, ObjectReset, Overloaded, marked
from holdfast.workers.durable.events import Event, Progress, SocketEvent
from holdfast.workers.durable.streaming import keep_at_home
from holdfast.workers.durable.transfer import Reference, copied, copied_error, text_of
from holdfast.workers.sdk.bridge import no_response
from holdfast.workers.sdk.context import Invocation, running
from holdfast.workers.sdk.entrypoints import DurableObjectAbort, fetch_arguments, fetch_of
from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.response import FetchResponse
from holdfast.workers.sdk.threads import wherever
from holdfast.workers.sdk.web.response import Response as WebResponse

# Calls that wait for one object. Precedent: the original refuses what a queue of some hundred milliseconds of work cannot hold.
MAX_QUEUED = 1_000
# Calls that one object has begun and not ended: each holds some kilobytes. No precedent: the original bounds its memory alone.
MAX_RUNNING = 10_000
# How long a call may wait before it begins. Precedent: the time that the original gives a blocked object.
QUEUE_LIMIT_S = 30.0

HANDLERS = frozenset({"alarm", "webSocketMessage", "webSocketClose", "webSocketError"})
HIDDEN = frozenset({"ctx", "env", "constructor", "preShutdown"})
MISSING = object()


class Promise(Coroutine[Any, Any, Any]):
    """What a call gives: awaitable, several times; also taken where a coroutine is wanted (`create_task`, `gather`)."""

    __slots__ = ("_future", "_steps")

    def __init__(self, future: "asyncio.Future[Any]") -> None:
        self._future = future
        self._steps: Generator[Any, Any, Any] | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return asyncio.shield(self._future).__await__()

    def send(self, value: Any) -> Any:  # noqa: ANN401  as a coroutine's
        """As a coroutine's."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401  as a coroutine's
        """As a coroutine's."""
        if self._steps is None:
            self._steps = self.__await__()
        try:
            return self._steps.throw(*error)
        finally:
            # The error's traceback has this frame: with its name here it would keep itself, and the answer, until the collector comes.
            del error

    def close(self) -> None:
        """As a coroutine's."""
        if self._steps is not None:
            self._steps.close()

    def __getattr__(self, name: str) -> "Promise":
        raise AttributeError(f"the result of a call must be awaited before its '{name}' is read")


class Call(Event):
    """A call that is on its way to an object, or runs there."""

    __slots__ = ("_args", "_began_at", "_invocation", "_kwargs", "_name", "_target", "future", "has_begun", "lost")

    label = "a call"

    def __init__(
        self,
        name: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        target: Callable[..., Any] | None = None,
    ) -> None:
        """`target`: a function to be called instead of a method; `lost` is told where the object breaks before it has answered."""
        super().__init__()
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.lost: Callable[[BaseException], None] | None = None
        # Whether user code has seen anything of it.
        self.has_begun = False
        self._name = name
        self._args = args
        self._kwargs = kwargs or {}
        self._target = target
        self._invocation: Invocation | None = running.get(None)
        self._began_at = self.future.get_loop().time()

    def handler(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The method, with its arguments. Raises what the caller is told."""
        if self.future.get_loop().time() - self._began_at > QUEUE_LIMIT_S:
            raise Overloaded(QUEUED_TOO_LONG)
        self.has_begun = True
        found = self._target or self._method()
        return (partial(found, **self._kwargs) if self._kwargs else found), self._args

    def prepare(self, context: Context) -> None:
        """Let the method know whose request it works for: its ray, its waitUntil."""
        if self._invocation is not None:
            context.run(running.set, self._invocation)

    def _method(self) -> Callable[..., Any]:
        found = method_of(self.host.code, self._name)
        if not callable(found):
            raise JsTypeError(f'"{self._name}" is not a function.')
        return cast("Callable[..., Any]", found)

    def answer(self, result: Any) -> Any:  # noqa: ANN401  whatever user code returns
        """What the caller gets of it. Raises what cannot be sent."""
        return copied(result, reference_to(self.host.context))

    def done(self, result: Any, error: BaseException | None) -> None:  # noqa: ANN401  whatever user code returns
        """Let the result out when the object's writes are durable."""
        host = self.host
        if host.broken is not None:
            # `fail` has told the caller.
            return
        answer = None
        if error is None:
            try:
                answer = self.answer(result)
            except Exception as uncopyable:  # noqa: BLE001  the caller is told
                error = uncopyable
        if error is not None:
            host.failed(self)
        told = None if error is None else self._error(error)
        host.emit(partial(self._leave, answer, told))

    def _leave(self, answer: Any, error: Exception | None) -> None:  # noqa: ANN401  as the object answered
        # It runs until its answer has left: an object that breaks before has not answered.
        self.host.ended(self)
        _settle(self.future, answer, error=error)

    def fail(self, error: BaseException) -> None:
        """The object broke, or could not be made."""
        told = self._error(error)
        if self.lost is not None:
            self.lost(told)
        _settle(self.future, error=told)

    def _error(self, error: BaseException) -> Exception:
        if isinstance(error, DurableObjectAbort):
            return ObjectReset(str(error), retryable=True)
        told = error if isinstance(error, Overloaded) else copied_error(error, _as_text)
        if isinstance(told, Exception):
            return told
        # A CancelledError: the caller's own cancellation would look the same. What ends a loop is to end no other than this call.
        return cast("Exception", marked(JsException(text_of(told), name=type(told).__name__), remote=True))


class Read(Call):
    """The value of a readable property."""

    __slots__ = ()

    label = "a property that is read"

    def handler(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Reads it; a method goes as a function that calls it."""
        self.has_begun = True
        return method_of, (self.host.code, self._name)


class Fetch(Call):
    """A request. It and its answer are handed over, not copied: their bodies are streams."""

    __slots__ = ()

    label = "a request"
    kind = "request"

    def handler(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """`fetch`, with as much as it takes."""
        method, args = super().handler()
        code = self.host.code
        return method, fetch_arguments(method, *args, getattr(code, "env", None), getattr(code, "ctx", None))

    def _method(self) -> Callable[..., Any]:
        if (found := fetch_of(self.host.code)) is None:
            raise JsTypeError("Handler does not export a fetch() function.")
        return found

    def answer(self, result: Any) -> Any:  # noqa: ANN401  a Response of either kind
        """The answer as `workers.fetch` gives it."""
        if isinstance(result, FetchResponse):
            keep_at_home(result.js_object, self.host.context)
            return result
        if isinstance(result, WebResponse):
            keep_at_home(result, self.host.context)
            return FetchResponse(result.url, result)
        raise no_response(result, self._method())


class RemoteFunction:
    """A function that was sent to the other side: calling it there runs it here, where it lives."""

    __slots__ = ("_context", "_function")

    def __init__(self, function: Callable[..., Any], context: Context) -> None:
        self._function = function
        self._context = context

    @wherever
    def __call__(self, *args: Any, **kwargs: Any) -> Promise:  # noqa: ANN401  whatever the function takes
        """Call it; the arguments are copied now."""
        reference = reference_to(copy_context())
        call = Call(
            getattr(self._function, "__name__", "a function"),
            tuple(copied(one, reference) for one in args),
            {name: copied(one, reference) for name, one in kwargs.items()},
            target=self._function,
        )
        current.emit(partial(self._depart, call))
        return Promise(call.future)

    def destroy(self) -> None:
        """As a proxy's; nothing has to be let go of."""

    def dup(self) -> "RemoteFunction":
        """As a stub's: the same function."""
        return self

    def _depart(self, call: Call) -> None:
        call.future.get_loop().call_soon(self._arrive, call, context=Context())

    def _arrive(self, call: Call) -> None:
        home = self._context.get(CURRENT)
        if home is not None:
            home.deliver(call)
            return
        host = Visitor(self._context)
        call.host = host
        task = asyncio.get_running_loop().create_task(host.run(call), context=self._context.copy())
        host.task = task


class Visitor:
    """The host of a call of a function that no object owns: a Worker's own."""

    __slots__ = ("broken", "code", "context", "progress", "task")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.code = None
        self.broken: BaseException | None = None
        self.progress = Progress()
        self.task: asyncio.Task[None] | None = None

    async def run(self, call: Call) -> None:
        """Run it, and settle it."""
        try:
            function, args = call.handler()
            result = function(*args)
            if isinstance(result, Awaitable):
                result = await result
        except BaseException as error:  # noqa: BLE001  the caller is told, whatever it is: nobody else waits for it, and a loop may end by it
            if not call.future.get_loop().is_closed():
                call.done(None, error)
        else:
            call.done(result, None)

    def emit(self, action: Callable[[], None]) -> None:
        """Nothing of a Worker waits for writes."""
        action()

    def ended(self, event: Event) -> None:
        """Nothing to do."""

    def failed(self, event: Event) -> None:
        """Nothing to do: it is counted where it is called."""

    def report(self, text: str, error: BaseException | None) -> None:
        """A call tells its caller instead."""


def reference_to(context: Context) -> Reference:
    """Makes what stands for functions that live in this context."""
    return partial(_referenced, context)


def _referenced(context: Context, function: Callable[..., Any]) -> RemoteFunction:
    return RemoteFunction(function, context)


def _as_text(function: Callable[..., Any]) -> str:
    # Properties of an error that are functions do not go with it.
    return repr(function)


def method_of(code: Any, name: str) -> Any:  # noqa: ANN401  user code's
    """What the name is of an object of user code. Raises JsTypeError, in the original's words, for what cannot be called or read."""
    if name in HANDLERS:
        raise JsTypeError(f"'{name}' is a reserved method and cannot be called over RPC.")
    found = MISSING if name in HIDDEN or name.startswith("__") else getattr(code, name, MISSING)
    if found is MISSING:
        raise JsTypeError(f'The RPC receiver does not implement the method "{name}".')
    return found


def send(find: Callable[[], Actor], call: Call) -> None:
    """Have the call leave its caller and reach the object, which is found (or begun to be known) then."""
    current.emit(partial(_depart, find, call))


def _depart(find: Callable[[], Actor], call: Call) -> None:
    # In a turn of its own, as nobody's: neither the caller's task nor its context is the object's.
    call.future.get_loop().call_soon(_arrive, find, call, context=Context())


def _arrive(find: Callable[[], Actor], call: Call) -> None:
    actor = find()
    if _is_full(actor):
        call.fail(Overloaded(TOO_MANY_QUEUED))
    else:
        actor.deliver(call)


def _is_full(actor: Actor) -> bool:
    # Messages of sockets have a bound of their own, what an edge sends ahead: they keep nobody from calling.
    if actor.queued < MAX_QUEUED and actor.running < MAX_RUNNING:
        return False
    return _calls_in(actor.waiting) >= MAX_QUEUED or _calls_in(actor.at_work) >= MAX_RUNNING


def _calls_in(events: Iterable[Event]) -> int:
    return sum(event.kind != SocketEvent.kind for event in events)


def _settle(future: "asyncio.Future[Any]", result: Any = None, *, error: Exception | None = None) -> None:  # noqa: ANN401
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
