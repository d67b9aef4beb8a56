"""What a verb has to say on standard output: written whole before it ends, or a sentence that says why not.

Law: whoever reads may leave, as `head` does: that is a `BrokenPipeError`, of which typer makes the status 1 and no words.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from holdfast.errors import OutputError, reason_of

_LOST = "what was asked for could not be written"


def write_lines(lines: Iterable[str], *, lost: str = _LOST) -> None:
    """Print `lines`, now. `lost` is how the sentence begins that says that they are not there.

    Raises OutputError where standard output takes nothing, BrokenPipeError where nobody reads it any more.
    """
    if sys.stdout is None:  # closed before Python started
        raise OutputError(f"{lost}: standard output is closed")
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_stdout()
        raise OutputError(f"{lost}: {reason_of(error)}") from error


def give_up_stdout() -> None:
    """Print nothing more: Python would complain again when it flushes at its end."""
    sys.stdout = None
