"""`holdfast.api.text`: what both databases keep."""

import pytest
from pydantic import TypeAdapter, ValidationError

from holdfast.api.text import Text

TEXT: TypeAdapter[str] = TypeAdapter(Text)


@pytest.mark.parametrize("text", ["", "a", "\x01\n", "ü", "\U0001f600"])
def test_unicode_is_taken(text: str) -> None:
    assert TEXT.validate_python(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [("a\0b", "a text without NUL"), ("a\ud800", "without lone surrogates"), (b"\xff", "unicode"), (1, "string")],
)
def test_what_a_database_would_refuse_is_refused(text: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TEXT.validate_python(text)
