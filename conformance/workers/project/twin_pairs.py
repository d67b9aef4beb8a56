"""Probes of pairs within one Worker and of sockets that a Worker opens: as twin_pairs.js."""

import asyncio
from typing import Any

from js import WebSocket, WebSocketPair
from twin_words import Lines, shown
from workers import fetch


def noted(socket: Any, label: str, lines: Lines) -> None:
    """Write down all events of it."""

    def closed(event: Any) -> None:
        seen = f"{event.code} {shown(event.reason)} {shown(event.wasClean)}"
        lines.append(f"{label}: close {seen} state {socket.readyState}")

    socket.addEventListener("open", lambda event: lines.append(f"{label}: open {socket.readyState}"))
    socket.addEventListener("message", lambda event: lines.append(f"{label}: message {event.type} {shown(event.data)}"))
    socket.addEventListener("close", closed)
    socket.addEventListener("error", lambda event: lines.append(f"{label}: error"))


async def within(room: Any, lines: Lines) -> None:
    """Both halves in one place."""
    one, two = WebSocketPair.new().object_values()
    one.accept()
    two.accept()
    one.binaryType = two.binaryType = "arraybuffer"
    noted(one, "one", lines)
    noted(two, "two", lines)
    one.send("hello")
    one.send(b"\x01\x02")
    await asyncio.sleep(0.02)
    two.send("back")
    await asyncio.sleep(0.02)
    one.close(4001, "enough")
    lines.append(f"states {one.readyState} {two.readyState}")
    await asyncio.sleep(0.02)
    lines.append(f"states {one.readyState} {two.readyState}")
    await lines.tries("answer", lambda: two.close(4002, "too"))
    await asyncio.sleep(0.02)
    lines.append(f"states {one.readyState} {two.readyState}")


async def listeners(room: Any, lines: Lines) -> None:
    """Several of them, and what came before accept()."""
    one, two = WebSocketPair.new().object_values()
    one.accept()

    def second(event: Any) -> None:
        lines.append("second")

    two.addEventListener(
        "message", lambda event: lines.append(f"first {event.data} {shown(event.target is two)} {event.type}")
    )
    two.addEventListener("message", second)
    two.addEventListener("message", lambda event: lines.append("once"), {"once": True})
    two.onmessage = lambda event: lines.append(f"property {event.data}")
    one.send("before accept")
    await asyncio.sleep(0.02)
    lines.append("accepted")
    two.accept()
    await asyncio.sleep(0.02)
    two.removeEventListener("message", second)
    one.send("again")
    await asyncio.sleep(0.02)
    two.onmessage = None
    one.send("last")
    await asyncio.sleep(0.02)


async def hibernatable(room: Any, lines: Lines) -> None:
    """A half that an object has accepted, and the other in the same place."""
    one, two = WebSocketPair.new().object_values()
    room.ctx.acceptWebSocket(two, ["inside"])
    one.accept()
    noted(one, "one", lines)
    noted(two, "two", lines)
    one.send("to the handler")
    await asyncio.sleep(0.05)
    two.close(4000, "from the object")
    await asyncio.sleep(0.05)
    lines.append(f"states {one.readyState} {two.readyState}")
    lines.append(f"listed {len(room.ctx.getWebSockets('inside'))}")


async def said(lines: Lines, beginning: str) -> None:
    """Wait until a line with this beginning is there, and for ten seconds at most: then it is missed in the transcript."""
    for _ in range(1000):
        if any(line.startswith(beginning) for line in lines):
            return
        await asyncio.sleep(0.01)


async def outgoing(env: Any, name: str, lines: Lines, base: str) -> None:
    """The Worker as a client of itself, in both ways."""
    url = base.replace("http", "ws") + "/echo"
    socket = WebSocket.new(url)
    lines.append(f"state {socket.readyState}")
    noted(socket, "new", lines)
    await lines.tries("send too early", lambda: socket.send("early"))
    await said(lines, "new: open")
    socket.send("hello")
    await said(lines, "new: message")
    socket.send("!close 4009 theirs")
    await said(lines, "new: error")
    lines.append(f"state {socket.readyState}")
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Protocol": "chat"}
    answer = await fetch(url.replace("ws", "http"), headers=headers)
    fetched = answer.js_object.webSocket
    lines.append(f"status {int(answer.status)} {answer.headers.get('Sec-WebSocket-Protocol')}")
    await lines.tries("send before accept", lambda: fetched.send("x"))
    fetched.accept()
    noted(fetched, "fetched", lines)
    fetched.send("hello")
    await said(lines, "fetched: message")
    fetched.close(4008, "ours")
    lines.append(f"state {fetched.readyState}")
    await said(lines, "fetched: close")
    lines.append(f"state {fetched.readyState}")
    refused = await fetch(base + "/refused", headers={"Upgrade": "websocket"})
    lines.append(f"refused {int(refused.status)} {shown(refused.js_object.webSocket is None)}")
    failed = WebSocket.new(base.replace("http", "ws") + "/refused")
    noted(failed, "failed", lines)
    await said(lines, "failed: close")
    lines.append(f"state {failed.readyState}")
    await lines.tries("not a URL", lambda: WebSocket.new("nothing"))
    await lines.tries("another scheme", lambda: WebSocket.new("ftp://a.example"))
    await lines.tries("a fragment", lambda: WebSocket.new("ws://a.example/#x"))
    await lines.tries("protocol twice", lambda: WebSocket.new("ws://a.example", ["a", "a"]))


PAIR_PROBES = {"within a Worker": within, "listeners": listeners, "hibernatable pair": hibernatable}
OUTGOING_PROBES = {"outgoing": outgoing}
