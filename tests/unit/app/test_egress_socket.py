"""The socket on which edges take what scripts fetch."""

import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest

from holdfast.app import egress_socket
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
    with pytest.raises(SetupError, match="cannot be used"), egress_listener(tmp_path / "file"):
        pass


def test_a_socket_file_that_nobody_listens_on_is_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        assert not listens(tmp_path / "s")


def test_one_supervisor_has_it_at_a_time_and_another_disturbs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workers_egress_socket(tmp_path)
    with egress_listener(tmp_path):
        before = path.stat().st_ino
        with (
            pytest.raises(SetupError, match=r"process \d+\): end that one, or .* --data"),
            egress_listener(tmp_path, limit_s=0.1),
        ):
            pass
        assert path.stat().st_ino == before
        assert listens(path)
    assert "waiting" in capsys.readouterr().err


def test_who_waits_for_the_one_before_has_it_then(tmp_path: Path) -> None:
    path, first = workers_egress_socket(tmp_path), ExitStack()
    first.enter_context(egress_listener(tmp_path))

    def second() -> bool:
        with egress_listener(tmp_path):
            return listens(path)

    with ThreadPoolExecutor(1) as pool, patch.object(egress_socket, "_say", lambda _: first.close()):
        assert pool.submit(second).result(30)
    assert not path.exists()
