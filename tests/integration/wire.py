"""A client made of one blocking socket, so that a test says exactly which bytes go out and sees exactly which come back.

Law 1: nothing is corrected on the way out, and nothing is hidden on the way in.
Law 2: each read has the limit of `waiting`; a peer that says nothing is a failure, not a hang.
"""

import os
import socket
import ssl
import struct
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from select import select
from typing import Self

from tests.integration.frames import CLOSE, Frame, FrameReader
from tests.integration.waiting import LIMIT_S

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response head as it came."""

    raw: bytes
    version: str
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        version, code, *reason = lines[0].split(" ", 2)
        pairs = [line.split(":", 1) for line in lines[1:]]
        return cls(raw, version, int(code), "".join(reason), tuple((name, value.strip()) for name, value in pairs))

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name: str, default: str = "") -> str:
        return next(iter(self.values(name)), default)

    @property
    def ray(self) -> str:
        return self.value("CF-Ray")


class EndedError(Exception):
    """The peer ended the connection (FIN or RST) before what was expected had come."""


class Wire:
    """One connection. `was_reset` tells how it ended, once it has."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(LIMIT_S)
        self.held = bytearray()
        self.was_reset = False
        self._frames = FrameReader()
        self._ready: list[Frame] = []

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_byte_by_byte(self, data: bytes) -> None:
        """One segment a byte, until all is sent or the peer has said or ended something."""
        for at in range(len(data)):
            if select([self.sock], [], [], 0)[0]:
                return
            try:
                self.sock.sendall(data[at : at + 1])
            except ConnectionError:
                return

    def end(self) -> None:
        """Half-close: FIN after what was sent. Nothing to do where the peer has already reset the connection."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def read_some(self) -> bool:
        """Read once into `held`; False at the end of the stream."""
        try:
            data = self.sock.recv(1 << 16)
        except (ConnectionError, ssl.SSLEOFError):
            self.was_reset = True
            return False
        self.held += data
        return bool(data)

    def _need_more(self, what: str) -> None:
        if not self.read_some():
            raise EndedError(f"the connection ended while waiting for {what}; held {bytes(self.held[:200])!r}")

    def read_exactly(self, count: int) -> bytes:
        while len(self.held) < count:
            self._need_more(f"{count} bytes")
        return self._take(count)

    def read_until(self, mark: bytes) -> bytes:
        while (at := self.held.find(mark)) < 0:
            self._need_more(repr(mark))
        return self._take(at + len(mark))

    def read_to_end(self) -> bytes:
        """All bytes until the peer's FIN (or RST, then `was_reset` is set)."""
        while self.read_some():
            pass
        return self._take(len(self.held))

    def _take(self, count: int) -> bytes:
        taken = bytes(self.held[:count])
        del self.held[:count]
        return taken

    def read_answer(self) -> Answer:
        """The next response head, interim ones included."""
        return Answer.parse(self.read_until(b"\r\n\r\n"))

    def read_body(self, answer: Answer, *, method: str = "GET") -> bytes:
        """The body of `answer` by its framing (RFC 9112 §6.3)."""
        if method == "HEAD" or answer.status in {204, 304} or answer.status < 200:
            return b""
        if "chunked" in answer.value("Transfer-Encoding"):
            return b"".join(self.read_chunks())
        if answer.values("Content-Length"):
            return self.read_exactly(int(answer.value("Content-Length")))
        return self.read_to_end()

    def read_chunks(self) -> Iterator[bytes]:
        """Chunks as they come; trailer lines are left in `trailers`."""
        while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
            yield self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"
        self.trailers: list[str] = []
        while line := self.read_until(b"\r\n").strip():
            self.trailers.append(line.decode("latin-1"))

    def request(self, data: bytes) -> tuple[Answer, bytes]:
        """Send a request and read its whole answer; the method is taken from `data`."""
        self.send(data)
        answer = self.read_answer()
        return answer, self.read_body(answer, method=data.split(b" ", 1)[0].decode("latin-1"))

    def send_frame(self, frame: Frame) -> None:
        """Send a frame as a client does: masked, unless it already has a mask."""
        self.send((frame if frame.mask is not None else frame.from_client()).encode())

    def read_frame(self) -> Frame:
        while not self._ready:
            self._ready += self._frames.feed(self._take(len(self.held)))
            if not self._ready:
                self._need_more(f"a frame after {bytes(self._frames.pending[:40])!r}")
        return self._ready.pop(0)

    def read_close(self) -> Frame:
        """Skip messages until a Close arrives."""
        while (frame := self.read_frame()).opcode != CLOSE:
            pass
        return frame

    def read_message(self) -> bytes:
        """The payload of the next whole data message, control frames left out."""
        parts = []
        while True:
            frame = self.read_frame()
            if frame.opcode < CLOSE:
                parts.append(frame.payload)
                if frame.fin:
                    return b"".join(parts)
            elif frame.opcode == CLOSE:
                raise EndedError(f"Close {frame.close_code} {frame.close_reason!r} instead of a message")

    @property
    def unread_frame_bytes(self) -> bytes:
        """What has come of a frame that never became whole."""
        return bytes(self._frames.pending + self.held)


@contextmanager
def connect(
    address: Address,
    *,
    tls: ssl.SSLContext | None = None,
    name: str = "example.test",
    receive_buffer_bytes: int | None = None,
) -> Iterator[Wire]:
    """A connection to the edge (or straight to an origin), closed at the end whatever happens."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    try:
        if receive_buffer_bytes is not None:  # before connecting: it decides the window that is announced
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.settimeout(LIMIT_S)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=name)
        yield Wire(sock)
    finally:
        sock.close()


def upgrade(target: str, *lines: str, host: str = "example.test", key: str | None = None, version: str = "13") -> bytes:
    """A correct upgrade request (RFC 6455 §4.1), with more header lines if given."""
    head = [
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key or b64encode(os.urandom(16)).decode()}",
        f"Sec-WebSocket-Version: {version}",
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


def request(method: str, target: str, *lines: str, host: str = "example.test", body: bytes = b"") -> bytes:
    """An ordinary request; `Content-Length` is added where there is a body and no framing is given."""
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines]
    framed = any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines)
    if body and not framed:
        head.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body


@contextmanager
def websocket(
    address: Address,
    target: str,
    *lines: str,
    tls: ssl.SSLContext | None = None,
    first: bytes = b"",
    name: str = "example.test",
    receive_buffer_bytes: int | None = None,
) -> Iterator[tuple[Wire, Answer]]:
    """An open WebSocket: the handshake is done and was accepted. `first` goes out with the request head."""
    with connect(address, tls=tls, name=name, receive_buffer_bytes=receive_buffer_bytes) as wire:
        wire.send(upgrade(target, *lines, host=name) + first)
        answer = wire.read_answer()
        assert answer.status == 101, (answer, bytes(wire.held))
        yield wire, answer
