"""Content codings: bodies decoded as they are read, encoded as they go out, chunk by chunk.

Law 1: `decoded(encoded(x))` is `x` for each coding that this process knows.
Law 2: a stream of one chunk of any size is inflated piecewise, so that a small body cannot become a large one in memory at once.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from types import MappingProxyType

from holdfast.workers.sdk.errors import NetworkError

# Window bits of zlib that read each coding; "deflate" is zlib's own format (RFC 9110 §8.4.1.2).
_READ_BITS = MappingProxyType({"gzip": 31, "x-gzip": 31, "deflate": 15})
# Longest piece that comes out of the decoder at once.
_PIECE_BYTES = 256 * 1024
# What is asked for where user code does not say.
ACCEPTED = "gzip, deflate"


def is_known(coding: str) -> bool:
    """Whether bodies in this coding can be read and written here."""
    return coding in _READ_BITS


async def decoded(body: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """The body without its coding. NetworkError where the coding is unknown, or the body is not in it."""
    if coding not in _READ_BITS:
        raise NetworkError(f"The body's content coding '{coding}' cannot be read; known are {', '.join(_READ_BITS)}.")
    bits = _READ_BITS[coding]
    inflater = zlib.decompressobj(bits)
    try:
        async for chunk in body:
            pending = chunk
            while pending:
                if inflater.eof:
                    # RFC 1952 §2.2: another member may follow.
                    inflater = zlib.decompressobj(bits)
                if piece := inflater.decompress(pending, _PIECE_BYTES):
                    yield piece
                pending = inflater.unconsumed_tail or (inflater.unused_data if inflater.eof else b"")
    except zlib.error as error:
        raise NetworkError(f"The body is not valid {coding}: {error}") from error
    if rest := inflater.flush():
        yield rest
    if not inflater.eof:
        raise NetworkError(f"The body ended within its {coding} coding.")


async def encoded(body: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """The body in a coding that is known here; each chunk can be read as soon as it is there."""
    deflater = zlib.compressobj(wbits=_READ_BITS[coding])
    async for chunk in body:
        if piece := deflater.compress(chunk) + deflater.flush(zlib.Z_SYNC_FLUSH):
            yield piece
    yield deflater.flush()
