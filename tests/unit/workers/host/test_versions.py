"""What lies on the disk of scripts, read and written."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from holdfast.model.data_dir import worker_active_file, worker_version_dir
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host import versions
from holdfast.workers.host.versions import MAX_DESCRIPTION_BYTES, VersionError

KEY = "0123456789ab"
VERSION = ScriptVersion(key=KEY, name="chat", version="v1", main="worker.py", sealed_secrets={"A": b"\0\xff"})


def write(data_dir: Path, text: bytes, *, version: str = "v1") -> None:
    directory = worker_version_dir(data_dir, KEY, version)
    directory.mkdir(parents=True)
    (directory / "script.json").write_bytes(text)


def test_a_version_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, msgspec.json.encode(VERSION))
    assert versions.described(tmp_path, KEY, "v1") == VERSION


@pytest.mark.parametrize(
    ("text", "version", "sentence"),
    [
        (msgspec.json.encode(VERSION), "../v1", "'../v1' is no name of a version"),
        (msgspec.json.encode(VERSION), "v2", "version v2 cannot be read: no such file or directory"),
        (b"{", "v1", "version v1 has a description that cannot be read"),
        (b'{"key":"0123456789ab"}', "v1", "version v1 has a description that cannot be read"),
        (b" " * (MAX_DESCRIPTION_BYTES + 1), "v1", "version v1 has a description of more than"),
        (
            msgspec.json.encode(msgspec.structs.replace(VERSION, version="v9")),
            "v1",
            "version v1 describes version v9 of the script 0123456789ab",
        ),
    ],
)
def test_what_cannot_be_used_is_a_sentence(tmp_path: Path, text: bytes, version: str, sentence: str) -> None:
    write(tmp_path, text)
    with pytest.raises(VersionError, match=sentence.replace(".", r"\.")):
        versions.described(tmp_path, KEY, version)


def test_which_version_serves_is_kept(tmp_path: Path) -> None:
    write(tmp_path, b"")
    assert versions.active_version(tmp_path, KEY) == ""
    versions.activate(tmp_path, KEY, "v1")
    versions.activate(tmp_path, KEY, "v2")
    assert versions.active_version(tmp_path, KEY) == "v2"
    worker_active_file(tmp_path, KEY).write_bytes(b"../\xff")
    assert versions.active_version(tmp_path, KEY) == ""


def test_a_run_has_begun_once_it_has_served_a_script_and_another_run_has_not(tmp_path: Path) -> None:
    write(tmp_path, msgspec.json.encode(VERSION))
    assert not versions.has_begun(tmp_path, KEY, "a1")
    versions.begin(tmp_path, KEY, "a1")
    # Nothing is served yet.
    assert not versions.has_begun(tmp_path, KEY, "a1")
    versions.activate(tmp_path, KEY, "v1")
    assert [versions.has_begun(tmp_path, KEY, run) for run in ("a1", "b2", "")] == [True, False, False]
    versions.begin(tmp_path, KEY, "")
    assert not versions.has_begun(tmp_path, KEY, "")


def test_only_directories_of_scripts_are_scripts(tmp_path: Path) -> None:
    assert list(versions.keys(tmp_path)) == []
    for name in ("0123456789ab", "ba9876543210", ".removed-0123456789ab-1", "0123456789AB", "short"):
        (tmp_path / "workers" / name).mkdir(parents=True)
    assert list(versions.keys(tmp_path)) == ["0123456789ab", "ba9876543210"]


def test_a_script_is_removed_with_all_that_it_has(tmp_path: Path) -> None:
    write(tmp_path, b"")
    versions.remove(tmp_path, KEY)
    versions.remove(tmp_path, KEY)
    assert list(versions.keys(tmp_path)) == []
    write(tmp_path, b"a new one of the same name")
    versions.clear(tmp_path)
    assert [one.name for one in (tmp_path / "workers").iterdir()] == [KEY]


def test_what_processes_had_whose_host_was_killed_is_removed_and_of_a_living_one_nothing(tmp_path: Path) -> None:
    run = tmp_path / "workers" / KEY / "run"
    with subprocess.Popen([sys.executable, "-c", ""]) as host:
        host.wait()
    for name in (f"{host.pid}-1", f"{os.getpid()}-1"):
        (run / name).mkdir(parents=True)
        (run / name / "file").touch()
    versions.clear(tmp_path)
    assert [one.name for one in run.iterdir()] == [f"{os.getpid()}-1"]


@pytest.mark.parametrize(
    ("text", "expected"), [("v1", True), ("a" * 128, True), ("", False), (".a", False), ("a/b", False)]
)
def test_a_version_names_one_directory(text: str, expected: bool) -> None:
    assert versions.is_version(text) is expected
