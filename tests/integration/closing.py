"""A Worker whose sockets close as they are told to: `close CODE REASON`, `close`, `drop` (its process dies), or echo what they hear."""

CODE = """
import os, signal
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

CLOSED = []

def answer(ws, message):
    if isinstance(message, str) and message.startswith("close"):
        _, code, reason = [*message.split(" ", 2), "", ""][:3]
        if code:
            ws.close(int(code), reason)
        else:
            ws.close()
    else:
        ws.send(message)

class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new()
        self.ctx.acceptWebSocket(server)
        chosen = (request.headers.get("Sec-WebSocket-Protocol") or "").split(",")[-1].strip()
        headers = {"Sec-WebSocket-Protocol": chosen} if chosen else None
        return Response(None, status=101, web_socket=client, headers=headers)

    async def webSocketMessage(self, ws, message):
        answer(ws, message)

    async def webSocketClose(self, ws, code, reason, was_clean):
        CLOSED.append([code, reason, was_clean])

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.rpartition("/")[2]
        if path == "page":
            return Response("<!doctype html>", headers={"Content-Type": "text/html"})
        if path == "closed":
            return Response.json(CLOSED)
        if path != "standard":
            return await self.env.ROOM.getByName("one").fetch(request)
        client, server = WebSocketPair.new()
        server.accept()
        server.onmessage = lambda event: answer(server, event.data)
        server.onclose = lambda event: CLOSED.append([event.code, event.reason, event.wasClean])
        return Response(None, status=101, web_socket=client)
"""
