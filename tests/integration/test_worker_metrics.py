"""What Prometheus reads of a Worker, from `holdfast run`: what its objects were told, over a crash of their process."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration import wire
from tests.integration.frames import TEXT, Frame
from tests.integration.run import Run
from tests.integration.waiting import poll
from tests.integration.worker_up import CONFIGURATION
from tests.integration.zones_of_run import UNLIMITED, Zones, origin_ip

# What a process counts is told each 5 s.
TOLD_LIMIT_S = 30.0
MESSAGES = 7

CODE = """
import os
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if message == "raise":
            raise ValueError("as asked")
        if message == "pid":
            ws.send(str(os.getpid()))
            return
        await self.ctx.storage.put("last", message)
        ws.send(message)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
"""


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Run, str]]:
    """An installation with the Worker `room`, and the host name that it answers."""
    with (
        tempfile.TemporaryDirectory(prefix="hf") as directory,
        Run(Path(directory) / "data", environment=UNLIMITED) as run,
        Zones(run) as zones,
    ):
        _, host = zones.add(origin_ip())
        project = Path(directory) / "p"
        project.mkdir()
        (project / "wrangler.toml").write_text(
            CONFIGURATION.format(more=f'route = {{ pattern = "{host}/*", zone_name = "{host}" }}'), encoding="utf-8"
        )
        (project / "worker.py").write_text(CODE, encoding="utf-8")
        deploy(run, project)
        yield run, host


def deploy(run: Run, project: Path) -> None:
    """`holdfast worker deploy`."""
    holdfast = Path(sys.executable).with_name("holdfast")
    api = {"HOLDFAST_API": f"http://{run.api[0]}:{run.api[1]}/client/v4", "HOLDFAST_TOKEN": run.token}
    done = subprocess.run(
        [holdfast, "worker", "deploy", project],
        env={**os.environ, **api},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def figures(run: Run) -> dict[str, float]:
    """What `/metrics` says of Workers: `name{label=value}`, labels sorted and without those that say `room` or `Room`."""
    _, text = run.ask("GET", "/metrics")
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = [
                f"{name}={value}" for name, value in sorted(sample.labels.items()) if value not in {"room", "Room"}
            ]
            found[sample.name.removeprefix("holdfast_worker_") + (f"{{{','.join(labels)}}}" if labels else "")] = (
                sample.value
            )
    return found


def until(run: Run, name: str, value: float) -> dict[str, float]:
    """Wait until a figure is so much."""

    def look() -> dict[str, float] | None:
        found = figures(run)
        return found if found.get(name, 0.0) >= value else None

    return poll(look, what=f"{name} to be {value}", limit_s=TOLD_LIMIT_S) or {}


def say(client: wire.Wire, message: str) -> str:
    client.send_frame(Frame(TEXT, message.encode()))
    return client.read_message().decode()


def test_what_objects_were_told_is_counted_and_a_crash_takes_nothing_away(served: tuple[Run, str]) -> None:
    run, host = served
    with wire.connect(run.plain) as client:
        client.send(wire.upgrade("/a", host=host))
        assert client.read_answer().status == 101
        for number in range(MESSAGES):
            assert say(client, f"m{number}") == f"m{number}"
        client.send_frame(Frame(TEXT, b"raise"))
        pid = int(say(client, "pid"))
        told = until(run, "object_events_total{kind=websocket}", MESSAGES + 2)
        assert told["host_up"] == told["up"] == 1
        assert told["requests_total{status=101}"] == 1
        assert told["sessions{api=hibernatable}"] == told["object_sockets"] == told["objects{state=memory}"] == 1
        assert told["messages_total{direction=to_script}"] == MESSAGES + 2
        assert told["messages_total{direction=to_client}"] == MESSAGES + 1
        assert told["object_errors_total{kind=websocket}"] == 1
        assert told["object_events_total{kind=request}"] == 1
        assert told["object_handler_seconds_count"] == MESSAGES + 3
        assert told["object_rows_changed_total"] >= told["object_commits_total"] >= MESSAGES
        assert told["unsent_bytes{where=edge}"] == told["unsent_bytes{where=process}"] == 0
        assert told["deploys_total{outcome=served}"] == 1
        assert told["bytes_total{direction=to_script}"] > MESSAGES
        assert told["memory_bytes"] > told["cpu_seconds_total"] > 0

        os.kill(pid, signal.SIGKILL)
        assert say(client, "again") == "again"
        after = until(run, "object_events_total{kind=websocket}", MESSAGES + 3)
        assert after["restarts_total{why=crash}"] == 1
        assert after["object_lives_total{what=woken}"] == 2
        falling = [name for name, value in told.items() if is_count(name) and after[name] < value]
        assert falling == []
        assert after["messages_total{direction=to_script}"] <= MESSAGES + 4


def is_count(name: str) -> bool:
    """Whether a figure counts."""
    return name.partition("{")[0].endswith(("_total", "_count", "_sum", "_bucket"))
