"""One child: it gets what it is described with, and nothing else that is open."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.app.child_process import ChildProcess, ChildSpec, role_argv
from holdfast.app.family import ChildLimits
from holdfast.app.inheritance import VARIABLE, Inheritance
from holdfast.app.lifeline import Failed, messages_of
from holdfast.errors import SetupError
from holdfast.listeners import Listeners
from holdfast.model.listen_address import ListenAddress

# Says over its lifeline which descriptors it has, and where its standard output goes.
TELLING = f"""
import json, os, socket
told = json.loads(os.environ["{VARIABLE}"])
fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
fds = [fd for fd in fds if os.path.exists(f"/proc/self/fd/{{fd}}")]
same = os.path.sameopenfile(1, 2)
print("hello")
socket.socket(fileno=told["lifeline"]).send(b"failed\\n" + json.dumps([fds, told["lifeline"], told["stderr"], same]).encode())
"""


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    with Listeners.bound([ListenAddress("127.0.0.1", 0)], sockets_each=2) as bound:
        yield bound


def spec(*program: str, listeners: Listeners | None = None) -> ChildSpec:
    addresses = listeners.addresses if listeners else ()
    inheritance = Inheritance(command="holdfast run", kind="run", options={}, listeners=addresses)
    limits = ChildLimits(name="edge", start_limit_s=1.0, stop_limit_s=1.0)
    return ChildSpec(limits=limits, argv=lambda _: program, inheritance=inheritance)


def reaped(child: ChildProcess) -> int:
    status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    messages = list(messages_of(child.lifeline))
    child.close(status)
    assert not messages
    return status


def test_a_child_has_its_listeners_its_lifeline_the_standard_three_and_the_real_standard_error(
    listeners: Listeners,
) -> None:
    with Path("/dev/null").open("rb"):  # one that must not get there
        child = ChildProcess(spec(sys.executable, "-c", TELLING, listeners=listeners))
    os.waitpid(child.pid, 0)
    (message,) = messages_of(child.lifeline)
    assert not child.last_words.pass_on()
    assert child.last_words.last_line() == "hello"
    child.close(0)
    assert isinstance(message, Failed)
    descriptors, lifeline, stderr, is_stdout_the_log = json.loads(message.sentence)
    assert descriptors == sorted([0, 1, 2, lifeline, stderr, *listeners.addresses[0].descriptors])
    assert is_stdout_the_log


def test_a_child_can_be_told_to_end_and_telling_the_dead_harms_nobody() -> None:
    child = ChildProcess(spec("sleep", "60"))
    child.send(signal.SIGTERM)
    assert reaped(child) == -signal.SIGTERM
    child.send(signal.SIGTERM)


def test_a_program_that_is_not_there_is_an_error_and_leaves_nothing_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        ChildProcess(spec("/nonexistent/program"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_role_is_run_by_this_python_without_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert role_argv("edge") == (sys.executable, "-P", "-m", "holdfast.app.child", "edge")
    assert role_argv("edge", "/other/python") == ("/other/python", "-P", "-m", "holdfast.app.child", "edge")
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(SetupError, match="does not know its own program"):
        role_argv("edge")
