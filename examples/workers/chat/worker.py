"""A chat with rooms: what was said is kept in SQL, who is there is told by the sockets themselves.

    GET /                                     the page
    GET /rooms/NAME?as=WHO&since=ID           a WebSocket of that room; `since` is the last message the client has seen

The client sends {"say": TEXT}. The room sends {"here": [WHO...], "said": [...]} first, then {"said": [{id, at_ms, who, text}]},
{"came": WHO}, {"went": WHO}, {"refused": WHY}.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from js import WebSocket, WebSocketPair, WebSocketRequestResponsePair
from workers import DurableObject, Request, Response, WorkerEntrypoint
from workers.entrypoints import DurableObjectContext, Env

PAGE = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
HTML = {"Content-Type": "text/html; charset=utf-8"}

MAX_NAME = 32
MAX_TEXT = 2_000
# No room says more than that.
MAX_DIGITS = 15
# What one who comes is shown, and what a room keeps.
SHOWN, KEPT = 100, 1_000


class Room(DurableObject):
    """One room. It sleeps when nobody speaks: nothing here must live in memory only."""

    def __init__(self, ctx: DurableObjectContext, env: Env) -> None:
        super().__init__(ctx, env)
        self.sql = self.ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS said (id INTEGER PRIMARY KEY, at_ms INTEGER, who TEXT, text TEXT)")
        # Answered by the edge: clients that only ask whether the room is there do not wake it.
        self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

    async def fetch(self, request: Request) -> Response:
        query = parse_qs(urlsplit(request.url).query)
        who, since = query["as"][0], id_of(query.get("since", [""])[0])
        is_new = not self.ctx.getWebSockets(who)
        client, server = WebSocketPair.new().object_values()
        # The name is the socket's tag. It stays with the socket while the room sleeps, and finds all sockets of a person.
        self.ctx.acceptWebSocket(server, [who])
        server.send(json.dumps({"here": self.here(), "said": self.said_since(since)}))
        if is_new:
            self.ctx.broadcast(json.dumps({"came": who}), exclude=server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: WebSocket, message: str | bytes) -> None:
        text = text_of(message)
        if text is None:
            ws.send(json.dumps({"refused": f'expected {{"say": TEXT}} with 1 to {MAX_TEXT} characters'}))
            return
        (who,) = self.ctx.getTags(ws)
        row = self.sql.exec(
            "INSERT INTO said (at_ms, who, text) VALUES (?, ?, ?) RETURNING *", time.time_ns() // 1_000_000, who, text
        ).one()
        self.sql.exec("DELETE FROM said WHERE id <= ?", row["id"] - KEPT)
        # It leaves once the row is on the disk: nobody reads what a crash could take back.
        self.ctx.broadcast(json.dumps({"said": [row]}))

    async def webSocketClose(self, ws: WebSocket, code: int, reason: str, wasClean: bool) -> None:
        (who,) = self.ctx.getTags(ws)
        # The list has each socket until its end has been handled, this one too.
        if self.ctx.getWebSockets(who) == [ws]:
            self.ctx.broadcast(json.dumps({"went": who}))

    def here(self) -> list[str]:
        """Who is here, each once."""
        return sorted({self.ctx.getTags(ws)[0] for ws in self.ctx.getWebSockets()})

    def said_since(self, last: int) -> Sequence[dict[str, Any]]:
        """The newest messages after `last`, the oldest first."""
        rows = self.sql.exec("SELECT * FROM said WHERE id > ? ORDER BY id DESC LIMIT ?", last, SHOWN).toArray()
        return rows[::-1]


class Default(WorkerEntrypoint):
    """The page, and the way to the rooms."""

    async def fetch(self, request: Request) -> Response:
        url = urlsplit(request.url)
        if url.path == "/":
            return Response(PAGE, headers=HTML)
        room = unquote(url.path.removeprefix("/rooms/"))
        if not room or room == url.path:
            return Response("Nothing here. Try /.\n", status=404)
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            return Response("A room is a WebSocket.\n", status=426)
        who = parse_qs(url.query).get("as", [""])[0]
        if not 1 <= len(who) <= MAX_NAME:
            return Response(f"as: expected a name of 1 to {MAX_NAME} characters.\n", status=400)
        answer: Response = await self.env.ROOMS.getByName(room).fetch(request)
        return answer


def id_of(text: str) -> int:
    """Of a message that a client has seen; 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0


def text_of(message: str | bytes) -> str | None:
    """What a client says, or None if it says nothing that can be kept."""
    try:
        text = json.loads(message)["say"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    # JSON can have half a pair of surrogates, and no file keeps one.
    return text if isinstance(text, str) and 1 <= len(text) <= MAX_TEXT and is_utf8(text) else None


def is_utf8(text: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
