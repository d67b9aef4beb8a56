"""What the fake origin does with an upgrade, by the first word of the path: `/echo`, `/close/1001`, `/half-frame` …

Law 1: a behaviour does one thing, wrong on purpose where its name says so, and says which clause it breaks.
"""

from collections.abc import Callable

from tests.integration.frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, FrameReader, close
from tests.integration.origin import Behaviour, Exchange, Head, accept_key, registry

WEBSOCKET_PATHS: dict[str, Behaviour] = {}
path = registry(WEBSOCKET_PATHS)


def switching(head: Head, *extra: str) -> bytes:
    """A correct 101 for this request (RFC 6455 §4.2.2), with more header lines if given."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(head.value('Sec-WebSocket-Key'))}",
        *extra,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def asked_headers(head: Head) -> list[str]:
    """Header lines the client asked for in the query: `?protocol=chat&extensions=permessage-deflate`."""
    names = {"protocol": "Sec-WebSocket-Protocol", "extensions": "Sec-WebSocket-Extensions", "cookie": "Set-Cookie"}
    return [f"{names[key]}: {value}" for key, value in head.query.items() if key in names]


@path("echo")
async def echo(x: Exchange) -> bool:
    """Send every frame back unmasked; answer pings and the Close."""
    await x.send(switching(x.head, *asked_headers(x.head)))
    return await echo_frames(x)


async def echo_frames(x: Exchange) -> bool:
    frames = FrameReader()
    while data := await x.reader.read(65536):
        for frame in frames.feed(data):
            opcode = PONG if frame.opcode == PING else frame.opcode
            if frame.opcode != PONG:
                await x.send(Frame(opcode, frame.payload, frame.fin, frame.rsv).encode())
            if frame.opcode == CLOSE:
                return False
    return False


@path("slow")
async def slow(x: Exchange) -> bool:
    """Answer the upgrade only when the test says so, then echo."""
    await x.seen.let_go.wait()
    return await echo(x)


@path("stall")
async def stall(x: Exchange) -> bool:
    """Accept the upgrade and read nothing until the test says so; then read on to the end."""
    await x.send(switching(x.head))
    x.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket can read
    await x.seen.let_go.wait()
    x.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
    while await x.reader.read(65536):
        pass
    return False


@path("play")
async def play(x: Exchange) -> bool:
    """Send the bytes the test has put into `origin.scripts`, in one write after the 101; then read to the end."""
    await x.send(switching(x.head, *asked_headers(x.head)))
    await x.send(x.origin.scripts[x.head.query["id"]])
    while await x.reader.read(65536):
        pass
    return False


@path("early")
async def early(x: Exchange) -> bool:
    """Frames in the same segment as the 101, then echo."""
    first = Frame(TEXT, b"first").encode() + Frame(PING, b"p").encode() + Frame(BINARY, bytes(300)).encode()
    await x.send(switching(x.head) + first)
    return await echo_frames(x)


@path("hints-then-101")
async def hints_then_101(x: Exchange) -> bool:
    """An interim answer before the 101 (RFC 9110 §15.2)."""
    await x.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
    await x.send(switching(x.head) + Frame(TEXT, b"upgraded").encode())
    return await echo_frames(x)


@path("close")
async def close_at_once(x: Exchange) -> bool:
    """`/close/1001?reason=…`: a Close of the origin's own, then wait for the client's (RFC 6455 §7.1.1)."""
    code = int(x.head.words[1]) if len(x.head.words) > 1 else None
    frame = Frame(CLOSE) if code is None else close(code, x.head.query.get("reason", ""))
    await x.send(switching(x.head) + frame.encode())
    return await await_close(x)


async def await_close(x: Exchange) -> bool:
    """Read until the client's Close; the server then ends the connection first (RFC 6455 §7.1.1)."""
    frames = FrameReader()
    while data := await x.reader.read(65536):
        if any(frame.opcode == CLOSE for frame in frames.feed(data)):
            break
    return False


@path("reset")
async def reset(x: Exchange) -> bool:
    """101, then a reset once the first byte has come."""
    await x.send(switching(x.head))
    await x.reader.read(1)
    x.reset()
    return False


@path("half-frame")
async def half_frame(x: Exchange) -> bool:
    """101, ten bytes of a frame of a hundred, FIN."""
    await x.send(switching(x.head) + Frame(BINARY, bytes(100)).encode()[:12])
    return False


@path("fin-after")
async def fin_after(x: Exchange) -> bool:
    """101, one whole message, FIN without a Close (close code 1006 at the client, RFC 6455 §7.1.5)."""
    await x.send(switching(x.head) + Frame(TEXT, b"last words").encode())
    return False


@path("half-close")
async def half_close(x: Exchange) -> bool:
    """End our direction after one message, go on reading until the client has ended its own."""
    await x.send(switching(x.head) + Frame(TEXT, b"nothing more from here").encode())
    x.writer.write_eof()
    while await x.reader.read(65536):
        pass
    return False


@path("after-eof")
async def after_eof(x: Exchange) -> bool:
    """Read until the client ends its direction, then say how many bytes came and close."""
    await x.send(switching(x.head))
    count = 0
    while data := await x.reader.read(65536):
        count += len(data)
    await x.send(Frame(TEXT, b"%d" % count).encode() + close(1000).encode())
    return False


@path("flood")
async def flood(x: Exchange) -> bool:
    """`/flood?bytes=N`: binary messages of 64 KiB until N bytes are sent, then a Close. As fast as they are taken."""
    total = int(x.head.query["bytes"])
    frame = Frame(BINARY, bytes(65536)).encode()
    await x.send(switching(x.head))
    while x.seen.sent_count < total:
        await x.send(frame)
    await x.send(close(1000).encode())
    return await await_close(x)


# --- Wrong answers to the upgrade (RFC 6455 §4.1, what a client must fail the connection for) ------------------------


def wrong_upgrade(word: str, change: Callable[[bytes], bytes]) -> None:
    """Register a path whose 101 is correct but for one change. Bytes after it must never reach the client."""

    async def behaviour(x: Exchange) -> bool:
        await x.send(change(switching(x.head)) + Frame(TEXT, b"must not arrive").encode())
        while await x.reader.read(65536):
            pass
        return False

    WEBSOCKET_PATHS[word] = behaviour


def adding(line: bytes) -> Callable[[bytes], bytes]:
    return lambda answer: answer.removesuffix(b"\r\n") + line + b"\r\n\r\n"


def without(name: bytes) -> Callable[[bytes], bytes]:
    return lambda answer: b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith(name + b":"))


wrong_upgrade("bad-accept", lambda answer: answer.replace(b"Accept: ", b"Accept: AAAA"))
wrong_upgrade("no-accept", without(b"Sec-WebSocket-Accept"))
wrong_upgrade("two-accepts", adding(b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="))
wrong_upgrade("no-upgrade", without(b"Upgrade"))
wrong_upgrade("other-upgrade", lambda answer: answer.replace(b"Upgrade: websocket", b"Upgrade: h2c"))
wrong_upgrade("no-connection", without(b"Connection"))
wrong_upgrade("wrong-protocol", adding(b"Sec-WebSocket-Protocol: never-offered"))
wrong_upgrade("two-protocols", adding(b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat"))
wrong_upgrade("wrong-extension", adding(b"Sec-WebSocket-Extensions: x-never-offered"))
wrong_upgrade("wrong-parameter", adding(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10"))
wrong_upgrade("framed-101", adding(b"Content-Length: 5\r\nTransfer-Encoding: chunked"))
