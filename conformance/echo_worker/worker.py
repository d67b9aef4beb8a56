"""An echo by both APIs: `/standard` in the Worker itself, anything else in a Durable Object whose sockets may sleep."""

from typing import Any

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint


class Echo(DurableObject):
    """Echoes by the hibernation API."""

    async def fetch(self, _: Any) -> Any:
        """Accept."""
        client, server = WebSocketPair.new()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str | bytes) -> None:
        """Say it again."""
        ws.send(message)


class Default(WorkerEntrypoint):
    """Echoes by the standard API, or hands over."""

    async def fetch(self, request: Any) -> Any:
        """Accept, or have the object do so."""
        if not request.url.endswith("/standard"):
            return await self.env.ECHO.getByName("one").fetch(request)
        client, server = WebSocketPair.new()
        server.accept()
        server.addEventListener("message", lambda event: server.send(event.data))
        return Response(None, status=101, web_socket=client)
