"""What the fake origin does with an ordinary request, by the first word of the path: `/chunked`, `/upload`, `/garbage` …

Law 1: a behaviour does one thing, wrong on purpose where its name says so, and says which clause it breaks.
Law 2: it returns True only where another request may follow on the connection (RFC 9112 §9.3).
"""

import hashlib
import json

from tests.integration.origin import Behaviour, Exchange, registry

HTTP_PATHS: dict[str, Behaviour] = {}
path = registry(HTTP_PATHS)

# Plain text for answers with a body, so that a test can compare it.
PAGE = b"the origin's own page\n"


def answer(status: str, body: bytes, *lines: str) -> bytes:
    """A response with Content-Length."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def read_body(x: Exchange) -> tuple[bytes, list[str]]:
    """The request's body and its trailer lines, by its framing (RFC 9112 §6)."""
    if "chunked" not in x.head.value("Transfer-Encoding").lower():
        return await x.reader.readexactly(int(x.head.value("Content-Length", "0"))), []
    body = bytearray()
    while size := int((await x.reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await x.reader.readexactly(size)
        assert await x.reader.readexactly(2) == b"\r\n"
    trailers = []
    while line := (await x.reader.readuntil(b"\r\n")).strip():
        trailers.append(line.decode("latin-1"))
    return bytes(body), trailers


@path("status")
async def status(x: Exchange) -> bool:
    """`/status/401`: that status with PAGE as body, two cookies and an unusual header. Unknown paths come here as 200."""
    await read_body(x)
    words = x.head.words
    code = words[1] if words and words[0] == "status" else "200"
    more = ["Location: /elsewhere"] if code.startswith("3") else []
    if code == "401":
        more.append('WWW-Authenticate: Basic realm="origin"')
    lines = ["Content-Type: text/plain", "Set-Cookie: a=1", "Set-Cookie: b=2", "x-Odd-CASE: kept", *more]
    await x.send(answer(f"{code} Chosen By The Test", b"" if code in {"204", "304"} else PAGE, *lines))
    return True


@path("dump")
async def dump(x: Exchange) -> bool:
    """The request as it was received, as JSON: its head, its body's digest, and which connection brought it."""
    body, trailers = await read_body(x)
    said = {
        "connection": x.seen.number,
        "request": len(x.seen.heads),
        "head": x.head.raw.decode("latin-1"),
        "body_bytes": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "trailers": trailers,
    }
    await x.send(answer("200 OK", json.dumps(said).encode(), "Content-Type: application/json"))
    return True


@path("upload")
async def upload(x: Exchange) -> bool:
    """The digest of a body of any size, which is not kept."""
    digest, left = hashlib.sha256(), int(x.head.value("Content-Length", "0"))
    if x.head.value("Expect").lower() == "100-continue":
        await x.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if x.head.value("Transfer-Encoding"):
        body, _ = await read_body(x)
        digest.update(body)
    while left and (data := await x.reader.read(min(left, 1 << 16))):
        digest.update(data)
        left -= len(data)
    await x.send(answer("200 OK", digest.hexdigest().encode()))
    return True


@path("upload-held")
async def upload_held(x: Exchange) -> bool:
    """Read nothing of the body until the test says so; then answer with its digest."""
    x.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket can read
    await x.seen.let_go.wait()
    x.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
    return await upload(x)


@path("early-answer")
async def early_answer(x: Exchange) -> bool:
    """Refuse a body without reading it, and close (RFC 9110 §15.5.14)."""
    await x.send(answer("413 Too Much", PAGE, "Connection: close"))
    return False


@path("chunked")
async def chunked(x: Exchange) -> bool:
    """A chunked body in pieces, one chunk extension among them (RFC 9112 §7.1.1)."""
    await x.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one,"))
    await x.send(b"4;name=value\r\ntwo,\r\n" + chunk(b"three") + b"0\r\n\r\n")
    return True


@path("held")
async def held(x: Exchange) -> bool:
    """The first chunk at once, the second when the test says so: streaming can be seen."""
    await x.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
    await x.seen.let_go.wait()
    await x.send(chunk(b"second") + b"0\r\n\r\n")
    return True


@path("trailers")
async def trailers(x: Exchange) -> bool:
    """A chunked body with trailer fields (RFC 9110 §6.5)."""
    await x.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Digest\r\n\r\n"
        + chunk(b"body")
        + b"0\r\nX-Digest: abc\r\n\r\n"
    )
    return True


@path("until-close")
async def until_close(x: Exchange) -> bool:
    """A body that ends with the connection (RFC 9112 §6.3 rule 8)."""
    await x.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + PAGE * 100)
    return False


@path("old")
async def old(x: Exchange) -> bool:
    """An HTTP/1.0 origin."""
    await x.send(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE)
    return False


@path("length")
async def length(x: Exchange) -> bool:
    """`/length?bytes=N`: N bytes, delimited by length. HEAD gets the head alone (RFC 9110 §9.3.2)."""
    count = int(x.head.query["bytes"])
    await x.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
    if x.head.method == "HEAD":
        return True
    block = bytes(range(256)) * 256
    for at in range(0, count, len(block)):
        await x.send(block[: count - at])
    return True


@path("cut-short")
async def cut_short(x: Exchange) -> bool:
    """Ten bytes of a promised hundred, then FIN."""
    await x.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
    return False


@path("cut-chunk")
async def cut_chunk(x: Exchange) -> bool:
    """A chunked body without its last chunk, then FIN (RFC 9112 §8: incomplete)."""
    await x.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"0123456789"))
    return False


@path("103")
async def early_hints(x: Exchange) -> bool:
    """Two interim answers, then the final one (RFC 9110 §15.2)."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    await x.send(b"HTTP/1.1 102 Processing\r\n\r\n" + hints + answer("200 OK", PAGE))
    return True


@path("close-after")
async def close_after(x: Exchange) -> bool:
    """A good answer, then FIN although keep-alive was implied: the next request on the pooled connection meets a dead one."""
    await x.send(answer("200 OK", PAGE))
    return False


@path("hop-by-hop")
async def hop_by_hop(x: Exchange) -> bool:
    """An answer with fields that are only for the edge (RFC 9110 §7.6.1)."""
    lines = [
        "Connection: keep-alive, X-Private",
        "Keep-Alive: timeout=5",
        "X-Private: 1",
        "X-Public: 2",
        "CF-Ray: forged",
    ]
    await x.send(answer("200 OK", PAGE, *lines))
    return True


# --- Faults of an origin ------------------------------------------------------------------------------------------


def raw_answer(word: str, data: bytes) -> None:
    """Register a path that answers with exactly these bytes and closes."""

    async def behaviour(x: Exchange) -> bool:
        await x.send(data)
        return False

    HTTP_PATHS[word] = behaviour


raw_answer("empty", b"")
raw_answer("garbage", b"\x00\x01\x02 this is not HTTP\r\n\r\n")
raw_answer("half-head", b"HTTP/1.1 200 OK\r\nContent-Le")
raw_answer("both-framings", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
raw_answer("two-lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
raw_answer("folded", b"HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\nContent-Length: 0\r\n\r\n")
raw_answer("bad-chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n")
raw_answer("huge-head", b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 140_000 + b"\r\n\r\n")


# What an attacker who controls one answer of a shared origin would like the next client to get.
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"


def poisoned(word: str, head: bytes) -> None:
    """Register a path that answers with `head`, which ends its answer, and goes on with POISON on the same connection."""

    async def behaviour(x: Exchange) -> bool:
        await x.send(head + POISON)
        return True

    HTTP_PATHS[word] = behaviour


poisoned("behind-length", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
poisoned("behind-chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
poisoned("behind-204", b"HTTP/1.1 204 No Content\r\n\r\n")
poisoned("behind-304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 57\r\n\r\n")
poisoned("behind-head", b"HTTP/1.1 200 OK\r\nContent-Length: 57\r\n\r\n")


@path("no-answer")
async def no_answer(x: Exchange) -> bool:
    """Read the request and say nothing, until the test lets go; then end."""
    await x.seen.let_go.wait()
    return False


@path("reset-first")
async def reset_first(x: Exchange) -> bool:
    """Reset instead of an answer."""
    x.reset()
    return False
