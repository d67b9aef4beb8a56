"""The control plane with a stopwatch: `python -m bench.control` prints what it measured beside what is wanted.

Law 1: everything is measured from outside, over HTTP and at the edge, as a user would notice it.
Law 2: a write is in force when the first upgrade that was asked after it is refused; the stopwatch starts before the
request is sent.
Law 3: figures are of this machine and this run. Nothing here fails for being slow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import installation, meter
from bench.decide import zones_figures
from bench.errors import BenchError, MeasurementError, MissingError
from bench.installation import Asker, Running, quantile, statuses, zone_id, zone_name

MEBIBYTE = 1024 * 1024
SWITCH_S = 0.0002


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what it is, in which unit, what was measured, and the most it should be (None for: no target)."""

    name: str
    unit: str
    value: float
    target: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target was met; "" without one."""
        if self.target is None:
            return ""
        return "met" if self.value <= self.target else "MISSED"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 also where a target was missed, 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.control", description=__doc__)
    parser.add_argument(
        "--writes", type=int, default=400, metavar="N", help="writes of each kind (default: %(default)s)"
    )
    parser.add_argument("--zones", type=int, default=10_000, metavar="N", help="zones of the large installation")
    options = parser.parse_args(argv)
    # The stopwatch and the client whose write it measures share an interpreter: neither is to wait 5 ms for the other.
    sys.setswitchinterval(SWITCH_S)
    try:
        figures = measure(writes=options.writes, zones=options.zones)
    except (BenchError, MeasurementError, MissingError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(table(figures))
    return 0


def measure(*, writes: int, zones: int) -> list[Figure]:
    """All figures, of three installations: of one zone, of 1,000, and of `zones`."""
    return [
        *_in(1, lambda running: propagation(running, writes, "1 zone")),
        *_in(1000, lambda running: listing(running)),
        *_in(zones, lambda running: large(running, writes, zones)),
    ]


def _in(zones: int, work: Callable[[Running], list[Figure]]) -> list[Figure]:
    _say(f"an installation of {zones:,} zones")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        directory = Path(name)
        made = installation.make(directory / "data")
        installation.fill(made, zones)
        with Running(made, directory) as running:
            return work(running)


def propagation(running: Running, writes: int, where: str) -> list[Figure]:
    """How long until the switch refuses upgrades, from before the PATCH is sent; and until the PATCH is answered."""
    asker, other = (Asker(running.api, running.made.token) for _ in range(2))
    path, host = f"/zones/{zone_id(0)}/settings/websockets", zone_name(0)
    in_force, answered, late = [], [], 0
    for _ in range(writes):
        other.ask("PATCH", path, {"value": "on"})
        spent, took = _switched_off(running.edge, host, lambda: asker.ask("PATCH", path, {"value": "off"}))
        in_force.append(spent)
        answered.append(took)
        late += installation.upgrade_status(running.edge, host) != 403
    asker.close()
    other.close()
    return [
        Figure(f"PATCH to refusal, p50, {where}", "ms", quantile(in_force, 0.50) * 1e3, 50),
        Figure(f"PATCH to refusal, p99, {where}", "ms", quantile(in_force, 0.99) * 1e3, 200),
        Figure(f"PATCH to answer, p50, {where}", "ms", quantile(answered, 0.50) * 1e3),
        Figure(f"PATCH to answer, p99, {where}", "ms", quantile(answered, 0.99) * 1e3),
        Figure(f"upgrades let in after the answer, {where}", "", late, 0),
    ]


def _switched_off(edge: tuple[str, int], host: str, write: Callable[[], object]) -> tuple[float, float]:
    """Seconds from before `write` until the first upgrade that is refused was asked, and until `write` returned."""
    ended: list[float] = []

    def work() -> None:
        write()
        ended.append(time.perf_counter())

    writer = threading.Thread(target=work)
    began = time.perf_counter()
    writer.start()
    for asked, status in statuses(edge, host):
        if status == 403:
            break
        if asked - began > installation.LIMIT_S:
            raise MeasurementError(f"the edge did not refuse within {installation.LIMIT_S:.0f} s")
    refused = asked
    writer.join(installation.LIMIT_S)
    if not ended:
        raise MeasurementError("a write was not answered")
    return max(refused - began, 0.0), ended[0] - began


def listing(running: Running) -> list[Figure]:
    """What it takes to list 1,000 zones: one page of fifty, and all of them."""
    asker = Asker(running.api, running.made.token)
    pid = running.pid_of("control")

    def page(number: int) -> float:
        began = time.perf_counter()
        asker.ask("GET", f"/zones?per_page=50&page={number}")
        return time.perf_counter() - began

    for number in range(1, 21):
        page(number)
    spent = [page(number) for _ in range(10) for number in range(1, 21)]
    before = meter.cpu_seconds(pid)
    for number in range(1, 21):
        page(number)
    cpu = meter.cpu_seconds(pid) - before
    asker.close()
    return [
        Figure("a page of 50 of 1,000 zones, p50", "ms", quantile(spent, 0.50) * 1e3, 50),
        Figure("a page of 50 of 1,000 zones, p99", "ms", quantile(spent, 0.99) * 1e3),
        Figure("all 20 pages of 1,000 zones, control's CPU", "ms", cpu * 1e3),
    ]


def large(running: Running, writes: int, zones: int) -> list[Figure]:
    """Start, writes, memory and decisions with many zones."""
    where = f"{zones:,} zones"
    settled_s = _wait_until_served(running, zones)
    idle_pss = meter.settled_pss_bytes(running.pid_of("edge"))
    return [
        Figure(f"start to the API, {where}", "s", running.api_start_s),
        Figure(f"start to every zone served, {where}", "s", settled_s),
        *propagation(running, writes, where),
        Figure(
            f"a record to its first answer, p99, {where}",
            "ms",
            quantile(_records(running, writes), 0.99) * 1e3,
            1000,
        ),
        Figure(f"the edge's memory (PSS) after start, {where}", "MiB", idle_pss / MEBIBYTE, 200),
        Figure(
            f"the edge's memory (PSS) after the writes, {where}",
            "MiB",
            meter.settled_pss_bytes(running.pid_of("edge")) / MEBIBYTE,
            200,
        ),
        Figure(
            f"control's memory (PSS), {where}", "MiB", meter.settled_pss_bytes(running.pid_of("control")) / MEBIBYTE
        ),
        Figure(f"decide, called again and again, {where}", "µs", max(zones_figures(zones=zones)[1].values()), 12),
        Figure(f"decide, in the edge, now and then, mean, {where}", "µs", _decide_us(running, zones)),
    ]


def _wait_until_served(running: Running, zones: int) -> float:
    """Seconds from the start until the last zone is one that the edge knows."""
    host = zone_name(zones - 1)
    for asked, status in statuses(running.edge, host):
        # Nobody listens at its origin: a zone that is known fails there (521), an unknown one is 530.
        if status != 530:
            return asked - running.began
        if asked - running.began > 2 * installation.LIMIT_S:
            break
    raise MeasurementError("the edge did not learn of the last zone")


def _records(running: Running, writes: int) -> list[float]:
    """Seconds from before a record is posted until its name is one that the edge knows."""
    spent = []
    asker = Asker(running.api, running.made.token)
    for number in range(min(writes, 100)):
        zone = number % 100
        host = f"new-{number}.deep.{zone_name(zone)}"
        body = {"type": "A", "name": host, "content": installation.ORIGIN, "proxied": False, "ttl": 1}
        began = time.perf_counter()
        thread = threading.Thread(target=asker.ask, args=("POST", f"/zones/{zone_id(zone)}/dns_records", body))
        thread.start()
        # Unproxied, it hides the wildcard: the edge knows the name and does not serve it.
        for asked, status in statuses(running.edge, host):
            if status == 530:
                spent.append(max(asked - began, 0.0))
                break
            if asked - began > installation.LIMIT_S:
                raise MeasurementError(f"the edge did not learn of {host}")
        thread.join(installation.LIMIT_S)
    asker.close()
    return spent


def _decide_us(running: Running, zones: int) -> float:
    """Mean time of the decisions of 2,000 upgrades spread over all zones, by the edge's own histogram.

    One comes at a time, and each is for another zone, so nothing of it is in the processor's caches.
    """
    before = _decided(running)
    for number in range(2000):
        installation.upgrade_status(running.edge, f"chat.{zone_name(number * 7919 % zones)}")
    after = _decided(running)
    return (after[0] - before[0]) / (after[1] - before[1]) * 1e6


def _decided(running: Running) -> tuple[float, float]:
    asker = Asker(running.api, running.made.token)
    lines = asker.ask("GET", "/metrics", base="").decode().splitlines()
    asker.close()
    values = dict(line.split() for line in lines if line.startswith("holdfast_edge_decide_seconds_"))
    return float(values["holdfast_edge_decide_seconds_sum"]), float(values["holdfast_edge_decide_seconds_count"])


def table(figures: Sequence[Figure]) -> str:
    """Figures as Markdown."""
    rows = [["figure", "measured", "target", "verdict"], ["---"] * 4]
    for one in figures:
        target = "" if one.target is None else f"<= {one.target:,.0f} {one.unit}".rstrip()
        rows.append([one.name, f"{one.value:,.2f} {one.unit}".rstrip(), target, one.verdict])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
