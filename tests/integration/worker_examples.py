"""The Workers of `examples/workers` as somebody runs them who reads about them: `holdfast up --worker`, on a free port."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from holdfast.app.local_project import placed
from holdfast.model.worker_host_messages import Answer, Deploy, ListScripts, Scripts, ScriptStatus
from tests.integration.command import Command
from tests.integration.waiting import PATIENT, poll
from tests.integration.worker_up import READY, asked

# The machine may be busy with other tests, while a process of an example starts anew.
LIMIT_S = 60.0
EXAMPLES = Path(__file__).parents[2] / "examples" / "workers"


class ServedExample:
    """A running example; `address` is host and port."""

    def __init__(self, command: Command, data: Path, project: Path) -> None:
        self.command, self._data, self.project = command, data, project
        self.address = next(filter(None, map(READY.match, command.ready_lines)))["address"]

    def url(self, path: str) -> str:
        """Of a WebSocket of it."""
        return f"ws://{self.address}{path}"

    @property
    def process(self) -> int:
        """The process that runs the Worker's code, as soon as there is one: to a process 0 no signal may be sent."""
        return poll(lambda: self.status.pid, what="a process of the Worker", limit_s=LIMIT_S)

    @property
    def status(self) -> ScriptStatus:
        """How the Worker is."""
        answer = asked(self._data, ListScripts())
        assert isinstance(answer, Scripts)
        return answer.scripts[0]

    def deploy(self) -> Answer:
        """Have the project served as it is now."""
        worker, _ = placed(self.project, self._data)
        return asked(self._data, Deploy(key=worker.key, version=worker.version))

    def get(self, path: str) -> httpx.Response:
        """An ordinary request."""
        return httpx.get(f"http://{self.address}{path}", timeout=LIMIT_S, trust_env=False)


@contextmanager
def example_up(name: str, *arguments: str, is_copied: bool = False) -> Iterator[ServedExample]:
    """`holdfast up --worker examples/workers/<name>`, with more `arguments`. It must end well. `is_copied`: of a copy, which may be edited."""
    with tempfile.TemporaryDirectory(prefix="hf") as directory:
        project = EXAMPLES / name
        if is_copied:
            project = shutil.copytree(project, Path(directory) / name)
        listen = ["--listen", "127.0.0.1:0", "--threads", "1"]
        command = Command(
            ["up", *arguments, "--worker", project, "--data", directory, *listen],
            ready=lambda lines: any(map(READY.match, lines)),
        )
        with command:
            yield ServedExample(command, Path(directory), project)


@asynccontextmanager
async def client(served: ServedExample, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A WebSocket of an example."""
    async with connect(served.url(path), ping_interval=None, max_queue=None, **PATIENT, **options) as socket:
        yield socket


async def heard(socket: ClientConnection) -> str | bytes:
    """The next message."""
    async with asyncio.timeout(LIMIT_S):
        return await socket.recv()


async def told(socket: ClientConnection) -> dict[str, Any]:
    """The next message, of JSON."""
    parsed = json.loads(await heard(socket))
    assert isinstance(parsed, dict)
    return parsed


async def until(socket: ClientConnection, wanted: Callable[[str | bytes], bool]) -> str | bytes:
    """The next message that is wanted; others are passed over."""
    async with asyncio.timeout(LIMIT_S):
        while not wanted(message := await socket.recv()):
            pass
        return message
