"""Each code of a Close frame is told in words that say whose it is, and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.close_codes import CLOSE_CODES, explained


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (1000, "", "1000 (normal closure: the work is done)"),
        (1012, "deploy", '1012 "deploy" (service restart: connect again, after a random pause)'),
        (3000, "", "3000 (a code that a library or framework registered)"),
        (4999, "", "4999 (a code of the application's own)"),
        (1016, "", "1016 (a code that no one may send)"),
        (1001, "\x1b[2J", '1001 "\\x1b[2J" (going away'),
    ],
)
def test_a_code_is_explained(code: int, reason: str, said: str) -> None:
    assert explained(code, reason).startswith(said)


def test_every_registered_code_has_words_of_its_own() -> None:
    assert set(CLOSE_CODES) == {*range(1000, 1016)} - {1004}
    assert len(set(CLOSE_CODES.values())) == len(CLOSE_CODES)


@given(st.integers(0, 65535), st.text())
def test_any_close_is_one_printable_line(code: int, reason: str) -> None:
    assert len(explained(code, reason).splitlines()) == 1
