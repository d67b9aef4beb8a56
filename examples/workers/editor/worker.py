"""A text that many write at once: the document is a CRDT (pycrdt, the Rust port of Yjs), in a Durable Object.

    GET /                        the page
    GET /docs/NAME?client=ID     a WebSocket for a page; ID is its own for as long as it is open
    GET /yjs/NAME                a WebSocket for what speaks Yjs itself: y-websocket and the editors it binds to

A page has no CRDT. Page and object speak in turns, and the page begins:
    page to object: {"base": N, "edits": [...]}: what was typed since the last answer, maybe nothing, to the text as it was at the number N.
                    Then it waits. What got no answer is said again, as it was
    object to page: {"base": N, "edits": [...]}: what others did meanwhile, to the text with the page's own edits; the number it has now
                    {"base": N, "whole": TEXT}: the text instead, where the number of the page is not known (0 is that of a new one);
                    the page's edits are not in it
    object to page: {"news": true}: somebody else wrote; ask when you like
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from history import History
from js import WebSocket, WebSocketPair
from pycrdt import (
    Doc,
    TransactionEvent,
    YMessageType,
    YSyncMessageType,
    create_sync_message,
    create_update_message,
    handle_sync_message,
)
from replica import Edit, Replica
from workers import DurableObject, Request, Response, WorkerEntrypoint
from workers.entrypoints import DurableObjectContext, Env

PAGE = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
HTML = {"Content-Type": "text/html; charset=utf-8"}

CLIENT = re.compile(r"[A-Za-z0-9-]{8,64}")
MAX_EDITS = 100
MAX_MESSAGE_BYTES = 1024 * 1024


class Document(DurableObject):
    """One text. What is on the disk are the updates that made it; the rest is made of them."""

    def __init__(self, ctx: DurableObjectContext, env: Env) -> None:
        super().__init__(ctx, env)
        self.history = History(self.ctx.storage.sql)
        self.load()

    def load(self) -> None:
        """Make the document of what is on the disk."""
        self.doc: Doc[Any] = Doc()
        for update in self.history.updates(self.history.newest):
            self.doc.apply_update(update)
        # Updates that are not written yet: what a message changed.
        self.fresh: list[bytes] = []
        self.watch = self.doc.observe(self.changed)
        # Lost with the memory, and made again of the number that a page says.
        self.replicas: dict[WebSocket, Replica] = {}

    async def fetch(self, request: Request) -> Response:
        client, server = WebSocketPair.new().object_values()
        if is_yjs(request):
            self.ctx.acceptWebSocket(server, ["yjs"])
            server.send(create_sync_message(self.doc))
        else:
            self.ctx.acceptWebSocket(server, ["page", client_of(request)])
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: WebSocket, message: str | bytes) -> None:
        heard = self.heard_yjs if "yjs" in self.ctx.getTags(ws) else self.heard_page
        try:
            # Nothing in it awaits: a message is taken, kept and told as a whole.
            heard(ws, checked(message))
        except ValueError as error:
            ws.close(1008, str(error)[:100])
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            # How pycrdt ends over an update that contradicts another: what is in memory may be half of it.
            self.load()
            ws.close(1008, "an update contradicts another")

    async def webSocketClose(self, ws: WebSocket, code: int, reason: str, wasClean: bool) -> None:
        self.replicas.pop(ws, None)

    def heard_page(self, ws: WebSocket, message: str | bytes) -> None:
        """A page's turn."""
        base, edits = turn_of(message)
        client = self.ctx.getTags(ws)[1]
        replica = self.replicas.pop(ws, None)
        if replica is None or replica.number != base:
            if not self.history.oldest <= base <= self.history.newest:
                whole = str(self.replica(self.history.newest))
                ws.send(json.dumps({"base": self.history.newest, "whole": whole}))
                return
            replica = self.replica(base)
        if edits and (update := self.history.update_of(client, base)):
            # The answer was lost.
            replica.done(update)
        elif edits and (update := replica.edit(edits)):
            self.doc.apply_update(update)
            # As the page did it: what others had deleted before is no change here, and is one of the page's.
            self.fresh = [update]
            self.keep(ws, client)
        others = replica.merge(self.history.newest, self.doc.get_update(replica.doc.get_state()))
        self.replicas[ws] = replica
        ws.send(json.dumps({"base": replica.number, "edits": others}))

    def heard_yjs(self, ws: WebSocket, message: str | bytes) -> None:
        """A message of the Yjs protocol. Awareness (who is where) is for the others, and not kept."""
        if isinstance(message, str) or len(message) < 2:
            raise ValueError("expected a message of the Yjs protocol")
        if message[0] == YMessageType.SYNC:
            if self.history.is_full and message[1] != YSyncMessageType.SYNC_STEP1:
                raise ValueError("the document is full")
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

    def keep(self, writer: WebSocket, client: str | None = None) -> None:
        """Write what changed, and tell everybody but the writer. Telling waits for the disk by itself."""
        fresh, self.fresh = self.fresh, []
        for update in fresh:
            self.history.append(update, client)
            self.ctx.broadcast(create_update_message(update), tag="yjs", exclude=writer)
        if fresh:
            self.ctx.broadcast(json.dumps({"news": True}), tag="page", exclude=writer)

    def replica(self, number: int) -> Replica:
        """The document as it was at that number."""
        is_now = number == self.history.newest
        updates = [self.doc.get_update()] if is_now else self.history.updates(number)
        return Replica(number, updates)


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


def turn_of(message: str | bytes) -> tuple[int, list[Edit]]:
    """The base and the edits of a page's message. ValueError for anything else."""
    try:
        turn = json.loads(message)
    except RecursionError:
        turn = None
    match turn:
        case {"base": int(base), "edits": list(edits)} if len(edits) <= MAX_EDITS:
            return base, [edit_of(edit) for edit in edits]
    raise ValueError(f'expected {{"base": N, "edits": [at most {MAX_EDITS}]}}')


def edit_of(edit: object) -> Edit:
    """An edit as JSON has it. ValueError for anything else."""
    match edit:
        case [int(at), int(delete), str(insert)] if at >= 0 and delete >= 0:
            return at, delete, insert
    raise ValueError("expected an edit: [at, delete, insert]")
