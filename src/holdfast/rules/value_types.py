"""The types that values have, and how the original names them in its complaints.

Law 1: a string is bytes. It is held as a `str` of one character a byte (latin-1), so that what came over the wire and
       what an expression says compare without conversion, in byte order, and `len` counts bytes.
Law 2: an address is `(4, number)` or `(6, number)`; addresses of two families are never equal and never ordered.
Law 3: `None` is the missing value, of every type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Address: TypeAlias = tuple[int, int]
Scalar: TypeAlias = str | int | bool | Address
Value: TypeAlias = Scalar | Sequence["Value"] | Mapping[str, "Value"] | None

_ARRAY, _MAP = "A", "M"


class Primitive(StrEnum):
    """What a value is when it is no container. In the order in which the original lists them."""

    BOOL = "Bool"
    INT = "Int"
    IP = "Ip"
    BYTES = "Bytes"


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type: `layers` are its containers from the outside in, "A" an array and "M" a map, around `primitive`."""

    primitive: Primitive
    layers: str = ""

    @property
    def is_array(self) -> bool:
        """Whether the outermost container is an array."""
        return self.layers.startswith(_ARRAY)

    @property
    def is_map(self) -> bool:
        """Whether the outermost container is a map."""
        return self.layers.startswith(_MAP)

    @property
    def element(self) -> ValueType | None:
        """The type of what is inside, None if this is no container."""
        return ValueType(self.primitive, self.layers[1:]) if self.layers else None

    @property
    def array(self) -> ValueType:
        """An array of this."""
        return ValueType(self.primitive, _ARRAY + self.layers)

    @property
    def map(self) -> ValueType:
        """A map of strings to this."""
        return ValueType(self.primitive, _MAP + self.layers)

    def __str__(self) -> str:
        inner = self.element
        if inner is None:
            return str(self.primitive)
        return f"{'Array' if self.is_array else 'Map'}<{inner}>"

    @property
    def debug(self) -> str:
        """The other way the original prints types: containers as they lie in its memory."""
        if not self.layers:
            return str(self.primitive)
        inner = self.layers[1:]
        bits = sum(1 << place for place, layer in enumerate(inner) if layer == _MAP)
        compound = f"CompoundType {{ layers: {bits}, len: {len(inner)}, primitive: {self.primitive} }}"
        return f"{'Array' if self.is_array else 'Map'}({compound})"


BOOL, INT = ValueType(Primitive.BOOL), ValueType(Primitive.INT)
IP, BYTES = ValueType(Primitive.IP), ValueType(Primitive.BYTES)
BOOL_ARRAY, BYTES_ARRAY, BYTES_ARRAY_MAP = BOOL.array, BYTES.array, BYTES.array.map


class AnyContainer(StrEnum):
    """An expectation of a container, whatever is in it."""

    ARRAY = "Array<_>"
    MAP = "Map<_>"


Expected: TypeAlias = ValueType | AnyContainer


def fits(actual: ValueType, expected: Sequence[Expected]) -> bool:
    """Whether a value of type `actual` is one of the expected ones."""
    return (
        actual in expected
        or (actual.is_array and AnyContainer.ARRAY in expected)
        or (actual.is_map and AnyContainer.MAP in expected)
    )


def mismatch(expected: Sequence[Expected], actual: ValueType) -> str:
    """The original's sentence about a value of another type than those expected."""
    names = [str(one) for one in sorted(expected, key=_rank)]
    wanted = " or ".join(names) if len(names) <= 2 else f"{{{', '.join(names)}}}"
    return f"expected value of type {wanted}, but got {actual}"


def _rank(expected: Expected) -> tuple[int, int]:
    if isinstance(expected, AnyContainer):
        return 1, list(AnyContainer).index(expected)
    return (0, 4 + len(expected.layers)) if expected.layers else (0, list(Primitive).index(expected.primitive))
