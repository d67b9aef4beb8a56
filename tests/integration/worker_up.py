"""`holdfast up --worker` as a child process, with a project that a test writes and deploys again."""

import json
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from holdfast.app.local_project import placed
from holdfast.model.data_dir import local_home, workers_host_socket
from holdfast.model.worker_host_messages import Answer, Deploy, ListScripts, Question, Scripts, ScriptStatus
from holdfast.model.worker_messages import LineReader, line
from tests.integration.command import Command
from tests.integration.waiting import poll

READY = re.compile(r"^ready: ws://(?P<address>[^ ]+) -> Worker (?P<name>\S+)")
ANSWER_LIMIT_S = 60.0

CONFIGURATION = """
name = "room"
main = "worker.py"
compatibility_date = "2026-11-01"
compatibility_flags = ["python_workers"]
{more}
[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
"""

# A room that writes down all that it is told, and answers each message with its version: `<version> <message>`.
ROOM = """
import os, signal
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

VERSION = "@VERSION@"

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS said (number INTEGER PRIMARY KEY, text TEXT)")

    async def fetch(self, request):
        if request.url.endswith("/said"):
            rows = self.ctx.storage.sql.exec("SELECT text FROM said ORDER BY number").toArray()
            return Response.json([row["text"] for row in rows])
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, ["guest", *(["listener"] if request.url.endswith("/listener") else [])])
        server.serializeAttachment({"path": request.url.rpartition("/")[2]})
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if message == "loop":
            while True:
                pass
        if message == "hog":
            self.kept = bytearray(os.urandom(1024 * 1024)) * 200
        if message == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if message == "who":
            ws.send(f"{ws.deserializeAttachment()['path']} {self.ctx.getTags(ws)[0]}")
            return
        self.ctx.storage.sql.exec("INSERT INTO said (text) VALUES (?)", message)
        ws.send(f"{VERSION} {message}")
        self.ctx.broadcast(f"all {message}", tag="listener")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/version"):
            return Response(VERSION)
        return await self.env.ROOM.getByName("lobby").fetch(request)
"""


def asked(data: Path, question: Question) -> Answer:
    """What the host of the scripts below this data directory answers."""
    reader: LineReader[Answer] = LineReader(Answer)
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ANSWER_LIMIT_S)
        asking.connect(str(workers_host_socket(local_home(data))))
        asking.sendall(line(question))
        while received := asking.recv(65536):
            for answer in reader.feed(received):
                return answer
    raise AssertionError(f"no answer to {question}")


class WorkerUp:
    """A Worker that is served, and its project."""

    def __init__(self, directory: Path, *, code: str = ROOM, more: str = "") -> None:
        self.project, self.data = directory / "p", directory
        self._code = code
        self.project.mkdir()
        (self.project / "wrangler.toml").write_text(CONFIGURATION.format(more=more), encoding="utf-8")
        self.write("v0")

    def write(self, version: str, code: str = "") -> None:
        """The project as it is from now on."""
        text = (code or self._code).replace("@VERSION@", version)
        (self.project / "worker.py").write_text(text, encoding="utf-8")

    def deploy(self, version: str, code: str = "") -> Answer:
        """Have the project served as this version."""
        self.write(version, code)
        worker, _ = placed(self.project, self.data)
        return self.ask(Deploy(key=worker.key, version=worker.version))

    def status(self) -> ScriptStatus:
        """How the script is."""
        answer = self.ask(ListScripts())
        assert isinstance(answer, Scripts)
        (status,) = answer.scripts
        return status

    def until_restarted(self, before: ScriptStatus) -> None:
        """Wait until another process serves than the one of `before`."""

        def is_another(now: ScriptStatus) -> bool:
            return now.state == "serving" and now.pid != before.pid

        self.until(is_another, what="another process that serves")

    def until(self, is_so: Callable[[ScriptStatus], bool], *, what: str, limit_s: float = ANSWER_LIMIT_S) -> None:
        """Wait until the script is as that says; its host is asked, which notifies nobody."""
        poll(lambda: is_so(self.status()), what=what, limit_s=limit_s)

    def ask(self, question: Question) -> Answer:
        """Ask the host."""
        return asked(self.data, question)


class ServedWorker(WorkerUp):
    """The same, with the command that serves it."""

    command: Command

    @property
    def address(self) -> str:
        """Host and port."""
        match = next(filter(None, map(READY.match, self.command.ready_lines)))
        return match["address"]

    def printed(self, beginning: str, *, times: int = 1) -> None:
        """Wait until so many lines have been printed that begin so."""

        def look() -> bool:
            return sum(text.startswith(beginning) for text in list(self.command.log_lines)) >= times

        self.command.changes.until(
            look, what=f"{times} lines {beginning!r}; last {self.command.log_lines[-3:]}", limit_s=ANSWER_LIMIT_S
        )

    def started(self, role: str) -> int:
        """The process of this role that was started last: "edge", or "workers", which hosts the script."""
        told = [json.loads(text) for text in list(self.command.log_lines) if text.startswith("{")]
        return int([one["pid"] for one in told if one["event"] == "child_started" and one["child"] == role][-1])

    def get(self, path: str) -> httpx.Response:
        """An ordinary request."""
        return httpx.get(f"http://{self.address}{path}", timeout=ANSWER_LIMIT_S, trust_env=False)


@contextmanager
def worker_up(*arguments: str, code: str = ROOM, more: str = "") -> Iterator[ServedWorker]:
    """`holdfast up --worker` for a project of `code`, with more `arguments` and `more` configuration. It must end well."""
    with tempfile.TemporaryDirectory(prefix="hf") as directory:
        served = ServedWorker(Path(directory), code=code, more=more)
        listen = ["--listen", "127.0.0.1:0", "--threads", "1"]
        served.command = Command(
            ["up", "--worker", served.project, "--data", directory, *listen, *arguments],
            ready=lambda lines: any(map(READY.match, lines)),
        )
        with served.command:
            yield served
