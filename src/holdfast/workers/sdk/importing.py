"""Where user code finds `workers`, `js` and `pyodide`: a directory that only a script's process puts first on its path.

The names belong to other packages on the registry, so they must not be importable in any other process of ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

USER_PATH = str(Path(__file__).parent / "path")


def install() -> None:
    """Put the SDK before everything else that can be imported, once."""
    if USER_PATH in sys.path:
        sys.path.remove(USER_PATH)
    sys.path.insert(0, USER_PATH)
