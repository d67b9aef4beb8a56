"""A file that was made and is not on the disk yet, and what a power cut leaves of it."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects import file
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.kv import KeyValues
from holdfast.store.objects.new_file import BLOCK_BYTES, NewFile, is_to_be_made
from holdfast.store.objects.schema import empty_file

WHOLE = empty_file()


def test_a_new_file_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.sqlite"
    new = NewFile(path)
    assert path.read_bytes() == WHOLE
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    new.sync()
    new.sync()
    new.close()


def test_a_directory_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        NewFile(tmp_path / "a" / "x.sqlite")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        NewFile(tmp_path / "x.sqlite")


def test_a_disk_without_room_leaves_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        NewFile(tmp_path / "x.sqlite")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@given(st.integers(0, len(WHOLE)), st.sets(st.integers(0, len(WHOLE) // BLOCK_BYTES), max_size=5))
def test_what_a_power_cut_leaves_of_it_is_made_again(
    tmp_path_factory: pytest.TempPathFactory, length: int, holes: set[int]
) -> None:
    path = tmp_path_factory.mktemp("new") / "x.sqlite"
    content = bytearray(WHOLE[:length])
    for hole in holes:
        part = slice(hole * BLOCK_BYTES, min((hole + 1) * BLOCK_BYTES, length))
        content[part] = bytes(len(content[part]))
    path.write_bytes(content)
    assert is_to_be_made(path)
    file = ObjectFile.open(path)
    assert KeyValues(file).get("a") is None
    KeyValues(file).put("a", b"1")
    file.commit()
    file.close()
    assert not is_to_be_made(path)


@pytest.mark.parametrize(
    "content", [b"x", WHOLE + b"\0", WHOLE[:-1] + b"x", b"x" + WHOLE[1:], b"SQLite format 3\0" + b"\1" * 500]
)
def test_what_is_somebodys_data_is_not(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.sqlite").write_bytes(content)
    assert not is_to_be_made(tmp_path / "x.sqlite")


def test_a_file_with_its_data_in_the_journal_is_kept(tmp_path: Path) -> None:
    """It is as it was made, byte for byte: what was committed is in the journal alone. Made again, it is the same."""
    file = ObjectFile.open(tmp_path / "x.sqlite")
    KeyValues(file).put("a", b"1")
    file.commit()
    assert is_to_be_made(file.path)
    other = ObjectFile.open(file.path)
    assert KeyValues(other).get("a") == b"1"
    other.close()
    file.close()


def test_what_is_moved_into_a_file_while_it_is_opened_again_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.sqlite"
    before = ObjectFile.open(path)
    KeyValues(before).put("key", b"value")
    before.commit()
    assert is_to_be_made(path), "what was committed is in the journal alone"

    def closes_then(asked: Path) -> bool:
        answer = is_to_be_made(asked)
        before.close()
        return answer

    monkeypatch.setattr(file, "is_to_be_made", closes_then)
    after = ObjectFile.open(path)
    assert KeyValues(after).get("key") == b"value"
    after.close()
