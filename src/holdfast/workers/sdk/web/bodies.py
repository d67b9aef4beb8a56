"""The body of a request or a response: bytes or a stream, read once.

Law 1: a body is used as soon as it is read, as a whole or as a stream; reading it again is an error (BodyUsedError).
Law 2: a clone and what it was cloned from are read independently, each once.
Law 3: a body that nobody reads is not buffered: its sender waits.
Law 4: a content coding is undone where the body is read, and only there.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from holdfast.workers.sdk.errors import BodyUsedError, JsException, JsTypeError
from holdfast.workers.sdk.threads import wherever
from holdfast.workers.sdk.web.blobs import Blob
from holdfast.workers.sdk.web.encodings import decoded
from holdfast.workers.sdk.web.forms import FormData, parse_form, serialize_form
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.streams import MAX_BUFFERED_BYTES, ReadableStream


class Payload:
    """One body. `length` is its size in bytes where that is known before it is read; of a coded one, its size as it came."""

    __slots__ = ("_coded", "_data", "_is_used", "_readable", "coding", "length")

    def __init__(self, source: bytes | ReadableStream | None, *, length: int | None = None) -> None:
        self._data = source if isinstance(source, bytes) else None
        self._readable = source if isinstance(source, ReadableStream) else None
        self._coded: ReadableStream | None = None
        self._is_used = False
        self.coding = ""
        self.length = len(source) if isinstance(source, bytes) else length

    @classmethod
    def coded(cls, source: ReadableStream, coding: str, *, length: int | None = None) -> Payload:
        """A body that came in a content coding, to be decoded if it is read and passed on as it is if it is not."""
        made = cls(None, length=length)
        made._coded, made.coding = source, coding
        return made

    @property
    def is_null(self) -> bool:
        """Whether there is no body at all, not even an empty one."""
        return self._data is None and self._readable is None and self._coded is None

    @property
    def is_used(self) -> bool:
        """Whether it has been read, at least in part."""
        return self._is_used or (self._readable is not None and self._readable.is_disturbed)

    @property
    def readable(self) -> ReadableStream | None:
        """The body as a stream, decoded, the same one each time; None if there is none."""
        if self._readable is None and self._data is not None:
            self._readable = ReadableStream.of_bytes(self._data)
            self._readable.is_disturbed = self._is_used
        if self._readable is None and self._coded is not None:
            self._readable = ReadableStream(decoded(self._coded.chunks(), self.coding), self._coded.abandon)
        return self._readable

    @wherever
    async def read(self) -> bytes:
        """All of it. BodyUsedError if it has been read; JsException if it is larger than a script may hold."""
        source = self.take()
        if source is None or isinstance(source, bytes):
            return source or b""
        whole = bytearray()
        async for chunk in source:
            whole += chunk
            if len(whole) > MAX_BUFFERED_BYTES:
                raise JsException("Memory limit exceeded before EOF.")
        return bytes(whole)

    def take(self) -> bytes | AsyncIterator[bytes] | None:
        """The body for who reads it now, decoded. BodyUsedError if somebody has."""
        if self.is_null:
            return None
        self._claim()
        if self._data is not None:
            return self._data
        readable = self.readable
        return None if readable is None else _checked(readable)

    def take_coded(self, coding: str) -> AsyncIterator[bytes] | None:
        """The body as it came, if it came in this coding and nobody has looked at it decoded; None otherwise."""
        if self._coded is None or self.coding != coding or self._readable is not None:
            return None
        self._claim()
        return self._coded.chunks()

    def split(self) -> Payload:
        """Another body of the same bytes, this one staying as it is. BodyUsedError if it has been read."""
        if self.is_used:
            raise BodyUsedError
        if self._data is not None:
            return Payload(self._data)
        if self._readable is not None:
            self._readable, other = self._readable.tee()
            self._coded = None
            return Payload(other, length=None if self.coding else self.length)
        if self._coded is not None:
            self._coded, other = self._coded.tee()
            return Payload.coded(other, self.coding, length=self.length)
        return Payload(None)

    def move(self) -> Payload:
        """The same body for a new owner; this one is used from now on. BodyUsedError if it is already."""
        if self.is_used:
            raise BodyUsedError
        moved = Payload(None, length=self.length)
        moved._data, moved._readable, moved._coded = self._data, self._readable, self._coded
        moved.coding, self._is_used = self.coding, not self.is_null
        return moved

    def _claim(self) -> None:
        if self.is_used or (self._readable is not None and self._readable.locked):
            raise BodyUsedError
        self._is_used = True
        if self._readable is not None and self._data is not None:
            self._readable.is_disturbed = True


def payload_of(body: object, *, what: str) -> tuple[Payload, str | None]:
    """The body that user code gave, and the content type it implies. TypeError "Unsupported type in `what`: X"."""
    if getattr(body, "buffer", None) is not None and callable(to_bytes := getattr(body, "to_bytes", None)):
        # A view of a buffer.
        body = to_bytes()
    match body:
        case None:
            return Payload(None), None
        case str():
            return Payload(body.encode("utf-8", "surrogatepass")), "text/plain;charset=UTF-8"
        case bytes() | bytearray() | memoryview() | array():
            return Payload(bytes(body)), None
        case Blob():
            return Payload(body.data), body.type or None
        case FormData():
            content, content_type = serialize_form(body)
            return Payload(content), content_type
        case URLSearchParams():
            return Payload(str(body).encode()), "application/x-www-form-urlencoded;charset=UTF-8"
        case ReadableStream():
            return _stream_payload(body), None
        case AsyncIterable():
            return Payload(ReadableStream(body)), None
        case _:
            raise JsTypeError(f"Unsupported type in {what}: {type(body).__name__}")


def _stream_payload(stream: ReadableStream) -> Payload:
    if stream.locked or stream.is_disturbed:
        raise JsTypeError(
            "This ReadableStream is disturbed (has already been read from), and cannot be used as a body."
        )
    return Payload(stream)


async def form_of(payload: Payload, content_type: str | None) -> FormData:
    """The body read as a form. TypeError where its type is no form's, or it is not one."""
    return parse_form(await payload.read(), content_type)


async def _checked(stream: ReadableStream) -> AsyncIterator[bytes]:
    try:
        async for chunk in stream.chunks():
            yield _chunk_bytes(chunk)
    except BaseException:
        # Whoever reads has stopped (GeneratorExit), or cannot go on: whoever feeds it is told.
        await stream.abandon(None)
        raise


def _chunk_bytes(chunk: Any) -> bytes:  # noqa: ANN401 - streams of user code carry anything
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(chunk)
    if isinstance(chunk, str):
        return chunk.encode("utf-8", "surrogatepass")
    raise JsTypeError(f"This stream carries the body of a message and must give bytes, got {type(chunk).__name__}")
