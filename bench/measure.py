"""One measurement: a proxy of its own, one load, its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import meter
from bench.cases import CPU, PSS, Case, Kind, Leg
from bench.errors import MeasurementError
from bench.generator import Effort, Generator, Programs, arguments
from bench.process import Child, free_port
from bench.proxies import Proxy, Setting


class Bench:
    """What all measurements of a run share: the programs, the origin, the certificate, the effort."""

    def __init__(
        self, *, programs: Programs, origin_port: int, pair: tuple[Path, Path], threads: int, effort: Effort
    ) -> None:
        self._programs = programs
        self._origin_port = origin_port
        self._chain, self._key = pair
        self._threads = threads
        self._effort = effort

    def measure(self, proxy: Proxy, leg: Leg, case: Case) -> dict[str, float]:
        """The figures of one load through a new process of `proxy`. Raises MeasurementError."""
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
            setting = self._setting(Path(name))
            try:
                with Child(proxy.name, proxy.command(setting), setting.directory) as child:
                    child.wait_until(lambda: proxy.is_ready(child, setting))
                    return self._load(child, setting, leg, case)
            except ProcessLookupError as error:
                raise MeasurementError(f"{proxy.name} ended under load: {error}") from error

    def _setting(self, directory: Path) -> Setting:
        return Setting(
            directory=directory,
            origin_port=self._origin_port,
            plain_port=free_port(),
            tls_port=free_port(),
            chain=self._chain,
            key=self._key,
            threads=self._threads,
        )

    def _load(self, child: Child, setting: Setting, leg: Leg, case: Case) -> dict[str, float]:
        url = f"ws://127.0.0.1:{setting.plain_port}/" if leg is Leg.PLAIN else f"wss://127.0.0.1:{setting.tls_port}/"
        command = arguments(case, url, self._effort)
        with Generator(self._programs, command, setting.directory) as generator:
            if case.kind is Kind.IDLE:
                return _idle(generator, child, case)
            return _cpu(generator, child, case)


def _cpu(generator: Generator, child: Child, case: Case) -> dict[str, float]:
    generator.reach("ready")
    before = meter.cpu_seconds(child.pid)
    generator.go_on()
    generator.reach("measured")
    used = meter.cpu_seconds(child.pid) - before
    generator.go_on()
    return cpu_figures(generator.reach("result"), case, used)


def cpu_figures(result: Mapping[str, Any], case: Case, used_s: float) -> dict[str, float]:
    """From the generator's result and the proxy's CPU seconds: CPU per operation and latencies, in microseconds."""
    operations = result["upgrades"] if case.kind is Kind.UPGRADE else result["round_trips"]
    latency = result["latency_us"]
    return {
        CPU: used_s / operations * 1e6,
        "p50_us": latency["p50"],
        "p99_us": latency["p99"],
        "per_second": result["per_second"],
    }


def _idle(generator: Generator, child: Child, case: Case) -> dict[str, float]:
    generator.reach("ready")
    before = meter.settled_pss_bytes(child.pid)
    generator.go_on()
    generator.reach("measured")
    after = meter.settled_pss_bytes(child.pid)
    generator.go_on()
    generator.reach("result")
    return {PSS: (after - before) / case.connections, "before_bytes": before}
