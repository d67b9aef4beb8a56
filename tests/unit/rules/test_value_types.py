"""Types and their names."""

import pytest

from holdfast.rules.value_types import BOOL, BYTES, BYTES_ARRAY_MAP, INT, IP, AnyContainer, ValueType, fits, mismatch


@pytest.mark.parametrize(
    ("type_", "name", "debug"),
    [
        (BYTES, "Bytes", "Bytes"),
        (BYTES.array, "Array<Bytes>", "Array(CompoundType { layers: 0, len: 0, primitive: Bytes })"),
        (BYTES_ARRAY_MAP, "Map<Array<Bytes>>", "Map(CompoundType { layers: 0, len: 1, primitive: Bytes })"),
        (INT.map.array, "Array<Map<Int>>", "Array(CompoundType { layers: 1, len: 1, primitive: Int })"),
        (BOOL.map.array.array, "Array<Array<Map<Bool>>>", "Array(CompoundType { layers: 2, len: 2, primitive: Bool })"),
    ],
)
def test_a_type_is_named_as_the_original_names_it(type_: ValueType, name: str, debug: str) -> None:
    assert (str(type_), type_.debug) == (name, debug)


def test_a_container_has_an_element() -> None:
    assert BYTES_ARRAY_MAP.element == BYTES.array
    assert BYTES.element is None
    assert BYTES_ARRAY_MAP.is_map
    assert BYTES.array.is_array


def test_expectations_are_told_in_the_order_of_the_original() -> None:
    assert mismatch([BYTES, AnyContainer.ARRAY], IP) == "expected value of type Bytes or Array<_>, but got Ip"
    assert mismatch([AnyContainer.MAP, BYTES, BOOL, INT.array], IP) == (
        "expected value of type {Bool, Bytes, Array<Int>, Map<_>}, but got Ip"
    )


def test_a_value_fits_its_type_or_the_kind_of_its_container() -> None:
    assert fits(BYTES, [INT, BYTES])
    assert fits(INT.array, [AnyContainer.ARRAY])
    assert fits(INT.map, [AnyContainer.MAP])
    assert not fits(INT.map, [AnyContainer.ARRAY, BYTES])
