"""What is counted of a rule's work: nothing goes on beyond it, and what does not reach it is exact."""

import pytest

from holdfast.rules.meter import (
    MAX_MADE_CHARS,
    MAX_MADE_ITEMS,
    Undecided,
    begin_rule,
    refuse_too_long,
    refuse_too_many,
    spend,
    spend_on,
)


def test_what_is_left_is_used_up_and_begins_anew_with_each_rule() -> None:
    for _ in range(2):
        begin_rule()
        spend(400_000)
        spend(100_000)
        with pytest.raises(Undecided):
            spend(1)


def test_who_asks_for_more_than_there_is_has_used_it_up() -> None:
    with pytest.raises(Undecided):
        spend(2**60)
    with pytest.raises(Undecided):
        spend(1)


def test_a_text_costs_by_its_length() -> None:
    spend_on("a" * 1_600, each=100, sixteenths=8)
    spend(499_100)
    with pytest.raises(Undecided):
        spend(1)


def test_what_would_be_too_large_is_not_made() -> None:
    refuse_too_long(MAX_MADE_CHARS)
    refuse_too_many([range(MAX_MADE_ITEMS), ()])
    with pytest.raises(Undecided, match=r"a text of 65,537 characters would have been made; 65,536 are allowed"):
        refuse_too_long(MAX_MADE_CHARS + 1)
    with pytest.raises(Undecided, match="an array of 16,385 elements"):
        refuse_too_many([range(MAX_MADE_ITEMS), (1,)])
