"""A canvas that many draw on at once: each cell is a key of the object's storage, and what is painted is sent in batches.

    GET /                   the page
    GET /canvases/NAME      a WebSocket of that canvas

Binary messages. Cells are three bytes each: x, y, colour (0 to 15).
    client to canvas: cells that were painted, at most MAX_CELLS in a message; an empty message asks for the whole canvas
    canvas to client: SNAPSHOT, u32 revision, u8 width, u8 height, the colour of each cell, line by line
                      CHANGES, u32 revision, cells
Text messages of the canvas say how many draw: {"people": N}.

The revision goes up by one with each CHANGES. A client that misses one (it was too slow, or the process crashed between writing and
sending) sees the gap, and asks for the whole. The last before a pause is followed by one without cells, which nobody goes without.
"""

import asyncio
import json
import struct
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from js import WebSocket, WebSocketPair
from workers import DurableObject, Request, Response, WorkerEntrypoint
from workers.entrypoints import DurableObjectContext, Env

PAGE = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
HTML = {"Content-Type": "text/html; charset=utf-8"}

WIDTH, HEIGHT, COLOURS = 96, 64, 16
CELL = struct.Struct("<BBB")
SNAPSHOT, CHANGES = 0, 1
# More than anybody paints in the moment that a page gathers.
MAX_CELLS = 128
# How long what is painted is gathered before it is written and sent: one message to each client, however many paint.
BATCH_S = 0.05
# After how long without a batch there is one without cells.
PAUSE_MS = 1_000
# A client that has more than this unsent goes without a batch, and asks for the whole canvas later.
MAX_BACKLOG_BYTES = 256 * 1024


class Canvas(DurableObject):
    """One canvas. All of it is in memory while somebody draws, and each cell that was ever painted on the disk."""

    def __init__(self, ctx: DurableObjectContext, env: Env) -> None:
        super().__init__(ctx, env)
        self.cells = bytearray(WIDTH * HEIGHT)
        self.revision: int = self.ctx.storage.kv.get("revision") or 0
        for key, colour in self.ctx.storage.kv.list(prefix="cell:"):
            self.cells[int(key.removeprefix("cell:"))] = colour
        # Painted since the last batch: colours by the place of their cell.
        self.painted: dict[int, int] = {}
        self.batch: asyncio.Task[None] | None = None

    async def fetch(self, request: Request) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.send(self.snapshot())
        self.tell_people()
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: WebSocket, message: str | bytes) -> None:
        painted = cells_of(message)
        if painted is None:
            ws.close(1008, f"expected at most {MAX_CELLS} cells of the canvas, 3 bytes each")
            return
        if not painted:
            ws.send(self.snapshot())
            return
        self.painted.update(painted)
        if self.batch is None:
            self.batch = asyncio.create_task(self.send_batch())
        # A message is done with when its handler ends. Until then the edge keeps it: if the process dies before the batch is on
        # the disk, the next one gets it again.
        await self.batch

    async def webSocketClose(self, ws: WebSocket, code: int, reason: str, wasClean: bool) -> None:
        self.tell_people()

    async def send_batch(self) -> None:
        """Write what was painted, and send it, after a moment."""
        await asyncio.sleep(BATCH_S)
        await self.ctx.storage.setAlarm(time.time_ns() // 1_000_000 + PAUSE_MS)
        painted, self.painted, self.batch = self.painted, {}, None
        self.send(painted, drop=True)

    async def alarm(self, info: object) -> None:
        """Nobody paints: who went without the last batch is told that there was one."""
        self.send({}, drop=False)

    def send(self, painted: dict[int, int], *, drop: bool) -> None:
        """Write cells, and tell everybody, or with `drop` everybody who keeps up."""
        self.revision += 1
        # No await of anything else in between: all of this is one transaction.
        self.ctx.storage.kv.put("revision", self.revision)
        for place, colour in painted.items():
            self.ctx.storage.kv.put(f"cell:{place}", colour)
            self.cells[place] = colour
        changes = b"".join(CELL.pack(place % WIDTH, place // WIDTH, colour) for place, colour in painted.items())
        self.ctx.broadcast(
            struct.pack("<BI", CHANGES, self.revision) + changes, drop=drop, max_backlog_bytes=MAX_BACKLOG_BYTES
        )

    def snapshot(self) -> bytes:
        """All that was sent so far."""
        return struct.pack("<BIBB", SNAPSHOT, self.revision, WIDTH, HEIGHT) + self.cells

    def tell_people(self) -> None:
        """Tell everybody how many there are."""
        people = sum(ws.readyState == WebSocket.OPEN for ws in self.ctx.getWebSockets())
        self.ctx.broadcast(json.dumps({"people": people}))


class Default(WorkerEntrypoint):
    """The page, and the way to the canvases."""

    async def fetch(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        if path == "/":
            return Response(PAGE, headers=HTML)
        name = unquote(path.removeprefix("/canvases/"))
        if not name or name == path:
            return Response("Nothing here. Try /.\n", status=404)
        if (request.headers.get("Upgrade") or "").lower() != "websocket":
            return Response("A canvas is a WebSocket.\n", status=426)
        answer: Response = await self.env.CANVASES.getByName(name).fetch(request)
        return answer


def cells_of(message: str | bytes) -> dict[int, int] | None:
    """What a message paints: colours by the place of their cell. None for what is no message of a client."""
    if isinstance(message, str) or len(message) % CELL.size or len(message) > MAX_CELLS * CELL.size:
        return None
    cells = list(CELL.iter_unpack(message))
    if any(x >= WIDTH or y >= HEIGHT or colour >= COLOURS for x, y, colour in cells):
        return None
    return {y * WIDTH + x: colour for x, y, colour in cells}
