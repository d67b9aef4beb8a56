"""One role for each data directory."""

import os
import resource
import stat
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.app.data_lock import DataLock, data_lock, holder_of
from holdfast.errors import SetupError


def test_the_directory_is_made_for_its_owner_alone_and_the_lock_says_whose_it_is(tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    with data_lock(data, "edge"):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert (data / "edge.lock").read_text() == f"{os.getpid()}\n"
    with data_lock(data, "edge"):
        pass


def test_two_roles_share_a_directory_and_two_of_one_do_not(tmp_path: Path) -> None:
    with data_lock(tmp_path, "edge"), data_lock(tmp_path, "control"):
        with (
            pytest.raises(SetupError, match=rf"has a running edge already \(process {os.getpid()}\)$"),
            data_lock(tmp_path, "edge", limit_s=0.1),
        ):
            pass
        assert (tmp_path / "edge.lock").read_text() == f"{os.getpid()}\n"


def test_who_holds_a_lock_is_known_and_that_nobody_does(tmp_path: Path) -> None:
    assert holder_of(tmp_path, "edge") is None
    with data_lock(tmp_path, "edge"):
        assert holder_of(tmp_path, "edge") == os.getpid()
        assert holder_of(tmp_path, "control") is None
        (tmp_path / "edge.lock").write_text("")
        assert holder_of(tmp_path, "edge") == 0
    assert holder_of(tmp_path, "edge") is None
    with data_lock(tmp_path, "edge"):
        assert holder_of(tmp_path, "edge") == os.getpid()


def test_on_a_full_disk_a_lock_is_held_all_the_same(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "edge.lock").write_text("1\n")
    # As on a full disk, no file can grow.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with data_lock(tmp_path, "edge"):
            assert holder_of(tmp_path, "edge") == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_lock_that_is_let_go_can_be_taken_by_another(tmp_path: Path) -> None:
    with closing(DataLock(tmp_path, "edge")) as before, closing(DataLock(tmp_path, "edge")) as successor:
        before.take()
        assert before.try_to_take()
        assert not successor.try_to_take()
        before.let_go()
        assert (before.is_held, successor.try_to_take(), successor.is_held) == (False, True, True)
        assert not before.try_to_take()


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"^the data directory .*/file/data cannot be used: not a directory$"):
        data_lock(tmp_path / "file" / "data", "edge").__enter__()
