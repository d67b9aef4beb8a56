"""Words of the language."""

import pytest

from holdfast.rules import lexer
from holdfast.rules.errors import ParseError
from holdfast.rules.syntax_tree import Each, Index, LogicalOp, Ordering


def test_a_tab_is_no_space() -> None:
    assert lexer.skip_space(" \r\n\tx", 0) == 3


@pytest.mark.parametrize(
    ("text", "op", "at"),
    [
        (" and ssl", LogicalOp.AND, 5),
        ("||x", LogicalOp.OR, 2),
        (" xorx", LogicalOp.XOR, 4),
        (" nor", None, 0),
        ("", None, 0),
    ],
)
def test_an_operator_is_found_by_its_beginning(text: str, op: LogicalOp | None, at: int) -> None:
    assert lexer.logical_op(text, 0) == (op, at)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("eq", (Ordering.EQUAL, 2)),
        ("<=1", (Ordering.LESS_EQUAL, 2)),
        ("inx", ("in", 2)),
        ("bitwise_and", ("&", 11)),
        ("strict wildcard", ("strict wildcard", 15)),
        ("strict", None),
        ("=", None),
    ],
)
def test_a_comparison_is_found_by_its_beginning(text: str, found: object) -> None:
    assert lexer.comparison_op(text, 0) == found


def test_a_quantifier_needs_its_parenthesis() -> None:
    assert lexer.quantifier("any (x)", 0) == (True, 4)
    assert lexer.quantifier("all(x)", 0) == (False, 3)
    assert lexer.quantifier("anything", 0) is None
    assert lexer.quantifier("allow(x)", 0) is None


def test_negation_may_touch_what_it_negates() -> None:
    assert (lexer.negation("notssl", 0), lexer.negation("!ssl", 0), lexer.negation("ssl", 0)) == (3, 1, None)


@pytest.mark.parametrize(("text", "end"), [("http.host eq", 9), ("a_1.B", 5), ("x-y", 1)])
def test_a_name_has_dots_between_its_parts(text: str, end: int) -> None:
    assert lexer.name(text, 0) == end


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "é"])
def test_a_part_of_a_name_is_not_empty(text: str) -> None:
    with pytest.raises(ParseError, match="expected identifier character"):
        lexer.name(text, 0)


@pytest.mark.parametrize(("text", "found"), [("$a.b_1 x", ("a.b_1", 6)), ("$aB", ("a", 2))])
def test_a_list_has_a_name(text: str, found: tuple[str, int]) -> None:
    assert lexer.list_name(text, 0) == found


@pytest.mark.parametrize(
    ("text", "named"), [("$", '""'), ("$A", '"A"'), ("$.a", '".a"'), ("$a.", '"a."'), ("$\n", '"\\\\n"')]
)
def test_a_wrong_name_of_a_list_is_shown(text: str, named: str) -> None:
    with pytest.raises(ParseError, match=f"invalid list name {named}"):
        lexer.list_name(text, 0)


@pytest.mark.parametrize(
    ("text", "found", "shown"),
    [("*]", Each.EACH, "MapEach"), ("0x2]", 2, "ArrayIndex(2)"), ('"é"]', "\xc3\xa9", 'MapKey("é")')],
)
def test_an_index_is_a_star_a_number_or_a_key(text: str, found: Index, shown: str) -> None:
    assert lexer.index(text, 0) == (found, text.index("]"))
    assert lexer.debug_index(found) == shown


@pytest.mark.parametrize("text", ["-1]", "4294967296]", "a]", '"\\xff"]', ""])
def test_any_other_index_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="expected literal"):
        lexer.index(text, 0)


def test_text_is_shown_as_programmers_see_it() -> None:
    assert lexer.debug_text('a"\\\n\t\0\x01é\u200b') == '"a\\"\\\\\\n\\t\\0\\u{1}é\\u{200b}"'
