"""What one process says to another of a call, sans I/O: frames, each a map (`workers.values`) behind its length.

    call    {"call": name, "args": […], "kwargs": {…}}      read    {"read": name}
    done    {"done": value}                                 failed  {"failed": record of an exception, "lost": bool}
    unbegun {"unbegun": True}: the process makes room for another one, and has begun nothing of it

Law 1: a frame has at most MAX_FRAME_BYTES: what is longer is refused by who sends it, in the original's words, and by who reads it.
Law 2: whatever bytes come, in whatever pieces, reading them gives maps or raises BadFrame. No bytes at all between two frames are
a sign of life.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from holdfast.workers import values
from holdfast.workers.durable.transfer import uncopyable
from holdfast.workers.values_errors import DataCloneError

# Of arguments, or of a result. Precedent: the original's.
MAX_FRAME_BYTES = 32 * 1024 * 1024
LENGTH_BYTES = 4
# A frame without anything in it: whoever takes long says so, lest somebody between takes it for dead.
ALIVE = bytes(LENGTH_BYTES)

Message = dict[str, Any]


class BadFrame(Exception):
    """What came is no frame. `str` is a sentence."""


def frame(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent. Raises DOMException "DataCloneError" for what cannot be."""
    try:
        data = values.encode(dict(message), limit_bytes=2**62)
    except DataCloneError as error:
        raise uncopyable(str(error.message).rstrip(".")) from None
    if len(data) > MAX_FRAME_BYTES:
        raise uncopyable(
            "Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: "
            f"{len(data)} bytes"
        )
    return len(data).to_bytes(LENGTH_BYTES, "little") + data


class Frames:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that these bytes complete. Raises BadFrame; then this is of no more use."""
        self._pending += data
        while len(self._pending) >= LENGTH_BYTES:
            length = int.from_bytes(self._pending[:LENGTH_BYTES], "little")
            if length > MAX_FRAME_BYTES:
                raise BadFrame(f"a frame of {length} bytes is longer than it may be ({MAX_FRAME_BYTES})")
            if len(self._pending) < LENGTH_BYTES + length:
                return
            content = bytes(self._pending[LENGTH_BYTES : LENGTH_BYTES + length])
            del self._pending[: LENGTH_BYTES + length]
            if content:
                yield _message(content)


def _message(content: bytes) -> Message:
    try:
        found = values.decode(content)
    except DataCloneError as error:
        raise BadFrame(f"a frame holds no value: {error.message}") from None
    if not isinstance(found, dict):
        raise BadFrame(f"a frame holds {type(found).__name__}, expected a map")
    return found


def no_functions(function: object) -> NoReturn:
    """Refuse one, in the original's words."""
    raise uncopyable(
        f'Could not serialize object of type "{type(function).__name__}". This type does not support serialization'
    )
