"""Streams that change what goes through them: codings, texts and bytes, and one of a known length.

Law: a chunk comes out as soon as there is something of it; what cannot be read breaks both ends.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator
from types import MappingProxyType
from typing import Any

from holdfast.workers.sdk.buffers import Uint8Array, bytes_of
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web.pipes import BothEnds
from holdfast.workers.sdk.web.texts import TextDecoder, TextEncoder

Chunks = AsyncGenerator[Any, None]

# Window bits of zlib for each format of the Compression Streams standard.
_BITS = MappingProxyType({"gzip": 31, "deflate": 15, "deflate-raw": -15})
# Longest piece that comes out of the decoder at once.
_PIECE_BYTES = 256 * 1024


class IdentityTransformStream(BothEnds):
    """Bytes as they are."""

    def __init__(self) -> None:
        self._join(_bytes)

    @classmethod
    def new(cls, *_options: object, **_given: object) -> IdentityTransformStream:
        """One."""
        return cls()


class FixedLengthStream(BothEnds):
    """So many bytes, no more and no less: TypeError for both."""

    def __init__(self, length: int) -> None:
        self._join(lambda chunks: _measured(chunks, int(length)))

    @classmethod
    def new(cls, length: int, *_options: object, **_given: object) -> FixedLengthStream:
        """As the constructor."""
        return cls(length)


class CompressionStream(BothEnds):
    """Bytes in, `gzip`, `deflate` or `deflate-raw` out. TypeError for another format."""

    def __init__(self, format: str) -> None:  # noqa: A002 - the standard's name
        bits = _bits_of(format)
        self._join(lambda chunks: _compressed(chunks, bits))

    @classmethod
    def new(cls, format: str) -> CompressionStream:  # noqa: A002 - the standard's name
        """As the constructor."""
        return cls(format)


class DecompressionStream(BothEnds):
    """The other way round. TypeError for what is not in the format."""

    def __init__(self, format: str) -> None:  # noqa: A002 - the standard's name
        bits = _bits_of(format)
        self._join(lambda chunks: _decompressed(chunks, bits))

    @classmethod
    def new(cls, format: str) -> DecompressionStream:  # noqa: A002 - the standard's name
        """As the constructor."""
        return cls(format)


class TextEncoderStream(BothEnds):
    """Texts in, UTF-8 out."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._join(_encoded)

    @classmethod
    def new(cls) -> TextEncoderStream:
        """One."""
        return cls()


class TextDecoderStream(BothEnds):
    """Bytes in, texts out; a character whose bytes are in two chunks comes with the second."""

    def __init__(self, label: str = "utf-8", options: object = None, **given: object) -> None:
        decoder = TextDecoder(label, options, **given)
        self.encoding, self.fatal, self.ignoreBOM = decoder.encoding, decoder.fatal, decoder.ignoreBOM
        self._join(lambda chunks: _decoded(chunks, decoder))

    @classmethod
    def new(cls, label: str = "utf-8", options: object = None, **given: object) -> TextDecoderStream:
        """As the constructor."""
        return cls(label, options, **given)


def _bits_of(format: str) -> int:  # noqa: A002 - the standard's name
    if format not in _BITS:
        raise JsTypeError(f"The compression format must be either 'deflate', 'deflate-raw' or 'gzip', got {format!r}.")
    return _BITS[format]


async def _bytes(chunks: Chunks) -> Chunks:
    async for chunk in chunks:
        yield Uint8Array(bytes_of(chunk, what="write(chunk)"))


async def _measured(chunks: Chunks, length: int) -> Chunks:
    left = length
    async for chunk in _bytes(chunks):
        left -= len(chunk)
        if left < 0:
            raise JsTypeError("Attempt to write too many bytes through a FixedLengthStream.")
        yield chunk
    if left:
        raise JsTypeError("FixedLengthStream did not see all expected bytes before close().")


async def _compressed(chunks: Chunks, bits: int) -> Chunks:
    deflater = zlib.compressobj(wbits=bits)
    async for chunk in _bytes(chunks):
        if piece := deflater.compress(chunk):
            yield Uint8Array(piece)
    yield Uint8Array(deflater.flush())


async def _decompressed(chunks: Chunks, bits: int) -> Chunks:
    inflater = zlib.decompressobj(bits)
    try:
        async for chunk in _bytes(chunks):
            pending, is_full = bytes(chunk), False
            while pending or is_full:
                if inflater.eof:
                    raise JsTypeError("Trailing bytes after end of compressed data")
                if piece := inflater.decompress(pending, _PIECE_BYTES):
                    yield Uint8Array(piece)
                pending = inflater.unconsumed_tail or inflater.unused_data
                # There may be more of what it has taken already.
                is_full = len(piece) == _PIECE_BYTES and not inflater.eof
    except zlib.error as error:
        raise JsTypeError(f"Decompression failed: {error}") from error
    if not inflater.eof:
        raise JsTypeError("Called close() on a decompression stream with incomplete data")


async def _encoded(chunks: Chunks) -> Chunks:
    encoder = TextEncoder()
    async for chunk in chunks:
        if data := encoder.encode(str(chunk)):
            yield data


async def _decoded(chunks: Chunks, decoder: TextDecoder) -> Chunks:
    async for chunk in chunks:
        if text := decoder.decode(chunk, stream=True):
            yield text
    if text := decoder.decode():
        yield text
