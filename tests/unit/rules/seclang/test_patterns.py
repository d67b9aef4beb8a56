"""Patterns that are compiled once."""

import pytest

from holdfast.rules.seclang.patterns import PatternCache


def test_a_pattern_and_a_set_of_phrases_are_compiled_once() -> None:
    cache = PatternCache()
    assert cache.pattern("a") is cache.pattern("a")
    assert cache.pattern("a") is not cache.pattern("a", ignore_case=True)
    assert cache.phrases((b"a", b"b")) is cache.phrases((b"a", b"b"))
    assert cache.statistics() == {"patterns": 2, "linear_patterns": 2, "phrase_sets": 1}


def test_what_cannot_be_compiled_is_an_error_each_time() -> None:
    cache = PatternCache()
    for _ in range(2):
        with pytest.raises(ValueError, match="a group without"):
            cache.pattern("(")
