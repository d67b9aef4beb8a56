"""One server as a scenario sees it.

Law 1: a scenario has objects of its own, named as it is: no other scenario has left anything in them.
Law 2: a line is what a client or user code can see; a time is never in it.
"""

import json
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

import httpx

from conformance.workers.conversation import LIMIT_S, Address, Conversation, upgrade_fields

Scenario = Callable[["Side"], list[str]]


class Side:
    """One server, and the object of the scenario that asks it. `patience` is that of its conversations."""

    def __init__(self, address: Address, name: str, *, patience: float = 1.0) -> None:
        self.address, self.name, self._patience = address, name, patience

    def socket(self, what: str = "one", *, where: str = "hibernatable", **fields: str | None) -> Conversation:
        """A WebSocket of the scenario's object, in one of the APIs (`where`: hibernatable, standard, plain)."""
        path = f"/{where}/{self.name}/{quote(what)}"
        return Conversation(self.address, path, upgrade_fields(**fields), patience=self._patience)

    def request(self, path: str, fields: Mapping[str, str], method: str = "GET", body: bytes = b"") -> str:
        """How a request is answered that may be no right upgrade."""
        with Conversation(self.address, path, fields, method=method, body=body) as one:
            return one.head

    def probe(self, what: str, *, where: str = "probe", origin: str = "") -> list[str]:
        """What a probe says. `origin` is another server, for it to be a client of."""
        url = f"http://{self.address[0]}:{self.address[1]}/{where}/{self.name}/{quote(what)}?origin={origin}"
        answer = httpx.get(url, timeout=LIMIT_S, trust_env=False)
        if answer.status_code != 200:
            return [f"status {answer.status_code}"]
        lines: list[str] = json.loads(answer.content)
        return lines

    def log(self, count: int, *, where: str = "probe", limit_s: float = 3) -> list[str]:
        """What user code wrote down, when it is `count` lines or nothing more has come in time."""
        until = time.monotonic() + limit_s * self._patience
        while len(lines := self.probe("log", where=where)) < count and time.monotonic() < until:
            time.sleep(0.02)
        return [f"log {line}" for line in lines]
