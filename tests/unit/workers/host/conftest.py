"""Tests of the host bind Unix sockets, whose paths have to be short."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory whose path leaves room for sockets."""
    with TemporaryDirectory(prefix="hf") as directory:
        yield Path(directory)
