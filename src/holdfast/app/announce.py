"""What is said on standard output: the `ready:` lines, and what a first start has to tell.

Law: nobody has to listen. A stdout that is closed, full or broken costs the `ready:` lines and nothing else; what is said
only once, such as a token, goes to stderr then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.app.descriptors import STDERR_FD


def announce(lines: Sequence[str], *, command: str) -> None:
    """Print `lines`. If they cannot be written, stderr says so; `command` is how that sentence begins."""
    if sys.stdout is None:  # closed before Python started
        _say_lines_are_lost(lines, command, "stdout is closed")
        return
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        _say_lines_are_lost(lines, command, (getattr(error, "strerror", None) or str(error)).lower())
        _let_stdout_go()


def _say_lines_are_lost(lines: Sequence[str], command: str, reason: str) -> None:
    sentence = f"{command}: the ready lines cannot be written, serving goes on: {reason}"
    kept = [line for line in lines if not line.startswith("ready: ")]
    with suppress(OSError):
        os.write(STDERR_FD, "".join(f"{line}\n" for line in (sentence, *kept)).encode("utf-8", "backslashreplace"))


def _let_stdout_go() -> None:
    """Python flushes stdout once more at its end: what failed to be written goes to the null device then."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())
