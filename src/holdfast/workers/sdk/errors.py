"""Errors of the platform as user code catches them: as JavaScript errors and as Python ones.

Law: what JavaScript would throw as a TypeError is caught by `except JsException` (as ported code does, reading `.name` and
`.message`) and by `except TypeError` alike; so for RangeError/ValueError and for failures of the network/OSError.
"""

from __future__ import annotations


class JsException(Exception):
    """An error that on the original is a JavaScript Error. `name` is its class there, `message` its text."""

    name = "Error"

    def __init__(self, message: str = "", *, name: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if name is not None:
            self.name = name

    @classmethod
    def new(cls, message: str = "") -> JsException:
        """As `js.Error.new("text")`."""
        return cls(message)

    @property
    def stack(self) -> str:
        """JavaScript's trace; Python's own is on `__traceback__`."""
        return self.toString()

    def toString(self) -> str:  # noqa: N802 - JavaScript's name
        """`TypeError: text`."""
        return f"{self.name}: {self.message}" if self.message else self.name

    def __str__(self) -> str:
        return self.toString()


class _Twofold(JsException):
    """An error that is a Python one too: its class says the name already, so its text is the message alone."""

    def __str__(self) -> str:
        return self.message


class JsTypeError(_Twofold, TypeError):
    """JavaScript's TypeError."""

    name = "TypeError"


class JsRangeError(_Twofold, ValueError):
    """JavaScript's RangeError."""

    name = "RangeError"


class JsSyntaxError(_Twofold, ValueError):
    """JavaScript's SyntaxError: a text that cannot be read, or a reason that is too long."""

    name = "SyntaxError"


class DOMException(JsException):
    """An error of the web platform by its name: `InvalidAccessError`, `AbortError`, `DataCloneError`, …"""

    def __init__(self, message: str = "", name: str = "Error") -> None:
        super().__init__(message, name=name)


class NetworkError(_Twofold, OSError):
    """`fetch()` got no answer. An OSError for who writes Python, JavaScript's TypeError for who reads `.name`."""

    name = "TypeError"


class TimedOut(NetworkError, TimeoutError):
    """`fetch()` got no answer in time."""

    name = "TimeoutError"


class BodyUsedError(JsTypeError, OSError):
    """A body was read twice. The original's SDK raises OSError with the same text."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"Body already used{detail}")
