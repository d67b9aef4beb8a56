"""What is printed for a child that cannot speak: passed on, and its end kept."""

import os
from collections.abc import Iterator

import pytest

from holdfast.app.last_words import TAIL_BYTES, LastWords


@pytest.fixture
def pipe() -> Iterator[tuple[LastWords, int]]:
    reading, writing = os.pipe()
    words = LastWords(reading)
    yield words, writing
    words.close()


def test_nothing_is_waited_for_and_the_end_is_known(pipe: tuple[LastWords, int]) -> None:
    words, writing = pipe
    assert words.pass_on()
    assert words.last_line() == ""
    os.close(writing)
    assert not words.pass_on()


@pytest.mark.parametrize(
    ("printed", "last"),
    [
        (b"Traceback\n  File x\nSyntaxError: invalid syntax\n", "SyntaxError: invalid syntax"),
        (b"first\nlast without an end", "last without an end"),
        (b"said\n\n  \n", "said"),
        (b"\x1b[31mred\x07\xff\n", "[31mred�"),
        (b"x" * (2 * TAIL_BYTES) + b"\nlast\n", "last"),
    ],
)
def test_what_is_printed_goes_on_and_its_last_line_is_kept(
    pipe: tuple[LastWords, int], capfd: pytest.CaptureFixture[str], printed: bytes, last: str
) -> None:
    words, writing = pipe
    os.write(writing, printed)
    os.close(writing)
    while words.pass_on():
        pass
    assert words.last_line() == last
    assert capfd.readouterr().err == printed.decode("utf-8", "replace")


def test_a_line_without_an_end_is_kept_in_part(pipe: tuple[LastWords, int]) -> None:
    words, writing = pipe
    os.write(writing, b"x" * (3 * TAIL_BYTES))
    assert words.pass_on()
    assert words.last_line() == "x" * TAIL_BYTES
    os.close(writing)
