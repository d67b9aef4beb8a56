"""Texts and bytes as JavaScript turns the one into the other: TextEncoder, TextDecoder, base64, components of URLs."""

from __future__ import annotations

import base64
import binascii
import codecs
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
    """`js.TextDecoder`: of whole texts, or of their pieces with `{"stream": True}`."""

    def __init__(self, label: str = "utf-8", options: object = None, **given: object) -> None:
        try:
            "".encode(label)
        except LookupError:
            raise JsRangeError(f'"{label}" is not a valid encoding.') from None
        chosen = {**(options if isinstance(options, dict) else {}), **given}
        self.encoding, self.fatal = label.lower(), bool(chosen.get("fatal", False))
        self.ignoreBOM = bool(chosen.get("ignoreBOM", False))
        self._pieces: codecs.IncrementalDecoder | None = None

    @classmethod
    def new(cls, label: str = "utf-8", options: object = None, **given: object) -> TextDecoder:
        """As `js.TextDecoder.new("utf-8", {"fatal": True})`."""
        return cls(label, options, **given)

    def decode(self, data: object = b"", options: object = None, **given: object) -> str:
        """The text. TypeError for what is invalid, if `fatal`; else U+FFFD stands for it. With `{"stream": True}` more is to come: bytes of
        a character that is not whole yet wait for the others.
        """
        raw = bytes_of(data, what="decode(data)")
        is_last = not {**(options if isinstance(options, dict) else {}), **given}.get("stream")
        pieces = self._pieces or self._begun()
        try:
            text = pieces.decode(raw, is_last)
        except UnicodeDecodeError:
            self._pieces = None
            raise JsTypeError("Failed to decode input.") from None
        self._pieces = None if is_last else pieces
        return text

    def _begun(self) -> codecs.IncrementalDecoder:
        # A mark at the beginning is no part of a text.
        codec = "utf-8-sig" if self.encoding in {"utf-8", "utf8"} and not self.ignoreBOM else self.encoding
        return codecs.getincrementaldecoder(codec)("strict" if self.fatal else "replace")


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
