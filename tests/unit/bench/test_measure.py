"""From the generator's result to figures."""

from __future__ import annotations

import pytest

from bench.cases import CPU, Case, Kind
from bench.generator import FULL, arguments
from bench.measure import cpu_figures

LATENCY = {"mean": 1.0, "p50": 250.5, "p90": 300.0, "p99": 900.25, "p999": 950.0, "max": 951.0}


@pytest.mark.parametrize(
    ("kind", "result", "cpu_us"),
    [
        (Kind.RELAY, {"round_trips": 100_000}, 12.5),
        (Kind.PACED, {"round_trips": 50_000}, 25.0),
        (Kind.UPGRADE, {"upgrades": 2_000}, 625.0),
    ],
)
def test_cpu_is_shared_by_what_was_done(kind: Kind, result: dict[str, int], cpu_us: float) -> None:
    told = {**result, "latency_us": LATENCY, "per_second": 40_000.0}
    figures = cpu_figures(told, Case(kind=kind, connections=50), 1.25)
    assert figures == {CPU: pytest.approx(cpu_us), "p50_us": 250.5, "p99_us": 900.25, "per_second": 40_000.0}


@pytest.mark.parametrize(
    ("kind", "mode", "option"),
    [
        (Kind.RELAY, "relay", "--connections"),
        (Kind.PACED, "relay", "--rate"),
        (Kind.UPGRADE, "upgrade", "--total"),
        (Kind.IDLE, "idle", "--connections"),
    ],
)
def test_each_kind_has_its_mode_of_the_generator(kind: Kind, mode: str, option: str) -> None:
    command = arguments(Case(kind=kind, connections=7, message_bytes=99), "ws://127.0.0.1:1/", FULL)
    assert command[:2] == [mode, "ws://127.0.0.1:1/"]
    assert option in command
    assert command[command.index("--size") + 1] == "99"
