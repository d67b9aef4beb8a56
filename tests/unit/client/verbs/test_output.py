"""What a verb prints: columns, a drawn table, or JSON; nothing of the API's moves the cursor."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.verbs.output import MAX_CELL_CHARS, Output, cell

HOSTILE = "a\x1b[2J\nb\u202e\x9b"


def _output(
    *, as_json: bool = False, is_terminal: bool = False, columns: int = 80
) -> tuple[Output, io.StringIO, io.StringIO]:
    out, notices = io.StringIO(), io.StringIO()
    return Output(out, notices, as_json=as_json, is_terminal=is_terminal, columns=columns), out, notices


def test_a_pipe_gets_aligned_columns_whole() -> None:
    output, out, _ = _output()
    long = "x" * 300
    output.table([], ("name", "state"), [("a.example", "active"), (long, True)], empty="none")
    first, second, third = out.getvalue().splitlines()
    assert first.split() == ["NAME", "STATE"]
    assert second.split() == ["a.example", "active"]
    assert third == f"{long}  yes"
    assert second.index("active") == first.index("STATE") == 302


def test_a_value_alone_is_whole_and_moves_no_cursor() -> None:
    output, out, _ = _output()
    output.value({}, [HOSTILE, "x" * 5000])
    assert out.getvalue().rstrip("\n").isprintable()
    assert json.loads(out.getvalue()) == [HOSTILE, "x" * 5000]
    output, out, _ = _output(as_json=True)
    output.value({"id": "x"}, "on")
    assert json.loads(out.getvalue()) == {"id": "x"}


def test_wide_characters_count_as_two_columns() -> None:
    output, out, _ = _output()
    output.facts({}, [("名", "x"), ("name", "y")])
    assert out.getvalue() == "名:    x\nname:  y\n"


def test_a_terminal_gets_a_table_within_its_width_that_loses_nothing() -> None:
    output, out, _ = _output(is_terminal=True, columns=50)
    zone_id = "023e105f4ecef8ad9ca31a8372d0c353"
    output.table([], ("name", "id"), [("long-name-of-a-zone.example.com", zone_id)], empty="none")
    lines = re.sub(r"\x1b\[\d*m", "", out.getvalue()).splitlines()
    assert zone_id in out.getvalue()
    assert all(len(line) <= 50 for line in lines), lines
    joined = "".join(line.split()[0] for line in lines[1:])
    assert "long-name-of-a-zone.example.com" in joined


def test_markup_of_the_terminals_library_is_text() -> None:
    output, out, _ = _output(is_terminal=True)
    output.table([], ("name",), [("[red]x[/red] :smile:",)], empty="none")
    assert "[red]x[/red] :smile:" in out.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_nothing_of_the_apis_moves_the_cursor(is_terminal: bool) -> None:
    output, out, notices = _output(is_terminal=is_terminal)
    output.table([], ("name",), [(HOSTILE,)], empty="none")
    output.facts({}, [("name", HOSTILE)])
    output.done({}, HOSTILE)
    output.notice(HOSTILE)
    said = out.getvalue() + notices.getvalue()
    assert "\x1b[2J" not in said
    assert not set("\u202e\x9b") & set(said)
    assert notices.getvalue() == "a\\x1b[2J\\nb\\u202e\\x9b\n"


def test_json_is_the_result_and_nothing_else() -> None:
    result = {"name": HOSTILE + "\x7fé", "n": 1.5, "deep": [None, True]}
    for say in ("table", "facts", "done"):
        output, out, notices = _output(as_json=True)
        if say == "table":
            output.table([result], ("name",), [], empty="none")
        elif say == "facts":
            output.facts([result], [("name", "x")])
        else:
            output.done([result], "a sentence")
        assert json.loads(out.getvalue()) == [result]
        assert all(32 <= ord(char) < 127 or char == "\n" for char in out.getvalue())
        assert notices.getvalue() == ""


def test_an_empty_list_is_said_beside_the_result() -> None:
    output, out, notices = _output()
    output.table([], ("name",), [], empty="no zones")
    assert (out.getvalue(), notices.getvalue()) == ("", "no zones\n")


def test_what_the_encoding_of_stdout_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Output(out, io.StringIO(), as_json=False, is_terminal=False).done({}, "bücher")
    assert raw.getvalue() == b"b\\xfccher\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (["a", "b"], "a, b"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        ("a\tb", "a\\tb"),
        ("2026-04-23T10:11:12.345678Z", "2026-04-23T10:11:12Z"),
        ("at 2026-04-23T10:11:12.345678Z", "at 2026-04-23T10:11:12.345678Z"),
    ],
)
def test_a_cell_is_one_line_of_a_value(value: object, shown: str) -> None:
    assert cell(value) == shown


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_value_is_a_printable_cell_with_an_end(value: object) -> None:
    shown = cell(value)
    assert shown
    assert len(shown.splitlines()) == 1
    assert len(shown) < 12 * MAX_CELL_CHARS
