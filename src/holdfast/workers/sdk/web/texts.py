"""Texts and bytes as JavaScript turns the one into the other: TextEncoder, TextDecoder, base64, components of URLs."""

from __future__ import annotations

import base64
import codecs
import re
from urllib.parse import quote, unquote

from holdfast.workers.sdk.buffers import Uint8Array, bytes_of
from holdfast.workers.sdk.errors import DOMException, JsRangeError, JsSyntaxError, JsTypeError
from holdfast.workers.sdk.sending import well_formed
from holdfast.workers.sdk.values import JsDict

_NO_SPACES = dict.fromkeys(map(ord, " \t\n\f\r"))
_HALF_ESCAPED = re.compile("%(?![0-9A-Fa-f]{2})")


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

    def encodeInto(self, text: str, target: bytearray) -> JsDict:  # noqa: N802 - JavaScript's name
        """Write as much of it as there is room for; `{read, written}`, in UTF-16 code units and in bytes."""
        read = written = 0
        for character in well_formed(text):
            data = character.encode()
            if written + len(data) > len(target):
                break
            target[written : written + len(data)] = data
            read, written = read + 1 + (ord(character) > 0xFFFF), written + len(data)
        return JsDict(read=read, written=written)


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
        # Whether the text that is decoded has begun: a mark at its beginning is no part of it.
        self._has_begun = False

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
        pieces = self._pieces or codecs.getincrementaldecoder(self.encoding)("strict" if self.fatal else "replace")
        try:
            text = pieces.decode(raw, is_last)
        except UnicodeDecodeError:
            self._pieces, self._has_begun = None, False
            raise JsTypeError("Failed to decode input.") from None
        begins, self._has_begun = not self._has_begun, not is_last and (self._has_begun or text != "")
        self._pieces = None if is_last else pieces
        return text.removeprefix("\ufeff") if begins and not self.ignoreBOM else text


def atob(text: str) -> str:
    """Base64 decoded, each byte one character. InvalidCharacterError for what is none."""
    cleaned = str(text).translate(_NO_SPACES)
    if len(cleaned) % 4 == 0:
        # What it is filled up with may be there or not, but is all of it then.
        cleaned = cleaned.removesuffix("==") if cleaned.endswith("==") else cleaned.removesuffix("=")
    refusal = DOMException("atob() called with invalid base64-encoded data.", "InvalidCharacterError")
    if "=" in cleaned:
        raise refusal
    try:
        return base64.b64decode(cleaned + "=" * (-len(cleaned) % 4), validate=True).decode("latin-1")
    except ValueError:
        raise refusal from None


def btoa(text: str | bytes) -> str:
    """Base64 of characters up to U+00FF, or of bytes. InvalidCharacterError for others."""
    try:
        raw = text.encode("latin-1") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError:
        raise DOMException(
            "btoa() can only operate on characters in the Latin1 range.", "InvalidCharacterError"
        ) from None
    return base64.b64encode(raw).decode("ascii")


def _malformed() -> JsSyntaxError:
    return JsSyntaxError("URI malformed", name="URIError")


def _escaped(text: str, kept: str) -> str:
    try:
        return quote(text, safe=kept)
    except UnicodeEncodeError:
        pass
    try:
        # Halves of surrogate pairs that belong together are their character.
        return quote(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le"), safe=kept)
    except UnicodeDecodeError:
        raise _malformed() from None


def encodeURIComponent(text: str) -> str:  # noqa: N802 - JavaScript's name
    """As JavaScript's `encodeURIComponent`. URIError (ValueError) for half of a surrogate pair."""
    return _escaped(text, "-_.!~*'()")


def decodeURIComponent(text: str) -> str:  # noqa: N802 - JavaScript's name
    """As JavaScript's `decodeURIComponent`. URIError (ValueError) for what is not UTF-8, or a % that escapes nothing."""
    if _HALF_ESCAPED.search(text):
        raise _malformed()
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _malformed() from None


# What has a meaning of its own between the parts of a URL.
_RESERVED = ";/?:@&=+$,#"


def encodeURI(text: str) -> str:  # noqa: N802 - JavaScript's name
    """As JavaScript's `encodeURI`: what separates a URL's parts stays. URIError (ValueError) for half of a surrogate pair."""
    return _escaped(text, f"-_.!~*'(){_RESERVED}")


def decodeURI(text: str) -> str:  # noqa: N802 - JavaScript's name
    """As JavaScript's `decodeURI`: what would separate a URL's parts stays. URIError (ValueError) for what is not UTF-8."""
    kept = "|".join(f"%{ord(one):02X}" for one in _RESERVED)
    return "".join(
        one if at % 2 else decodeURIComponent(one) for at, one in enumerate(re.split(f"((?i:{kept}))", text))
    )
