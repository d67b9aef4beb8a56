"""Ids are those of workerd: the recipe, what is taken and what is not."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.ids import DurableObjectId, IdSpace

SPACE = IdSpace("chat-Room")


def recipe(unique_key: str, name: str) -> str:
    """As it is written down: key = SHA256(uniqueKey), base = HMAC(key, name)[:16], id = base + HMAC(key, base)[:16]."""
    key = hashlib.sha256(unique_key.encode()).digest()
    base = hmac.new(key, name.encode(), hashlib.sha256).digest()[:16]
    return (base + hmac.new(key, base, hashlib.sha256).digest()[:16]).hex()


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_an_id_of_a_name_is_that_of_the_recipe(unique_key: str, name: str) -> None:
    unique_key = unique_key.encode("utf-8", "replace").decode()
    found = IdSpace(unique_key).from_name(name)
    assert str(found) == recipe(unique_key, name)
    assert found.name == name


@given(st.text())
def test_every_id_of_a_namespace_is_read_back_whatever_the_case_of_its_digits(name: str) -> None:
    known = SPACE.from_name(name)
    for digits in (str(known), str(known).upper()):
        read = SPACE.from_string(digits)
        assert read == known
        assert read.equals(known)
        assert hash(read) == hash(known)
        assert read.name is None


@given(st.binary(min_size=16, max_size=16))
def test_a_unique_id_is_of_its_namespace_and_of_no_other(half: bytes) -> None:
    digits = str(SPACE.unique(half=half))
    assert SPACE.from_string(digits).toString() == digits
    with pytest.raises(TypeError, match="not valid for this namespace"):
        IdSpace("chat-Other").from_string(digits)


def test_half_a_pair_of_surrogates_in_a_name_is_a_replacement_character() -> None:
    found = SPACE.from_name("\ud800")
    assert (str(found), found.name) == (recipe("chat-Room", "\ufffd"), "\ufffd")


def test_two_unique_ids_differ() -> None:
    assert SPACE.unique() != SPACE.unique()


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "0" * 63, "0" * 65, " " + "0" * 63, "０" * 64])
def test_what_is_no_64_hex_digits_is_refused_in_the_words_of_the_original(text: str) -> None:
    with pytest.raises(TypeError, match=r"^Invalid Durable Object ID: must be 64 hex digits$"):
        SPACE.from_string(text)


@given(st.integers(0, 63), st.integers(1, 15))
def test_an_id_with_one_digit_changed_is_refused(position: int, change: int) -> None:
    digits = str(SPACE.from_name("a"))
    other = f"{int(digits[position], 16) ^ change:x}"
    with pytest.raises(TypeError, match=r"^Durable Object ID is not valid for this namespace\.$"):
        SPACE.from_string(digits[:position] + other + digits[position + 1 :])


@pytest.mark.parametrize("name", [None, True, b"a", ["a"], 1.5])
def test_a_name_that_is_neither_text_nor_number_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match=f"the name is {type(name).__name__}, a str was expected"):
        SPACE.from_name(name)


def test_a_number_is_its_digits_as_a_name() -> None:
    assert (SPACE.from_name(5), SPACE.from_name(5).name) == (SPACE.from_name("5"), "5")


def test_an_id_keeps_its_jurisdiction_and_is_equal_to_no_other_thing() -> None:
    found = SPACE.from_name("a", jurisdiction="eu")
    assert found.jurisdiction == "eu"
    assert found != str(found)
    assert found == DurableObjectId(str(found))
