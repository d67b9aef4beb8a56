"""Frames of a client that does not mask them, made such as RFC 6455 §5.1 wants them.

`wrangler tail` sends its one message unmasked (`mask: false`), which the original takes. So does a tail here, and no other stream.

Law 1: whatever the chopping, the bytes that come out are those that came in, but that an unmasked frame has a mask of zeros, which changes no
byte of its payload.
Law 2: nothing is kept but an incomplete head of a frame, 14 bytes at most.
"""

from __future__ import annotations

_MASKED, _LENGTH = 0x80, 0x7F
_NO_MASK = bytes(4)


class Masking:
    """Frames in, masked frames out."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._payload = 0

    def feed(self, data: bytes) -> bytes:
        """What `data` comes to."""
        out, at = bytearray(), 0
        while at < len(data):
            if self._payload:
                taken = data[at : at + self._payload]
                self._payload -= len(taken)
                at += len(taken)
                out += taken
                continue
            self._head.append(data[at])
            at += 1
            if (length := _payload_length(self._head)) is not None:
                out += self._masked_head()
                self._payload = length
                self._head.clear()
        return bytes(out)

    def _masked_head(self) -> bytes:
        if self._head[1] & _MASKED:
            return bytes(self._head)
        self._head[1] |= _MASKED
        return bytes(self._head) + _NO_MASK


def _payload_length(head: bytearray) -> int | None:
    """The length of a frame's payload (RFC 6455 §5.2); None while its head is not complete."""
    if len(head) < 2:
        return None
    more = {126: 2, 127: 8}.get(head[1] & _LENGTH, 0)
    if len(head) < 2 + more + (4 if head[1] & _MASKED else 0):
        return None
    return int.from_bytes(head[2 : 2 + more], "big") if more else head[1] & _LENGTH
