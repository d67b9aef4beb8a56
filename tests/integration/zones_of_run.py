"""Zones of a running `holdfast run`, added over its API, each with an origin and settings of its own.

Law: an origin listens on an address of its own and the edge's own port, which is where an edge finds it when nothing is configured.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, Self

import httpx

from tests.integration.run import Run
from tests.integration.waiting import LIMIT_S

UNLIMITED = {"HOLDFAST_CONTROL_RATE_LIMIT": "0", "HOLDFAST_CONTROL_IP_RATE_LIMIT": "0"}
_COUNTER = count(1)


def origin_ip() -> str:
    """A loopback address that no other origin of this process has."""
    number = next(_COUNTER)
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Zones:
    """Adds zones to a run whose control is ready. Use as a context manager."""

    def __init__(self, run: Run) -> None:
        self.run = run
        # The first write may come before control has the edge.
        run.record(lambda record: record["event"] == "control_connected")
        self.client = httpx.Client(
            base_url=f"http://{run.api[0]}:{run.api[1]}/client/v4",
            headers={"Authorization": f"Bearer {run.token}"},
            timeout=LIMIT_S,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def add(self, ip: str, settings: Mapping[str, Any] | None = None, *, name: str = "") -> tuple[str, str]:
        """A zone whose origin is at `ip`, with these settings in force: (its id, its host name)."""
        name = name or f"zone-{next(_COUNTER)}.example"
        zone_id: str = self.ask("POST", "/zones", {"name": name})["id"]
        record = {"type": "A", "name": name, "content": ip, "proxied": True, "ttl": 1}
        self.ask("POST", f"/zones/{zone_id}/dns_records", record)
        if settings:
            self.set(zone_id, settings)
        return zone_id, name

    def set(self, zone_id: str, settings: Mapping[str, Any]) -> None:
        """Change settings of a zone."""
        self.ask("PATCH", f"/zones/{zone_id}/settings", [{"id": key, "value": one} for key, one in settings.items()])

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The result of a request that must succeed."""
        answer = self.client.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]
