"""`Blob` and `File`: bytes with a content type, in memory.

The SDK's constructor takes one part or many (`Blob("text")`, `Blob([b"a", "b"], content_type=...)`); JavaScript's, as
`js.Blob.new(parts, {"type": ...})`, many. Parts are text, bytes and other blobs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.values import options_of
from holdfast.workers.sdk.web.streams import ReadableStream


class BlobEnding(StrEnum):
    """What happens to line endings of parts that are text."""

    TRANSPARENT = "transparent"
    NATIVE = "native"


class Blob(Proxied):
    """Bytes with a content type. `data` has them all; reading them is async, as the platform's is."""

    def __init__(
        self,
        blob_parts: Iterable[BlobValue] | BlobValue = (),
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
    ) -> None:
        parts: Iterable[BlobValue]
        if isinstance(blob_parts, (str, bytes, bytearray, memoryview, Blob)):
            parts = (blob_parts,)
            if content_type is None and isinstance(blob_parts, Blob):
                content_type = blob_parts.type
        else:
            parts = blob_parts
        self.data = b"".join(_part_bytes(part, is_native=endings == BlobEnding.NATIVE) for part in parts)
        self.type: str = _checked_type(content_type)

    @classmethod
    def new(cls, parts: Iterable[BlobValue] = (), options: object = None, **given: object) -> Blob:
        """As `js.Blob.new([b"..."], {"type": "image/png"})`."""
        chosen = options_of(options, given)
        return Blob(list(parts), chosen.get("type"), chosen.get("endings"))

    @property
    def js_object(self) -> Blob:
        """This: there is no other side."""
        return self

    @property
    def size(self) -> int:
        """How many bytes."""
        return len(self.data)

    @property
    def content_type(self) -> str:
        """Its type, lower case; "" where it has none."""
        return self.type

    async def text(self) -> str:
        """It decoded as UTF-8, what is not replaced by U+FFFD."""
        return self.data.decode("utf-8", "replace")

    async def bytes(self) -> bytes:
        """Its bytes."""
        return self.data

    async def arrayBuffer(self) -> ArrayBuffer:  # noqa: N802 - JavaScript's name
        """Its bytes."""
        return ArrayBuffer(self.data)

    def slice(self, start: int = 0, end: int | None = None, content_type: str | None = None) -> Blob:
        """A part of it; negative positions count from the end."""
        return Blob(self.data[start:end], content_type or "")

    def stream(self) -> ReadableStream:
        """It as a stream."""
        return ReadableStream.of_bytes(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} bytes, type={self.type!r})"


class File(Blob):
    """A Blob with a name and a time, in ms of Unix time."""

    def __init__(
        self,
        blob_parts: Iterable[BlobValue] | BlobValue,
        filename: str,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
        last_modified: int | None = None,
    ) -> None:
        super().__init__(blob_parts, content_type, endings)
        if last_modified is None and isinstance(blob_parts, File):
            last_modified = blob_parts.last_modified
        self.name = filename
        self.last_modified: int = int(time.time() * 1000) if last_modified is None else last_modified

    @classmethod
    def new(  # type: ignore[override]  # JavaScript's File takes a name where Blob takes options
        cls, parts: Iterable[BlobValue], name: str, options: object = None, **given: object
    ) -> File:
        """As `js.File.new([b"..."], "a.png", {"type": "image/png"})`."""
        chosen = options_of(options, given)
        return File(list(parts), name, chosen.get("type"), chosen.get("endings"), chosen.get("lastModified"))

    @property
    def lastModified(self) -> int:  # noqa: N802 - JavaScript's name
        """The same as `last_modified`."""
        return self.last_modified


BlobValue: TypeAlias = str | bytes | bytearray | memoryview | Blob


def _part_bytes(part: object, *, is_native: bool) -> bytes:
    match part:
        case str():
            text = part.replace("\r\n", "\n").replace("\r", "\n") if is_native else part
            return text.encode("utf-8", "surrogatepass")
        case bytes() | bytearray() | memoryview():
            return bytes(part)
        case Blob():
            return part.data
        case _:
            raise JsTypeError(f"Don't know how to handle {type(part)} for Blob()")


def _checked_type(content_type: str | None) -> str:
    # FileAPI §3.1: what is not printable ASCII makes no type.
    text = content_type or ""
    return text.lower() if text.isascii() and text.isprintable() else ""
