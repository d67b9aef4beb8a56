"""The error of a zone that does not compile: one sentence, with all that is needed to mend it."""

import pytest

from holdfast.edge.compile_error import CompileError


@pytest.mark.parametrize(
    ("value", "shown"),
    [("10.0.0.999", "'10.0.0.999'"), (70_000, "70000"), ("a\r\nb", r"'a\r\nb'"), ("x" * 1000, "…"), (None, "None")],
)
def test_it_names_zone_field_value_and_what_was_expected(value: object, shown: str) -> None:
    error = CompileError("example.com", "records[a].content", value, "an address")
    sentence = str(error)
    assert sentence.startswith("zone 'example.com', records[a].content: expected an address, got ")
    assert shown in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400
    assert (error.zone, error.field, error.value) == ("example.com", "records[a].content", value)
