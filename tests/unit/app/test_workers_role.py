"""The workers role: what it says of secrets, and how it begins and ends under a supervisor."""

import resource
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from holdfast.app import lifeline
from holdfast.app.data_lock import data_lock
from holdfast.app.descriptors import MAX_DESCRIPTORS
from holdfast.app.lifeline import Lifeline, Prepared, Ready
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Stop
from holdfast.app.workers_role import serve_workers
from holdfast.config.run import Config
from holdfast.model.data_dir import workers_host_socket

# Longest wait for what should happen at once. The machine may be busy with other tests.
LIMIT_S = 60.0

pytestmark = pytest.mark.usefixtures("signals")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory whose path leaves room for sockets."""
    with TemporaryDirectory(prefix="hf") as directory:
        yield Path(directory)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Lifeline]]:
    """(the supervisor's end, the role's)."""
    ours, childs = lifeline.pair()
    with ours, childs:
        yield ours, Lifeline(childs)


def until(ours: socket.socket, kind: type[object]) -> None:
    """Wait for the role to say this."""
    said = list[object]()
    while not any(isinstance(one, kind) for one in said):
        assert select.select([ours], [], [], LIMIT_S)[0], f"it has said {said}"
        said += lifeline.messages_of(ours)


def test_it_is_ready_when_it_can_be_asked_and_ends_when_told(
    tmp_path: Path, ends: tuple[socket.socket, Lifeline]
) -> None:
    ours, theirs = ends

    def supervisor() -> None:
        until(ours, Ready)
        assert workers_host_socket(tmp_path).is_socket()
        lifeline.tell(ours, Stop())

    thread = threading.Thread(target=supervisor)
    thread.start()
    assert serve_workers(Config(data_dir=tmp_path), Surroundings("holdfast run", theirs)) == 0
    thread.join()


def test_a_successor_says_that_it_waits_and_serves_when_the_one_before_is_gone(
    tmp_path: Path, ends: tuple[socket.socket, Lifeline]
) -> None:
    ours, theirs = ends
    before = data_lock(tmp_path, "workers")
    before.__enter__()

    def supervisor() -> None:
        until(ours, Prepared)
        before.__exit__(None, None, None)
        until(ours, Ready)
        lifeline.tell(ours, Stop())

    thread = threading.Thread(target=supervisor)
    thread.start()
    assert serve_workers(Config(data_dir=tmp_path), Surroundings("holdfast run", theirs, is_successor=True)) == 0
    thread.join()


def test_it_may_have_as_many_files_as_scripts_need(tmp_path: Path, ends: tuple[socket.socket, Lifeline]) -> None:
    ours, theirs = ends
    _, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What most shells, and systemd, give: too few for two hundred scripts.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    ours.close()
    try:
        assert serve_workers(Config(data_dir=tmp_path), Surroundings("holdfast run", theirs)) == 0
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(hard, MAX_DESCRIPTORS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_it_ends_with_its_supervisor(tmp_path: Path, ends: tuple[socket.socket, Lifeline]) -> None:
    ours, theirs = ends

    def supervisor() -> None:
        until(ours, Ready)
        ours.close()

    thread = threading.Thread(target=supervisor)
    thread.start()
    assert serve_workers(Config(data_dir=tmp_path), Surroundings("holdfast run", theirs)) == 0
    thread.join()
