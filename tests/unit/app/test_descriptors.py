"""Descriptors of a process: the standard ones are held, the limit is raised, the log is opened."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.app.descriptors import (
    RESERVED_DESCRIPTORS,
    connection_limit,
    hold_standard_descriptors,
    log_descriptor,
    raise_descriptor_limit,
)
from holdfast.errors import SetupError


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    before, restore = resource.getrlimit(resource.RLIMIT_NOFILE), resource.setrlimit
    yield
    restore(resource.RLIMIT_NOFILE, before)


def test_records_go_to_the_end_of_the_file_that_was_named(tmp_path: Path) -> None:
    file = tmp_path / "edge.log"
    file.write_text("before\n")
    with log_descriptor(file) as descriptor:
        os.write(descriptor, b"{}\n")
    assert file.read_text() == "before\n{}\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_log_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"^--log: cannot append to .*: is a directory$"), log_descriptor(tmp_path):
        pass


@pytest.mark.parametrize(("descriptors", "connections"), [(20_000, 9_900), (202, 1), (1024, 412)])
def test_each_connection_may_hold_two_descriptors(descriptors: int, connections: int) -> None:
    assert connection_limit(descriptors) == connections


@pytest.mark.parametrize("descriptors", [0, RESERVED_DESCRIPTORS, RESERVED_DESCRIPTORS + 1])
def test_too_few_descriptors_are_told(descriptors: int) -> None:
    with pytest.raises(SetupError, match="the limit of open files is"):
        connection_limit(descriptors)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert raise_descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert raise_descriptor_limit() > 512


def test_a_machine_that_refuses_the_hard_limit_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_what: int, _limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_standard_descriptors_that_are_closed_are_held_for_children_too() -> None:
    program = (
        "import os, sys; from holdfast.app.descriptors import hold_standard_descriptors\n"
        "os.closerange(0, 3); hold_standard_descriptors()\n"
        "null = os.stat(os.devnull).st_rdev\n"
        "held = all(os.fstat(n).st_rdev == null and os.get_inheritable(n) for n in range(3))\n"
        "os._exit(0 if held else 1)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_standard_descriptors_that_are_open_stay() -> None:
    before = [os.fstat(number) for number in range(3)]
    hold_standard_descriptors()
    assert [os.path.samestat(os.fstat(number), was) for number, was in enumerate(before)] == [True] * 3
