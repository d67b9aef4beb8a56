"""A part of a path stays one part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.api.paths import is_id, path_of


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_whatever_the_parts_there_are_as_many_as_were_given(parts: list[str]) -> None:
    path = path_of(*parts)
    assert path.isascii()
    assert path.count("/") == len(parts)
    assert not set(path) & set("?#\r\n ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0" * 32, True), ("f" * 31, False), ("F" * 32, False), ("example.com", False), ("0" * 32 + "\n", False)],
)
def test_an_id_is_32_hexadecimal_digits(text: str, expected: bool) -> None:
    assert is_id(text) is expected
