"""The object of the benchmark, twice, and a third that sends to all: `twin.js` is the same for workerd, line for line.

`/echo/NAME`, `/crowd/NAME` and `/loop/NAME` reach the object NAME of that class; `/made` says how many objects were made.
"""

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

made = 0


class Room(DurableObject):
    """An object whose sockets hibernate."""

    def __init__(self, ctx, env):
        global made
        super().__init__(ctx, env)
        made += 1

    async def fetch(self, request):
        client, server = WebSocketPair.new()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketClose(self, ws, code, reason, wasClean):
        ws.close(code, reason)


class Echo(Room):
    """Sends each message back."""

    async def webSocketMessage(self, ws, message):
        ws.send(message)


class Crowd(Room):
    """Sends each message to all of its sockets, with what Holdfast has for that."""

    async def webSocketMessage(self, ws, message):
        self.ctx.broadcast(message)


class Loop(Room):
    """Sends each message to all of its sockets, one after the other, as the original must."""

    async def webSocketMessage(self, ws, message):
        for one in self.ctx.getWebSockets():
            one.send(message)


class Default(WorkerEntrypoint):
    """Leads to the objects."""

    async def fetch(self, request):
        kind, _, name = request.url.split("/", 3)[3].partition("/")
        if kind == "made":
            return Response(str(made))
        return await getattr(self.env, kind.upper()).getByName(name).fetch(request)
