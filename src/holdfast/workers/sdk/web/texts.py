"""Texts and bytes as JavaScript turns the one into the other: TextEncoder, TextDecoder, base64, components of URLs."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote, unquote

from holdfast.workers.sdk.buffers import Uint8Array, bytes_of
from holdfast.workers.sdk.errors import DOMException, JsRangeError, JsSyntaxError, JsTypeError


class TextEncoder:
    """`js.TextEncoder`."""

    encoding = "utf-8"

    @classmethod
    def new(cls) -> TextEncoder:
        """One."""
        return cls()

    def encode(self, text: str = "") -> Uint8Array:
        """UTF-8, lone surrogates as U+FFFD."""
        return Uint8Array(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode())


class TextDecoder:
    """`js.TextDecoder`. Whole texts: bytes of one character must come together."""

    def __init__(self, label: str = "utf-8", options: object = None, **given: object) -> None:
        try:
            "".encode(label)
        except LookupError:
            raise JsRangeError(f'"{label}" is not a valid encoding.') from None
        chosen = {**(options if isinstance(options, dict) else {}), **given}
        self.encoding, self.fatal = label.lower(), bool(chosen.get("fatal", False))

    @classmethod
    def new(cls, label: str = "utf-8", options: object = None, **given: object) -> TextDecoder:
        """As `js.TextDecoder.new("utf-8", {"fatal": True})`."""
        return cls(label, options, **given)

    def decode(self, data: object = b"") -> str:
        """The text. TypeError for what is invalid, if `fatal`; else U+FFFD stands for it."""
        raw = bytes_of(data, what="decode(data)")
        if self.encoding in {"utf-8", "utf8"}:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            return raw.decode(self.encoding, "strict" if self.fatal else "replace")
        except UnicodeDecodeError:
            raise JsTypeError("Failed to decode input.") from None


def atob(text: str) -> str:
    """Base64 decoded, each byte one character. InvalidCharacterError for what is none."""
    cleaned = "".join(text.split())
    try:
        return base64.b64decode(cleaned + "=" * (-len(cleaned) % 4), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        raise DOMException("atob() called with invalid base64-encoded data.", "InvalidCharacterError") from None


def btoa(text: str | bytes) -> str:
    """Base64 of characters up to U+00FF, or of bytes. InvalidCharacterError for others."""
    try:
        raw = text.encode("latin-1") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError:
        raise DOMException(
            "btoa() can only operate on characters in the Latin1 range.", "InvalidCharacterError"
        ) from None
    return base64.b64encode(raw).decode("ascii")


def encodeURIComponent(text: str) -> str:  # noqa: N802 - JavaScript's name
    """As JavaScript's `encodeURIComponent`."""
    return quote(text, safe="-_.!~*'()")


def decodeURIComponent(text: str) -> str:  # noqa: N802 - JavaScript's name
    """As JavaScript's `decodeURIComponent`. URIError (ValueError) for what is not UTF-8."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise JsSyntaxError("URI malformed") from None
