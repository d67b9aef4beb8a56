"""Errors of the platform, caught as JavaScript's and as Python's."""

import pytest

from holdfast.workers.sdk import errors


@pytest.mark.parametrize(
    ("error", "python", "name", "text"),
    [
        (errors.JsException("m"), Exception, "Error", "Error: m"),
        (errors.JsException.new("m"), Exception, "Error", "Error: m"),
        (errors.JsException(), Exception, "Error", "Error"),
        (errors.JsTypeError("m"), TypeError, "TypeError", "m"),
        (errors.JsRangeError("m"), ValueError, "RangeError", "m"),
        (errors.JsSyntaxError("m"), ValueError, "SyntaxError", "m"),
        (errors.NetworkError("m"), OSError, "TypeError", "m"),
        (errors.TimedOut("m"), TimeoutError, "TimeoutError", "m"),
        (errors.DOMException("m", "AbortError"), Exception, "AbortError", "AbortError: m"),
        (errors.BodyUsedError(), OSError, "TypeError", "Body already used"),
    ],
)
def test_an_error_is_both(error: errors.JsException, python: type[Exception], name: str, text: str) -> None:
    for kind in (errors.JsException, python):
        with pytest.raises(kind) as caught:
            raise error
        assert caught.value is error
    assert (error.name, str(error)) == (name, text)
    assert error.stack == error.toString() == (f"{name}: {error.message}" if error.message else name)
