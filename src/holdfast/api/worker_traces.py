"""What a script logs, as the events that the original's tails tell (`trace-v1`): one for each invocation. Pure.

Law 1: lines of one ray are told with the line that ends their invocation; where that does not come within HOLD_S (a WebSocket, a long
request) they are told by themselves. Lines without a ray are told at once.
Law 2: at most MAX_HELD lines are held; beyond that the oldest are told by themselves.

Source: workerd, `trace.capnp`; wrangler, `tail/createTail.ts`, `tail/printing.ts`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgspec

from holdfast.model.worker_messages import Log

HOLD_S = 2.0
MAX_HELD = 1_000
# Kinds of lines that end an invocation.
_ENDS = frozenset({"request", "scheduled"})


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which events a tail is told; empty for all."""

    sampling_rate: float = 1.0
    outcomes: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    query: str = ""
    version: str = ""

    def lets_through(self, event: dict[str, Any], chance: Callable[[], float] = random.random) -> bool:
        """Whether an event is told."""
        request = (event["event"] or {}).get("request", {})
        if self.outcomes and event["outcome"] not in self.outcomes:
            return False
        if self.methods and request.get("method") not in self.methods:
            return False
        if self.version and event["scriptVersion"]["id"] != self.version:
            return False
        texts = [text for log in event["logs"] for text in log["message"]]
        texts += [error["message"] for error in event["exceptions"]]
        if self.query and not any(self.query in text for text in texts):
            return False
        return self.sampling_rate >= 1 or chance() < self.sampling_rate


class Traces:
    """Lines in, events out, of the script `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        # By ray: since when, and the lines.
        self._held: dict[str, tuple[float, list[Log]]] = {}
        self._count = 0

    def feed(self, log: Log, now: float) -> Iterator[dict[str, Any]]:
        """The events that a line completes, at `now` of a clock that does not jump."""
        if log.kind in _ENDS:
            yield self._event(self._taken(log.ray), log)
        elif not log.ray:
            yield self._event([log], None)
        else:
            self._held.setdefault(log.ray, (now, []))[1].append(log)
            self._count += 1
            while self._count > MAX_HELD:
                yield self._event(self._taken(next(iter(self._held))), None)

    def late(self, now: float) -> Iterator[dict[str, Any]]:
        """The events of what is not waited for any more."""
        for ray, (since, _) in list(self._held.items()):
            if now - since < HOLD_S:
                return
            yield self._event(self._taken(ray), None)

    def _taken(self, ray: str) -> list[Log]:
        _, lines = self._held.pop(ray, (0.0, []))
        self._count -= len(lines)
        return lines

    def _event(self, lines: list[Log], end: Log | None) -> dict[str, Any]:
        first = lines[0] if lines else end
        assert first is not None  # noqa: S101  no lines without an end
        thrown = [_exception(one) for one in lines if one.kind == "exception"]
        return {
            "outcome": _outcome(end, is_thrown=bool(thrown)),
            "scriptName": self._name,
            "scriptVersion": {"id": _uuid(first.version)},
            "entrypoint": first.entrypoint,
            "eventTimestamp": first.ts_ms,
            "event": _invocation(end),
            "logs": [
                {"message": [one.message], "level": one.level, "timestamp": one.ts_ms}
                for one in lines
                if one.kind != "exception"
            ],
            "exceptions": thrown,
            "diagnosticsChannelEvents": [],
            "truncated": False,
        }


def missed(name: str, lines: int, now_ms: int) -> dict[str, Any]:
    """The event that says that lines were left out."""
    text = f"{lines} lines were left out: they come faster than they are read"
    return {
        "outcome": "ok",
        "scriptName": name,
        "eventTimestamp": now_ms,
        "event": {"type": "overload", "message": text},
        "logs": [],
        "exceptions": [],
        "diagnosticsChannelEvents": [],
        "truncated": True,
    }


def _outcome(end: Log | None, *, is_thrown: bool) -> str:
    if end is not None and end.kind == "scheduled":
        return str(end.fields.get("outcome", "unknown"))
    if end is not None and end.fields.get("outcome") == "exceededCpu":
        return "exceededCpu"
    if is_thrown or end is None:
        return "exception" if is_thrown else "ok"
    return str(end.fields.get("outcome", "ok"))


def _invocation(end: Log | None) -> dict[str, Any] | None:
    """What the invocation answered, as far as the line that ends it says."""
    if end is None:
        return None
    if end.kind == "scheduled":
        return {"cron": end.fields.get("cron", ""), "scheduledTime": end.fields.get("scheduled_ms", 0)}
    method, _, rest = end.message.partition(" ")
    # Of the header fields the one by which a person finds the request that a page of an error names.
    headers = {"cf-ray": end.ray} if end.ray else {}
    request = {"method": end.fields.get("method", method), "url": rest.rpartition(" ")[0], "headers": headers, "cf": {}}
    return {"request": request, "response": {"status": end.fields.get("status", 0)}}


def _exception(log: Log) -> dict[str, Any]:
    """A traceback, by its last line."""
    last = next((line for line in reversed(log.message.splitlines()) if line.strip()), "")
    name, colon, message = last.partition(": ")
    if not colon or " " in name:
        name, message = "Error", last
    return {"name": name, "message": message, "stack": log.message, "timestamp": log.ts_ms}


def _uuid(version: str) -> str:
    try:
        return str(UUID(hex=version))
    except ValueError:
        return version
