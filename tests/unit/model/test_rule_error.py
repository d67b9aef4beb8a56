"""`holdfast.model.rule_error`: what is wrong, in the words of the original, and where."""

from holdfast.model.rule_error import not_valid, shown


def test_errors_are_in_the_words_of_the_original() -> None:
    error = not_valid("x", "origin.port", "it is none").below("/rules/3")
    assert str(error) == "'x' is not a valid value for origin.port because it is none"
    assert error.pointer == "/rules/3/origin/port"
    assert not_valid("x", "characteristics", "no", pointer="/ratelimit/characteristics/2").pointer.endswith("/2")


def test_what_is_shown_is_short_and_unicode() -> None:
    assert len(str(not_valid("x" * 10_000, "expression", "it is long"))) < 200
    assert shown("\ud800" + "y" * 200).startswith("\\ud800")
    assert shown({"a": 1}) == "{'a': 1}"
    assert len(shown("z" * 200)) == 80
