"""A class with its objects moves from one Worker to another and back, deployed by the command line, and asked through a real edge.

Law: the data directory is short, for the sockets of scripts lie in it (unix(7)).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from cloudflare import Cloudflare
from cloudflare.types.workers.scripts.deployment_create_params import Version
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.clients.conftest import UNLIMITED, given
from tests.integration.installation import Installation

LIMIT_S = 60.0
CODE = """
# /// script
# [tool.wrangler]
# name = "{name}"
# routes = ["{name}.example.com/*"]
# durable_objects.bindings = [{{ name = "COUNTERS", class_name = "{class_name}" }}]
# migrations = [{migrations}]
# ///
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class {class_name}(DurableObject):
    async def fetch(self, request):
        if (request.headers.get("Upgrade") or "").lower() == "websocket":
            client, server = WebSocketPair.new().object_values()
            self.ctx.acceptWebSocket(server)
            return Response(None, status=101, web_socket=client)
        count = (await self.ctx.storage.get("count") or 0) + 1
        await self.ctx.storage.put("count", count)
        return Response(f"{name} {{count}} {{self.ctx.id.name}}")

    async def webSocketMessage(self, ws, message):
        ws.send("{name} " + message)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.COUNTERS.getByName("one").fetch(request)
"""
MADE = '{ tag = "v1", new_sqlite_classes = ["Counter"] }'
MOVED = '{ tag = "v1", transferred_classes = [{ from = "Counter", from_script = "old", to = "Tally" }] }'
BACK = '{ tag = "v2", transferred_classes = [{ from = "Tally", from_script = "new", to = "Counter" }] }'


@pytest.fixture(scope="module")
def installed() -> Iterator[Installation]:
    with TemporaryDirectory(prefix="hf") as data, Installation(Path(data), *UNLIMITED) as running:
        yield running


@pytest.fixture(scope="module")
def zone(strict: Cloudflare, account_id: str) -> str:
    made = given(strict.zones.create(account={"id": account_id}, name="example.com"))
    for name in ("old", "new"):
        strict.dns.records.create(
            zone_id=made.id, type="A", name=f"{name}.example.com", content="192.0.2.1", ttl=1, proxied=True
        )
    return made.id


def deploy(installed: Installation, directory: Path, name: str, class_name: str, migrations: str) -> None:
    file = directory / f"{name}.py"
    file.write_text(CODE.format(name=name, class_name=class_name, migrations=migrations), encoding="utf-8")
    assert f"{name}: deployed version" in installed.did("worker", "deploy", str(file))


def asked(installed: Installation, name: str) -> str:
    host, port = installed.plain
    url, headers = f"http://{host}:{port}/", {"host": f"{name}.example.com"}
    return httpx.get(url, headers=headers, timeout=LIMIT_S, trust_env=False).text


def test_a_class_moves_with_its_objects_and_comes_back(
    installed: Installation, zone: str, tmp_path: Path, strict: Cloudflare, account_id: str
) -> None:
    deploy(installed, tmp_path, "old", "Counter", MADE)
    made: Any = strict.workers.scripts.deployments.list("old", account_id=account_id).result
    (first,) = made.deployments[0]["versions"]
    assert asked(installed, "old") == "old 1 one"
    with connect("ws://old.example.com/", sock=socket.create_connection(installed.plain, LIMIT_S)) as client:
        client.send("a")
        assert client.recv(timeout=LIMIT_S) == "old a"
        deploy(installed, tmp_path, "new", "Tally", MOVED)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=LIMIT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    # By a binding that names it as before, and by one that names it as it is called now: the same object.
    assert [asked(installed, name) for name in ("new", "old", "new")] == ["new 2 one", "new 3 one", "new 4 one"]
    # A version of before the move, whose files are there still, does not make objects of its own.
    back: Version = {"percentage": 100, "version_id": first["version_id"]}
    strict.workers.scripts.deployments.create("old", account_id=account_id, strategy="percentage", versions=[back])
    assert [asked(installed, name) for name in ("old", "new")] == ["new 5 one", "new 6 one"]
    deploy(installed, tmp_path, "old", "Counter", f"{MADE}, {BACK}")
    assert [asked(installed, name) for name in ("old", "new")] == ["old 7 one", "old 8 one"]


def test_a_class_that_nobody_has_is_not_moved_and_nothing_changes(
    installed: Installation, zone: str, tmp_path: Path
) -> None:
    file = tmp_path / "new.py"
    migrations = '{ tag = "v1", transferred_classes = [{ from = "Gone", from_script = "old", to = "Tally" }] }'
    file.write_text(CODE.format(name="other", class_name="Tally", migrations=migrations), encoding="utf-8")
    said = installed.refused("worker", "deploy", str(file))
    assert "cannot transfer the class 'Gone' of the script 'old'" in said
    assert "other" not in installed.did("worker", "list")
