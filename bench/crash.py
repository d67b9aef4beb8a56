"""An edge that is killed, and everybody who comes back at once: `python -m bench.crash` prints how long that takes and who is refused.

Law 1: the edge is killed (SIGKILL) while its connections talk; all of them are cut, for nobody is there to close them.
Law 2: the first to come back tells how long there was no edge; then as many as were open connect at the same moment.
Law 3: nobody tries again: a connect that is refused, or an upgrade that is, is counted.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import MeasurementError
from bench.releasing import pause
from tests.integration.numbered_run import Clients, Origin, verdict
from tests.integration.run import Run
from tests.integration.zones_of_run import UNLIMITED, Zones, origin_ip

OPEN_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Back:
    """What was measured."""

    connections: int
    first_s: float
    all_s: float
    opened: int
    refused: dict[str, int]
    cut: dict[str, int]

    def lines(self) -> str:
        """For a person."""
        refused = ", ".join(f"{what}: {count:,}" for what, count in self.refused.items()) or "nobody"
        cut = ", ".join(f"{what}: {count:,}" for what, count in self.cut.items())
        return "\n".join(
            (
                f"connections that were open, and how they ended: {cut}",
                f"from the kill to the first connection that is open again: {self.first_s:.2f} s",
                f"{self.opened:,} of {self.connections:,} that came at once are open after: {self.all_s:.2f} s",
                f"refused: {refused}",
            )
        )


def measure(connections: int) -> Back:
    """Kill the edge of a new installation. Raises MeasurementError where messages were lost that should not be."""
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-crash-") as name,
        Run(Path(name) / "data", environment=UNLIMITED) as run,
        Zones(run) as zones,
        Origin(origin_ip(), run.plain[1]) as origin,
    ):
        _, host = zones.add(origin.host)
        with Clients(run.plain, host=host) as clients, Clients(run.plain, host=host, first=1_000_000) as later:
            clients.open(connections, limit_s=OPEN_LIMIT_S)
            clients.ask("load", 1_000, 0)
            pause(2)
            edge = run.child("edge")
            killed_s = time.monotonic()
            run.signal(edge, signal.SIGKILL)
            later.open(1)
            first_s = time.monotonic() - killed_s
            # All of them, and each at once: no client waits for another.
            began_s = time.monotonic()
            opened = later.ask("open", connections, connections, limit_s=OPEN_LIMIT_S)["opened"]
            all_s = time.monotonic() - began_s
            said = verdict(clients, origin)
            cut: dict[str, int] = {}
            for one in said.clients.values():
                word = f"{one.code or 1006} {one.ended or 'open'}"
                cut[word] = cut.get(word, 0) + 1
            if said.faults:
                raise MeasurementError("; ".join(said.faults))
            refused = {what: count for what, count in later.ask("report")["connects"].items() if what != "open"}
    return Back(connections, first_s, all_s, opened, refused, cut)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=__doc__)
    parser.add_argument("--connections", type=int, default=4_000, metavar="N", help="default: %(default)s")
    options = parser.parse_args(argv)
    try:
        print(measure(options.connections).lines())
    except (MeasurementError, AssertionError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
