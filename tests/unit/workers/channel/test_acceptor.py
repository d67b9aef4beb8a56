"""Connections that are taken, and that cannot be taken for a while."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.workers.channel import acceptor
from holdfast.workers.channel.acceptor import Acceptor


class Short:
    """A listening socket which, while `error` is set, has no descriptor to take anybody with, and counts who asks."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.error = 0
        self.asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return self._listener.accept()

    def fileno(self) -> int:
        return self._listener.fileno()

    def setblocking(self, flag: bool) -> None:
        self._listener.setblocking(flag)


class Stage:
    """A short listener, who connects to it, and what came of that."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.short = Short(self._listener)
        self.taken: list[socket.socket] = []
        self.reports: list[str] = []
        self._clients: list[socket.socket] = []

    def accept(self) -> Acceptor:
        return Acceptor(self.short, self.taken.append, report=self.reports.append)  # type: ignore[arg-type]  # it is as one

    def connect(self) -> None:
        client = socket.socket(socket.AF_UNIX)
        self._clients.append(client)
        client.connect(str(self._path))

    def close(self) -> None:
        for one in (*self.taken, *self._clients, self._listener):
            one.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "l.sock")
    yield stage
    stage.close()


async def _turns() -> None:
    """Let the loop come round a few times."""
    for _ in range(20):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def _until(happened: Callable[[], bool]) -> None:
    """Let the loop come round until it has."""
    async with asyncio.timeout(30):
        while not happened():
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def test_those_that_wait_and_those_that_come_are_taken_until_it_is_stopped(stage: Stage) -> None:
    stage.connect()
    accepting = stage.accept()
    assert len(stage.taken) == 1
    stage.connect()
    await _until(lambda: len(stage.taken) == 2)
    accepting.stop()
    asked = stage.short.asked
    stage.connect()
    await _turns()
    assert (len(stage.taken), stage.short.asked, stage.reports) == (2, asked, [])


async def test_without_a_descriptor_it_waits_and_does_not_ask_in_each_turn_of_the_loop(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "PAUSE_S", 600.0)
    stage.short.error = errno.EMFILE
    stage.connect()
    accepting = stage.accept()
    await _turns()
    assert stage.short.asked == 1
    assert stage.reports == ["a link could not be accepted: Too many open files; it is tried again each 600 s"]
    accepting.stop()


async def test_what_could_not_be_taken_is_taken_later_and_each_shortage_is_reported_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "PAUSE_S", 0.001)
    stage.short.error = errno.EMFILE
    stage.connect()
    accepting = stage.accept()
    await _until(lambda: stage.short.asked >= 3)
    assert (len(stage.taken), len(stage.reports)) == (0, 1)
    stage.short.error = 0
    await _until(lambda: len(stage.taken) == 1)
    stage.short.error = errno.ENFILE
    stage.connect()
    await _until(lambda: len(stage.reports) == 2)
    stage.short.error = 0
    await _until(lambda: len(stage.taken) == 2)
    accepting.stop()
    assert [text.split(": ")[1] for text in stage.reports] == [
        "Too many open files; it is tried again each 0.001 s",
        "Too many open files in system; it is tried again each 0.001 s",
    ]


async def test_who_has_gone_before_being_taken_is_no_shortage(stage: Stage) -> None:
    stage.short.error = errno.ECONNABORTED
    stage.connect()
    accepting = stage.accept()
    stage.short.error = 0
    await _until(lambda: len(stage.taken) == 1)
    accepting.stop()
    assert stage.reports == []
