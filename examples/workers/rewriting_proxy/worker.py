"""A proxy that reads every message between clients and an origin, and changes, drops or lets pass each.

    GET /rewriting/   the page
    anything else     is the origin's; of WebSockets each message goes through `to_origin` or `to_client`

On the way to the origin card numbers are masked, and private keys never leave. On the way to clients addresses become pseudonyms. What is
binary passes as it is.
"""

import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from js import WebSocket, WebSocketPair
from pyodide.ffi import create_proxy
from workers import Request, Response, WorkerEntrypoint, fetch

PAGE = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
HTML = {"Content-Type": "text/html; charset=utf-8"}

Message = str | bytes
# What becomes of a message: another, the same, or none.
Rewrite = Callable[[Message], Message | None]

# A side that reads so slowly that more than this waits for it is closed: what waits is in memory.
MAX_WAITING_BYTES = 4 * 1024 * 1024
TOO_SLOW = (1013, "this side reads too slowly")
# A text that is longer is not looked into: while one is, all others wait.
MAX_TEXT = 256 * 1024
TOO_LONG = (1009, f"a text has at most {MAX_TEXT} characters here")
# Codes that tell what happened, and are never sent (RFC 6455 §7.4.1).
NEVER_SENT = {1004, 1005, 1006, 1015}

CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")


class Default(WorkerEntrypoint):
    """Between client and origin."""

    async def fetch(self, request: Request) -> Response:
        if urlsplit(request.url).path == "/rewriting/":
            return Response(PAGE, headers=HTML)
        # Of an upgrade too: the edge shakes hands with the origin, and keeps that side until we say what becomes of it.
        answer = await fetch(request)
        origin = answer.js_object.webSocket
        if origin is None:
            return answer
        client, server = WebSocketPair.new().object_values()
        relay(server, origin, to_origin)
        relay(origin, server, partial(to_client, key=self.env.PSEUDONYM_KEY))
        server.accept()
        origin.accept()
        # A client that asked for a subprotocol must be told which one the origin chose.
        headers = {"Sec-WebSocket-Protocol": origin.protocol} if origin.protocol else {}
        return Response(None, status=101, headers=headers, web_socket=client)


def to_origin(message: Message) -> Message | None:
    """What the origin gets of a client's message."""
    if isinstance(message, bytes):
        return message
    if PRIVATE_KEY.search(message):
        return None
    return CARD.sub(lambda found: masked(found[0]), message)


def to_client(message: Message, *, key: str) -> Message | None:
    """What a client gets of the origin's message."""
    if isinstance(message, bytes):
        return message
    return ADDRESS.sub(lambda found: pseudonym(found[0], key), message)


def masked(digits: str) -> str:
    """The last four digits of a card number; what only looks like one stays."""
    number = [int(digit) for digit in digits if digit.isdigit()]
    # ISO/IEC 7812-1, annex B: every second digit from the right counts twice, its own digits added.
    check = sum(number[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in number[-2::-2])
    return f"(card …{digits[-4:]})" if check % 10 == 0 else digits


def pseudonym(address: str, key: str) -> str:
    """The same for the same address, and no way back without the key."""
    return f"guest-{hashlib.blake2s(address.encode(), key=key.encode()[:32], digest_size=3).hexdigest()}"


def relay(source: WebSocket, sink: WebSocket, rewrite: Rewrite) -> None:
    """Send what comes from `source` on to `sink`, as `rewrite` has it, and close the one as the other was closed."""

    def arrived(event: Any) -> None:
        is_too_long = isinstance(event.data, str) and len(event.data) > MAX_TEXT
        # Before the message: one may be as long as it likes, if all before it were read.
        if is_too_long or sink.bufferedAmount > MAX_WAITING_BYTES:
            for side in (sink, source):
                side.close(*(TOO_LONG if is_too_long else TOO_SLOW))
            return
        rewritten = rewrite(event.data)
        if rewritten is not None and sink.readyState == WebSocket.OPEN:
            sink.send(rewritten)

    def closed(event: Any) -> None:
        if event.code == 1005:
            sink.close()
        else:
            sink.close(1011 if event.code in NEVER_SENT else event.code, event.reason)

    source.binaryType = "arraybuffer"
    source.addEventListener("message", create_proxy(arrived))
    source.addEventListener("close", create_proxy(closed))
