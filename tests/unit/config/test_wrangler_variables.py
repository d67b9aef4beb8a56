"""`.dev.vars` and `.env`: what a line means, and which file counts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.wrangler_variables import parse_variables, read_variables
from holdfast.errors import SetupError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=b", {"A": "b"}),
        ("A=b\nC=d\n", {"A": "b", "C": "d"}),
        ("A=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
        ("\n# a comment\n  # another\nA=b # and one more\n", {"A": "b"}),
        ("export A = b c ", {"A": "b c"}),
        ("A=", {"A": ""}),
        ("A=\nB=1", {"A": "", "B": "1"}),
        ("A='a # $B \\n'", {"A": "a # $B \\n"}),
        ('A="a\\nb\\t\\"c\\" \\\\ $D"', {"A": 'a\nb\t"c" \\ $D'}),
        ('A="first\nsecond" # end\nB=1', {"A": "first\nsecond", "B": "1"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=x=y", {"A": "x=y"}),
        ("", {}),
    ],
)
def test_a_line_sets_a_variable(text: str, found: dict[str, str]) -> None:
    assert parse_variables(text, ".dev.vars") == found


@pytest.mark.parametrize(
    ("text", "line"), [("A", 1), ("A=1\nsecret value", 2), ("A='secret", 1), ('\n\nA="secret', 3), ("1A=secret", 1)]
)
def test_any_other_line_is_refused_by_its_number_and_never_shown(text: str, line: int) -> None:
    with pytest.raises(SetupError, match=rf"\.dev\.vars, line {line}: expected NAME=value") as caught:
        parse_variables(text, ".dev.vars")
    assert "secret" not in str(caught.value)


@given(st.text(alphabet="A=#'\"\\ \nx", max_size=40))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        found = parse_variables(text, "x")
    except SetupError:
        return
    assert all(isinstance(value, str) for value in found.values())


@pytest.mark.parametrize(
    ("files", "env", "found"),
    [
        ({}, None, {}),
        ({".dev.vars": "A=1"}, None, {"A": "1"}),
        ({".dev.vars": "A=1", ".dev.vars.staging": "A=2"}, "staging", {"A": "2"}),
        ({".dev.vars": "A=1", ".dev.vars.staging": "A=2"}, None, {"A": "1"}),
        ({".dev.vars": "A=1"}, "staging", {"A": "1"}),
        ({".dev.vars": "A=1", ".env": "B=2"}, None, {"A": "1"}),
        (
            {".env": "A=1\nB=1\nC=1", ".env.local": "B=2", ".env.staging": "C=3"},
            "staging",
            {"A": "1", "B": "2", "C": "3"},
        ),
        ({".env": "A=1", ".env.staging": "A=3"}, None, {"A": "1"}),
    ],
)
def test_the_file_closest_to_the_environment_counts(
    tmp_path: Path, files: dict[str, str], env: str | None, found: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_variables(tmp_path, env) == found
