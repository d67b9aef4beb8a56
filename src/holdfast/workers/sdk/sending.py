"""What may be sent on a WebSocket, and how texts go out.

Law 1: a text of Python may hold halves of surrogate pairs, UTF-8 may not: two that belong together are their character, one alone is U+FFFD, as
in JavaScript (Infra standard, "convert a string to a scalar value string").
Law 2: what cannot be sent is refused where it is sent, before anything of it is queued.
Law 3: where JavaScript makes a text of a number, so does this: of names, tags, keys and messages.
"""

from __future__ import annotations

from holdfast.workers.sdk.errors import JsRangeError, JsTypeError
from holdfast.workers.sdk.web.numbers import String

# The longest message, in bytes of UTF-8 for a text. Precedent: the original's limit of what it takes in; it sends longer ones too.
MAX_MESSAGE_BYTES = 32 * 1024 * 1024


def sendable(message: object, *, by: str) -> str | bytes:
    """The message as it is sent by `by`. JsTypeError for what is neither text, number nor bytes, JsRangeError for one of more than
    MAX_MESSAGE_BYTES."""
    if isinstance(message, (int, float)):
        message = String(message)
    if isinstance(message, str):
        if message.isascii():
            data: str | bytes = message
            size = len(message)
        else:
            data = well_formed(message)
            size = len(data.encode())
    else:
        view = _bytes(message, by)
        size = view.nbytes
        data = message if isinstance(message, bytes) else b"" if size > MAX_MESSAGE_BYTES else bytes(view)
    if size > MAX_MESSAGE_BYTES:
        raise JsRangeError(f"{by} takes at most {MAX_MESSAGE_BYTES} bytes, a message of {size} was given")
    return data


def well_formed(text: str) -> str:
    """The text without halves of surrogate pairs."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def as_text(value: object) -> str | None:
    """The text that a name is: itself, well formed, or of a whole number its digits; None for anything else."""
    if isinstance(value, str):
        return well_formed(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _bytes(message: object, by: str) -> memoryview:
    if isinstance(message, (bytes, bytearray, memoryview)):
        return memoryview(message)
    if (to_bytes := getattr(message, "to_bytes", None)) is not None and not isinstance(message, int):
        return memoryview(to_bytes())
    try:
        # Arrays of numbers (`array.array`, numpy's), as JavaScript sends typed arrays.
        return memoryview(message)  # type: ignore[arg-type]
    except TypeError:
        raise JsTypeError(f"{by} takes text or bytes, not {type(message).__name__}") from None
