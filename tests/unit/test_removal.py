"""Directories that scripts have filled: removed, whatever is in them."""

import os
from pathlib import Path

from holdfast import removal
from holdfast.removal import remove

# More than Python calls functions within each other.
DEEP = 3_000


def dig(directory: Path, depth: int) -> None:
    """Directories within each other."""
    here = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("x", dir_fd=here)
        below = os.open("x", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_no_depth_is_too_much(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    dig(top, DEEP)
    assert remove(top)
    assert not top.exists()


def test_many_files_are_removed_and_a_part_of_them_where_that_is_asked(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    for number in range(2 * removal._BATCH + 1):
        (top / "a" / "b" / str(number)).touch()
    assert not remove(top, most=10)
    assert len(list((top / "a" / "b").iterdir())) == 2 * removal._BATCH - 9
    assert remove(top)
    assert not top.exists()


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    (top / "a").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").touch()
    for place in (top, top / "a"):
        (place / "link").symlink_to(outside)
    assert remove(top)
    assert (outside / "file").exists()
    (tmp_path / "link").symlink_to(outside)
    assert not remove(tmp_path / "link")
    assert (outside / "file").exists()


def test_what_is_not_there_is_gone_and_what_is_no_directory_is_not_removed(tmp_path: Path) -> None:
    assert remove(tmp_path / "nothing")
    (tmp_path / "file").touch()
    assert not remove(tmp_path / "file")
