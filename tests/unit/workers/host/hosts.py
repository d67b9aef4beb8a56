"""A host with stand-ins for scripts' processes, in a directory of its own."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from holdfast.model.data_dir import worker_http_socket, worker_key, worker_version_dir
from holdfast.model.worker_host_messages import KEPT_LINES, Logged, ScriptStatus
from holdfast.model.worker_messages import WorkerLimits
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host import sockets
from holdfast.workers.host.beginning import Setting
from holdfast.workers.host.hosting import Host

STAND_IN = Path(__file__).parents[3] / "integration" / "stand_in_script.py"
LIMIT_S = 30.0


class Hosting:
    """A host under test: `write` versions, `deploy` them, ask what serves."""

    def __init__(self, data_dir: Path, *, limits: WorkerLimits | None = None) -> None:
        self.data_dir, self.limits = data_dir, limits or WorkerLimits()
        self.key = worker_key("a", "chat")
        self.records: list[tuple[str, Mapping[str, str | int]]] = []
        self.setting = Setting(
            data_dir=data_dir,
            unseal=lambda version: dict.fromkeys(version.sealed_secrets, "hush"),
            record=lambda event, fields: self.records.append((event, fields)),
            program=(sys.executable, "-P", str(STAND_IN)),
        )
        sockets.make_directories(data_dir)
        self.host = Host(self.setting)

    def write(self, version: str, code: str = "", *, key: str = "") -> None:
        """A version on the disk."""
        key = key or self.key
        directory = worker_version_dir(self.data_dir, key, version)
        (directory / "code").mkdir(parents=True)
        (directory / "code" / "worker.py").write_text(code, encoding="utf-8")
        described = ScriptVersion(
            key=key, name="chat", version=version, main="worker.py", limits=self.limits, sealed_secrets={"TOKEN": b"x"}
        )
        (directory / "script.json").write_bytes(msgspec.json.encode(described))

    async def deploy(self, version: str, code: str = "") -> object:
        """Write it, and have it served."""
        self.write(version, code)
        return await self.host.deploy(self.key, version)

    async def ask(self) -> str:
        """What the script answers: its version."""
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> str:
        with socket.socket(socket.AF_UNIX) as client, client.makefile("r") as lines:
            client.settimeout(LIMIT_S)
            client.connect(str(worker_http_socket(self.data_dir, self.key)))
            return lines.readline().strip()

    @property
    def status(self) -> ScriptStatus:
        """How the script is."""
        (status,) = [one for one in self.host.scripts().scripts if one.key == self.key]
        return status

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for something of the host's."""
        async with asyncio.timeout(LIMIT_S):
            while not is_so():
                hosted = self.host.script(self.key)
                assert hosted is not None, f"no script while waiting for {what}"
                woken = asyncio.Event()
                reading = hosted.log.read(woken.set, lines=0)
                try:
                    await asyncio.wait_for(woken.wait(), 0.05)
                except TimeoutError:
                    pass  # not all that changes is logged
                finally:
                    hosted.log.forget(reading)

    def logged(self) -> list[str]:
        """What is kept of the log."""
        hosted = self.host.script(self.key)
        assert hosted is not None
        reading = hosted.log.read(lambda: None, lines=KEPT_LINES)
        hosted.log.forget(reading)
        return [one.log.message for one in reading.take() if isinstance(one, Logged)]


@asynccontextmanager
async def hosting(data_dir: Path, *, limits: WorkerLimits | None = None) -> AsyncIterator[Hosting]:
    """A host that has begun; it is stopped."""
    one = Hosting(data_dir, limits=limits)
    one.host.begin()
    try:
        yield one
    finally:
        await one.host.stop()
