"""`holdfast up --worker chat --worker store`: two Workers that name each other in their bindings, as child processes."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from holdfast.app.local_project import placed
from holdfast.model.worker_host_messages import Answer, Deploy, Done, ListScripts, Scripts, ScriptStatus
from tests.integration.command import Command
from tests.integration.waiting import poll
from tests.integration.worker_up import ANSWER_LIMIT_S, asked

READY = re.compile(r"^ready: ws://(?P<address>[^ ]+) -> Worker (?P<name>\S+)")

CHAT = """
name = "chat"
main = "worker.py"
services = [
  { binding = "STORE", service = "store" },
  { binding = "ADMIN", service = "store", entrypoint = "Admin" },
  { binding = "NOPE", service = "store", entrypoint = "Nope" },
  { binding = "SELF", service = "chat", entrypoint = "Inner" },
  { binding = "GONE", service = "gone" },
]
[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"
[[durable_objects.bindings]]
name = "SHELF"
class_name = "Shelf"
script_name = "store"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
"""

STORE = """
name = "store"
main = "worker.py"
[[durable_objects.bindings]]
name = "SHELVES"
class_name = "Shelf"
[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"
script_name = "chat"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Shelf"]
"""

# Answers `/<name>` with what its method `name` gives, or with the exception that it raises.
CHAT_CODE = """
import asyncio
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    async def ask(self, depth):
        return 1 + await self.env.SHELF.getByName("circle").ask(depth - 1) if depth else 0

    async def listen(self):
        self.heard = []
        async def hear(text):
            self.heard.append(text)
            return f"heard {text}"
        return await self.env.SHELF.getByName("hub").subscribe(hear)

    async def what_was_heard(self):
        return self.heard

class Inner(WorkerEntrypoint):
    async def hello(self, name):
        return f"hello {name}"

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name, _, rest = request.url.partition("://")[2].partition("/")[2].partition("?")
        try:
            answer = await getattr(self, name)(request, rest)
        except Exception as error:
            return Response.json({
                "bases": [one.__name__ for one in type(error).__mro__], "text": str(error),
                **{key: value for key, value in vars(error).items() if isinstance(value, (bool, int, str))},
            }, status=500)
        return answer if isinstance(answer, Response) else Response.json(answer)

    async def forward(self, request, rest):
        return await self.env.STORE.fetch(request)

    async def shelf(self, request, rest):
        return await self.env.SHELF.getByName(rest).fetch(request)

    async def methods(self, request, rest):
        store = self.env.STORE
        return [await store.add(1, b=2), await store.limit, await self.env.ADMIN.who(), await self.env.SELF.hello("me")]

    async def inc(self, request, rest):
        return await self.env.SHELF.getByName(rest).inc()

    async def ids(self, request, rest):
        return str(self.env.SHELF.idFromName(rest)), await self.env.SHELF.getByName(rest).ident()

    async def fails(self, request, rest):
        return await self.env.STORE.fails(rest)

    async def fails_on_fetch(self, request, rest):
        return await self.env.STORE.fetch("http://inner/fails")

    async def nope(self, request, rest):
        return await self.env.NOPE.hello()

    async def gone(self, request, rest):
        return await self.env.GONE.fetch("http://inner/")

    async def circle(self, request, rest):
        return await self.env.ROOM.getByName("circle").ask(int(rest))

    async def circles(self, request, rest):
        room = self.env.ROOM.getByName("circle")
        return await asyncio.gather(*(room.ask(6) for _ in range(int(rest))))

    async def dies(self, request, rest):
        return await self.env.STORE.dies()

    async def dies_on_fetch(self, request, rest):
        return await self.env.STORE.fetch("http://inner/dies", method="POST", body="x")

    async def echo(self, request, rest):
        return await self.env.STORE.echo("x" * int(rest)) == "x" * int(rest)

    async def slow(self, request, rest):
        return await self.env.STORE.slow()

    async def callbacks(self, request, rest):
        seen = []
        async def hear(number):
            seen.append(number)
            if number == 9:
                raise ValueError("not nine")
            return number * 2
        total = await self.env.STORE.each(int(rest), {"to": [hear]})
        return [total, seen]

    async def function_back(self, request, rest):
        add = await self.env.STORE.adder(lambda: 1)
        return [await add(2), await add(3)]

    async def function_refused(self, request, rest):
        return await self.env.STORE.adder(None)

    async def listens(self, request, rest):
        await self.env.ROOM.getByName("listener").listen()
        first = await self.env.SHELF.getByName("hub").publish("a")
        second = await self.env.SHELF.getByName("hub").publish("b")
        return [first, second, await self.env.ROOM.getByName("listener").what_was_heard()]
"""

STORE_CODE = """
import asyncio, os, signal
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

VERSION = "@VERSION@"

class NotFound(KeyError):
    def __init__(self, what, code):
        super().__init__(what)
        self.code = code

class Shelf(DurableObject):
    async def inc(self):
        count = (await self.ctx.storage.get("count") or 0) + 1
        await self.ctx.storage.put("count", count)
        return count

    async def subscribe(self, hear):
        self.listeners = [hear]
        return "subscribed"

    async def publish(self, text):
        return [await hear(text) for hear in self.listeners]

    async def ident(self):
        return [str(self.ctx.id), self.ctx.id.name]

    async def ask(self, depth):
        return 1 + await self.env.ROOM.getByName("circle").ask(depth - 1) if depth else 0

    async def fetch(self, request):
        if request.headers.get("Upgrade"):
            client, server = WebSocketPair.new()
            self.ctx.acceptWebSocket(server)
            return Response(None, status=101, web_socket=client)
        return Response(f"{self.ctx.id.name} {VERSION} {await request.text()}", headers={"X-Holdfast-Called": "lost"})

    async def webSocketMessage(self, ws, message):
        ws.send(f"{VERSION} {message} {await self.inc()}")

class Admin(WorkerEntrypoint):
    async def who(self):
        return "admin"

class Default(WorkerEntrypoint):
    limit = 7

    async def fetch(self, request):
        if request.url.endswith("/fails"):
            raise NotFound("no such page", 5)
        if request.url.endswith("/dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        if request.headers.get("Upgrade"):
            return await self.env.SHELVES.getByName("socket").fetch(request)
        seen = {name.lower(): value for name, value in request.headers.items()}
        return Response.json([VERSION, request.method, request.url, await request.text(), seen], status=203)

    async def add(self, a, b):
        return a + b

    async def fails(self, what):
        raise NotFound(what, 5)

    async def dies(self):
        os.kill(os.getpid(), signal.SIGKILL)

    async def each(self, count, given):
        return sum([await given["to"][0](number) for number in range(count)])

    async def adder(self, one):
        count = 0
        async def add(number):
            nonlocal count
            count += number + await one() if one else number
            return count
        return add

    async def echo(self, text):
        return text

    async def slow(self):
        await asyncio.sleep(0.3)
        return VERSION
"""


class WorkerPair:
    """Both, served."""

    command: Command

    def __init__(self, directory: Path) -> None:
        self.data = directory
        for name, configuration, code in (("chat", CHAT, CHAT_CODE), ("store", STORE, STORE_CODE)):
            (directory / name).mkdir()
            (directory / name / "wrangler.toml").write_text(configuration, encoding="utf-8")
            self.write(name, code)

    def write(self, name: str, code: str, version: str = "v0") -> None:
        """The project's code from now on."""
        (self.data / name / "worker.py").write_text(code.replace("@VERSION@", version), encoding="utf-8")

    def deploy(self, name: str, version: str, code: str = STORE_CODE) -> Answer:
        """Have it served as this version."""
        self.write(name, code, version)
        worker, _ = placed(self.data / name, self.data)
        answer = asked(self.data, Deploy(key=worker.key, version=worker.version))
        assert isinstance(answer, Done), answer
        return answer

    def status(self, name: str) -> ScriptStatus:
        """How a script is."""
        answer = asked(self.data, ListScripts())
        assert isinstance(answer, Scripts)
        return next(one for one in answer.scripts if one.name == name)

    def until_restarted(self, name: str, before: ScriptStatus) -> None:
        """Wait until another process serves than the one of `before`."""

        def look() -> bool:
            now = self.status(name)
            return now.state == "serving" and now.pid != before.pid

        poll(look, what="another process that serves", limit_s=ANSWER_LIMIT_S)

    @property
    def address(self) -> str:
        """Host and port."""
        match = next(filter(None, map(READY.match, self.command.ready_lines)))
        return match["address"]

    def get(self, path: str, **more: Any) -> httpx.Response:
        """An ordinary request."""
        return httpx.request(
            more.pop("method", "GET"), f"http://{self.address}{path}", timeout=ANSWER_LIMIT_S, trust_env=False, **more
        )


@contextmanager
def worker_pair() -> Iterator[WorkerPair]:
    """Both of them, for the code inside. They must end well."""
    with tempfile.TemporaryDirectory(prefix="hf") as directory:
        pair = WorkerPair(Path(directory))
        projects: list[str | Path] = ["--worker", pair.data / "chat", "--worker", pair.data / "store"]
        pair.command = Command(
            ["up", *projects, "--data", directory, "--listen", "127.0.0.1:0", "--threads", "1"],
            ready=lambda lines: any(map(READY.match, lines)),
        )
        with pair.command:
            yield pair
