"""The Workers of `examples/workers` as somebody runs them who reads about them: `holdfast up --worker`, on a free port."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from holdfast.model.worker_host_messages import ListScripts, Scripts
from tests.integration.command import Command
from tests.integration.worker_up import READY, asked

EXAMPLES = Path(__file__).parents[2] / "examples" / "workers"


class ServedExample:
    """A running example; `address` is host and port."""

    def __init__(self, command: Command, data: Path) -> None:
        self.command, self._data = command, data
        self.address = next(filter(None, map(READY.match, command.ready_lines)))["address"]

    def url(self, path: str) -> str:
        """Of a WebSocket of it."""
        return f"ws://{self.address}{path}"

    @property
    def process(self) -> int:
        """The process that runs the Worker's code."""
        answer = asked(self._data, ListScripts())
        assert isinstance(answer, Scripts)
        return answer.scripts[0].pid

    def get(self, path: str) -> httpx.Response:
        """An ordinary request."""
        return httpx.get(f"http://{self.address}{path}", timeout=30, trust_env=False)


@contextmanager
def example_up(name: str, *arguments: str) -> Iterator[ServedExample]:
    """`holdfast up --worker examples/workers/<name>`, with more `arguments`. It must end well."""
    with tempfile.TemporaryDirectory(prefix="hf") as directory:
        listen = ["--listen", "127.0.0.1:0", "--threads", "1"]
        command = Command(
            ["up", *arguments, "--worker", EXAMPLES / name, "--data", directory, *listen],
            ready=lambda lines: any(map(READY.match, lines)),
        )
        with command:
            yield ServedExample(command, Path(directory))
