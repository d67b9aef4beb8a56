"""`holdfast.rules.undecidable`: a number that says that nobody knows."""

from holdfast.rules.undecidable import Undecidable


def test_it_is_the_number_and_says_why() -> None:
    doubt = Undecidable.of(7, "too many steps")
    assert (doubt == 7, isinstance(doubt, int), doubt.why) == (True, True, "too many steps")


def test_behind_others_it_is_in_doubt_still() -> None:
    moved = 20 + Undecidable.of(3, "too many steps")
    assert isinstance(moved, Undecidable)
    assert (moved, moved.why) == (23, "too many steps")


def test_an_ordinary_number_is_not_in_doubt() -> None:
    assert not isinstance(20 + 3, Undecidable)
