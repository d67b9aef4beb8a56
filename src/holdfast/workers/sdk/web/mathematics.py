"""JavaScript's `Math`.

Law 1: no number raises: what has no answer is NaN, what is too large infinite. An argument is read as `Number` reads it.
Law 2: what is whole in JavaScript by its meaning (`floor`, `round`, `sign` …) is an int, so that it is an index as it is.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable

from holdfast.workers.sdk.web.numbers import Number

_BITS = 1 << 32
# What a float has each whole number up to.
_EXACT = 2**53


def _real(function: Callable[..., float]) -> staticmethod[..., float]:
    """One of Python's, for any arguments."""

    def applied(*values: object) -> float:
        try:
            return function(*map(Number, values))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return staticmethod(applied)


def _whole(function: Callable[[float], int]) -> staticmethod[[object], float]:
    """One of Python's that gives whole numbers; NaN and what is infinite stay."""

    def applied(value: object = math.nan) -> float:
        number = Number(value)
        return function(number) if math.isfinite(number) else number

    return staticmethod(applied)


def _logarithm(function: Callable[[float], float], nowhere: float) -> staticmethod[[object], float]:
    """One that is -Infinity at `nowhere`, where Python's raises."""
    return _real(lambda value: -math.inf if value == nowhere else function(value))


def _power(base: float, exponent: float) -> float:
    if math.isnan(exponent) or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    try:
        result = math.pow(base, exponent)
    except ValueError:
        # Of zero to something negative; else a root of what is negative.
        return math.nan if base else math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    is_whole = isinstance(base, int) and isinstance(exponent, int) and exponent >= 0 and abs(result) < _EXACT
    return int(result) if is_whole else result


def _extreme(choose: Callable[..., float], of_none: float) -> staticmethod[..., float]:
    def chosen(*values: object) -> float:
        numbers = [Number(value) for value in values]
        if any(map(math.isnan, numbers)):
            return math.nan
        return choose(numbers) if numbers else of_none

    return staticmethod(chosen)


def _float32(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _word(value: object) -> int:
    """The lowest 32 bits."""
    number = Number(value)
    return int(number) % _BITS if math.isfinite(number) else 0


class Math:
    """`js.Math`: see the laws above."""

    PI, E, LN2, LN10 = math.pi, math.e, math.log(2), math.log(10)
    SQRT2, SQRT1_2, LOG2E, LOG10E = math.sqrt(2), math.sqrt(0.5), math.log2(math.e), math.log10(math.e)

    floor, ceil, trunc = _whole(math.floor), _whole(math.ceil), _whole(math.trunc)
    # Halves go up, as JavaScript rounds; 0.49999999999999994 + 0.5 is 1.
    round = _whole(lambda value: math.floor(value) + (value - math.floor(value) >= 0.5))
    max, min = _extreme(max, -math.inf), _extreme(min, math.inf)
    abs, pow, hypot, fround = _real(abs), _real(_power), _real(math.hypot), _real(_float32)
    sqrt, cbrt, exp, expm1 = _real(math.sqrt), _real(math.cbrt), _real(math.exp), _real(math.expm1)
    log, log2, log10, log1p = (
        _logarithm(math.log, 0),
        _logarithm(math.log2, 0),
        _logarithm(math.log10, 0),
        _logarithm(math.log1p, -1),
    )
    sin, cos, tan, asin, acos = _real(math.sin), _real(math.cos), _real(math.tan), _real(math.asin), _real(math.acos)
    atan, atan2, sinh, cosh, tanh = (
        _real(math.atan),
        _real(math.atan2),
        _real(lambda value: math.copysign(math.inf, value) if abs(value) > 710.5 else math.sinh(value)),
        _real(math.cosh),
        _real(math.tanh),
    )
    asinh, acosh = _real(math.asinh), _real(math.acosh)
    atanh = _real(lambda value: math.copysign(math.inf, value) if abs(value) == 1 else math.atanh(value))

    @staticmethod
    def random() -> float:
        """In [0, 1)."""
        return random.random()  # noqa: S311 - as JavaScript's, for no secrets

    @staticmethod
    def sign(value: object = math.nan) -> float:
        """-1, 0 or 1."""
        number = Number(value)
        return number if math.isnan(number) else (number > 0) - (number < 0)

    @staticmethod
    def imul(one: object, other: object) -> int:
        """Their product as a signed number of 32 bits."""
        product = _word(one) * _word(other) % _BITS
        return product - _BITS if product >= _BITS // 2 else product

    @staticmethod
    def clz32(value: object) -> int:
        """How many of 32 bits are 0 before the first that is 1."""
        return 32 - _word(value).bit_length()
