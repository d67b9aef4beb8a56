"""One spelling for all that mean the same path, so that a rule about `/admin` is one about `/%61dmin`, `//admin` and `/x/../admin`.

Law 1: whatever comes, a text comes back; time is linear in the path, and normalising what is normalised changes nothing. So a "%" that
begins no escape is escaped itself: `%%361` must not become `%61`, which would be another path the next time.
Law 2: what comes back is ASCII: letters, digits, `-._~`, the reserved characters as they came, and escapes in upper case. Bytes of other
kinds, those from 0x80 among them, are escaped; what stood for a reserved character (`%2F`, `%5C`) stays an escape.
Law 3: the query is no part of this: the original has the path normalised alone, and what is made of it (`uri`, `full_uri`).

`rfc3986` is RFC 3986 §6.2.2 (case, unreserved characters, dot segments as in §5.2.4), and literal bytes escaped. `cloudflare` first turns
"\\" into "/", and several "/" into one. Source: Cloudflare, "How URL normalization works", and its examples, which the tests have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from holdfast.rules.literals import bytes_of

# What the rules of a zone see of paths; "none" is what the client sent.
UrlForm = Literal["cloudflare", "rfc3986", "none"]

# Paths of ordinary lengths are few and come again and again; remembered, one takes about 0.1 us. At most some 200 KiB a form.
_REMEMBERED = 512
_MAX_REMEMBERED_CHARS = 128

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# RFC 3986 §2.3 and §2.2: what stands for itself.
_AS_IT_IS = r"A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;="
_to_change = re.compile(rf"[^{_AS_IT_IS}]").search
_several_slashes = re.compile("//+").sub

_DIGITS = "0123456789ABCDEFabcdef"
# Two digits to what the escape with them should be.
_ESCAPES: Mapping[str, str] = {
    a + b: char if (char := chr(int(a + b, 16))) in _UNRESERVED else f"%{a}{b}".upper()
    for a in _DIGITS
    for b in _DIGITS
}
# Bytes that must not stand for themselves, to their escapes; but for "%".
_OTHERS: Mapping[int, str] = {code: f"%{code:02X}" for code in range(256) if chr(code) != "%" and _to_change(chr(code))}


def normalized_path(path: str, form: UrlForm) -> str:
    """`path`, as a request has it, as the rules of a zone with `form` see it: one character a byte."""
    if len(path) <= _MAX_REMEMBERED_CHARS:
        return _REMEMBERING[form](path)
    return _FORMS[form](path)


def _rfc3986(path: str) -> str:
    """RFC 3986 §6.2.2."""
    if _to_change(path):
        path = _spelled(bytes_of(path))
    return _without_dots(path) if "/." in path and path.startswith("/") else path


def _cloudflare(path: str) -> str:
    """The same after the original's own steps, in their order."""
    if "\\" in path:
        path = path.replace("\\", "/")
    if "//" in path:
        path = _several_slashes("/", path)
    return _rfc3986(path)


def _spelled(path: str) -> str:
    """Escapes as they should be, and one for whatever must not stand for itself."""
    if "%" in path:
        first, *pieces = path.split("%")
        path = first + "".join(
            [
                escape + piece[2:] if (escape := _ESCAPES.get(piece[:2])) is not None else "%25" + piece
                for piece in pieces
            ]
        )
    return path.translate(_OTHERS)


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4. `path` begins with "/"."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    # What ends with a dot segment ends with the folder that it names.
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


_FORMS: Mapping[UrlForm, Callable[[str], str]] = MappingProxyType(
    {"cloudflare": _cloudflare, "rfc3986": _rfc3986, "none": bytes_of}
)
_REMEMBERING: Mapping[UrlForm, Callable[[str], str]] = MappingProxyType(
    {form: lru_cache(maxsize=_REMEMBERED)(normalize) for form, normalize in _FORMS.items()}
)
