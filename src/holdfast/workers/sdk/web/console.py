"""`js.console`: lines for whoever watches the script, each with a level.

Law: what is logged is shown as Python shows it, text as it is; nothing that is logged can raise.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable

from holdfast.workers.sdk.values import JsDict


def _printed(level: str, text: str) -> None:
    stream = sys.stderr if level in {"warn", "error"} else sys.stdout
    print(text, file=stream, flush=True)


class Console:
    """`sink(level, text)` gets each line; `level` is "log", "info", "warn", "error" or "debug"."""

    def __init__(self) -> None:
        self.sink: Callable[[str, str], None] = _printed
        self._indent = 0
        self._counts: dict[str, int] = {}
        self._begun: dict[str, float] = {}

    def log(self, *values: object) -> None:
        """A line."""
        self._say("log", *values)

    def info(self, *values: object) -> None:
        """A line."""
        self._say("info", *values)

    def warn(self, *values: object) -> None:
        """A warning."""
        self._say("warn", *values)

    warning = warn

    def error(self, *values: object) -> None:
        """An error."""
        self._say("error", *values)

    def debug(self, *values: object) -> None:
        """A line for who looks for a fault."""
        self._say("debug", *values)

    dir = dirxml = table = log

    def trace(self, *values: object) -> None:
        """A line and where it comes from."""
        self._say("debug", "Trace:", *values, "\n" + "".join(traceback.format_stack()[:-1]).rstrip())

    def assert_(self, condition: object, *values: object) -> None:
        """An error unless `condition` holds."""
        if not condition:
            self._say("error", "Assertion failed" + (":" if values else ""), *values)

    def count(self, label: str = "default") -> None:
        """How often this was called."""
        self._counts[label] = self._counts.get(label, 0) + 1
        self._say("info", f"{label}: {self._counts[label]}")

    def countReset(self, label: str = "default") -> None:  # noqa: N802 - JavaScript's name
        """Count from 0 again."""
        self._counts.pop(label, None)

    def time(self, label: str = "default") -> None:
        """Begin to measure."""
        self._begun[label] = time.monotonic()

    def timeLog(self, label: str = "default", *values: object) -> None:  # noqa: N802 - JavaScript's name
        """Say how long it has been."""
        if (begun := self._begun.get(label)) is not None:
            self._say("info", f"{label}: {(time.monotonic() - begun) * 1000:.3f}ms", *values)

    def timeEnd(self, label: str = "default") -> None:  # noqa: N802 - JavaScript's name
        """Say how long it has been, and measure no more."""
        self.timeLog(label)
        self._begun.pop(label, None)

    def group(self, *values: object) -> None:
        """Indent what follows."""
        self._say("log", *values)
        self._indent += 1

    groupCollapsed = group  # noqa: N815 - JavaScript's name

    def clear(self) -> None:
        """Nothing: a log stays."""

    def groupEnd(self) -> None:  # noqa: N802 - JavaScript's name
        """Do not any more."""
        self._indent = max(0, self._indent - 1)

    def _say(self, level: str, *values: object) -> None:
        self.sink(level, "  " * self._indent + " ".join(map(_shown, values)))


def _shown(value: object) -> str:
    try:
        if isinstance(value, BaseException):
            return "".join(traceback.format_exception(value)).rstrip()
        return value if isinstance(value, str) else repr(dict(value) if isinstance(value, JsDict) else value)
    except Exception as error:  # noqa: BLE001 - user code's repr may raise anything
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


# `assert` is a word of Python's: `console.assert_`, as Pyodide spells it, or `getattr(console, "assert")`.
setattr(Console, "assert", Console.assert_)

console = Console()
