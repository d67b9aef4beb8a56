"""A script's process (`python -m holdfast.workers.runtime`) as its host starts it, with a script of the test's.

Law: the test is the host: it binds the listening sockets, says what the host says and reads what the process says, each wait with a limit.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast.model import worker_messages as messages
from tests.integration.fake_edge_channel import FakeClient, FakeLoop

LIMIT_S = 30.0
T = TypeVar("T")


class RuntimeProcess:
    """One process of the script in `directory`. `said` is everything it has said."""

    def __init__(self, directory: Path, listeners: "Listeners") -> None:
        self.directory, self.listeners = directory, listeners
        self.said: list[Any] = []
        self._reader = messages.process_messages()
        self._link, theirs = socket.socketpair()
        self._link.settimeout(LIMIT_S)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "holdfast.workers.runtime"],
                env={"PATH": os.environ["PATH"], "SECRET_OF_THE_HOST": "s", messages.VARIABLE: str(theirs.fileno())},
                pass_fds=[theirs.fileno(), *listeners.descriptors],
                stdin=subprocess.DEVNULL,
                cwd=directory,
            )

    def say(self, message: msgspec.Struct) -> None:
        """Say something to the process."""
        self._link.sendall(messages.line(message))

    def hear(self, kind: type[T], *, containing: str = "") -> T:
        """The next thing of this kind that the process says, after what was heard before."""
        while True:
            for index, message in enumerate(self.said):
                if isinstance(message, kind) and containing in repr(message):
                    del self.said[: index + 1]
                    return message
            self.said.clear()
            data = self._link.recv(1 << 16)
            assert data, f"the process ended without saying {kind.__name__}"
            self.said += self._reader.feed(data)

    def load(self, **more: Any) -> None:
        """Have it load the script."""
        directory = self.directory
        for name in ("objects", "run"):
            (directory / name).mkdir(exist_ok=True)
        turns = directory / "run" / f"turn.{self.process.pid}"
        turns.write_bytes(bytes(messages.TURN_FILE_BYTES))
        self.say(
            messages.Load(
                **{
                    "key": "0123456789ab",
                    "name": "test",
                    "version": "v1",
                    "code_dir": str(directory / "code"),
                    "main": "main.py",
                    "http_fd": self.listeners.descriptors[0],
                    "channel_fd": self.listeners.descriptors[1],
                    "egress_path": str(directory / "egress.sock"),
                    "objects_dir": str(directory / "objects"),
                    "run_dir": str(directory / "run"),
                    "turn_file": str(turns),
                    "compatibility_date": "2026-11-01",
                    **more,
                }
            )
        )

    def serve(self, **more: Any) -> None:
        """Load, and have it serve."""
        self.load(**more)
        self.hear(messages.Loaded)
        self.say(messages.Serve())
        self.hear(messages.Serving)

    def retire(self, *, limit_s: float = 5.0) -> int:
        """Have it retire; its exit status."""
        self.say(messages.Retire(limit_s=limit_s))
        return self.process.wait(LIMIT_S)

    def leave(self) -> None:
        """Be gone, as a host that died."""
        self._link.close()

    def kill(self) -> None:
        """End it at once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(LIMIT_S)

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.process.poll() is None:
            self.kill()
        self._link.close()


class Listeners:
    """The listening sockets of a script, which outlive its processes."""

    def __init__(self, directory: Path) -> None:
        self.paths = (directory / "http.sock", directory / "channel.sock")
        self._sockets = []
        for path in self.paths:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(128)
            self._sockets.append(listener)

    @property
    def descriptors(self) -> tuple[int, int]:
        """Of http.sock, of channel.sock."""
        return self._sockets[0].fileno(), self._sockets[1].fileno()

    def close(self) -> None:
        """Close them."""
        for listener in self._sockets:
            listener.close()


class ScriptUnderTest:
    """A directory with a script, its listening sockets, and one process after another."""

    def __init__(self, directory: Path, source: str) -> None:
        self.directory = directory
        (directory / "code").mkdir()
        self.write(source)
        self.listeners = Listeners(directory)
        self.client = FakeClient(self.listeners.paths[0])
        self._processes: list[RuntimeProcess] = []

    def write(self, source: str, name: str = "main.py") -> None:
        """Write a file of the script."""
        (self.directory / "code" / name).write_text(source)

    def start(self) -> RuntimeProcess:
        """A process that has been told nothing yet."""
        process = RuntimeProcess(self.directory, self.listeners)
        self._processes.append(process)
        return process

    def serving(self, **load: Any) -> RuntimeProcess:
        """A process that serves."""
        process = self.start()
        process.serve(**load)
        return process

    def loop(self, **who: Any) -> FakeLoop:
        """A connection of an edge's tunnel loop."""
        return FakeLoop(self.listeners.paths[1], **who)

    def close(self) -> None:
        """End all of it."""
        for process in self._processes:
            process.close()
        self.listeners.close()


@contextmanager
def script(directory: Path, source: str) -> Iterator[ScriptUnderTest]:
    """The script `source` in an empty directory."""
    under_test = ScriptUnderTest(directory, source)
    try:
        yield under_test
    finally:
        under_test.close()
