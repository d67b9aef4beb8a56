"""A text that many write at once: the document is a CRDT (pycrdt, the Rust port of Yjs), in a Durable Object.

    GET /                        the page
    GET /docs/NAME?client=ID     a WebSocket for a page; ID is its own for as long as it is open
    GET /yjs/NAME                a WebSocket for what speaks Yjs itself: y-websocket and the editors it binds to

A page has no CRDT. Page and object speak in turns:
    object to page: {"whole": TEXT, "number": N}: the text; of this page's exchanges those up to N are in it
    page to object: {"number": N, "edits": [...]}: what was typed since the last answer, maybe nothing. Then it waits
    object to page: {"number": N, "edits": [...]}: what others did meanwhile, to the text with the page's own edits;
                    or {"whole"...}, where it has slept or started again since
    object to page: {"news": true}: somebody else wrote; ask when you like
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from js import WebSocket, WebSocketPair
from pycrdt import Doc, TransactionEvent, YMessageType, create_sync_message, create_update_message, handle_sync_message
from replica import Edit, Replica
from workers import DurableObject, Request, Response, WorkerEntrypoint
from workers.entrypoints import DurableObjectContext, Env

PAGE = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
HTML = {"Content-Type": "text/html; charset=utf-8"}

CLIENT = re.compile(r"[A-Za-z0-9-]{8,64}")
MAX_EDITS = 100
# What a page counts to exactly.
MAX_NUMBER = 2**53 - 1
MAX_MESSAGE_BYTES = 1024 * 1024
# Beyond so many updates they are written again as one.
MAX_UPDATES = 500
# Of how many pages it is known what they sent last.
MAX_CLIENTS = 1_000


class Document(DurableObject):
    """One text. What is on the disk are the updates that made it; the rest is made of them."""

    def __init__(self, ctx: DurableObjectContext, env: Env) -> None:
        super().__init__(ctx, env)
        self.sql = self.ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS updates (id INTEGER PRIMARY KEY, data BLOB)")
        self.sql.exec(
            "CREATE TABLE IF NOT EXISTS exchanges (id INTEGER PRIMARY KEY, client TEXT UNIQUE, number INTEGER)"
        )
        self.doc: Doc[Any] = Doc()
        for row in self.sql.exec("SELECT data FROM updates ORDER BY id"):
            self.doc.apply_update(row["data"])
        # Updates that are not written yet: what a message changed.
        self.fresh: list[bytes] = []
        self.watch = self.doc.observe(self.changed)
        # Lost with the memory: a page whose replica is not here is sent the whole.
        self.replicas: dict[WebSocket, Replica] = {}

    async def fetch(self, request: Request) -> Response:
        client, server = WebSocketPair.new().object_values()
        if is_yjs(request):
            self.ctx.acceptWebSocket(server, ["yjs"])
            server.send(create_sync_message(self.doc))
        else:
            self.ctx.acceptWebSocket(server, ["page", client_of(request)])
            server.send(self.whole(server))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: WebSocket, message: str | bytes) -> None:
        heard = self.heard_yjs if "yjs" in self.ctx.getTags(ws) else self.heard_page
        try:
            # Nothing in it awaits: a message is taken, kept and told as a whole.
            heard(ws, checked(message))
        except ValueError as error:
            self.replicas.pop(ws, None)
            ws.close(1008, str(error)[:100])

    async def webSocketClose(self, ws: WebSocket, code: int, reason: str, wasClean: bool) -> None:
        self.replicas.pop(ws, None)

    def heard_page(self, ws: WebSocket, message: str | bytes) -> None:
        """A page's exchange."""
        number, edits = exchange_of(message)
        replica = self.replicas.get(ws)
        if replica is None:
            ws.send(self.whole(ws))
            return
        if edits:
            replica.edit(edits)
            self.doc.apply_update(replica.doc.get_update(self.doc.get_state()))
            self.note(self.ctx.getTags(ws)[1], number)
            self.keep(ws)
        others = replica.merge(self.doc.get_update(replica.doc.get_state()))
        ws.send(json.dumps({"number": number, "edits": others}))

    def heard_yjs(self, ws: WebSocket, message: str | bytes) -> None:
        """A message of the Yjs protocol. Awareness (who is where) is for the others, and not kept."""
        if isinstance(message, str) or len(message) < 2:
            raise ValueError("expected a message of the Yjs protocol")
        if message[0] == YMessageType.SYNC:
            try:
                answer = handle_sync_message(bytes(message[1:]), self.doc)
            except (AssertionError, IndexError) as error:
                # How pycrdt says that a message ends too early.
                raise ValueError("a message of the Yjs protocol that is cut off") from error
            if answer is not None:
                ws.send(answer)
            self.keep(ws)
        elif message[0] == YMessageType.AWARENESS:
            self.ctx.broadcast(message, tag="yjs", exclude=ws)

    def changed(self, event: TransactionEvent) -> None:
        """The document has another state."""
        self.fresh.append(event.update)

    def keep(self, writer: WebSocket) -> None:
        """Write what changed, and tell everybody but the writer. Telling waits for the disk by itself."""
        fresh, self.fresh = self.fresh, []
        for update in fresh:
            row = self.sql.exec("INSERT INTO updates (data) VALUES (?) RETURNING id", update).one()
            if row["id"] > MAX_UPDATES:
                self.sql.exec("DELETE FROM updates")
                self.sql.exec("INSERT INTO updates (data) VALUES (?)", self.doc.get_update())
            self.ctx.broadcast(create_update_message(update), tag="yjs", exclude=writer)
        if fresh:
            self.ctx.broadcast(json.dumps({"news": True}), tag="page", exclude=writer)

    def note(self, client: str, number: int) -> None:
        """Write down, with the edits themselves, that they are in the text: a page that gets no answer asks by coming back."""
        row = self.sql.exec(
            "INSERT OR REPLACE INTO exchanges (client, number) VALUES (?, ?) RETURNING id", client, number
        ).one()
        self.sql.exec("DELETE FROM exchanges WHERE id <= ?", row["id"] - MAX_CLIENTS)

    def whole(self, ws: WebSocket) -> str:
        """The text, for a page that begins anew."""
        replica = self.replicas[ws] = Replica(self.doc.get_update())
        found = self.sql.exec("SELECT number FROM exchanges WHERE client = ?", self.ctx.getTags(ws)[1]).toArray()
        return json.dumps({"whole": str(replica), "number": found[0]["number"] if found else 0})


class Default(WorkerEntrypoint):
    """The page, and the way to the documents."""

    async def fetch(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        if path == "/":
            return Response(PAGE, headers=HTML)
        _, kind, name = (*path.split("/", 2), "")[:3]
        if kind not in {"docs", "yjs"} or not name:
            return Response("Nothing here. Try /.\n", status=404)
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            return Response("A document is a WebSocket.\n", status=426)
        if kind == "docs" and not CLIENT.fullmatch(client_of(request)):
            return Response("client: expected 8 to 64 letters, digits and dashes.\n", status=400)
        answer: Response = await self.env.DOCUMENTS.getByName(unquote(name)).fetch(request)
        return answer


def is_yjs(request: Request) -> bool:
    """Whether it speaks Yjs itself."""
    return urlsplit(request.url).path.startswith("/yjs/")


def client_of(request: Request) -> str:
    """Which page it is."""
    return parse_qs(urlsplit(request.url).query).get("client", [""])[0]


def checked(message: str | bytes) -> str | bytes:
    """A message that is not too long. ValueError for one that is."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message has at most {MAX_MESSAGE_BYTES} bytes")
    return message


def exchange_of(message: str | bytes) -> tuple[int, list[Edit]]:
    """The number and the edits of a page's message. ValueError for anything else."""
    try:
        exchange = json.loads(message)
    except RecursionError:
        exchange = None
    match exchange:
        case {"number": int(number), "edits": list(edits)} if 0 <= number <= MAX_NUMBER and len(edits) <= MAX_EDITS:
            return number, [edit_of(edit) for edit in edits]
    raise ValueError(f'expected {{"number": N, "edits": [at most {MAX_EDITS}]}}')


def edit_of(edit: object) -> Edit:
    """An edit as JSON has it. ValueError for anything else."""
    match edit:
        case [int(at), int(delete), str(insert)] if at >= 0 and delete >= 0:
            return at, delete, insert
    raise ValueError("expected an edit: [at, delete, insert]")
