"""What a rule asks of a value, as it is written, with the files that it names."""

import pytest

from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.operator_syntax import parse_operator
from holdfast.rules.seclang.syntax_tree import Operator
from tests.unit.rules.seclang.running import WHERE

FILES = {"words.data": b"# comment\n alpha \n\nbeta gamma\n", "more.data": b"delta"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@rx ^a b$", Operator("rx", "^a b$")),
        ("^a", Operator("rx", "^a")),
        ("!^a", Operator("rx", "^a", is_negated=True)),
        ("! @EQ 5", Operator("eq", "5", is_negated=True)),
        ("@detectSQLi", Operator("detectSQLi")),
        ("@pm a  bc", Operator("pm", "a  bc", phrases=(b"a", b"bc"))),
        ("@pmf words.data", Operator("pmFromFile", "words.data", phrases=(b"alpha", b"beta gamma"))),
        ("@pmFromFile x/words.data more.data", Operator(
            "pmFromFile", "x/words.data more.data", phrases=(b"alpha", b"beta gamma", b"delta"))),
    ],
)  # fmt: skip
def test_operators_are_read(text: str, expected: Operator) -> None:
    assert parse_operator(WHERE, text, FILES) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("@fuzzyHash a", "expected an operator such as @rx, @pm or @eq, got '@fuzzyHash'"),
        ("@pmFromFile gone.data", "expected the name of a file in the folder of the rules, got 'gone.data'"),
        ("@pmFromFile", "expected the name of a file with phrases, got nothing"),
    ],
)
def test_what_is_no_operator_is_refused_by_name(text: str, sentence: str) -> None:
    with pytest.raises(SecLangError) as raised:
        parse_operator(WHERE, text, FILES)
    assert str(raised.value) == f"a.conf:1: {sentence}"
