"""What keepalive costs: `python -m bench.keepalive` prints the CPU and the memory of an edge that holds thousands of idle WebSockets.

Law 1: the same connections are measured with keepalive off and on, each over whole intervals, so that every connection is asked
as often as every other.
Law 2: CPU is of the edge's process alone, as a part of one core; memory is its PSS, less what it had before the first connection.
Law 3: whoever is asked answers: the clients and their origin are processes of their own, and are not in the figures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import meter
from bench.errors import MeasurementError
from bench.releasing import pause
from tests.integration.numbered_run import Clients, Origin, verdict
from tests.integration.run import Run
from tests.integration.zones_of_run import UNLIMITED, Zones, origin_ip

OPEN_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured with one interval (0: off)."""

    interval_s: int
    connections: int
    window_s: float
    cpu_percent: float
    bytes_each: float
    pings: int

    def row(self) -> str:
        """As a line of the table."""
        what = f"every {self.interval_s} s" if self.interval_s else "off"
        return (
            f"| {what} | {self.connections:,} | {self.window_s:.0f} s | {self.cpu_percent:.2f} % "
            f"| {self.bytes_each:,.0f} | {self.pings:,} |"
        )


def measure(*, interval_s: int, connections: int, rounds: int, window_s: float) -> Cost:
    """Hold so many idle connections for `rounds` intervals, or for the window where keepalive is off."""
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-keepalive-") as name,
        Run(Path(name) / "data", environment=UNLIMITED) as run,
        Zones(run) as zones,
        Origin(origin_ip(), run.plain[1]) as origin,
    ):
        _, host = zones.add(origin.host, {"websocket_keepalive_interval": interval_s})
        edge = run.child("edge")
        with Clients(run.plain, host=host) as clients:
            before = meter.settled_pss_bytes(edge)
            clients.open(connections, limit_s=OPEN_LIMIT_S)
            # The first asking is left out: it comes when the last connection has been idle as long.
            pause(max(2.0, interval_s * 1.2))
            cpu_s, passed_s = _cpu_over(edge, interval_s * rounds or window_s)
            held = meter.settled_pss_bytes(edge) - before
            _check(clients, origin)
    return Cost(
        interval_s=interval_s,
        connections=connections,
        window_s=passed_s,
        cpu_percent=100 * cpu_s / passed_s,
        bytes_each=held / connections,
        pings=2 * connections * rounds if interval_s else 0,
    )


def _cpu_over(pid: int, seconds: float) -> tuple[float, float]:
    """What a process uses in so long: (CPU time, time that passed)."""
    cpu_s, began_s = meter.cpu_seconds(pid), time.monotonic()
    pause(seconds)
    return meter.cpu_seconds(pid) - cpu_s, time.monotonic() - began_s


def _check(clients: Clients, origin: Origin) -> None:
    """Raises MeasurementError where a connection did not stay."""
    said = verdict(clients, origin)
    ended = sum(bool(one.ended) for one in said.clients.values())
    if ended or said.faults:
        raise MeasurementError(f"{ended} connections have ended; {said.faults}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.keepalive", description=__doc__)
    parser.add_argument("--connections", type=int, default=9_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--interval", type=int, default=30, metavar="S", help="seconds (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="intervals that are measured")
    options = parser.parse_args(argv)
    window_s = options.interval * options.rounds
    try:
        costs = [
            measure(interval_s=one, connections=options.connections, rounds=options.rounds, window_s=window_s)
            for one in (0, options.interval)
        ]
    except (MeasurementError, AssertionError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("| keepalive | idle connections | measured for | CPU, of a core | memory of each, B | pings sent |")
    print("|---|---|---|---|---|---|")
    for one in costs:
        print(one.row())
    return 0


if __name__ == "__main__":
    sys.exit(main())
