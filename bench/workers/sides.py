"""The two sides: `holdfast up --worker` with the object in Python, and workerd with its twin in JavaScript.

Law 1: each has a directory of its own, which is empty when it starts and is gone when it ends.
Law 2: the project is copied there, so that deploying a change of it changes no file of the repository.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import MeasurementError, MissingError
from bench.installation import program
from bench.process import Child
from bench.workers.cases import OURS, PEER
from conformance import missing
from conformance.workers.servers import workerd_program
from holdfast import __version__
from holdfast.app.local_project import placed
from holdfast.model.data_dir import local_home, workers_host_socket
from holdfast.model.worker_host_messages import (
    Answer,
    Deploy,
    Done,
    ListScripts,
    Question,
    Refused,
    Scripts,
    ScriptStatus,
)
from holdfast.model.worker_messages import LineReader, line

PROJECT = Path(__file__).parent / "project"
# After so long without an event an object sleeps, on both sides; it is looked for each second or so.
SLEEPS_AFTER_S = 10.0
_SLEEP_LIMIT_S = 60.0
_WORKERD_SLEEPS_S = SLEEPS_AFTER_S + 4.0
_LOOK_S = 0.5
_ANSWER_LIMIT_S = 60.0


class Side(ABC):
    """A server that is running. `pid` is the root of its processes."""

    def __init__(self, child: Child, port: int) -> None:
        self._child, self.port = child, port
        self.pid = child.pid

    def url(self, path: str) -> str:
        """Where a WebSocket to `path` is opened."""
        return f"ws://127.0.0.1:{self.port}{path}"

    def made(self) -> int:
        """How many objects have been made since it started; one that wakes is made again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_LIMIT_S)
        try:
            connection.request("GET", "/made")
            return int(connection.getresponse().read())
        except (OSError, ValueError) as error:
            raise MeasurementError(f"/made was not answered: {error}; {self._child.last_words()}") from error
        finally:
            connection.close()

    @abstractmethod
    def until_asleep(self) -> None:
        """Wait until no object is in memory."""


class Workerd(Side):
    """workerd. It does not say which objects are in memory: `made` tells afterwards."""

    def until_asleep(self) -> None:
        """As `Side` says, by the clock."""
        time.sleep(_WORKERD_SLEEPS_S)


class Holdfast(Side):
    """`holdfast up --worker`."""

    def __init__(self, child: Child, port: int, project: Path, data: Path) -> None:
        super().__init__(child, port)
        self._project, self._data = project, data
        self._versions = 0

    def until_asleep(self) -> None:
        """As `Side` says, by what the script's process tells. Raises MeasurementError."""
        deadline = time.monotonic() + _SLEEP_LIMIT_S
        # What is told is some seconds old: not before the objects can have slept.
        time.sleep(SLEEPS_AFTER_S)
        while (live := self.status().counters.get("objects_live", 0)) > 0:
            if time.monotonic() > deadline:
                raise MeasurementError(f"{live} objects are in memory after {_SLEEP_LIMIT_S:.0f} s")
            time.sleep(_LOOK_S)

    def status(self) -> ScriptStatus:
        """How the script is."""
        answer = self._ask(ListScripts())
        if not isinstance(answer, Scripts) or len(answer.scripts) != 1:
            raise MeasurementError(f"the host of scripts answered {answer!r}")
        return answer.scripts[0]

    def deploy(self) -> None:
        """Have a new version serve: the same code, but for a line. Raises MeasurementError where it is refused."""
        self._versions += 1
        source = (PROJECT / "worker.py").read_text(encoding="utf-8")
        (self._project / "worker.py").write_text(f"{source}\nVERSION = {self._versions}\n", encoding="utf-8")
        worker, _ = placed(self._project, self._data)
        match self._ask(Deploy(key=worker.key, version=worker.version)):
            case Done():
                return
            case Refused() as refused:
                raise MeasurementError(f"deployment {self._versions} was refused: {refused.error}")
            case other:
                raise MeasurementError(f"deployment {self._versions} was answered {other!r}")

    def _ask(self, question: Question) -> Answer:
        reader: LineReader[Answer] = LineReader(Answer)
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(_ANSWER_LIMIT_S)
                asking.connect(str(workers_host_socket(local_home(self._data))))
                asking.sendall(line(question))
                while received := asking.recv(65536):
                    for answer in reader.feed(received):
                        return answer
        except OSError as error:
            raise MeasurementError(f"the host of scripts does not answer: {error}") from error
        raise MeasurementError(f"the host of scripts has not answered {question!r}")


def versions() -> Mapping[str, Callable[[], str]]:
    """The sides, and what tells the version of each; that raises MissingError where it is not there."""
    return {OURS: _our_version, PEER: _workerd_version}


def _our_version() -> str:
    program()
    return f"holdfast {__version__}"


def _workerd_version() -> str:
    try:
        told = subprocess.run([workerd_program(), "--version"], capture_output=True, text=True, check=True)
    except missing.MissingError as error:
        raise MissingError(str(error)) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingError(f"workerd does not start: {error}") from error
    return told.stdout.strip()


@contextmanager
def running(side: str, *, threads: int) -> Iterator[Side]:
    """A side that serves. Raises MeasurementError."""
    with TemporaryDirectory(prefix="hf") as name:
        directory = Path(name)
        project, data = directory / "project", directory / "data"
        shutil.copytree(PROJECT, project)
        data.mkdir(mode=0o700)
        command = _workerd(project, data) if side == PEER else _holdfast(project, data, threads)
        with Child(side, command, directory) as child:
            port = _port(child)
            yield Workerd(child, port) if side == PEER else Holdfast(child, port, project, data)


def _workerd(project: Path, data: Path) -> list[str]:
    served = ["serve", str(project / "config.capnp"), f"--directory-path=disk={data}", "--control-fd=1"]
    return [str(workerd_program()), *served]


def _holdfast(project: Path, data: Path, threads: int) -> list[str]:
    kept = ["--data", str(data), "--log", str(data / "log")]
    return [program(), "up", "--worker", str(project), *kept, "--listen", "127.0.0.1:0", "--threads", str(threads)]


def _port(child: Child) -> int:
    def printed() -> int:
        return port_printed(child.name, child.stdout.read_text(encoding="utf-8"))

    child.wait_until(lambda: bool(printed()), limit_s=60.0)
    return printed()


def port_printed(side: str, text: str) -> int:
    """The port in what a side has printed; 0 where it is not there yet.

    Ours prints `ready: ws://127.0.0.1:1 -> Worker twin`, workerd `{"event":"listen","port":1}`.
    """
    for line_ in text.splitlines():
        if side == OURS and line_.startswith("ready: ws://"):
            return int(line_.split()[1].rpartition(":")[2])
        if side == PEER and line_.startswith("{") and line_.endswith("}"):
            told = json.loads(line_)
            if told.get("event") == "listen":
                return int(told["port"])
    return 0
