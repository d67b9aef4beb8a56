"""`holdfast.rules.known`: each text is compiled once, and memory stays within its bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.rule_quota import MAX_CUSTOM_EXPRESSION_CHARS
from holdfast.rules.bounded_memory import EACH_CHARS
from holdfast.rules.compile import CompiledExpression, compile_expression
from holdfast.rules.errors import ParseError
from holdfast.rules.known import MAX_CHARS, KnownExpressions

_TRUE = compile_expression("true")


def _counting(max_chars: int) -> tuple[KnownExpressions, list[str]]:
    """What is known, and the texts that were compiled for it."""
    compiled: list[str] = []

    def compile_text(text: str) -> CompiledExpression:
        compiled.append(text)
        return _TRUE

    return KnownExpressions(compile_text, max_chars=max_chars), compiled


def test_a_text_is_compiled_once_and_means_the_same() -> None:
    known = KnownExpressions()
    first = known.compiled('http.host eq "a.test"')
    assert known.compiled('http.host eq "a.test"') is first
    assert first.expression == compile_expression('http.host eq "a.test"').expression
    assert known.statistics()["expression_compilations"] == 1


def test_a_text_that_does_not_compile_says_so_each_time() -> None:
    known = KnownExpressions()
    for _ in range(2):
        with pytest.raises(ParseError):
            known.compiled("http.host eq")
    assert known.statistics()["expressions"] == 0


def test_what_was_asked_for_longest_ago_is_forgotten_first() -> None:
    known, compiled = _counting(max_chars=3 * (EACH_CHARS + 1))
    for text in "abcadab":
        known.compiled(text)
    assert compiled == list("abcdb")


def test_two_zones_as_large_as_they_may_be_do_not_push_each_other_out() -> None:
    known, compiled = _counting(MAX_CHARS)
    each = MAX_CUSTOM_EXPRESSION_CHARS // 1_000
    texts = [f"{zone} {number}".ljust(each) for zone in "ab" for number in range(1_000)]
    for _ in range(2):
        for text in texts:
            known.compiled(text)
    assert compiled == texts


def test_what_is_larger_than_all_the_room_is_compiled_and_not_kept() -> None:
    known, _ = _counting(max_chars=EACH_CHARS + 100)
    assert known.compiled("a" * 101) is _TRUE
    assert known.statistics() == {"expressions": 0, "expression_chars": 0, "expression_compilations": 1}


@given(st.lists(st.text(max_size=40)), st.integers(0, 6 * EACH_CHARS))
def test_whatever_is_asked_for_the_room_is_enough(texts: list[str], max_chars: int) -> None:
    known, compiled = _counting(max_chars)
    for text in texts:
        known.compiled(text)
        assert known.statistics()["expression_chars"] <= max_chars
    assert set(compiled) == set(texts)
