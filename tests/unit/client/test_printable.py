"""What a server sends never drives the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.printable import MAX_SHOWN_CHARS, preview, printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hello, wörld 你好 🌊", "hello, wörld 你好 🌊"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_is_not_printable_is_shown_by_its_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_message_is_cut_and_its_size_told() -> None:
    shown = printable("x" * (MAX_SHOWN_CHARS + 1))
    assert shown == f"{'x' * MAX_SHOWN_CHARS} … (16,385 characters)"


def test_lines_stay_lines_and_are_printable_each() -> None:
    assert printable_lines('File "a.py"\n    ^\r\x1b[2J\n') == 'File "a.py"\n    ^\\r\\x1b[2J\n'
    assert printable_lines("x\n" * 8, limit=4) == "x\nx\n … (16 characters)"


@given(st.text())
def test_any_text_is_one_printable_line(text: str) -> None:
    assert all(char.isprintable() or char.isspace() for char in printable(text))
    assert len(printable(text).splitlines()) <= 1
    printable(text).encode()


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", "0 bytes"),
        (b"\x00", "1 byte: 00"),
        (b"hello", "5 bytes: 68 65 6c 6c 6f"),
        (bytes(1000), f"1,000 bytes: {' '.join(['00'] * 32)} …"),
    ],
)
def test_a_binary_message_is_its_size_and_its_beginning(data: bytes, shown: str) -> None:
    assert preview(data) == shown
