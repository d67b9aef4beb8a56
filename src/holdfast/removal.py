"""Directories that are removed with all that is in them, whatever a script has put there.

Theory. The standard library's `rmtree` calls itself for each level, and fails at the thousandth. Here what lies deeper than LEVELS is moved to the top
first, and its turn comes there.

Law 1: neither depth nor number is too much: few directories are open at a time, and few names held.
Law 2: links are removed, and never followed. What cannot be removed stays.
"""

from __future__ import annotations

import math
import os
import secrets
from contextlib import suppress
from itertools import islice
from pathlib import Path

# Directories that are open at a time. Beyond them a directory is moved.
LEVELS = 32
# Names that are held of each.
_BATCH = 1_000
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(directory: Path, *, most: int | None = None) -> bool:
    """Remove it, or no more than so many files and directories of it; whether it is gone."""
    try:
        top = os.open(directory, _FLAGS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        is_empty = _Removal(top, math.inf if most is None else most).empty(top, LEVELS)
    finally:
        os.close(top)
    if is_empty:
        with suppress(OSError):
            directory.rmdir()
            return True
    return False


class _Removal:
    """One, of what is in the directory `top`; `most` are the steps that it may take."""

    def __init__(self, top: int, most: float) -> None:
        self._top, self._most, self._done = top, most, 0

    def empty(self, here: int, levels: int) -> bool:
        """Remove all that is in a directory, which may be so many levels deep; whether nothing is left."""
        while names := _names(here):
            before = self._done
            for name in names:
                if self._done >= self._most:
                    return False
                with suppress(OSError):
                    is_gone = self._take(here, name, levels)
                    self._done += is_gone
            if self._done == before:
                return False
        return True

    def _take(self, here: int, name: str, levels: int) -> bool:
        """Remove this, or move it; whether it is not there any more. Raises OSError."""
        try:
            os.unlink(name, dir_fd=here)
        except IsADirectoryError:
            if levels:
                return self._remove_directory(here, name, levels - 1)
            os.rename(name, f".{secrets.token_hex(16)}", src_dir_fd=here, dst_dir_fd=self._top)
        return True

    def _remove_directory(self, here: int, name: str, levels: int) -> bool:
        inner = os.open(name, _FLAGS, dir_fd=here)
        try:
            is_empty = self.empty(inner, levels)
        finally:
            os.close(inner)
        if is_empty:
            os.rmdir(name, dir_fd=here)
        return is_empty


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        return [one.name for one in islice(entries, _BATCH)]
