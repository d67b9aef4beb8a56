"""What an error of rules says."""

from holdfast.rules.seclang.errors import Position, SecLangError, shown


def test_it_names_file_line_value_and_what_was_expected() -> None:
    error = SecLangError(Position("a.conf", 12), "t:rot13", "a transformation")
    assert str(error) == "a.conf:12: expected a transformation, got 't:rot13'"
    assert (error.where.file, error.where.line, error.value) == ("a.conf", 12, "t:rot13")


def test_nothing_is_called_so_and_a_long_value_is_cut_to_one_line() -> None:
    assert shown(None) == "nothing"
    assert shown("a\n  b") == "'a b'"
    assert shown("x" * 200) == f"'{'x' * 80}…'"
