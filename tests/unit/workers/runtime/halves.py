"""Halves of pairs for tests: who hears them, and a client that is there."""

import asyncio
from typing import Any

from holdfast.workers.channel.binding import Binding
from holdfast.workers.channel.session import Session
from holdfast.workers.runtime.sockets import WebSocket
from tests.unit.workers.channel.test_session import FakeLink

ROOM: dict[str, Any] = {
    "class_name": "Room",
    "object_id": "0" * 15 + "5" + "0" * 48,
    "object_name": None,
    "accepted_ms": 1,
}


class Owner:
    """Hears hibernatable sockets."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def message(self, ws: WebSocket, data: Any, seq: int) -> None:
        self.heard.append((data, seq))

    def closed(self, ws: WebSocket, code: int, reason: str, was_clean: bool, seq: int) -> None:
        ws.closes(code, reason, was_clean=was_clean)
        self.heard.append(("closed", code, reason, was_clean, seq, ws.readyState))

    def failed(self, ws: WebSocket, error: str, seq: int) -> None:
        self.heard.append(("failed", error, seq))

    def resumed(self, ws: WebSocket, binding: Binding) -> bool:
        return True


async def turns(count: int = 6) -> None:
    """Let the loop come round."""
    for _ in range(count):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


def listening(socket: WebSocket) -> list[Any]:
    """What the listeners of `socket` hear."""
    heard: list[Any] = []
    socket.addEventListener("message", lambda event: heard.append(event.data))
    socket.addEventListener("close", lambda event: heard.append((event.code, event.reason, event.wasClean)))
    return heard


def opened(client: WebSocket) -> tuple[Session, Any]:
    """The client of a used half, there by a session."""
    link: Any = FakeLink()
    session = Session(7, link)
    assert client.opened(session)
    return session, link
