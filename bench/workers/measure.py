"""One measurement: a side of its own, one load, its figures."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench import meter
from bench.errors import MeasurementError
from bench.generator import Generator, Programs
from bench.workers.cases import (
    DEPLOY_CONNECTIONS,
    DEPLOY_OBJECTS,
    DEPLOY_RATE,
    IN_FLIGHT,
    MESSAGE_BYTES,
    Effort,
)
from bench.workers.figures import Turn
from bench.workers.sides import Holdfast, Side, running
from holdfast.app.descriptors import connection_limit

MB = 1_000_000
# An object that is awake again may be asked for its answer so long; a deployment, so long.
_PATIENCE_S = 30
_DEPLOYS_LIMIT_S = 3_600
_MOST_FOR_SCRIPTS, _SPARE = 4_096, 25


class Bench:
    """What all measurements of a run share."""

    def __init__(self, programs: Programs, directory: Path, effort: Effort, *, threads: int) -> None:
        self._programs, self._directory, self._effort, self._threads = programs, directory, effort, threads

    def measure(self, turn: Turn) -> dict[str, float]:
        """The figures of one turn. Raises MeasurementError."""
        loads: Mapping[str, Callable[[Side], dict[str, float]]] = {
            "echoes": self._echoes,
            "ping-pong": self._ping_pong,
            "broadcast": lambda side: self._deliveries(side, "/crowd/a"),
            "loop": lambda side: self._deliveries(side, "/loop/a"),
            "wake": self._wake,
            "sleepers": self._sleepers,
            "deploys": self._deploys,
        }
        try:
            with running(turn.side, threads=self._threads) as side:
                return loads[turn.case.name](side)
        except ProcessLookupError as error:
            raise MeasurementError(f"{turn.side} ended under load: {error}") from error

    def _echoes(self, side: Side) -> dict[str, float]:
        told = self._result("pipeline", side.url("/echo/a"), "--in-flight", str(IN_FLIGHT), *self._times())
        return {"per_second": told["per_second"]}

    def _ping_pong(self, side: Side) -> dict[str, float]:
        told = self._result("relay", side.url("/echo/a"), "--connections", "1", *self._times())
        return {"p50_us": told["latency_us"]["p50"], "p99_us": told["latency_us"]["p99"]}

    def _deliveries(self, side: Side, path: str) -> dict[str, float]:
        crowd = ["--connections", str(self._effort.crowd)]
        told = self._result("fan-out", side.url(path), *crowd, *self._times())
        return {"per_second": told["per_second"]}

    def _wake(self, side: Side) -> dict[str, float]:
        count = self._effort.wakes
        command = ["wake", side.url("/echo/{}"), *_of_messages(count, count)]
        with self._generator(command) as generator:
            generator.reach("ready")
            side.until_asleep()
            before = side.made()
            generator.go_on()
            generator.reach("measured")
            woken = side.made() - before
            generator.go_on()
            latency = generator.reach("result")["latency_us"]
        return {"p50_ms": latency["p50"] / 1e3, "p99_ms": latency["p99"] / 1e3, "not_woken": count - woken}

    def _sleepers(self, side: Side) -> dict[str, float]:
        wanted = self._effort.sleepers
        count = min(wanted, sockets_within(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        command = ["idle", side.url("/echo/{}"), *_of_messages(count, self._effort.sleeping_objects), "--warm-up", "0"]
        with self._generator(command) as generator:
            generator.reach("ready")
            empty = meter.settled_pss_bytes(side.pid)
            generator.go_on()
            generator.reach("measured")
            side.until_asleep()
            total = meter.settled_pss_bytes(side.pid)
            generator.go_on()
            generator.reach("result")
        return memory_figures(empty, total, opened=count, wanted=wanted)

    def _deploys(self, side: Side) -> dict[str, float]:
        if not isinstance(side, Holdfast):
            raise MeasurementError("only Holdfast deploys without an end of its sockets")
        load = [*_of_messages(DEPLOY_CONNECTIONS, DEPLOY_OBJECTS), "--rate", str(DEPLOY_RATE), "--until-told"]
        command = ["relay", side.url("/echo/{}"), *load, "--seconds", str(_DEPLOYS_LIMIT_S), "--warm-up", "1"]
        with self._generator(command) as generator:
            generator.reach("ready")
            generator.go_on()
            taken_ms = [_timed_ms(side.deploy) for _ in range(self._effort.deploys)]
            generator.go_on()
            # Where a socket or a message was lost, doubled or moved, the generator has ended and says which.
            generator.reach("measured")
            generator.go_on()
            told = generator.reach("result")
        return {
            "faults": 0,
            "deploys": len(taken_ms),
            "echoes": told["round_trips"],
            "deploy_p50_ms": median(taken_ms),
            "longest_ms": told["latency_us"]["max"] / 1e3,
        }

    def _result(self, *command: str) -> Mapping[str, Any]:
        with self._generator([*command, "--text", "--size", str(MESSAGE_BYTES)]) as generator:
            generator.reach("ready")
            generator.go_on()
            generator.reach("measured")
            generator.go_on()
            return generator.reach("result")

    def _generator(self, command: list[str]) -> Generator:
        return Generator(self._programs, command, self._directory)

    def _times(self) -> list[str]:
        return ["--warm-up", str(self._effort.warm_up_s), "--seconds", str(self._effort.seconds)]


def sockets_within(descriptors: int) -> int:
    """How many WebSockets an edge with a host of scripts takes with so many descriptors (ARCHITECTURE.md, "Bounds"): it keeps two for each, some for
    itself, and a quarter of the connections for what scripts fetch."""
    connections = connection_limit(descriptors)
    for_scripts = min(connections // 4, _MOST_FOR_SCRIPTS)
    return max(connections - for_scripts - _SPARE, 1)


def memory_figures(empty: int, total: int, *, opened: int, wanted: int) -> dict[str, float]:
    """From bytes without and with so many sockets. Those that the machine's limits did not let in are counted at the cost of each."""
    each = (total - empty) / opened
    return {
        "total_mb": (total + each * (wanted - opened)) / MB,
        "empty_mb": empty / MB,
        "each_bytes": each,
        "opened": opened,
    }


def _of_messages(connections: int, objects: int) -> list[str]:
    spread = ["--connections", str(connections), "--paths", str(objects), "--patience", str(_PATIENCE_S)]
    return [*spread, "--text", "--size", str(MESSAGE_BYTES)]


def _timed_ms(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3
