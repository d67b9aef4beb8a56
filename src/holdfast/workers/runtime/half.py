"""One half of a pair of WebSockets, as the runtime moves it: who hears it, and what becomes of what it sends (what it is given: `incoming.py`).

`sockets.WebSocket` is this with the platform's names. A half that is returned with a 101 is *used*: nobody hears it in this process; its
peer gets a session of an edge instead, and with that the client gets its 101.

Law: a half that was accepted does not keep its peer: one that nobody has any more, and that went to no client, has ended it (1006).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from holdfast.workers.channel.binding import Binding, encode, group_of
from holdfast.workers.channel.records import GONE
from holdfast.workers.runtime import console
from holdfast.workers.runtime.incoming import NOBODY, Acceptance, Incoming, Parked, SocketOwner, soon
from holdfast.workers.sdk.errors import JsException, JsTypeError

if TYPE_CHECKING:
    from holdfast.workers.channel.session import Session

# What an edge keeps beside a socket is 64 KiB (`Session` of the core), and 16 KiB of that are for its attachment.
MAX_BINDING_BYTES = 47 * 1024


class Half(Incoming):
    """See above."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_attachment",
        "_binary_type",
        "_far",
        "_is_constructed",
        "_was_closed",
        "acceptance",
        "accepted_ms",
        "class_name",
        "extensions",
        "object_id",
        "object_name",
        "parked",
        "protocol",
        "ray",
        "tags",
        "url",
    )

    def __init__(self) -> None:
        super().__init__()
        self.acceptance = Acceptance.NOBODY
        # The peer, where it is in this process.
        self._far: Half | ref[Half] | None = None
        # By user code.
        self._was_closed = False
        # Of `new WebSocket()`: it cannot be returned with a 101.
        self._is_constructed = False
        self._attachment: bytes | None = None
        self.parked: Parked | None = None
        self.tags: tuple[str, ...] = ()
        self.class_name = self.object_id = ""
        self.object_name: str | None = None
        self.accepted_ms = 0
        self.ray = ""
        self._binary_type = "arraybuffer"
        self.url: str | None = None
        self.protocol = self.extensions = ""

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
            soon(self._take, item)

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
            self._peer.ended(1006, GONE, was_clean=False, seq=0)

    def cut_off(self) -> None:
        """The peer, in this process, was reset."""
        if self.acceptance is Acceptance.USED:
            # Its client has not come yet: it will not be wanted.
            self._held, self.held_bytes = None, 0
        else:
            self.ended(1006, GONE, was_clean=False, seq=0)

    def give_up(self) -> None:
        """User code wants the connection of a `new WebSocket()` no more, which has not come about: it fails (WebSockets standard, `close()`)."""
        self._was_closed = self._sent_close = self._got_close = True
        soon(self.failed_to_connect, JsException("WebSocket was closed before the connection was established"))

    def failed_to_connect(self, error: BaseException) -> None:
        """The connection of a `new WebSocket()` did not come about."""
        if self.acceptance is not Acceptance.CONNECTING:
            return
        self.acceptance, self.is_heard = Acceptance.LISTENERS, True
        self._sent_close = self._got_close = self._has_ended = True
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

    def hear(self) -> None:
        """Hear it by listeners from now on."""
        self.acceptance, self.is_heard = Acceptance.LISTENERS, True
        self._part()
        self.listen()


def _dropped(loop: asyncio.AbstractEventLoop, left: ref[Half], _peer: object) -> None:
    # Called by the collector: from any thread, at any time.
    if not loop.is_closed():
        loop.call_soon_threadsafe(_disconnected, left, context=NOBODY)


def _disconnected(left: ref[Half]) -> None:
    if (half := left()) is not None:
        half.ended(1006, GONE, was_clean=False, seq=0)


def pair(one: Half, other: Half) -> None:
    """Make them each other's peers."""
    one._far, other._far = other, one  # noqa: SLF001 - of the same module
