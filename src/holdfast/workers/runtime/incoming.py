"""What comes for one half of a pair: from its client by a session, or from its peer in this process; and how it gets to whoever hears it.

Law 1: what nobody has accepted yet is held, up to MAX_HELD_BYTES; beyond them the socket is closed with 1013.
Law 2: events are given in the order they came, whoever hears them, and never from within a call of user code.
Law 3: a Close is answered here, and `ended` is the last that anybody hears.
Law 4: a socket is open until whoever hears it is given its end (`closes`): what came before that is handled by code that may answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.workers.durable import current
from holdfast.workers.durable.errors import RESET_BY_CODE, SOCKET_LOST
from holdfast.workers.runtime import events
from holdfast.workers.runtime.hearing import Hearing
from holdfast.workers.runtime.services import services
from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsException

if TYPE_CHECKING:
    from holdfast.workers.channel.binding import Binding
    from holdfast.workers.channel.session import Session

# Sent to a half that nobody has accepted yet: two of the longest messages. Precedent: what an edge holds unsent for a socket that reads.
MAX_HELD_BYTES = 64 * 1024 * 1024
# RFC 6455 §7.1.5: what a Close without a code is told as.
NO_CODE = 1005
# What a client is told whose socket's listeners have gone. Precedent: the original's texts.
RESET = (1011, SOCKET_LOST)
UPDATED = (1012, RESET_BY_CODE)

# Callbacks of the runtime run as nobody's.
NOBODY = Context()


class Parked(Protocol):
    """A connection of ours that an edge keeps for a while (`runtime.egress_answer`)."""

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


class Incoming:
    """See above. It is told as `channel.session.Receiver` and, by a peer in this process, `from_peer`, `echoed`."""

    __slots__ = (
        "_got_close",
        "_has_ended",
        "_hearing",
        "_held",
        "_listeners",
        "_sent_close",
        "auto_answered_ms",
        "held_bytes",
        "is_half_open",
        "is_heard",
        "onclose",
        "onerror",
        "onmessage",
        "onopen",
        "owner",
        "session",
    )

    def __init__(self) -> None:
        # Whether listeners or an object hear it; asked for each message.
        self.is_heard = False
        # Whether it answers the peer's Close itself, and may send until then.
        self.is_half_open = False
        # None until there is something: an empty deque takes 600 bytes, and there are many sockets that never hold anything.
        self._held: deque[tuple[Any, ...]] | None = None
        self.held_bytes = 0
        # By anybody on this side; by the peer.
        self._sent_close = self._got_close = False
        # The last event is there, given or not.
        self._has_ended = False
        self._listeners: events.Listeners | None = None
        # While listeners hear it.
        self._hearing: Hearing | None = None
        self.session: Session | None = None
        self.owner: SocketOwner | None = None
        self.auto_answered_ms: int | None = None
        self.onopen: events.Listener | None = None
        self.onmessage: events.Listener | None = None
        self.onclose: events.Listener | None = None
        self.onerror: events.Listener | None = None

    if TYPE_CHECKING:
        # The rest of it has these (`half.Half`).

        @property
        def _peer(self) -> Incoming | None: ...

        def abort(self, code: int, reason: str) -> None: ...

    # --- What its session, or its peer, says (channel.session.Receiver) ---

    def arrived(self, data: str | bytes, seq: int) -> None:
        """A message of the peer's."""
        if self.owner is not None:
            self.owner.message(self, data if isinstance(data, str) else ArrayBuffer(data), seq)
        else:
            self.give(("message", data, seq))

    def ended(self, code: int, reason: str, *, was_clean: bool, seq: int) -> None:
        """The peer closed, and has been answered; or it is gone."""
        if self._has_ended or self._got_close:
            self.done(seq)
            return
        self._has_ended = True
        self.give(("close", code, reason, was_clean, seq))

    def closes(
        self, code: int, reason: str, *, was_clean: bool, emit: Callable[[Callable[[], None]], None] = current.emit
    ) -> None:
        """Whoever hears it is about to be given its end: it is closed from now on, and what is still at work cannot answer. `emit` is whoever
        hears it letting something out.
        """
        answers = was_clean and not self._sent_close and not self.is_half_open
        self._got_close = True
        # What ended without a Close, or by the edge, has nobody to answer.
        self._sent_close |= not (self.is_half_open and was_clean)
        if answers and self.session is not None:
            # Behind what has been sent, as that is behind its writes: the edge has its own answer wait for those that may be still to come.
            emit(partial(self.session.close, code if code != NO_CODE else 0, reason))
        elif answers and self._peer is not None:
            self._peer.echoed(code, reason)

    def broke(self, error: str, seq: int) -> None:
        """Something that is no disconnect went wrong."""
        self.give(("error", JsException(error), seq))

    def auto_answered(self, at_ms: int) -> None:
        """The edge answered for us."""
        self.auto_answered_ms = at_ms

    def from_peer(self, item: tuple[Any, ...]) -> None:
        """The peer, in this process, sent or closed."""
        if not self.is_heard:
            self._hold(item)
        else:
            soon(self._take, item)

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
        if item[0] == "close":
            self.ended(item[1], item[2], was_clean=True, seq=0)
        else:
            self.arrived(item[1], 0)

    def echoed(self, code: int, reason: str) -> None:
        """The peer answered our Close."""
        soon(partial(self.ended, was_clean=True, seq=0), code, reason)

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
            case ("close", code, reason, was_clean, seq):
                owner.closed(self, code, reason, was_clean, seq)
            case ("error", error, seq):
                owner.failed(self, str(getattr(error, "message", error)), seq)
            case _:
                # "open": whoever hears it by an object was open before. Messages take a shorter way (`arrived`).
                return

    def done(self, seq: int) -> None:
        """Everything up to this event is done with; 0: nobody waits for that."""
        if seq and self.session is not None:
            self.session.ack(seq)

    # --- Listeners (`hearing`) ---

    def listen(self) -> None:
        """Give listeners what comes from now on."""
        self._hearing = Hearing(self)
        self._hearing.start().add_done_callback(self._heard_all, context=NOBODY)

    def next_given(self) -> tuple[Any, ...] | None:
        """The next event for its listeners; None while there is none."""
        while self._held:
            item = self._held.popleft()
            if item[0] == "message":
                self.held_bytes = max(self.held_bytes - len(item[1]), 0)
            elif item[0] == "close" and self._peer is not None and not self._has_ended:
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


def soon(action: Callable[..., None], *args: object) -> None:
    """Call it when the loop comes round, as nobody's."""
    asyncio.get_running_loop().call_soon(action, *args, context=NOBODY)
