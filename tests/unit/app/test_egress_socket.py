"""The socket on which edges take what scripts fetch."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from holdfast.app.egress_socket import egress_listener, listens
from holdfast.errors import SetupError
from holdfast.model.data_dir import workers_egress_socket


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory whose path leaves room for sockets."""
    with TemporaryDirectory(prefix="hf") as directory:
        yield Path(directory)


def test_it_listens_for_its_user_while_it_is_held(tmp_path: Path) -> None:
    path = workers_egress_socket(tmp_path)
    with egress_listener(tmp_path) as descriptor:
        assert stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert listens(path)
    assert not path.exists()
    assert not listens(path)


def test_a_path_that_is_too_long_has_it_elsewhere(tmp_path: Path) -> None:
    data_dir = tmp_path / ("x" * 90)
    with egress_listener(data_dir):
        path = workers_egress_socket(data_dir)
        assert not path.is_relative_to(tmp_path)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert listens(path)
    assert not path.parent.exists()


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="the directory"), egress_listener(tmp_path / "file"):
        pass


def test_a_socket_file_that_nobody_listens_on_is_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        assert not listens(tmp_path / "s")
