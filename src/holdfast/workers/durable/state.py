"""`ctx` of a Durable Object: what its code may ask of the runtime.

camelCase names are the original's and canonical; each has a snake_case alias. `broadcast`, and what tells why an object stays in memory
(`reasons`), are ours.

Law 1: what is asked about sockets is answered at once, in a constructor too: which there are, their tags and attachments are known here.
Law 2: what the original refuses is refused, in its words.
Source: workerd `actor-state.c++`, `hibernation-manager.c++`; limits as measured there.
"""

# The original's methods keep their names.
# ruff: noqa: N802

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn, Protocol

from holdfast.workers.durable.errors import ObjectReset
from holdfast.workers.durable.ids import DurableObjectId
from holdfast.workers.durable.services import Socket
from holdfast.workers.sdk.entrypoints import DurableObjectAbort
from holdfast.workers.sdk.errors import JsException, JsRangeError, JsTypeError
from holdfast.workers.sdk.sending import as_text, sendable, well_formed
from holdfast.workers.sdk.values import JsList
from holdfast.workers.sdk.web.dates import Date

# The original's limits, all of them.
MAX_TAGS = 10
MAX_TAG_CHARACTERS = 256
MAX_SOCKETS = 32_768
MAX_AUTO_BYTES = 2_048
MAX_EVENT_TIMEOUT_MS = 7 * 24 * 3_600_000
# The field of a record that says it has 32 bits.
MAX_BACKLOG_BYTES = 0xFFFF_FFFF

OPEN = 1


class Owner(Protocol):
    """The object behind it, with its sockets (`actor.Actor`)."""

    id: DurableObjectId
    sockets: dict[Socket, None]
    event_timeout_ms: int
    auto_response: tuple[str, str] | None

    def accept(self, ws: Any, tags: tuple[str, ...]) -> None: ...  # noqa: ANN401  `runtime.sockets.WebSocket`
    def answer(self, pair: tuple[str, str] | None) -> None: ...
    def broadcast(self, sockets: list[Socket], data: str | bytes, *, drop: bool, max_backlog_bytes: int) -> None: ...


class Life(Protocol):
    """The instance behind it."""

    @property
    def storage(self) -> Any: ...  # noqa: ANN401  `storage.Storage`
    def block(self, callback: Callable[[], Any]) -> "asyncio.Task[Any]": ...
    def wait_until(self, work: Awaitable[Any] | object) -> None: ...
    def doom(self, error: BaseException) -> None: ...
    def reasons(self, now: float) -> list[str]: ...


class AutoResponse:
    """What `getWebSocketAutoResponse` gives: `.request` and `.response`."""

    __slots__ = ("request", "response")

    def __init__(self, request: str, response: str) -> None:
        self.request = request
        self.response = response

    def getRequest(self) -> str:
        """The text that is answered."""
        return self.request

    def getResponse(self) -> str:
        """What it is answered with."""
        return self.response

    get_request, get_response = getRequest, getResponse


class DurableObjectState:
    """See above. One for each instance; user code has it as `self.ctx`."""

    stays_as = "DurableObjectState"

    def __init__(self, owner: Owner, life: Life, exports: Any) -> None:  # noqa: ANN401  the script's namespaces, by class
        self._owner = owner
        self._life = life
        self.exports = exports
        self.props: dict[str, Any] = {}

    @property
    def id(self) -> DurableObjectId:
        """The object's id; `id.name` is the name it was made from, if it was."""
        return self._owner.id

    @property
    def storage(self) -> Any:  # noqa: ANN401  `storage.Storage`
        """What the object keeps on the disk."""
        return self._life.storage

    # Hibernatable WebSockets.

    def acceptWebSocket(self, ws: Any, tags: Iterable[str] | None = None) -> None:  # noqa: ANN401  `runtime.sockets.WebSocket`
        """Take a half of a pair as hibernatable: its events come to webSocketMessage, webSocketClose and webSocketError."""
        _check_socket(ws, "acceptWebSocket")
        if len(self._owner.sockets) >= MAX_SOCKETS:
            raise JsException(f"only {MAX_SOCKETS} websockets can be accepted on a single Durable Object instance")
        self._owner.accept(ws, tags_of(tags))

    def getWebSockets(self, tag: str | None = None) -> JsList[Any]:
        """The sockets whose end was not handled yet (with this tag), in the order in which they were accepted."""
        wanted = _asked(tag)
        return JsList([ws for ws in self._owner.sockets if wanted is None or wanted in ws.tags])

    def getTags(self, ws: Any) -> JsList[str]:  # noqa: ANN401  `runtime.sockets.WebSocket`
        """The tags it was accepted with. JsException for a socket that is not hibernatable."""
        _check_socket(ws, "getTags")
        if ws not in self._owner.sockets:
            raise JsException(
                "only hibernatable websockets can have tags."
                if ws.is_heard
                else "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket."
            )
        return JsList(ws.tags)

    def setWebSocketAutoResponse(self, pair: Any = None) -> None:  # noqa: ANN401  a WebSocketRequestResponsePair
        """Have this text answered with that one, on all sockets, without waking the object. No pair: no longer."""
        if pair is None:
            self._owner.answer(None)
            return
        if not (hasattr(pair, "request") and hasattr(pair, "response")):
            raise JsTypeError(
                f"setWebSocketAutoResponse() takes a WebSocketRequestResponsePair, not {type(pair).__name__}"
            )
        request, response = _limited(pair.request, "Request"), _limited(pair.response, "Response")
        self._owner.answer((request, response))

    def getWebSocketAutoResponse(self) -> AutoResponse | None:
        """The pair that is set, or None."""
        pair = self._owner.auto_response
        return None if pair is None else AutoResponse(*pair)

    def getWebSocketAutoResponseTimestamp(self, ws: Any) -> Date | None:  # noqa: ANN401  `runtime.sockets.WebSocket`
        """When a text of this socket was last answered (UTC), or None."""
        at_ms: int | None = ws.auto_answered_ms
        return None if at_ms is None else Date.of_ms(at_ms)

    def setHibernatableWebSocketEventTimeout(self, timeout_ms: float | None = None) -> None:
        """End a handler of a socket's event after so long; 0 or None: no longer."""
        wanted = timeout_ms or 0
        if wanted < 0:
            raise JsTypeError(
                "The value cannot be converted because it is negative and this API expects a positive number."
            )
        # What is no number at all (NaN) is not below it either.
        if not wanted <= MAX_EVENT_TIMEOUT_MS:
            raise JsException(f"Event timeout should not exceed {MAX_EVENT_TIMEOUT_MS} ms.")
        self._owner.event_timeout_ms = int(wanted)

    def getHibernatableWebSocketEventTimeout(self) -> int | None:
        """What is set, in milliseconds, or None."""
        return self._owner.event_timeout_ms or None

    def broadcast(
        self,
        message: str | bytes | bytearray | memoryview,
        tag: str | None = None,
        exclude: Any = (),  # noqa: ANN401  a socket, or several
        *,
        drop: bool = False,
        max_backlog_bytes: int = 0,
    ) -> int:
        """Send to all open sockets (with this tag), but not to those in `exclude`; how many that are.

        It is one record to each edge, framed and compressed there once. `drop`: a socket with more than `max_backlog_bytes` unsent
        misses it, instead of having it queued. Raises JsRangeError for a message of more than 32 MiB.
        """
        data = sendable(message, by="broadcast()")
        _check_backlog(max_backlog_bytes)
        left_out, wanted = _several(exclude), _asked(tag)
        sockets = [
            ws
            for ws in self._owner.sockets
            if (wanted is None or wanted in ws.tags) and ws.readyState == OPEN and ws not in left_out
        ]
        self._owner.broadcast(sockets, data, drop=drop, max_backlog_bytes=max_backlog_bytes)
        return len(sockets)

    # The object's life.

    def blockConcurrencyWhile(self, callback: Callable[[], Any]) -> "asyncio.Task[Any]":
        """Run the callback while nothing else happens to the object; an exception of it, or 30 s, resets the object."""
        return self._life.block(callback)

    def waitUntil(self, work: Awaitable[Any] | object) -> None:
        """Keep the object in memory until the work has ended, 15 minutes at most."""
        self._life.wait_until(work)

    def abort(self, reason: str | None = None, options: Any = None) -> NoReturn:  # noqa: ANN401  as the original's
        """Reset the object: its sockets are closed, its callers told, what it had not made durable is lost."""
        text = reason or "Application called abort() to reset Durable Object."
        self._life.doom(ObjectReset(text))
        raise DurableObjectAbort(text)

    def reasons(self) -> list[str]:
        """Why the object is in memory now; it hibernates 10 s after there is no reason."""
        return self._life.reasons(asyncio.get_running_loop().time())

    accept_websocket = accept_web_socket = acceptWebSocket
    get_websockets = get_web_sockets = getWebSockets
    get_tags = getTags
    set_websocket_auto_response = set_web_socket_auto_response = setWebSocketAutoResponse
    get_websocket_auto_response = get_web_socket_auto_response = getWebSocketAutoResponse
    get_websocket_auto_response_timestamp = getWebSocketAutoResponseTimestamp
    get_web_socket_auto_response_timestamp = getWebSocketAutoResponseTimestamp
    set_hibernatable_websocket_event_timeout = setHibernatableWebSocketEventTimeout
    set_hibernatable_web_socket_event_timeout = setHibernatableWebSocketEventTimeout
    get_hibernatable_websocket_event_timeout = getHibernatableWebSocketEventTimeout
    get_hibernatable_web_socket_event_timeout = getHibernatableWebSocketEventTimeout
    block_concurrency_while = blockConcurrencyWhile
    wait_until = waitUntil


def tags_of(tags: Iterable[str] | None) -> tuple[str, ...]:
    """The tags as they are kept, each once. Raises what the original raises for too many, too long ones, or no texts."""
    if tags is None:
        return ()
    if isinstance(tags, str):
        raise JsTypeError("acceptWebSocket(): the tags are a str, a list of str was expected")
    distinct = tuple(dict.fromkeys(_tag(tag) for tag in tags))
    if len(distinct) > MAX_TAGS:
        raise JsException(f"a Hibernatable WebSocket cannot have more than {MAX_TAGS} tags")
    for tag in distinct:
        if len(tag) > MAX_TAG_CHARACTERS:
            raise JsException(f'"{tag}" is longer than the max tag length ({MAX_TAG_CHARACTERS} characters).')
    return distinct


def _tag(tag: object) -> str:
    if (text := as_text(tag)) is None:
        raise JsTypeError(f"acceptWebSocket(): a tag is {type(tag).__name__}, a str was expected")
    return text


def _asked(tag: str | int | None) -> str | None:
    return None if tag is None else as_text(tag)


def _check_socket(ws: object, method: str) -> None:
    if not hasattr(ws, "accept_hibernatable"):
        raise JsTypeError(
            f"Failed to execute '{method}' on 'DurableObjectState': parameter 1 is not of type 'WebSocket'. "
            f"It is a {type(ws).__name__}."
        )


def _limited(text: str, what: str) -> str:
    text = well_formed(text)
    size = len(text.encode())
    if size > MAX_AUTO_BYTES:
        raise JsRangeError(
            f"{what} cannot be larger than {MAX_AUTO_BYTES} bytes. A {what.lower()} of size {size} was provided."
        )
    return text


def _check_backlog(given: object) -> None:
    if not isinstance(given, int) or not 0 <= given <= MAX_BACKLOG_BYTES:
        raise JsRangeError(
            f"broadcast(): max_backlog_bytes is {given!r}, a number from 0 to {MAX_BACKLOG_BYTES} was expected"
        )


def _several(one_or_more: Any) -> frozenset[Any]:  # noqa: ANN401  a socket, or several
    return frozenset(one_or_more) if isinstance(one_or_more, Iterable) else frozenset((one_or_more,))
