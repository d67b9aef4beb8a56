"""What `self.ctx` of a Durable Object has, for editors and type checkers; `durable.state.DurableObjectState` is the thing itself.

A protocol, so that the base class of user code knows its context's names without knowing who makes it. camelCase is the
original's; the snake_case names are aliases.
"""

# The platform's names.
# ruff: noqa: N802

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn, Protocol, TypeVar

from holdfast.workers.durable.ids import DurableObjectId
from holdfast.workers.durable.storage import Storage
from holdfast.workers.runtime.sockets import WebSocket, WebSocketRequestResponsePair
from holdfast.workers.sdk.values import JsList
from holdfast.workers.sdk.web.dates import Date

Result = TypeVar("Result")


class AutoResponse(Protocol):
    """A text, and what is answered to it."""

    @property
    def request(self) -> str:
        """The text."""

    @property
    def response(self) -> str:
        """Its answer."""


class DurableObjectContext(Protocol):
    """The state of one object: its id, storage and sockets, and what happens to it."""

    @property
    def id(self) -> DurableObjectId:
        """The object's id; `.name` where it was made of one."""

    @property
    def storage(self) -> Storage:
        """What it keeps on the disk: keys and values, `.sql`, `.kv`, an alarm."""

    @property
    def exports(self) -> Any:  # noqa: ANN401 - the script's own classes
        """The script's own classes by name: namespaces of its objects, and its entrypoints."""

    @property
    def props(self) -> dict[str, Any]:
        """Empty."""

    def acceptWebSocket(self, ws: WebSocket, tags: Iterable[str] | None = None) -> None:
        """Hear a half of a pair by the handlers of this class, over hibernation. At most 10 tags of 256 characters."""

    def getWebSockets(self, tag: str | None = None) -> JsList[WebSocket]:
        """The sockets that are there (with this tag), in the order in which they were accepted."""

    def getTags(self, ws: WebSocket) -> JsList[str]:
        """The tags of a socket."""

    def setWebSocketAutoResponse(self, pair: WebSocketRequestResponsePair | None = None) -> None:
        """Have a text answered by the edge, without waking this object."""

    def getWebSocketAutoResponse(self) -> AutoResponse | None:
        """What is answered so."""

    def getWebSocketAutoResponseTimestamp(self, ws: WebSocket) -> Date | None:
        """When a text of this socket was last answered so."""

    def setHibernatableWebSocketEventTimeout(self, timeout_ms: float | None = None) -> None:
        """End handlers of sockets' events after so long."""

    def getHibernatableWebSocketEventTimeout(self) -> int | None:
        """After how long."""

    def broadcast(
        self,
        message: str | bytes | bytearray | memoryview,
        tag: str | None = None,
        exclude: WebSocket | Iterable[WebSocket] = (),
        *,
        drop: bool = False,
        max_backlog_bytes: int = 0,
    ) -> int:
        """Send to all sockets (with this tag) but `exclude`; how many. Holdfast's own: one record to each edge."""

    def blockConcurrencyWhile(self, callback: Callable[[], Awaitable[Result]]) -> Awaitable[Result]:
        """Let nothing else happen to this object until the callback has ended."""

    def waitUntil(self, work: Awaitable[Any]) -> None:
        """Stay in memory until the work has ended."""

    def abort(self, reason: str | None = None, options: Any = None) -> NoReturn:  # noqa: ANN401 - as the original's
        """Reset this object."""

    def reasons(self) -> list[str]:
        """Why it is in memory. Holdfast's own."""

    def accept_websocket(self, ws: WebSocket, tags: Iterable[str] | None = None) -> None:
        """`acceptWebSocket`."""

    def get_websockets(self, tag: str | None = None) -> JsList[WebSocket]:
        """`getWebSockets`."""

    def get_tags(self, ws: WebSocket) -> JsList[str]:
        """`getTags`."""

    def set_websocket_auto_response(self, pair: WebSocketRequestResponsePair | None = None) -> None:
        """`setWebSocketAutoResponse`."""

    def get_websocket_auto_response(self) -> AutoResponse | None:
        """`getWebSocketAutoResponse`."""

    def get_websocket_auto_response_timestamp(self, ws: WebSocket) -> Date | None:
        """`getWebSocketAutoResponseTimestamp`."""

    def set_hibernatable_websocket_event_timeout(self, timeout_ms: float | None = None) -> None:
        """`setHibernatableWebSocketEventTimeout`."""

    def get_hibernatable_websocket_event_timeout(self) -> int | None:
        """`getHibernatableWebSocketEventTimeout`."""

    def block_concurrency_while(self, callback: Callable[[], Awaitable[Result]]) -> Awaitable[Result]:
        """`blockConcurrencyWhile`."""

    def wait_until(self, work: Awaitable[Any]) -> None:
        """`waitUntil`."""
