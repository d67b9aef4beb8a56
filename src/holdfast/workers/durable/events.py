"""What can happen to an object: a message or the end of a socket, a call, an alarm; and how each is settled.

An event is given to an instance once. Then either its handler runs and `done` settles it, or it never gets to run and `fail` does.

Law 1: every event is settled exactly once, whatever becomes of its instance.
Law 2: an event of a socket is acknowledged when its handler has ended, however it ended, and its writes are durable; and only
when all earlier events of that socket are (an acknowledgement covers what came before).
Law 3: an exception of a handler is reported, and harms neither socket nor object.
Law 4: a handler that takes longer than its limit is cancelled, and CANCEL_LIMIT_S later goes no further, whatever it makes of that.
"""

import asyncio
import inspect
import types
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Protocol, cast

from holdfast.workers.durable.gates import end
from holdfast.workers.durable.outbox import Outbox
from holdfast.workers.durable.services import Ledger, Running, Socket
from holdfast.workers.sdk.entrypoints import DurableObjectAbort

# What a handler may do when it is cancelled.
CANCEL_LIMIT_S = 1.0


class Host(Protocol):
    """The instance, as its events know it."""

    code: Any
    broken: BaseException | None
    context: Context
    progress: "Progress"

    def ended(self, event: "Event") -> None: ...
    def failed(self, event: "Event") -> None: ...
    def report(self, text: str, error: BaseException | None) -> None: ...
    def emit(self, action: Callable[[], None]) -> None: ...


class Limiting(Protocol):
    """Who says how long a handler may take, in milliseconds; 0 is without end."""

    event_timeout_ms: int


class SocketHost(Host, Protocol):
    """The same, as events of sockets know it."""

    place: Limiting

    @property
    def file(self) -> Any: ...  # noqa: ANN401  `services.File`, opened by this
    @property
    def ledger(self) -> Ledger | None: ...


class Event(ABC):
    """One thing that happens to an object."""

    __slots__ = ("handle", "host")

    # What is shown where an event keeps its object in memory.
    label = "an event"
    # What it is counted as.
    kind = "call"

    def __init__(self) -> None:
        self.handle: Running | None = None
        self.host: Host

    @abstractmethod
    def handler(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The user's code for it and what it gets. Raises what the caller is to be told."""

    def prepare(self, context: Context) -> None:  # noqa: B027  most kinds need nothing
        """Set what the context of the handler must have."""

    @abstractmethod
    def done(self, result: Any, error: BaseException | None) -> None:  # noqa: ANN401  whatever user code returns
        """The handler has ended. Tells the host `ended`, now or when the outcome has left; not of a host that is broken."""

    def fail(self, error: BaseException) -> None:  # noqa: B027  who has nobody to tell leaves it
        """It will not run (to its end): its instance broke, or could not be made."""

    def cancel(self) -> None:
        """End its handler where it is suspended."""
        if self.handle is not None:
            self.handle.cancel()


class SocketEvent(Event):
    """A message on a socket, its end, or an error of it. `names` are those that user code may have given the handler."""

    __slots__ = (
        "_args",
        "_last",
        "_names",
        "_timer",
        "has_ended",
        "is_expired",
        "is_late",
        "is_suspect",
        "seen",
        "seq",
        "socket",
    )

    label = "a handler of a WebSocket"
    kind = "websocket"

    def __init__(self, socket: Socket, names: tuple[str, ...], args: tuple[Any, ...], seq: int) -> None:
        self.handle = None
        self.socket = socket
        self._names = names
        self._args = args
        self.seq = seq
        # Up to which event its acknowledgement goes, which is the event itself, called when it may leave.
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None
        self.seen: Callable[[int, int], object] | None = None
        # A process before this one may have handled it: the ledger is asked.
        self.is_suspect = False
        self.has_ended = False
        # Its time is over, and that for being cancelled too.
        self.is_expired = self.is_late = False

    def handler(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The first of the names that user code has; nothing to run where it has none of them."""
        if self.seq:
            self.host.progress.began(self)
            if self.is_suspect and self._was_handled():
                return _nothing, ()
        for name in self._names:
            if (method := getattr(self.host.code, name, None)) is not None:
                return self._run, (method,)
        return _nothing, ()

    def _run(self, method: Callable[..., Any]) -> Any:  # noqa: ANN401  whatever user code returns
        """The handler begins: the limit is the one that holds now, which the event before it may have set."""
        limit_ms = self._host.place.event_timeout_ms
        if not limit_ms:
            return method(*fitting(method, self._args))
        self._end_in(limit_ms / 1000, self._expired)
        result = method(*fitting(method, self._args))
        return _in_time(result, self) if isinstance(result, Coroutine) else result

    def _end_in(self, delay_s: float, act: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, act, context=Context())

    def _expired(self) -> None:
        self.is_expired = True
        self._end_in(CANCEL_LIMIT_S, self._give_up)
        self.cancel()

    def _give_up(self) -> None:
        self.is_late = True
        self.cancel()

    def prepare(self, context: Context) -> None:
        """Let the ledger know which event this is."""
        if self.seen is not None and self.seq and self.socket.session is not None:
            context.run(self.seen, self.socket.session.sid, self.seq)

    def done(self, result: Any, error: BaseException | None) -> None:  # noqa: ANN401  whatever user code returns
        """Report its exception; acknowledge the event."""
        host = self.host
        if self._timer is not None:
            self._timer.cancel()
        if error is not None and not self._is_silent(error) and host.broken is None:
            host.failed(self)
            host.report(f"Uncaught exception in {self._names[0]}", error)
        if self.seq and (last := host.progress.ended(self)):
            self._last = last
            host.emit(self)
        host.ended(self)

    def __call__(self) -> None:
        """Acknowledge it, and those before it."""
        if (session := self.socket.session) is not None:
            session.ack(self._last)
            if (ledger := self._host.ledger) is not None:
                ledger.acknowledged(session.sid, self._last)

    def note(self, outbox: Outbox) -> None:
        """Its acknowledgement waits for a commit (`outbox.Output`)."""
        if (session := self.socket.session) is not None:
            outbox.done_with(session, self._last)

    def _is_silent(self, error: BaseException) -> bool:
        """Whether it is told elsewhere, or what was wished: a reset by user code; a handler that its own limit has cancelled."""
        return isinstance(error, DurableObjectAbort) or (self.is_expired and isinstance(error, asyncio.CancelledError))

    @property
    def _host(self) -> SocketHost:
        return cast("SocketHost", self.host)

    def _was_handled(self) -> bool:
        session, file = self.socket.session, self._host.file
        ledger = self._host.ledger
        return (
            session is not None
            and file is not None
            and ledger is not None
            and ledger.was_handled(session.sid, self.seq)
        )


class CloseEvent(SocketEvent):
    """The end of a socket; after its handler the object has it no more."""

    __slots__ = ("_forget",)

    label = "a handler of a closed WebSocket"

    def forget_by(self, forget: Callable[[Socket], None]) -> None:
        """Who forgets the socket afterwards."""
        self._forget = forget

    def handler(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """As any event's; nothing to run where that has ended a process before."""
        found, session = super().handler(), self.socket.session
        return (_nothing, ()) if session is not None and self.seq and session.skipped_seq == self.seq else found

    def _run(self, method: Callable[..., Any]) -> Any:  # noqa: ANN401  whatever user code returns
        """As any event's. Only now the socket is closed: the handlers that began before it could answer."""
        self._close()
        return super()._run(method)

    def _close(self) -> None:
        _, code, reason, was_clean = self._args
        self.socket.closes(code, reason, was_clean=was_clean, emit=self._host.emit)

    def done(self, result: Any, error: BaseException | None) -> None:  # noqa: ANN401  whatever user code returns
        """As any event's; then the socket is gone."""
        # There may have been no handler.
        self._close()
        self._forget(self.socket)
        super().done(result, error)

    def __call__(self) -> None:
        """Acknowledge it: the last that there was to be."""
        if (session := self.socket.session) is not None:
            session.ack(self._last)
            if (ledger := self._host.ledger) is not None:
                ledger.closed(session.sid)


class Progress:
    """Which events of each socket are done with: what may be acknowledged."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        # Socket -> its event that runs; where there are several, those that are not covered yet, oldest first.
        self._running: dict[Socket, SocketEvent | deque[SocketEvent]] = {}

    def began(self, event: SocketEvent) -> None:
        """A handler begins."""
        found = self._running.get(event.socket)
        if found is None:
            self._running[event.socket] = event
        elif isinstance(found, deque):
            found.append(event)
        else:
            self._running[event.socket] = deque((found, event))

    def ended(self, event: SocketEvent) -> int:
        """A handler has ended; the highest number up to which everything has, or 0 where an earlier one still runs."""
        event.has_ended = True
        found = self._running.get(event.socket)
        if found is event:
            del self._running[event.socket]
            return event.seq
        last = 0
        if isinstance(found, deque):
            while found and found[0].has_ended:
                last = found.popleft().seq
            if not found:
                del self._running[event.socket]
        return last

    def __len__(self) -> int:
        return len(self._running)


def fitting(method: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """As many of the arguments as the method takes: the original drops the others, and public code relies on it."""
    try:
        code = method.__func__.__code__  # type: ignore[attr-defined]  # of what is no method nothing is known
    except AttributeError:
        return args
    if code.co_flags & inspect.CO_VARARGS:
        return args
    return args[: max(code.co_argcount - 1, 0)]


async def _in_time(steps: Coroutine[Any, Any, Any], event: SocketEvent) -> Any:  # noqa: ANN401  whatever user code returns
    return await _limited(steps, event)


@types.coroutine
def _limited(steps: Coroutine[Any, Any, Any], event: SocketEvent) -> Generator[Any, Any, Any]:
    """Take the steps of a handler, until it is late."""
    answer: Any = None
    error: BaseException | None = None
    try:
        while True:
            awaited = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                answer = yield awaited
            except BaseException as thrown:  # noqa: BLE001  user code's to handle
                error = thrown
            if event.is_late or isinstance(error, GeneratorExit):
                end(steps)
                raise error or asyncio.CancelledError
    except StopIteration as stop:
        return stop.value


def _nothing() -> None:
    """The handler of an object that has none for this."""
