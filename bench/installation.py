"""A whole installation to measure: its database filled by statements, `holdfast run` over it, and who asks its API and its edge.

Law 1: zones are written as the store writes them, many in a statement; filling 10,000 over the API would take minutes.
Law 2: who asks keeps its connection and reads with `http.client`: what a client costs is as small as Python allows.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from bench import meter
from bench.errors import MeasurementError, MissingError
from bench.process import Child
from holdfast.model.dns_record import DnsRecord
from holdfast.store import records
from holdfast.store.database import Database
from holdfast.store.schema import ACCOUNTS, ZONES

LIMIT_S = 30.0
ADDRESS = "127.0.0.1"
# Where every zone's origin is: nobody listens there, so that an upgrade that is let in fails at once (521).
ORIGIN = "127.0.0.2"
_NO_LIMITS = ("--control-rate-limit", "0", "--control-ip-rate-limit", "0")
_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Made:
    """An installation that is not running: its directory, its account and its token."""

    data: Path
    account_id: str
    token: str


def program() -> str:
    """The command of this environment. Raises MissingError where it is not built."""
    path = Path(sys.prefix) / "bin" / "holdfast"
    if not path.exists():
        raise MissingError("holdfast is not built (make setup)")
    return str(path)


def make(data: Path) -> Made:
    """A new installation."""
    told = subprocess.run(
        [program(), "init", "--data", str(data), "--json"], capture_output=True, text=True, check=False
    )
    if told.returncode != 0:
        raise MeasurementError(f"holdfast init: {told.stderr.strip()}")
    said = json.loads(told.stdout)
    return Made(data, said["account_id"], said["token"])


def zone_name(number: int) -> str:
    """The name of the zone with this number."""
    return f"zone-{number:05}.example"


def zone_id(number: int) -> str:
    """Its id."""
    return f"{number + 1:032x}"


def fill(made: Made, count: int) -> None:
    """Add `count` zones with three records each, all of which lead to `ORIGIN`."""
    asyncio.run(_fill(f"sqlite+aiosqlite:///{made.data}/holdfast.db", count))


async def _fill(url: str, count: int) -> None:
    database, now = Database(url), time.time_ns() // 1000
    try:
        async with database.write() as connection:
            account_id = await connection.scalar(sa.select(ACCOUNTS.c.id))
            for start in range(0, count, _ROWS):
                numbers = range(start, min(start + _ROWS, count))
                zones = [_zone(number, account_id or "", now) for number in numbers]
                await connection.execute(sa.insert(ZONES), zones)
                for number in numbers:
                    await records.insert(connection, zone_id(number), _records(number, now))
    finally:
        await database.close()


def _zone(number: int, account_id: str, now: int) -> dict[str, Any]:
    return {
        "id": zone_id(number),
        "account_id": account_id,
        "name": zone_name(number),
        "type": "full",
        "plan": "free",
        "paused": False,
        "version": 1,
        "created_on": now + number,
        "modified_on": now + number,
    }


def _records(number: int, now: int) -> list[DnsRecord]:
    zone = zone_name(number)
    spelled = ((zone, "A", ORIGIN), (f"chat.{zone}", "A", ORIGIN), (f"*.{zone}", "CNAME", zone))
    return [
        DnsRecord(
            id=secrets.token_hex(16),
            name=name,
            type=kind,
            content=content,
            proxied=True,
            created_on=now,
            modified_on=now,
        )
        for name, kind, content in spelled
    ]


class Running:
    """`holdfast run` over an installation. Use as a context manager; inside, edge and API serve."""

    def __init__(self, made: Made, directory: Path) -> None:
        self.made = made
        self.began = time.perf_counter()
        listen = ("--listen", f"{ADDRESS}:0", "--control-listen", f"{ADDRESS}:0", "--log", str(directory / "records"))
        self._child = Child("holdfast", [program(), "run", "--data", str(made.data), *listen, *_NO_LIMITS], directory)
        self.edge = self.api = (ADDRESS, 0)
        # Seconds from the start of the process until each served.
        self.edge_start_s = self.api_start_s = 0.0

    def __enter__(self) -> Self:
        try:
            self._child.wait_until(self._is_ready, limit_s=LIMIT_S)
        except MeasurementError:
            self._child.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()

    def pid_of(self, role: str) -> int:
        """The process of a role: "edge" or "control"."""
        for pid in meter.tree(self._child.pid)[1:]:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if role.encode() in words:
                return pid
        raise MeasurementError(f"there is no process of {role}: {self._child.last_words()}")

    def _is_ready(self) -> bool:
        for line in self._child.stdout.read_text(encoding="utf-8").splitlines():
            if line.startswith("ready: ws://"):
                self.edge = _address(line)
                self.edge_start_s = self.edge_start_s or time.perf_counter() - self.began
            elif line.startswith("ready: http://"):
                self.api = _address(line)
                self.api_start_s = self.api_start_s or time.perf_counter() - self.began
        return bool(self.edge[1] and self.api[1])


def _address(line: str) -> tuple[str, int]:
    host, _, port = line.split()[1].split("//")[1].partition(":")
    return host, int(port)


class Asker:
    """Who asks an API over one connection."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=LIMIT_S)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None, *, base: str = "/client/v4") -> bytes:
        """The body of an answer with a good status. Raises MeasurementError for any other."""
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, f"{base}{path}", sent, self._headers)
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 400:
            raise MeasurementError(f"{method} {path} was answered {answer.status}: {read[:300]!r}")
        return read

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()


_UPGRADE = (
    "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def upgrade_status(edge: tuple[str, int], host: str) -> int:
    """The status with which the edge answers an upgrade on a new connection."""
    with socket.create_connection(edge, timeout=LIMIT_S) as client:
        client.sendall(_UPGRADE.format(host=host).encode())
        head = client.recv(64)
        return int(head.split(b" ", 2)[1])


def statuses(edge: tuple[str, int], host: str) -> Iterator[tuple[float, int]]:
    """(when it was asked, status) of one upgrade after the other, without end."""
    while True:
        asked = time.perf_counter()
        yield asked, upgrade_status(edge, host)


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which `q` of them are, and one of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
