"""The words of a supervisor: what is said is what is heard, and nothing else is taken for one."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.app.words import CLOSING_LIMIT_S, Draining, Order, Retire, Stop, Why, Word, decoded, encoded

_SECONDS = st.floats(0, 1e7)


def _retire(why: Why, order: Order, deadline_s: float, spread_s: float) -> Word:
    return Retire(why=why, order=order, deadline_s=deadline_s, spread_s=spread_s)


_WORDS: st.SearchStrategy[Word] = st.one_of(
    st.just(Stop()),
    st.just(Draining()),
    st.builds(_retire, st.sampled_from(get_args(Why)), st.sampled_from(get_args(Order)), _SECONDS, _SECONDS),
)


@given(_WORDS)
def test_a_word_is_heard_as_it_was_said(word: Word) -> None:
    assert decoded(encoded(word)) == word


@given(st.binary(max_size=100))
def test_whatever_comes_it_is_a_word_or_none(packet: bytes) -> None:
    word = decoded(packet)
    assert word is None or decoded(encoded(word)) == word


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b'{"word":"retire","why":"fun","deadline_s":1,"spread_s":1,"order":"oldest"}',
        b'{"word":"retire","why":"drain","deadline_s":1,"spread_s":1,"order":"newest"}',
        b'{"word":"retire","why":"drain","deadline_s":"soon","spread_s":1,"order":"oldest"}',
    ],
)
def test_a_word_that_says_what_cannot_be_is_none(packet: bytes) -> None:
    assert decoded(packet) is None


def test_what_a_newer_supervisor_adds_is_passed_over() -> None:
    assert decoded(b'{"word":"stop","gently":true}') == Stop()


def test_a_retirement_has_a_longest_time() -> None:
    assert Retire(why="release", deadline_s=10.0, spread_s=5.0, order="oldest").longest_s == 15.0 + CLOSING_LIMIT_S
