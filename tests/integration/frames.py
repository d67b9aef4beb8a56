"""RFC 6455 §5.2 frames, written and read without a library, so that a test can also send what no library would.

Law 1: `encode` writes exactly what it is told, legal or not: any opcode, any RSV bits, masked or not.
Law 2: `FrameReader` gives the same frames however its input is chopped, and keeps mask keys, so that what was read can be
written again byte for byte.
"""

import os
from dataclasses import dataclass
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `rsv` holds the three reserved bits as 0-7 (4 is RSV1, permessage-deflate). `mask` is None or 4 bytes."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    mask: bytes | None = None

    def encode(self) -> bytes:
        size = len(self.payload)
        head = bytearray([self.fin << 7 | self.rsv << 4 | self.opcode])
        masked = 0x80 if self.mask is not None else 0
        if size < 126:
            head.append(masked | size)
        elif size < 1 << 16:
            head.append(masked | 126)
            head += size.to_bytes(2, "big")
        else:
            head.append(masked | 127)
            head += size.to_bytes(8, "big")
        if self.mask is None:
            return bytes(head) + self.payload
        return bytes(head) + self.mask + xor(self.payload, self.mask)

    def from_client(self) -> "Frame":
        """The same frame with a random mask, as a client sends it (§5.3)."""
        return Frame(self.opcode, self.payload, self.fin, self.rsv, os.urandom(4))

    @property
    def close_code(self) -> int:
        """The code of a Close frame; 1005 where it has none (§7.1.5)."""
        assert self.opcode == CLOSE, self
        return int.from_bytes(self.payload[:2], "big") if self.payload else 1005

    @property
    def close_reason(self) -> str:
        assert self.opcode == CLOSE, self
        return self.payload[2:].decode()


def close(code: int, reason: str = "") -> Frame:
    """A Close frame with a code and a reason."""
    return Frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


# What the edge says to whoever is left when the other side has ended its stream without a Close.
ORIGIN_ENDED: Final = close(1014, "end_of_stream: the connection to the origin ended without a Close")
CLIENT_ENDED: Final = close(1001, "end_of_stream: the connection to the client ended without a Close")
# How long the latter is as an origin gets it, masked.
CLIENT_ENDED_BYTES: Final = len(CLIENT_ENDED.encode()) + 4


def xor(data: bytes, mask: bytes) -> bytes:
    """Mask or unmask (§5.3)."""
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")


class FrameReader:
    """Bytes in, frames out. `pending` is what is left of a frame that is not complete."""

    def __init__(self) -> None:
        self.pending = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        self.pending += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        held = self.pending
        if len(held) < 2:
            return None
        size, at = held[1] & 0x7F, 2
        if size >= 126:
            at += 2 if size == 126 else 8
            if len(held) < at:
                return None
            size = int.from_bytes(held[2:at], "big")
        mask = None
        if held[1] & 0x80:
            mask, at = bytes(held[at : at + 4]), at + 4
        if len(held) < at + size:
            return None
        payload = bytes(held[at : at + size])
        frame = Frame(
            opcode=held[0] & 0x0F,
            payload=payload if mask is None else xor(payload, mask),
            fin=bool(held[0] & 0x80),
            rsv=held[0] >> 4 & 7,
            mask=mask,
        )
        del held[: at + size]
        return frame
