"""JavaScript's numbers: `Number`, `parseInt` and their like, and `String`, `Boolean` and `BigInt` as functions.

Law: each takes plain Python values, and gives a number, a text or a boolean of Python's.
"""

from __future__ import annotations

import math
import re
import sys
from decimal import Decimal

from holdfast.workers.sdk.errors import JsSyntaxError

NaN, Infinity = math.nan, math.inf

# As long as Python reads at once; what is longer is far beyond what JavaScript counts one by one.
_WHOLE = re.compile(r"[+-]?[0-9]{1,400}")
_DECIMAL = re.compile(r"[+-]?(Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)")
_OTHER_BASE = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")


class Number:
    """`js.Number`: what can be read as a number is one of Python's, all else NaN."""

    MAX_SAFE_INTEGER, MIN_SAFE_INTEGER = 2**53 - 1, 1 - 2**53
    EPSILON, MAX_VALUE, MIN_VALUE = sys.float_info.epsilon, sys.float_info.max, 5e-324
    POSITIVE_INFINITY, NEGATIVE_INFINITY, NaN = math.inf, -math.inf, math.nan

    def __new__(cls, value: object = 0) -> float:  # type: ignore[misc]  # a number of Python
        """Of a number, a text, a boolean or None."""
        if value is None or isinstance(value, bool):
            return int(value or 0)
        if isinstance(value, (int, float)):
            return value
        text = str(value).strip() or "0"
        # Python reads more: 1_000, inf, nan, -0x1f.
        if _WHOLE.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
        return int(text, 0) if _OTHER_BASE.fullmatch(text) else math.nan

    @classmethod
    def new(cls, value: object = 0) -> float:
        """As `js.Number.new("7")`."""
        return cls(value)

    @staticmethod
    def isInteger(value: object) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it is a whole number."""
        return Number.isFinite(value) and float(value).is_integer()  # type: ignore[arg-type]  # it is one

    @staticmethod
    def isSafeInteger(value: object) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it is a whole number that JavaScript tells from all others."""
        return Number.isInteger(value) and abs(value) <= Number.MAX_SAFE_INTEGER  # type: ignore[arg-type]  # it is one

    @staticmethod
    def parseInt(text: object, base: int = 10) -> float:  # noqa: N802 - JavaScript's name
        """As `parseInt`."""
        return parseInt(text, base)

    @staticmethod
    def parseFloat(text: object) -> float:  # noqa: N802 - JavaScript's name
        """As `parseFloat`."""
        return parseFloat(text)

    @staticmethod
    def isFinite(value: object) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it is a number, neither NaN nor infinite."""
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

    @staticmethod
    def isNaN(value: object) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it is NaN."""
        return isinstance(value, float) and math.isnan(value)


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def parseInt(text: object, base: int = 10) -> float:  # noqa: N802 - JavaScript's name
    """The whole number that a text begins with; NaN where it begins with none."""
    said = str(text).strip().lower()
    sign, said = (-1 if said.startswith("-") else 1), said[1:] if said[:1] in {"-", "+"} else said
    if said.startswith("0x") and base in {0, 10, 16}:
        base, said = 16, said[2:]
    digits = re.match(f"[{_DIGITS[: base or 10]}]{{0,400}}", said)
    found = digits.group() if digits is not None else ""
    return sign * int(found, base or 10) if found else math.nan


def parseFloat(text: object) -> float:  # noqa: N802 - JavaScript's name
    """The number that a text begins with; NaN where it begins with none."""
    found = _DECIMAL.match(str(text).strip())
    return Number(found.group()) if found is not None else math.nan


def isNaN(value: object) -> bool:  # noqa: N802 - JavaScript's name
    """Whether it cannot be read as a number."""
    return math.isnan(Number(value))


def isFinite(value: object) -> bool:  # noqa: N802 - JavaScript's name
    """Whether it can be read as a number, and is not infinite."""
    return math.isfinite(Number(value))


def BigInt(value: object) -> int:  # noqa: N802 - JavaScript's name
    """A whole number. SyntaxError (ValueError) for what is none."""
    number = Number(value)
    if not isinstance(number, int):
        raise JsSyntaxError(f"Cannot convert {value} to a BigInt")
    return number


def Boolean(value: object = None) -> bool:  # noqa: N802 - JavaScript's name
    """False for None, False, 0, NaN and the empty text; True for all else, as an empty list."""
    if isinstance(value, (int, float, str)):
        return bool(value) and value == value  # noqa: PLR0124 - NaN is not itself
    return value is not None


def _decimal(value: float) -> str:
    """As JavaScript writes what is finite: with an exponent from 1e21 on, and below 1e-6."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    power = int(exponent)
    return f"{mantissa}e{power:+d}" if power >= 0 or power < -6 else f"{Decimal(repr(value)):f}"


class String:
    """`js.String`: texts of Python's."""

    def __new__(cls, value: object = "") -> str:  # type: ignore[misc]  # a text of Python
        """As JavaScript says it: `true`, `null`, `1` for 1.0."""
        if value is None or isinstance(value, bool):
            return "null" if value is None else str(value).lower()
        if isinstance(value, float) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return _decimal(value) if isinstance(value, float) else str(value)

    @staticmethod
    def fromCharCode(*codes: int) -> str:  # noqa: N802 - JavaScript's name
        """Of UTF-16 code units."""
        units = b"".join((code & 0xFFFF).to_bytes(2, "little") for code in codes)
        return units.decode("utf-16-le", "surrogatepass")

    @staticmethod
    def fromCodePoint(*codes: int) -> str:  # noqa: N802 - JavaScript's name
        """Of characters' numbers."""
        return "".join(map(chr, codes))
