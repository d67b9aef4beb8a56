"""Percent-encoding taken off: once, with `%uXXXX`, and until nothing is left of it.

Law 1: what is no escape stays as it is. Texts have one character a byte; a `%uXXXX` becomes UTF-8, and half a surrogate pair
is no escape.
Law 2: time is linear in the text, also where what an escape stands for begins or ends another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from holdfast.rules.literals import bytes_of

_DIGITS = "0123456789abcdefABCDEF"
# Two digits to the byte that they are.
_BYTES: Mapping[str, str] = MappingProxyType({a + b: chr(int(a + b, 16)) for a in _DIGITS for b in _DIGITS})
_HEX = frozenset(_DIGITS)
_UNICODE_DIGITS = 4
# Characters of an escape: `%uXXXX`.
_LONGEST = 6


def decoded(text: str) -> str:
    """Each `%XX` as the byte it stands for."""
    if "%" not in text:
        return text
    first, *pieces = text.split("%")
    return first + "".join(
        [byte + piece[2:] if (byte := _BYTES.get(piece[:2])) is not None else "%" + piece for piece in pieces]
    )


def decoded_with_unicode(text: str) -> str:
    """Each `%XX` and each `%uXXXX`."""
    if "%" not in text:
        return text
    first, *pieces = text.split("%")
    return first + "".join(
        [
            byte + piece[2:] if (byte := _BYTES.get(piece[:2])) is not None else _decoded_unicode(piece)
            for piece in pieces
        ]
    )


def _decoded_unicode(piece: str) -> str:
    char = _unicode(piece[1:5]) if piece.startswith("u") else None
    return "%" + piece if char is None else char + piece[5:]


def _unicode(digits: str) -> str | None:
    """The UTF-8 of what four digits stand for, None if they are none or stand for half a pair."""
    if len(digits) != _UNICODE_DIGITS or not _HEX.issuperset(digits):
        return None
    code = int(digits, 16)
    return None if 0xD800 <= code <= 0xDFFF else bytes_of(chr(code))


def decoded_fully(text: str, *, unicode: bool) -> str:
    """Every `%XX` (with `unicode`, every `%uXXXX` too), and those that appear when others are decoded; "+" is a space.

    No two escapes overlap, so it does not matter in which order they are decoded: each is when its last digit has come.
    """
    before, percent, rest = text.replace("+", " ").partition("%")
    # What stands before the text, so that there is always something six characters back, is nothing.
    out = [""] * _LONGEST + list(before + percent)
    append = out.append
    for char in rest:
        append(char)
        if char in _HEX and (out[-3] == "%" or (unicode and out[-6] == "%")):
            _decode_end(out, unicode=unicode)
    return "".join(out)


def _decode_end(out: list[str], *, unicode: bool) -> None:
    """Decode what the end of a text has become an escape of, as often as what it stands for ends another one."""
    while True:
        if out[-3] == "%":
            char, length = _BYTES.get(out[-2] + out[-1]), 3
        elif unicode and out[-6] == "%" and out[-5] == "u":
            char, length = _unicode("".join(out[-4:])), _LONGEST
        else:
            return
        if char is None:
            return
        del out[-length:]
        out += char.replace("+", " ")
        if char not in _HEX:
            return
