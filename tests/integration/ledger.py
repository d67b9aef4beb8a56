"""Writes to the API as a ledger: which were acknowledged, which may or may not be there, and whether what is there agrees.

Law 1: a write that was answered is there, for good. One that was not is there as a whole, or not at all.
Law 2: a writer asks again for nothing: what failed stays open, so that nothing is made good by a second try.
"""

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.integration.waiting import Changes

# How long an answer may take. A control that was killed resets its connections, so this is for what hangs.
ANSWER_LIMIT_S = 30.0


@dataclass(slots=True)
class Ledger:
    """What writers did to one zone. `groups` are sets of names written in one request: all of them are there, or none."""

    there: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    groups: list[frozenset[str]] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    # Each writer's setting: the value that was acknowledged last, and those written since without an answer.
    values: dict[str, set[Any]] = field(default_factory=dict)
    acknowledged: int = 0
    unanswered: int = 0
    # Answers that no client should see: neither a success nor 503.
    strange: list[str] = field(default_factory=list)

    def faults(self, names: set[str], settings: Mapping[str, Any]) -> list[str]:
        """A sentence for each way in which what is there disagrees."""
        said = [f"{name} was acknowledged, and is not there" for name in sorted(self.there - names)]
        said += [f"{name} was removed, and is there" for name in sorted(self.gone & names)]
        attempted = self.there | self.open | {name for group in self.groups for name in group}
        said += [f"{name} is there, and nobody wrote it" for name in sorted(names - attempted)]
        for group in self.groups:
            # What was taken out since, or may have been, says nothing of how the group came in.
            present = {name in names for name in group - self.gone - self.open}
            said += [f"of {sorted(group)} only a part is there"] if len(present) > 1 else []
        for setting, possible in self.values.items():
            if settings[setting] not in possible:
                said.append(f"{setting} is {settings[setting]!r}, and was written as {possible}")
        return said + self.strange


class Writer(threading.Thread):
    """Writes to one zone until `stop`: records, pairs of records, removals, and a setting of its own.

    `base` is the API's address; it may be changed while the thread runs.
    """

    def __init__(self, name: str, base: str, token: str, zone: tuple[str, str], ledger: Ledger, setting: str) -> None:
        super().__init__(name=name, daemon=True)
        self.base = base
        self.changes = Changes()
        self.started = 0
        self._zone_id, self._zone = zone
        self._ledger = ledger
        self._setting = setting
        self._headers = {"Authorization": f"Bearer {token}"}
        self._is_over = threading.Event()
        self._ids: dict[str, str] = {}

    def stop(self) -> None:
        """Let the write in hand end, and no other begin."""
        self._is_over.set()
        self.join(2 * ANSWER_LIMIT_S)
        assert not self.is_alive(), "a write has had no answer and no end"

    def until_started(self, count: int) -> None:
        """Return when the writer has begun that many writes: in the midst of one, as like as not."""
        self.changes.until(
            lambda: self.started >= count, what=f"{count} writes of {self.name}", limit_s=2 * ANSWER_LIMIT_S
        )

    def run(self) -> None:
        steps = itertools.cycle((self._add, self._add_two, self._set, self._add, self._remove, self._set))
        with httpx.Client(headers=self._headers, timeout=ANSWER_LIMIT_S, trust_env=False) as client:
            for number, step in enumerate(steps):
                if self._is_over.is_set():
                    return
                self.started += 1
                self.changes.announce()
                step(client, number)
                self.changes.announce()

    def _add(self, client: httpx.Client, number: int) -> None:
        name = f"{self.name}-{number}.{self._zone}"
        self._ledger.open.add(name)
        if result := self._ask(client, "POST", "/dns_records", _record(name)):
            self._ids[name] = result["id"]
            self._ledger.there.add(name)
            self._ledger.open.discard(name)

    def _add_two(self, client: httpx.Client, number: int) -> None:
        names = [f"{self.name}-{number}-{side}.{self._zone}" for side in ("left", "right")]
        self._ledger.groups.append(frozenset(names))
        if self._ask(client, "POST", "/dns_records/batch", {"posts": [_record(name) for name in names]}):
            self._ledger.there.update(names)

    def _remove(self, client: httpx.Client, number: int) -> None:
        if not self._ids:
            return
        name, record_id = self._ids.popitem()
        self._ledger.there.discard(name)
        self._ledger.open.add(name)
        if self._ask(client, "DELETE", f"/dns_records/{record_id}", None):
            self._ledger.open.discard(name)
            self._ledger.gone.add(name)

    def _set(self, client: httpx.Client, number: int) -> None:
        value = "off" if number % 2 else "on"
        possible = self._ledger.values.setdefault(self._setting, {"off"})
        possible.add(value)
        if self._ask(client, "PATCH", f"/settings/{self._setting}", {"value": value}):
            possible.clear()
            possible.add(value)

    def _ask(self, client: httpx.Client, method: str, path: str, body: object) -> Any:
        """The result; None where the write was not acknowledged."""
        try:
            answer = client.request(method, f"{self.base}/zones/{self._zone_id}{path}", json=body)
        except httpx.TransportError:
            self._ledger.unanswered += 1
            return None
        if answer.status_code == 200:
            self._ledger.acknowledged += 1
            return answer.json()["result"]
        self._ledger.unanswered += 1
        if answer.status_code != 503 or "retry-after" not in answer.headers:
            self._ledger.strange.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return None


def _record(name: str) -> dict[str, object]:
    return {"type": "A", "name": name, "content": "127.0.0.1", "proxied": True, "ttl": 1}
