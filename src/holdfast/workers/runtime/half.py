"""One half of a pair of WebSockets, as the runtime moves it: who hears it, what it is given, what becomes of what it sends.

`sockets.WebSocket` is this with the platform's names. A half that is returned with a 101 is *used*: nobody hears it in this process; its
peer gets a session of an edge instead, and with that the client gets its 101.

Law 1: what nobody has accepted yet is held, up to MAX_HELD_BYTES; beyond them the socket is closed with 1013.
Law 2: events of one half are given in the order they came, whoever hears it, and never from within a call of user code.
Law 3: a Close is answered here, and `ended` is the last that anybody hears.
Law 4: a half that was accepted does not keep its peer: one that nobody has any more, and that went to no client, has ended it (1006).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

from holdfast.workers.channel.binding import Binding, encode, group_of
from holdfast.workers.runtime import console, events
from holdfast.workers.runtime.hearing import Hearing
from holdfast.workers.runtime.services import services
from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsException, JsTypeError

if TYPE_CHECKING:
    from holdfast.workers.channel.session import Session

# Sent to a half that nobody has accepted yet. Precedent: what an edge holds unsent for one socket.
MAX_HELD_BYTES = 16 * 1024 * 1024
# What an edge keeps beside a socket is 64 KiB (`Session` of the core), and 16 KiB of that are for its attachment.
MAX_BINDING_BYTES = 47 * 1024
# What a client is told whose socket's listeners have gone. Precedent: the original's texts.
RESET = (1011, "Durable Object connection closed because the object was reset.")
UPDATED = (1012, "Durable Object reset because its code was updated.")
DISCONNECTED = "WebSocket disconnected without sending Close frame."

# Callbacks of the runtime run as nobody's.
_NOBODY = Context()


class Parked(Protocol):
    """A connection of ours that an edge keeps for a while (`runtime.egress`)."""

    @property
    def token(self) -> str:
        """What the edge knows it by."""

    def close(self) -> None:
        """Give it up."""


class SocketOwner(Protocol):
    """Who has accepted sockets hibernatably: all objects of the process. Called on the loop, outside of any task and context.

    `ws` is a `sockets.WebSocket`.
    """

    def message(self, ws: Any, data: str | ArrayBuffer, seq: int) -> None:  # noqa: ANN401
        """A message came; `ws.session.ack(seq)` when it is done with (seq 0: nobody waits for that)."""

    def closed(self, ws: Any, code: int, reason: str, was_clean: bool, seq: int) -> None:  # noqa: ANN401
        """It is closed; the last event."""

    def failed(self, ws: Any, error: str, seq: int) -> None:  # noqa: ANN401
        """Something that is no disconnect went wrong."""

    def resumed(self, ws: Any, binding: Binding) -> bool:  # noqa: ANN401
        """A socket of a process before this one; False if no object wants it."""


class Acceptance(Enum):
    """Who hears a socket."""

    NOBODY = auto()
    LISTENERS = auto()
    OBJECT = auto()
    USED = auto()
    CONNECTING = auto()


class Half:
    """See above."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_attachment",
        "_far",
        "_got_close",
        "_hearing",
        "_held",
        "_is_constructed",
        "_listeners",
        "_sent_close",
        "_was_closed",
        "acceptance",
        "accepted_ms",
        "auto_answered_ms",
        "binaryType",
        "class_name",
        "extensions",
        "held_bytes",
        "is_half_open",
        "is_heard",
        "object_id",
        "object_name",
        "onclose",
        "onerror",
        "onmessage",
        "onopen",
        "owner",
        "parked",
        "protocol",
        "ray",
        "session",
        "tags",
        "url",
    )

    def __init__(self) -> None:
        self.acceptance = Acceptance.NOBODY
        # Whether listeners or an object hear it; asked for each message.
        self.is_heard = False
        # Whether it answers the peer's Close itself, and may send until then.
        self.is_half_open = False
        # The peer, where it is in this process.
        self._far: Half | ref[Half] | None = None
        # None until there is something: an empty deque takes 600 bytes, and there are many sockets that never hold anything.
        self._held: deque[tuple[Any, ...]] | None = None
        self.held_bytes = 0
        # By user code; by anybody on this side; by the peer.
        self._was_closed = self._sent_close = self._got_close = False
        self._is_constructed = False
        self._listeners: events.Listeners | None = None
        # While listeners hear it.
        self._hearing: Hearing | None = None
        self._attachment: bytes | None = None
        self.session: Session | None = None
        self.owner: SocketOwner | None = None
        self.parked: Parked | None = None
        self.tags: tuple[str, ...] = ()
        self.class_name = self.object_id = ""
        self.object_name: str | None = None
        self.accepted_ms = 0
        self.ray = ""
        self.auto_answered_ms: int | None = None
        self.binaryType = "arraybuffer"
        self.url: str | None = None
        self.protocol = self.extensions = ""
        self.onopen: events.Listener | None = None
        self.onmessage: events.Listener | None = None
        self.onclose: events.Listener | None = None
        self.onerror: events.Listener | None = None

    # --- The runtime's: who hears it ---

    @property
    def _peer(self) -> Half | None:
        return self._far() if isinstance(self._far, ref) else self._far

    @property
    def binding(self) -> Binding:
        """What the edge keeps beside it."""
        return Binding(
            class_name=self.class_name,
            object_id=self.object_id,
            object_name=self.object_name,
            tags=self.tags,
            attachment=self._attachment,
            accepted_ms=self.accepted_ms,
            url=self.url or "",
            protocol=self.protocol,
            ray=self.ray,
        )

    @property
    def is_hibernatable(self) -> bool:
        """Whether an object hears it."""
        return self.acceptance is Acceptance.OBJECT

    @property
    def is_over(self) -> bool:
        """Whether both sides have closed, or it was reset."""
        return self._sent_close and self._got_close

    @property
    def is_constructed(self) -> bool:
        """Whether it came of `new WebSocket()`; such a one cannot be returned with a 101."""
        return self._is_constructed

    def check_hibernatable(self) -> None:
        """Raise what `ctx.acceptWebSocket()` raises for a socket that cannot be heard by an object."""
        # The original says the same of one that an object has.
        if self.acceptance in {Acceptance.LISTENERS, Acceptance.CONNECTING, Acceptance.OBJECT}:
            raise JsException("Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`")
        if self.acceptance is not Acceptance.NOBODY:
            raise JsTypeError("Tried to make already accepted WebSocket hibernatable.")
        if self.parked is not None or self._peer is None or self._peer.acceptance is not Acceptance.NOBODY:
            raise JsException(
                "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response."
            )

    def accept_hibernatable(
        self,
        owner: SocketOwner,
        tags: tuple[str, ...],
        *,
        class_name: str,
        object_id: str,
        object_name: str | None,
        accepted_ms: int,
    ) -> None:
        """Hear it by an object's handlers. Raises as `check_hibernatable`."""
        self.check_hibernatable()
        self.owner, self.tags = owner, tags
        self.class_name, self.object_id, self.object_name = class_name, object_id, object_name
        self.accepted_ms = accepted_ms
        self.ray = console.who()[0]
        size = len(encode(self.binding))
        if size > MAX_BINDING_BYTES:
            raise JsException(
                f"A WebSocket's tags and the name of its object take {size} bytes together; at most {MAX_BINDING_BYTES} can be kept."
            )
        self.acceptance = Acceptance.OBJECT
        self.is_heard = True
        self._part()
        held, self._held, self.held_bytes = self._held, None, 0
        for item in held or ():
            _soon(self._take, item)

    def use(self) -> None:
        """It is returned with a 101: its peer is going to hear the client. Raises what the original's Response does."""
        if self._is_constructed:
            raise JsTypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`")
        if self.acceptance is Acceptance.USED:
            raise JsTypeError("Can't return WebSocket that was already used in a response.")
        if self.acceptance is not Acceptance.NOBODY:
            raise JsTypeError("Can't return WebSocket in a Response after calling accept().")
        self.acceptance = Acceptance.USED

    def opened(self, session: Session) -> bool:
        """The client of a used half is there, and waits for its 101: its peer hears it from now on."""
        peer = self._peer
        if peer is None or (peer.is_over and not self._held):
            return False
        session.socket, peer.session = peer, session
        # It has done its part, and there may be many thousands of them.
        self._far = peer._far = None  # noqa: SLF001 - of the same class
        has_closed = False
        held, self._held, self.held_bytes = self._held, None, 0
        for kind, *rest in held or ():
            if kind == "message":
                session.send(rest[0])
            elif kind == "close":
                has_closed = True
                session.close(rest[0] if rest[0] != 1005 else 0, rest[1])
        # Behind that: with its binding the client gets its 101, and what was said before is there whatever becomes of us.
        session.bind(
            group_of(peer.object_id),
            encode(peer.binding),
            is_hibernatable=peer.is_hibernatable,
            is_half_open=peer.is_half_open and not has_closed,
        )
        if peer.acceptance is Acceptance.CONNECTING:
            peer.acceptance, peer.is_heard = Acceptance.LISTENERS, True
            peer.give(("open",))
        return True

    def lost(self) -> None:
        """The client of a used half never came."""
        if self._peer is not None and self._peer.session is None:
            self._peer.ended(1006, DISCONNECTED, was_clean=False, seq=0)

    def cut_off(self) -> None:
        """The peer, in this process, was reset."""
        if self.acceptance is Acceptance.USED:
            # Its client has not come yet: it will not be wanted.
            self._held, self.held_bytes = None, 0
        else:
            self.ended(1006, DISCONNECTED, was_clean=False, seq=0)

    def give_up(self) -> None:
        """User code wants the connection of a `new WebSocket()` no more, which has not come about: it fails (WebSockets standard, `close()`)."""
        self._was_closed = self._sent_close = self._got_close = True
        _soon(self.failed_to_connect, JsException("WebSocket was closed before the connection was established"))

    def failed_to_connect(self, error: BaseException) -> None:
        """The connection of a `new WebSocket()` did not come about."""
        if self.acceptance is not Acceptance.CONNECTING:
            return
        self.acceptance, self.is_heard = Acceptance.LISTENERS, True
        self._sent_close = self._got_close = True
        self.give(("error", error, 0))
        self.give(("close", 1006, "Failed to establish WebSocket connection", False, 0))

    def abort(self, code: int, reason: str) -> None:
        """Its object was reset: close it at once, and tell nobody here."""
        was_over = self.is_over
        self._sent_close = self._got_close = True
        if self.session is not None:
            self.session.abort(code, reason)
        elif self._peer is not None and not was_over:
            self._peer.cut_off()

    # --- The runtime's: what its session, or its peer, says (channel.session.Receiver) ---

    def arrived(self, data: str | bytes, seq: int) -> None:
        """A message of the peer's."""
        if self.owner is not None:
            self.owner.message(self, data if isinstance(data, str) else ArrayBuffer(data), seq)
        else:
            self.give(("message", data, seq))

    def ended(self, code: int, reason: str, *, was_clean: bool, seq: int) -> None:
        """The peer closed, and has been answered; or it is gone."""
        if self._got_close:
            self.done(seq)
            return
        self._got_close = True
        # What ended without a Close, or by the edge, has nobody to answer.
        self._sent_close |= not (self.is_half_open and was_clean)
        self.give(("close", code, reason, was_clean, seq))

    def broke(self, error: str, seq: int) -> None:
        """Something that is no disconnect went wrong."""
        self.give(("error", JsException(error), seq))

    def auto_answered(self, at_ms: int) -> None:
        """The edge answered for us."""
        self.auto_answered_ms = at_ms

    # --- Parts ---

    def _part(self) -> None:
        """Keep a peer that nobody has accepted or used only as long as somebody else does: it may be dropped with the answer it was in."""
        if (peer := self._peer) is not None and peer.acceptance is Acceptance.NOBODY:
            self._far = ref(peer, partial(_dropped, asyncio.get_running_loop(), ref(self)))

    def transmit(self, data: str | bytes, number: int = 0) -> None:
        """Have the peer get a message. `number`: under which it was written down, if it was."""
        if self.session is not None:
            self.session.send(data, number)
        elif self._peer is not None:
            self._peer.from_peer(("message", data, 0))

    def transmit_close(self, code: int, reason: str, number: int = 0) -> None:
        """Have the peer get a Close; code 0 is one without."""
        if self.session is not None:
            self.session.close(code, reason, number)
        elif self._peer is not None:
            self._peer.from_peer(("close", code or 1005, reason, True, 0))

    def from_peer(self, item: tuple[Any, ...]) -> None:
        """The peer, in this process, sent or closed."""
        if not self.is_heard:
            self._hold(item)
        else:
            _soon(self._take, item)

    def _keep(self, item: tuple[Any, ...]) -> None:
        if self._held is None:
            self._held = deque()
        self._held.append(item)

    def _hold(self, item: tuple[Any, ...]) -> None:
        self._keep(item)
        if item[0] == "message":
            self.held_bytes += len(item[1])
        if self.held_bytes > MAX_HELD_BYTES and self._peer is not None:
            self._held = deque([("close", 1013, "too much was sent before the WebSocket was accepted", True, 0)])
            self.held_bytes = 0
            self._peer.ended(1013, "too much was sent before the WebSocket was accepted", was_clean=False, seq=0)

    def _take(self, item: tuple[Any, ...]) -> None:
        """What the peer in this process sent, now that it is this socket's turn."""
        if item[0] != "close":
            self.arrived(item[1], 0)
            return
        answers = not self._sent_close and not self.is_half_open
        self.ended(item[1], item[2], was_clean=True, seq=0)
        if answers and self._peer is not None:
            self._peer.echoed(item[1], item[2])

    def echoed(self, code: int, reason: str) -> None:
        """The peer answered our Close."""
        _soon(partial(self.ended, was_clean=True, seq=0), code, reason)

    def give(self, item: tuple[Any, ...]) -> None:
        """An event, to whoever hears it."""
        if self.owner is not None:
            self._give_owner(self.owner, item)
            return
        self._keep(item)
        if self._hearing is not None:
            self._hearing.wake()

    def _give_owner(self, owner: SocketOwner, item: tuple[Any, ...]) -> None:
        match item:
            case ("message", data, seq):
                owner.message(self, data if isinstance(data, str) else ArrayBuffer(data), seq)
            case ("close", code, reason, was_clean, seq):
                owner.closed(self, code, reason, was_clean, seq)
            case ("error", error, seq):
                owner.failed(self, str(getattr(error, "message", error)), seq)
            case _:
                # "open": whoever hears it by an object was open before.
                return

    def done(self, seq: int) -> None:
        """Everything up to this event is done with; 0: nobody waits for that."""
        if seq and self.session is not None:
            self.session.ack(seq)

    # --- Listeners (`hearing`) ---

    def hear(self) -> None:
        """Hear it by listeners from now on."""
        self.acceptance, self.is_heard = Acceptance.LISTENERS, True
        self._part()
        self.listen()

    def listen(self) -> None:
        """Give listeners what comes from now on."""
        self._hearing = Hearing(self)
        self._hearing.start().add_done_callback(self._heard_all, context=_NOBODY)

    def next_given(self) -> tuple[Any, ...] | None:
        """The next event for its listeners; None while there is none."""
        while self._held:
            item = self._held.popleft()
            if item[0] == "message":
                self.held_bytes = max(self.held_bytes - len(item[1]), 0)
            elif item[0] == "close" and self._peer is not None and not self._got_close:
                # Held from before accept(): a Close of the peer in this process is answered as one that comes later.
                self._take(item)
                continue
            return item
        return None

    def listeners_of(self, event_type: str) -> list[events.Listener]:
        """Whom to call for an event of this type, in order."""
        first: events.Listener | None = getattr(self, f"on{event_type}", None)
        others = self._listeners.of(event_type) if self._listeners is not None else []
        return others if first is None else [first, *others]

    def _heard_all(self, task: asyncio.Task[None]) -> None:
        self._hearing = None
        if task.cancelled() or task.exception() is not None:
            # Its object was reset, or leaves for new code: nobody listens any more.
            self.abort(*(UPDATED if services.is_retiring else RESET))


def _soon(action: Callable[..., None], *args: object) -> None:
    asyncio.get_running_loop().call_soon(action, *args, context=_NOBODY)


def _dropped(loop: asyncio.AbstractEventLoop, left: ref[Half], _peer: object) -> None:
    # Called by the collector: from any thread, at any time.
    if not loop.is_closed():
        loop.call_soon_threadsafe(_disconnected, left, context=_NOBODY)


def _disconnected(left: ref[Half]) -> None:
    if (half := left()) is not None:
        half.ended(1006, DISCONNECTED, was_clean=False, seq=0)


def pair(one: Half, other: Half) -> None:
    """Make them each other's peers."""
    one._far, other._far = other, one  # noqa: SLF001 - of the same module
