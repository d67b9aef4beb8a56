"""One object as its process knows it, in memory or not: its sockets, what it set for them, and its instance while there is one.

A hibernated object is just this: no user code, no file, a few hundred bytes and its sockets, put away as bytes (`runtime.asleep`).

Law 1: there is never more than one instance, and no new one before the file of a broken one is out of use. One that nothing is to be known of is
forgotten; what comes to it all the same is for whoever stands for the object by then (`Registry.known`).
Law 2: an event makes an instance where there is none. Where that fails, the event is told why; a socket's event takes its socket with it.
Law 3: sockets outlive a hibernation and a deploy; a reset closes all of them.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol, cast

from holdfast.workers.durable.broadcasts import Broadcast
from holdfast.workers.durable.errors import NO_LONGER_ACTIVE, SOCKET_LOST, ObjectReset
from holdfast.workers.durable.events import CloseEvent, Event, SocketEvent
from holdfast.workers.durable.ids import DurableObjectId
from holdfast.workers.durable.instance import Instance
from holdfast.workers.durable.services import ObjectClass, Services, Socket
from holdfast.workers.durable.state import DurableObjectState
from holdfast.workers.runtime import asleep

# The close code of a socket whose object was reset. The original drops the connection (1006); a Close with a reason says more.
RESET_CODE = 1011
GROUP_DIGITS = 16

MESSAGE_NAMES = ("webSocketMessage", "web_socket_message", "websocket_message", "on_webSocketMessage")
CLOSE_NAMES = ("webSocketClose", "web_socket_close", "websocket_close", "on_webSocketClose")
ERROR_NAMES = ("webSocketError", "web_socket_error", "websocket_error", "on_webSocketError")


# Of all objects whose sockets are put away; nothing is ever in it.
_NONE_AWAKE: dict[Socket, None] = {}


class Registry(Protocol):
    """Who has all objects (`objects.Objects`)."""

    is_retiring: bool
    has_left: bool

    def known(self, actor: "Actor") -> "Actor": ...
    def woke(self, actor: "Actor") -> None: ...
    def slept(self, actor: "Actor") -> None: ...
    def roused(self, actor: "Actor") -> None: ...


class Actor:
    """See above. It owns its sockets (`runtime.sockets.SocketOwner`)."""

    __slots__ = (
        "_asleep", "_registry", "_resumed", "_services", "_sockets", "_until", "_waiting", "auto_response", "event_timeout_ms", "id", "instance",
        "is_leaving", "kind",
    )  # fmt: skip

    def __init__(self, registry: Registry, services: Services, kind: ObjectClass, id: DurableObjectId) -> None:  # noqa: A002
        self.kind = kind
        self.id = id
        self.instance: Instance | None = None
        # Those that are not put away.
        self._sockets: dict[Socket, None] = {}
        self._asleep: asleep.Asleep | None = None
        self.event_timeout_ms = 0
        self.auto_response: tuple[str, str] | None = None
        self.is_leaving = False
        self._registry = registry
        self._services = services
        # While the file of a broken instance is in use, events wait.
        self._until: asyncio.Future[None] | None = None
        self._waiting: list[Event] | None = None
        # Sockets of processes before this one: what comes on them may have been handled there.
        self._resumed: set[Socket] | None = None

    @property
    def group(self) -> int:
        """The number by which edges know its sockets."""
        return int(str(self.id)[:GROUP_DIGITS], 16)

    @property
    def names(self) -> tuple[str, str, str | None]:
        """Of its class, its id, its name, as its sockets have them."""
        return self.kind.namespace, str(self.id), self.id.name

    # Its sockets, put away while nothing happens to any of them (`runtime.asleep`).

    @property
    def sockets(self) -> dict[Socket, None]:
        """All of them, in the order of their acceptance."""
        if self._asleep is not None:
            self.rouse()
        return self._sockets

    @sockets.setter
    def sockets(self, sockets: dict[Socket, None]) -> None:
        self._sockets = sockets

    @property
    def socket_count(self) -> int:
        """How many it has, awake and asleep."""
        return len(self._sockets) + (0 if self._asleep is None else self._asleep.count)

    def rest(self) -> bool:
        """Put them away; False where that cannot be: it is in memory, or somebody else has one."""
        if self.instance is not None or not self._sockets or self._asleep is not None or self._waiting:
            return False
        self._asleep = asleep.sleep(self, self._sockets, self._resumed or ())
        if self._asleep is None:
            return False
        self._sockets, self._resumed = _NONE_AWAKE, None
        return True

    def settle(self) -> object:
        """Have what they are put away as lie where there is room now; what it was until now."""
        if self._asleep is None:
            return None
        before = self._asleep, self.id
        self._asleep, self.id = self._asleep.anew(), self.id.anew()
        return before

    def rouse(self) -> None:
        """Have them again (`channel.link.Sleeper`)."""
        if self._asleep is not None:
            away, self._asleep = self._asleep, None
            self._sockets, resumed = away.woken(self)
            self._resumed = resumed or None
            self._registry.roused(self)

    def answered(self, sid: int, at_ms: int) -> None:
        """An edge answered for one that is put away."""
        if self._asleep is not None:
            self._asleep.answered(sid, at_ms)

    # Events.

    def deliver(self, event: Event) -> None:
        """Let an event happen to the object; it is made if it is not in memory."""
        instance = self.instance
        if instance is None:
            if self._registry.has_left:
                event.fail(ObjectReset(NO_LONGER_ACTIVE, retryable=True))
                return
            if (known := self._registry.known(self)) is not self:
                known.deliver(event)
                return
            if self._until is not None:
                self._waiting = self._waiting or []
                self._waiting.append(event)
                return
            made = self._is_made_for(event)
            try:
                instance = self._wake()
            except BaseException as error:  # noqa: BLE001  user code's constructor; the event tells who asked
                event.fail(error)
                if isinstance(event, SocketEvent):
                    self.lose(event.socket)
                return
            if not instance.gate.is_closed:
                made()
        instance.deliver(event)

    @property
    def queued(self) -> int:
        """How many events wait."""
        return len(self._waiting or ()) + (0 if self.instance is None else self.instance.queued)

    @property
    def waiting(self) -> Iterator[Event]:
        """The events that wait."""
        return chain(self._waiting or (), () if self.instance is None else self.instance.waiting)

    @property
    def at_work(self) -> Iterable[Event]:
        """The events that run."""
        return () if self.instance is None else self.instance.at_work

    @property
    def running(self) -> int:
        """How many events run."""
        return 0 if self.instance is None else self.instance.active

    def _wake(self) -> Instance:
        instance = Instance(self, self._services)
        self.instance = instance
        self._count("woken")
        self._registry.woke(self)
        instance.construct(DurableObjectState(self, instance, self._services.exports))
        return instance

    def _is_made_for(self, event: Event) -> Callable[[], None]:
        """Say so, while the constructor runs, and what it blocks: the event may be what the process dies of. What is returned ends that."""
        wakes = self._services.wakes
        session = event.socket.session if isinstance(event, SocketEvent) and wakes is not None else None
        return _nothing if session is None or wakes is None else wakes(session.sid, cast("SocketEvent", event).seq)

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to be known of it."""
        return bool(self.instance or self.socket_count or self._waiting or self._until)

    # What a socket tells (`runtime.sockets.SocketOwner`).

    def message(self, ws: Any, data: Any, seq: int) -> None:  # noqa: ANN401  a WebSocket; str or bytes
        """A message came."""
        if ws in self.sockets:
            self._happen(SocketEvent(ws, MESSAGE_NAMES, (ws, data), seq))

    def closed(self, ws: Any, code: int, reason: str, was_clean: bool, seq: int) -> None:  # noqa: ANN401  a WebSocket
        """It has closed; after the handler the object has it no more."""
        if ws not in self.sockets:
            return
        if self.instance is None and seq and ws.session.skipped_seq == seq:
            # It has ended a process before: an object that is not there is not even made for it.
            self._forget(ws)
            ws.closes(code, reason, was_clean=was_clean, emit=_at_once)
            ws.session.ack(seq)
            return
        event = CloseEvent(ws, CLOSE_NAMES, (ws, code, reason, was_clean), seq)
        event.forget_by(self._forget)
        self._happen(event)

    def failed(self, ws: Any, error: Any, seq: int) -> None:  # noqa: ANN401  a WebSocket; its error
        """Something that is no disconnect went wrong."""
        if ws in self.sockets:
            self._happen(SocketEvent(ws, ERROR_NAMES, (ws, error), seq))

    def _happen(self, event: SocketEvent) -> None:
        if self._registry.is_retiring:
            # Not acknowledged: the next process gets it.
            return
        event.seen = self._services.event_seen
        event.is_suspect = self._resumed is not None and event.socket in self._resumed
        self.deliver(event)

    def _forget(self, ws: Socket) -> None:
        self.sockets.pop(ws, None)
        if self._resumed:
            self._resumed.discard(ws)

    def lose(self, ws: Socket) -> None:
        """Close a socket because its object was reset."""
        if ws in self.sockets:
            self._forget(ws)
            ws.abort(RESET_CODE, SOCKET_LOST)

    # What `ctx` asks (`state.Owner`).

    def accept(self, ws: Any, tags: tuple[str, ...]) -> None:  # noqa: ANN401  `runtime.sockets.WebSocket`
        """Own a half of a pair."""
        ws.accept_hibernatable(
            self,
            tags,
            class_name=self.kind.namespace,
            object_id=str(self.id),
            object_name=self.id.name,
            accepted_ms=self._services.wall_ms(),
        )
        self.sockets[ws] = None

    def resume(self, ws: Any) -> None:  # noqa: ANN401  `runtime.sockets.WebSocket`
        """Own a socket of a process before this one; they come in any order, and stand in the order of their acceptance."""
        ws.owner = self
        last = next(reversed(self.sockets), None)
        self._resumed = self._resumed or set()
        self._resumed.add(ws)
        self._sockets[ws] = None
        if last is not None and ws.accepted_ms < last.accepted_ms:
            self._sockets = dict.fromkeys(sorted(self._sockets, key=_acceptance))
        self._registry.roused(self)

    def answer(self, pair: tuple[str, str] | None) -> None:
        """Have edges answer a text with another."""
        # One that is cleared is always told: it may be of a process before this one, whose edges keep it.
        if pair is None or pair != self.auto_response:
            self.auto_response = pair
            request, response = pair or (None, None)
            self._services.channels.set_auto(self.group, request, response)

    def broadcast(self, sockets: list[Any], data: str | bytes, *, drop: bool, max_backlog_bytes: int) -> None:
        """Send to all of them, when the object's writes are durable."""
        if self.instance is not None:
            self.instance.emit(
                Broadcast(self._services.channels, sockets, data, drop=drop, max_backlog_bytes=max_backlog_bytes)
            )

    # What its instance tells (`instance.Place`).

    def broke(self, instance: Instance, error: BaseException, until: "asyncio.Future[None] | None") -> None:
        """The instance is broken: its sockets are closed; the next event makes a new one."""
        if self.instance is not instance:
            return
        self.instance = None
        self._count("reset")
        if until is not None:
            self._until = until
            until.add_done_callback(self._usable)
        for ws in list(self.sockets):
            self.lose(ws)
        self._registry.slept(self)

    # Leaving memory.

    async def leave(self, reason: str) -> None:
        """Take the instance out of memory, in peace. Events that come meanwhile make a new one."""
        instance = self.instance
        if instance is None or self.is_leaving:
            return
        self.is_leaving = True
        try:
            left = await instance.leave(reason)
        finally:
            self.is_leaving = False
        if self.instance is instance:
            self.instance = None
            # It is garbage by now, and its sockets are to be known to nobody else.
            instance.code = None
            self._count("hibernated" if self.socket_count else "evicted")
            self._registry.slept(self)
        if not self._registry.is_retiring:
            for event in left:
                self.deliver(event)
        else:
            for event in left:
                event.fail(ObjectReset(NO_LONGER_ACTIVE, retryable=True))

    def _count(self, what: str) -> None:
        self._services.count(what)
        self.kind.tally.happened[what] += 1

    def _usable(self, _: object) -> None:
        self._until = None
        waiting, self._waiting = self._waiting, None
        for event in waiting or ():
            self.deliver(event)


def _nothing() -> None:
    """Nobody is told."""


def _at_once(action: Callable[[], None]) -> None:
    action()


def _acceptance(ws: Socket) -> int:
    return ws.accepted_ms
