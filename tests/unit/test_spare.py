"""Spare processes: what they are told is what they are, and they hold nothing of anybody's."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import spare
from tests.integration.waiting import poll

# Prints what it was given.
TELLING = """
import json, os, sys

def main():
    fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
    fds = [fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}")]
    given = [__name__, sys.argv[1:], dict(os.environ), fds, os.getcwd(), os.getsid(0) == os.getpid()]
    os.write(1, json.dumps(given).encode())
    return 7
"""


@pytest.fixture
def telling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "telling_of_itself.py").write_text(TELLING)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "telling_of_itself"


@pytest.fixture
def output() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def _status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("has_one_of_its_own", [False, True])
def test_a_spare_is_what_it_is_told_and_has_nothing_else(
    telling: str, output: tuple[int, int], tmp_path: Path, has_one_of_its_own: bool
) -> None:
    with Path("/dev/null").open("rb") as foreign, Path("/dev/null").open("rb") as own:
        waiting = spare.forked(has_one_of_its_own=has_one_of_its_own, is_leader=True)
        assert waiting.become(
            telling,
            ["a", "b"],
            environment={"NAME": "value"},
            output=output[1],
            descriptors=(own.fileno(),),
            directory=str(tmp_path),
        )
        os.close(output[1])
        told = json.loads(os.read(output[0], 65536))
        assert told[:3] == [telling, ["a", "b"], {"NAME": "value"}]
        assert foreign.fileno() not in told[3]
        assert told[3][:3] == [0, 1, 2]
        assert len(told[3]) == 4 + has_one_of_its_own
        assert own.fileno() in told[3]
        assert told[4:] == [str(tmp_path), True]
    assert _status(waiting.pid) == 7


def test_a_spare_is_taken_once(telling: str, output: tuple[int, int]) -> None:
    waiting = spare.forked()
    assert waiting.become(telling, [], environment={}, output=output[1])
    assert not waiting.become(telling, [], environment={}, output=output[1])
    os.close(output[1])
    _status(waiting.pid)


def test_a_spare_that_is_let_go_of_ends_in_peace_and_so_does_its_own() -> None:
    waiting = spare.forked(has_one_of_its_own=True)
    children = Path(f"/proc/{waiting.pid}/task/{waiting.pid}/children")
    poll(lambda: bool(children.read_text()), what="the spare's own")
    (grandchild,) = children.read_text().split()
    waiting.close()
    assert _status(waiting.pid) == 0
    poll(lambda: not Path(f"/proc/{grandchild}/exe").exists(), what="the end of the spare's own")


def test_one_that_has_ended_cannot_become_anything(output: tuple[int, int]) -> None:
    waiting = spare.forked()
    os.kill(waiting.pid, 9)
    assert _status(waiting.pid) == -9
    assert not waiting.become("json", [], environment={}, output=output[1])
    os.close(output[1])


def test_more_descriptors_than_a_message_carries_are_not_even_sent(output: tuple[int, int]) -> None:
    waiting = spare.forked()
    assert not waiting.become("json", [], environment={}, output=output[1], descriptors=[output[1]] * 300)
    os.close(output[1])
    assert _status(waiting.pid) == 0


def test_this_process_was_no_spare() -> None:
    assert spare.own() is None
