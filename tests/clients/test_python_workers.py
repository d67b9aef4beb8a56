"""Workers deployed by the official Python SDK and by the command line, and asked through a real edge: their processes, routes, secrets,
logs; deployments while a WebSocket is open, and ones that are refused.

Law: the data directory is short, for the sockets of scripts lie in it (unix(7)).
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cloudflare
import httpx
import pytest
from cloudflare import Cloudflare
from websockets.sync.client import ClientConnection, connect

from tests.clients.conftest import UNLIMITED, given
from tests.integration.edge import COMMAND
from tests.integration.installation import Installation, environment
from tests.integration.origin import Origin

LIMIT_S = 60.0
HOST = "chat.example.com"
ENTRY = """
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint, fetch

SAYS = "one"

class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        count = (await self.ctx.storage.get("count") or 0) + 1
        await self.ctx.storage.put("count", count)
        ws.send(f"{SAYS} {count} {message}")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        print("asked for", request.url)
        if "/origin" in request.url:
            return await fetch(request)
        if (request.headers.get("Upgrade") or "").lower() == "websocket":
            return await self.env.ROOMS.getByName("lobby").fetch(request)
        return Response(f"{SAYS} {self.env.GREETING} {getattr(self.env, 'TOKEN', '-')}", status=203)
"""
TOML = """
name = "chat"
main = "src/entry.py"
compatibility_date = "2026-11-01"
routes = ["chat.example.com/*"]
vars = { GREETING = "hello" }
[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Room"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
"""


@pytest.fixture(scope="module")
def installed() -> Iterator[Installation]:
    with TemporaryDirectory(prefix="hf") as data, Installation(Path(data), *UNLIMITED) as running:
        yield running


@pytest.fixture(scope="module")
def zone_id(strict: Cloudflare, account_id: str, origin: Origin) -> str:
    made = given(strict.zones.create(account={"id": account_id}, name="example.com"))
    strict.dns.records.create(zone_id=made.id, type="A", name=HOST, content=origin.address[0], ttl=1, proxied=True)
    rule: Any = {
        "expression": "true",
        "action": "route",
        "action_parameters": {"origin": {"port": origin.address[1]}},
    }
    strict.rulesets.phases.update("http_request_origin", zone_id=made.id, rules=[rule])
    return made.id


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("chat")
    (directory / "src").mkdir()
    (directory / "wrangler.toml").write_text(TOML, encoding="utf-8")
    (directory / "src/entry.py").write_text(ENTRY, encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def deployed(installed: Installation, project: Path, zone_id: str) -> Path:
    said = installed.did("worker", "deploy", str(project))
    assert "chat: deployed version" in said
    assert "chat.example.com/* goes to chat" in said
    return project


def asked(installed: Installation, path: str = "/") -> httpx.Response:
    host, port = installed.plain
    return httpx.get(f"http://{host}:{port}{path}", headers={"host": HOST}, timeout=LIMIT_S, trust_env=False)


def opened(installed: Installation) -> ClientConnection:
    sock = socket.create_connection(installed.plain, LIMIT_S)
    return connect(f"ws://{HOST}/ws", sock=sock, open_timeout=LIMIT_S)


def test_a_worker_that_is_deployed_answers_at_its_route(installed: Installation, deployed: Path) -> None:
    (deployed / "src/entry.py").write_text(ENTRY, encoding="utf-8")
    installed.did("worker", "deploy", str(deployed))
    answer = asked(installed)
    assert (answer.status_code, answer.text) == (203, "one hello -")


def test_a_worker_passes_on_to_its_zones_origin(installed: Installation, deployed: Path) -> None:
    answer = asked(installed, "/origin")
    assert (answer.status_code, answer.reason_phrase) == (200, "Chosen By The Test")


def test_a_websocket_outlives_a_deployment_and_the_object_keeps_what_it_stored(
    installed: Installation, deployed: Path
) -> None:
    with opened(installed) as client:
        client.send("a")
        first = str(client.recv(timeout=LIMIT_S))
        assert first.startswith("one ")
        count = int(first.split()[1])
        (deployed / "src/entry.py").write_text(ENTRY.replace('"one"', '"two"'), encoding="utf-8")
        said = installed.did("worker", "deploy", str(deployed))
        assert "goes to chat, as before" in said
        client.send("b")
        assert client.recv(timeout=LIMIT_S) == f"two {count + 1} b"


def test_a_route_that_is_taken_out_of_the_project_goes_and_one_that_cannot_be_changes_nothing(
    installed: Installation, deployed: Path
) -> None:
    routes = 'routes = ["chat.example.com/*"]'

    def written(more: str) -> None:
        (deployed / "wrangler.toml").write_text(TOML.replace(routes, more), encoding="utf-8")

    try:
        written('routes = ["chat.example.com/kept/*", "chat.example.com/%c3%bc/../gone*"]')
        said = installed.did("worker", "deploy", str(deployed))
        assert "chat.example.com/* goes to chat no more" in said
        # In whatever spelling: the origin answers 200.
        spelled = ("/kept/a", "/x/..//kept/a", "/gone", "/other")
        assert [asked(installed, path).status_code for path in spelled] == [203, 203, 203, 200]
        written('routes = ["chat.example.com/kept/*"]')
        said = installed.did("worker", "deploy", str(deployed))
        assert "/gone* goes to chat no more" in said
        assert asked(installed, "/gone").status_code == 200
        written('routes = ["chat.example.com/*", "chat.example.com/a*b"]')
        said = installed.refused("worker", "deploy", str(deployed))
        assert "wrangler.toml: routes[1]: expected a * nowhere in the path but at its end" in said
        assert asked(installed, "/other").status_code == 200
        written("routes = []")
        assert "no route goes to chat" in installed.did("worker", "deploy", str(deployed))
        assert asked(installed, "/kept/a").status_code == 200
    finally:
        written(routes)
        installed.did("worker", "deploy", str(deployed))
    assert asked(installed).status_code == 203


def test_what_cannot_be_imported_is_refused_and_the_version_before_goes_on(
    installed: Installation, deployed: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.py").write_text("import nope\n", encoding="utf-8")
    said = installed.refused("worker", "deploy", str(tmp_path / "bad.py"), "--name", "chat")
    assert "No module named 'nope'" in said
    assert '\n  Traceback (most recent call last):\n    File "bad.py", line 1, in <module>\n      import nope\n' in said
    assert asked(installed).text.endswith(" hello -")


def test_a_version_without_a_class_that_has_objects_is_refused_and_its_sockets_stay(
    installed: Installation, deployed: Path, tmp_path: Path
) -> None:
    other = "from workers import WorkerEntrypoint\nclass Default(WorkerEntrypoint): pass\n"
    (tmp_path / "other.py").write_text(other, encoding="utf-8")
    with opened(installed) as client:
        said = installed.refused("worker", "deploy", str(tmp_path / "other.py"), "--name", "chat")
        assert "code 10064: New version of script does not export class 'Room'" in said
        client.send("still there")
        assert str(client.recv(timeout=LIMIT_S)).endswith(" still there")


def test_a_secret_reaches_the_worker_and_nobody_else(installed: Installation, deployed: Path) -> None:
    ended = subprocess.run(
        [COMMAND, "worker", "secret", "put", "chat", "TOKEN"],
        env=environment() | {"HOLDFAST_API": installed.api, "HOLDFAST_TOKEN": installed.token},
        input="s3cret\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, "s3cret" in ended.stdout + ended.stderr) == (0, False), ended
    assert asked(installed).text.endswith(" hello s3cret")
    assert "TOKEN" in installed.did("worker", "secret", "list", "chat")
    assert not [line for line in installed.log_lines if "s3cret" in line]
    installed.did("worker", "secret", "delete", "chat", "TOKEN")
    assert asked(installed).text.endswith(" hello -")


def test_a_log_is_followed_with_the_ray_of_the_request(installed: Installation, deployed: Path) -> None:
    ray = asked(installed, "/tailed").headers["cf-ray"]
    with subprocess.Popen(
        [COMMAND, "worker", "tail", "chat", "--lines", "50"],
        env=environment() | {"HOLDFAST_API": installed.api, "HOLDFAST_TOKEN": installed.token},
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        # What hangs must not hang the test.
        cut = threading.Timer(LIMIT_S, process.kill)
        cut.start()
        try:
            assert process.stdout is not None
            line = next((one for one in process.stdout if "/tailed" in one and one.startswith("log ")), "")
        finally:
            cut.cancel()
            process.kill()
    assert line == f"log Default {ray}: asked for http://{HOST}/tailed\n"


def test_the_sdk_deploys_lists_and_removes(installed: Installation, strict: Cloudflare, account_id: str) -> None:
    metadata: Any = {
        "main_module": "entry.py",
        "compatibility_date": "2026-11-01",
        "bindings": [
            {"type": "plain_text", "name": "GREETING", "text": "hi"},
            {"type": "durable_object_namespace", "name": "ROOMS", "class_name": "Room"},
        ],
        "migrations": {"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room"]}]},
    }
    files = [("entry.py", ENTRY.encode(), "text/x-python")]
    made = given(strict.workers.scripts.update("by-sdk", account_id=account_id, metadata=metadata, files=files))
    assert (made.id, made.migration_tag) == ("by-sdk", "v1")
    assert "by-sdk" in [one.id for one in strict.workers.scripts.list(account_id=account_id)]
    with pytest.raises(cloudflare.APIStatusError, match="10079"):
        strict.workers.scripts.update("by-sdk", account_id=account_id, metadata=metadata, files=files)
    del metadata["migrations"]
    broken = [("entry.py", b"1 / 0", "text/x-python")]
    with pytest.raises(cloudflare.BadRequestError, match="10021"):
        strict.workers.scripts.update("by-sdk", account_id=account_id, metadata=metadata, files=broken)
    strict.workers.scripts.delete("by-sdk", account_id=account_id, force=True)
    assert "by-sdk" not in [one.id for one in strict.workers.scripts.list(account_id=account_id)]


RING = """
from workers import Response, WorkerEntrypoint, fetch

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        answer = await fetch(self.env.NEXT)
        return Response(await answer.text(), status=answer.status, headers={"x-hops": str(int(answer.headers.get("x-hops") or 0) + 1)})
"""


def test_workers_of_two_zones_that_ask_each_other_come_to_an_end(
    installed: Installation, strict: Cloudflare, account_id: str
) -> None:
    for name, other in (("ring-a", "ring-b"), ("ring-b", "ring-a")):
        zone = given(strict.zones.create(account={"id": account_id}, name=f"{name}.example"))
        metadata: Any = {
            "main_module": "ring.py",
            "bindings": [{"type": "plain_text", "name": "NEXT", "text": f"http://{other}.example/"}],
        }
        files = [("ring.py", RING.encode(), "text/x-python")]
        strict.workers.scripts.update(name, account_id=account_id, metadata=metadata, files=files)
        strict.workers.domains.update(account_id=account_id, hostname=f"{name}.example", service=name, zone_id=zone.id)
    host, port = installed.plain
    url = f"http://{host}:{port}/"
    answer = httpx.get(url, headers={"host": "ring-a.example"}, timeout=LIMIT_S, trust_env=False)
    # Cloudflare, "Errors": 1019 where Workers call Workers more than 16 times.
    assert (answer.status_code, answer.headers["x-hops"]) == (508, "16")
    assert "1019" in answer.text
