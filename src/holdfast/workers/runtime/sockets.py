"""WebSockets as user code has them: halves of a pair, sockets of clients, sockets of its own to elsewhere.

What one half of a pair sends the other gets, when it is accepted: by `accept()` (events go to listeners) or by `ctx.acceptWebSocket()` (they go
to the object's handlers). A half that is returned with a 101 goes to the client. A parked connection (the answer to an upgrade of ours) is
a half whose hidden peer is elsewhere, once it is accepted.

Law 1: one socket is one object from its accept to its end, hashable, equal to itself alone.
Law 2: what is sent leaves in the order of the calls, each behind the writes of its object that came before it.
Law 3: the peer's Close is answered for user code: in its close handler the socket is closed, and closing it again does nothing.
Errors and their texts are those of workerd (`web-socket.c++`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any

from holdfast.workers import values
from holdfast.workers.channel.binding import Binding, decode, encode
from holdfast.workers.durable.current import CURRENT
from holdfast.workers.runtime import close_codes, events
from holdfast.workers.runtime.half import Half, pair
from holdfast.workers.runtime.incoming import Acceptance, Parked, SocketOwner
from holdfast.workers.runtime.outgoing import connecting
from holdfast.workers.runtime.outputs import Closing, Keeping, Sending
from holdfast.workers.runtime.services import services
from holdfast.workers.sdk.errors import DOMException, JsException, JsTypeError
from holdfast.workers.sdk.proxied import Constructed
from holdfast.workers.sdk.sending import sendable

if TYPE_CHECKING:
    from holdfast.workers.channel.session import Session

__all__ = ["SocketOwner", "WebSocket", "WebSocketPair", "WebSocketRequestResponsePair"]

# The original's limit of `serializeAttachment`; its own encoding has a byte more, so the longest text that fits there is the longest here.
MAX_ATTACHMENT_BYTES, _MORE_THERE = 16_384, 1
NOT_ACCEPTED = "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."


class WebSocket(Half, Constructed):
    """See above. The public names are the platform's; `session`, `owner`, `tags`, `binding` are the runtime's."""

    CONNECTING = READY_STATE_CONNECTING = 0
    OPEN = READY_STATE_OPEN = 1
    CLOSING = READY_STATE_CLOSING = 2
    CLOSED = READY_STATE_CLOSED = 3

    __slots__ = ()

    # --- Made ---

    @classmethod
    def new(cls, url: object, protocols: object = None) -> WebSocket:
        """A connection of our own, as `new WebSocket(url, protocols)`: begins at once, accepted, tells by its events."""
        socket = cls()
        socket._is_constructed = True
        socket.acceptance = Acceptance.CONNECTING
        connecting(socket, cls(), url, protocols)
        # Of who opens it, not of who says that it is open.
        socket.listen()
        return socket

    @classmethod
    def parked_at(cls, parked: Parked, *, url: str, protocol: str, extensions: str) -> WebSocket:
        """The socket of an answered upgrade of ours, unaccepted: `accept()` it, or return it with a 101 to pass it on."""
        socket = cls()
        socket.url, socket.protocol, socket.extensions = url, protocol, extensions
        socket.parked = parked
        pair(socket, cls())
        return socket

    @classmethod
    def resumed(cls, session: Session, binding: Binding, owner: SocketOwner) -> WebSocket:
        """A hibernatable socket of a process before this one."""
        socket = cls()
        socket.acceptance, socket.is_heard = Acceptance.OBJECT, True
        socket.session, socket.owner = session, owner
        socket.class_name, socket.object_id, socket.object_name = (
            binding.class_name,
            binding.object_id,
            binding.object_name,
        )
        socket.tags, socket._attachment = binding.tags, binding.attachment
        socket.accepted_ms, socket.ray = binding.accepted_ms, binding.ray
        session.socket = socket
        return socket

    def goes_on(self, *, state: bytes | None = None, is_closed: bool = False) -> None:
        """What the process before this one had it let out, and its edge did not take: it has said so now."""
        if state is not None:
            self._attachment = decode(state).attachment
        if is_closed:
            self._was_closed = self._sent_close = True

    # --- The platform's ---

    @property
    def readyState(self) -> int:  # noqa: N802 - the platform's name
        """0 connecting, 1 open, 2 closing, 3 closed."""
        if self.acceptance is Acceptance.CONNECTING:
            return self.CLOSING if self._was_closed else self.CONNECTING
        if self.is_over:
            return self.CLOSED
        return self.CLOSING if self._sent_close or self._got_close else self.OPEN

    @property
    def bufferedAmount(self) -> int:  # noqa: N802 - the platform's name
        """Bytes that were sent and have not left for the peer, as far as is known here."""
        if self.session is not None:
            return self.session.buffered_bytes
        return self._peer.held_bytes if self._peer is not None else 0

    def accept(self, options: object = None) -> None:
        """Hear it here, by listeners. Nothing happens if it is heard so already. `options`: `{"allowHalfOpen": True}` leaves it to
        `close()` to answer the peer's Close.
        """
        if self.acceptance is Acceptance.CONNECTING:
            raise JsTypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept")
        if self.acceptance is Acceptance.OBJECT:
            raise JsTypeError("Can't accept() WebSocket after enabling hibernation.")
        if self.acceptance is Acceptance.USED:
            raise JsTypeError("Can't accept() WebSocket that was already used in a response.")
        if self.acceptance is Acceptance.NOBODY:
            self.is_half_open = _option(options, "allowHalfOpen")
            parked, self.parked = self.parked, None
            if parked is not None and self._peer is not None:
                self._peer.acceptance = Acceptance.USED
                services.adopt(self._peer, parked.token)
            self.hear()

    def send(self, message: object) -> None:
        """Send text (`str`) or bytes, 32 MiB at most (JsRangeError); ignored when the peer is gone. From another thread than the loop's:
        soon, and what that raises is told to the loop.
        """
        if get_ident() != services.thread and services.elsewhere(partial(self.send, message)):
            return
        data = sendable(message, by="WebSocket.send()")
        if not self.is_heard:
            raise self._not_yet()
        if self._was_closed:
            raise JsTypeError("Can't call WebSocket send() after close().")
        if self.is_over:
            return
        activity = CURRENT.get()
        if activity is None:
            self.transmit(data)
        else:
            activity.emit(Sending(self, data))

    def close(self, code: object = None, reason: object = None) -> None:
        """Begin to close, or do nothing if that has begun."""
        if services.elsewhere(partial(self.close, code, reason)) or self._was_closed or self._sent_close:
            return
        checked_code, checked_reason = close_codes.checked(code, reason)
        if self.acceptance is Acceptance.CONNECTING:
            self.give_up()
            return
        if not self.is_heard:
            raise self._not_yet()
        self._was_closed = self._sent_close = True
        activity = CURRENT.get()
        action = Closing(self, checked_code, checked_reason)
        if activity is None:
            action()
        else:
            activity.emit(action)

    def addEventListener(self, event_type: str, listener: events.Listener, options: object = None) -> None:  # noqa: N802
        """Call `listener(event)` for each event of this type; `options`: `{"once": True}`, or what JavaScript takes."""
        if self._listeners is None:
            self._listeners = events.Listeners()
        self._listeners.add(str(event_type), listener, once=_option(options, "once"))

    def removeEventListener(self, event_type: str, listener: events.Listener, options: object = None) -> None:  # noqa: N802
        """Call it no longer."""
        if self._listeners is not None:
            self._listeners.remove(str(event_type), listener)

    def serializeAttachment(self, value: object) -> None:  # noqa: N802 - the platform's name
        """Keep a copy of `value` with this connection, for as long as it is there."""
        data = values.encode(value)
        if (size := len(data) + _MORE_THERE) > MAX_ATTACHMENT_BYTES:
            raise JsException(
                f"A WebSocket 'attachment' cannot be larger than {MAX_ATTACHMENT_BYTES} bytes.'attachment' was {size} bytes."
            )
        self._attachment = data
        if self.session is not None and self.acceptance is Acceptance.OBJECT:
            keeping = Keeping(self, encode(self.binding))
            activity = CURRENT.get()
            if activity is None:
                keeping()
            else:
                # With what its object has written: the handler runs again, or what it left here is kept.
                activity.emit(keeping)

    def deserializeAttachment(self) -> Any:  # noqa: ANN401, N802 - what user code put there
        """A copy of what was kept, or None."""
        return None if self._attachment is None else values.decode(self._attachment)

    def getReadyState(self) -> int:  # noqa: N802 - the platform's name
        """As `readyState`."""
        return self.readyState

    add_event_listener = addEventListener
    remove_event_listener = removeEventListener
    serialize_attachment = serializeAttachment
    deserialize_attachment = deserializeAttachment
    ready_state = readyState
    buffered_amount = bufferedAmount

    def _not_yet(self) -> JsException:
        if self.acceptance is Acceptance.CONNECTING:
            return DOMException("The WebSocket is still connecting; wait for its 'open' event.", "InvalidStateError")
        return JsTypeError(NOT_ACCEPTED)

    @property
    def binaryType(self) -> str:  # noqa: N802 - the platform's name
        """`arraybuffer` or `blob`; another is not heard. What is binary can be read as either, whatever is set."""
        return self._binary_type

    @binaryType.setter
    def binaryType(self, value: str) -> None:  # noqa: N802 - as above
        if value in {"arraybuffer", "blob"}:
            self._binary_type = value

    binary_type = binaryType

    def __repr__(self) -> str:
        state = ("CONNECTING", "OPEN", "CLOSING", "CLOSED")[self.readyState]
        return f"<WebSocket {state}{f' tags={list(self.tags)}' if self.tags else ''}>"


def _option(options: object, name: str) -> bool:
    return bool(options.get(name) if isinstance(options, dict) else getattr(options, name, False))


class WebSocketPair:
    """Two sockets that are each other's peers: `client, server = WebSocketPair.new()`, `.object_values()`, `pair[0]`, `pair["1"]`."""

    __slots__ = ("_halves",)

    def __init__(self) -> None:
        self._halves = (WebSocket(), WebSocket())
        pair(*self._halves)

    @classmethod
    def new(cls) -> WebSocketPair:
        """As the constructor."""
        return cls()

    def __iter__(self) -> Iterator[WebSocket]:
        return iter(self._halves)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int | str) -> WebSocket:
        return self._halves[int(index)]

    def __getattr__(self, name: str) -> WebSocket:
        # `getattr(pair, "0")`: in JavaScript they are properties of it.
        if name in {"0", "1"}:
            return self._halves[int(name)]
        raise AttributeError(f"'WebSocketPair' object has no attribute {name!r}")

    def object_values(self) -> tuple[WebSocket, WebSocket]:
        """Both."""
        return self._halves

    values = object_values

    def object_keys(self) -> list[str]:
        """Their names in JavaScript."""
        return ["0", "1"]

    def object_entries(self) -> list[tuple[str, WebSocket]]:
        """Both, by their names in JavaScript."""
        return [("0", self._halves[0]), ("1", self._halves[1])]

    def to_py(self, **_options: object) -> tuple[WebSocket, WebSocket]:
        """Both."""
        return self._halves


class WebSocketRequestResponsePair:
    """What edges are to answer for an object: a message equal to `request` with `response`."""

    __slots__ = ("request", "response")

    def __init__(self, request: str, response: str) -> None:
        self.request, self.response = str(request), str(response)

    @classmethod
    def new(cls, request: str, response: str) -> WebSocketRequestResponsePair:
        """As the constructor."""
        return cls(request, response)

    def getRequest(self) -> str:  # noqa: N802 - the platform's name
        """As `request`."""
        return self.request

    def getResponse(self) -> str:  # noqa: N802 - the platform's name
        """As `response`."""
        return self.response

    def __repr__(self) -> str:
        return f"WebSocketRequestResponsePair({self.request!r}, {self.response!r})"
