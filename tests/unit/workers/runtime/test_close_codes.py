"""Codes and reasons that may be closed with, and the errors for all others."""

from math import inf, nan

import pytest

from holdfast.workers.runtime.close_codes import MAX_REASON_BYTES, checked
from holdfast.workers.sdk.errors import DOMException, JsSyntaxError


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (None, None, (0, "")),
        (1000, None, (1000, "")),
        (1000.0, "bye", (1000, "bye")),
        (3000, "", (3000, "")),
        (3000, "\ud800", (3000, "\ufffd")),
        (4999, "x" * MAX_REASON_BYTES, (4999, "x" * MAX_REASON_BYTES)),
    ],
)
def test_what_close_takes(code: object, reason: object, expected: tuple[int, str]) -> None:
    assert checked(code, reason) == expected


@pytest.mark.parametrize("code", [999, 5000, 1004, 1005, 1006, 1015, "1000", 0, -1, nan, inf, -inf])
def test_codes_that_are_no_close_codes_are_refused(code: object) -> None:
    with pytest.raises(DOMException, match=f"Invalid WebSocket close code: {code!r}") as caught:
        checked(code, "")
    assert caught.value.name == "InvalidAccessError"


def test_a_reason_needs_a_code_and_has_a_length() -> None:
    with pytest.raises(DOMException, match="must also specify a code") as caught:
        checked(None, "bye")
    assert caught.value.name == "InvalidAccessError"
    with pytest.raises(JsSyntaxError, match="123 bytes"):
        checked(1000, "ü" * 62)
