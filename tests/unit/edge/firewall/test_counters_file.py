"""Counters on the disk: they outlive who counted, two may count in them, and what cannot be is no reason not to serve."""

import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.firewall import counters_file as module
from holdfast.edge.firewall.counters_file import anonymous_counters, counters_file, open_counters
from holdfast.limits.counters import RateCounters

SIZE = 64 * 1024


def hit(counters: RateCounters, key: bytes = b"key") -> bool:
    return counters.hit(key, now=100.0, period_s=10, limit=1, mitigation_s=0).is_limited


class Log:
    """What was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        self.said.append((event, fields))

    @property
    def reasons(self) -> list[str]:
        """Why, each time."""
        return [fields["reason"] for _, fields in self.said]


def test_counters_outlive_who_counted(tmp_path: Path) -> None:
    file = counters_file(tmp_path)
    assert not hit(open_counters(file, log=Log(), size=SIZE))
    assert hit(open_counters(file, log=Log(), size=SIZE))
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size == SIZE


def test_two_at_once_count_in_the_same(tmp_path: Path) -> None:
    log = Log()
    one, other = (open_counters(counters_file(tmp_path), log=log, size=SIZE) for _ in range(2))
    assert [hit(one), hit(other), hit(one)] == [False, True, True]
    assert log.said == [], "neither waited for the other"


def test_a_file_of_another_size_or_of_something_else_is_begun_anew(tmp_path: Path) -> None:
    file = counters_file(tmp_path)
    file.write_bytes(os.urandom(3 * SIZE))
    log = Log()
    counters = open_counters(file, log=log, size=SIZE)
    assert [hit(counters), hit(counters)] == [False, True]
    assert file.stat().st_size == 3 * SIZE, "another process may map it"
    assert log.reasons == ["it is damaged, or of another version: counting begins anew"]
    open_counters(file, log=log, size=SIZE)
    assert len(log.said) == 1


def test_a_file_without_its_end_is_said_to_be_so_once(tmp_path: Path) -> None:
    file, log = counters_file(tmp_path), Log()
    hit(open_counters(file, log=log, size=SIZE))
    os.truncate(file, SIZE // 2)
    for _ in range(2):
        open_counters(file, log=log, size=SIZE)
    assert log.reasons == ["its end was missing: some of the counting begins anew"]


@pytest.mark.parametrize("before", [None, b"", b"x" * 1000])
def test_a_disk_that_gets_full_is_given_back_what_it_gave(
    before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocate = os.posix_fallocate

    def run_full(descriptor: int, start: int, size: int) -> None:
        allocate(descriptor, start, size // 2)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", run_full)
    file, log = counters_file(tmp_path), Log()
    if before is not None:
        file.write_bytes(before)
    counters = open_counters(file, log=log, size=SIZE)
    assert [hit(counters), hit(counters)] == [False, True]
    assert file.read_bytes() == (before or b"")
    assert file.stat().st_blocks * 512 <= 4096
    assert log.reasons == ["they are in memory only: no space left on device"]


def test_a_disk_that_would_be_full_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, log = counters_file(tmp_path), Log()
    hit(open_counters(file, log=log, size=SIZE))
    monkeypatch.setattr(module, "MIN_FREE_BYTES", 1 << 62)
    assert hit(open_counters(file, log=log, size=SIZE)), "what it has is enough"
    file.unlink()
    assert not hit(open_counters(file, log=log, size=SIZE))
    assert file.stat().st_blocks == 0
    (reason,) = log.reasons
    assert reason.startswith("they are in memory only: of the disk, ")
    assert f"the file needs {SIZE} and leaves {1 << 62} to others" in reason


@pytest.mark.parametrize("kind", ["directory", "link", "missing"])
def test_what_cannot_be_a_file_is_said_and_counted_in_memory(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "rate_counters"
    if kind == "directory":
        file.mkdir()
    elif kind == "link":
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file = tmp_path / "nowhere" / "rate_counters"
    log = Log()
    counters = open_counters(file, log=log, size=SIZE)
    assert [hit(counters), hit(counters)] == [False, True]
    ((event, fields),) = log.said
    assert event == "rate_counters_warning"
    assert fields["file"] == str(file)


def test_whoever_holds_the_lock_for_long_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, log = counters_file(tmp_path), Log()
    monkeypatch.setattr(module, "LOCK_LIMIT_S", 0.0)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert not hit(open_counters(file, log=log, size=SIZE))
    finally:
        os.close(descriptor)
    assert len(log.said) == 1


def test_memory_without_a_name_ends_with_its_process() -> None:
    one, other = anonymous_counters(size=SIZE), anonymous_counters(size=SIZE)
    assert [hit(one), hit(one), hit(other)] == [False, True, False]
