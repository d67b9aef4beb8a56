"""Releases under load, of Holdfast and its peers: `python -m bench.release` prints who lost what.

Law 1: thousands of numbered connections talk all the while, and new ones arrive; both ends check every message
(`tests/integration/numbered.py`). Nothing that is lost, doubled, moved or changed goes unseen.
Law 2: the first measurement releases again and again without a deadline: what is lost then is lost by the release. The second
releases once with a short deadline: what is closed then is told by code, reason and time.
Law 3: clients and origin share this machine's processors with what they measure; latencies are compared within one run only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import certificate, meter, record
from bench.errors import BenchError, MeasurementError, UnusableError
from bench.process import free_port
from bench.proxies.proxy import Setting
from bench.releasing import RELEASABLE, Releasable, Running, Terms, installed, pause
from tests.integration.numbered_run import Clients, Origin, Verdict, verdict

MEBIBYTE = 1024 * 1024
OPEN_LIMIT_S = 120.0
# Of a spread: the last tenth of the window is what a close may be early or late by.
_SLACK_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is done to each proxy."""

    connections: int = 5_000
    rate: float = 1_000
    arrivals: float = 50
    before_s: float = 10
    releases: int = 10
    # Between the end of one release and the beginning of the next.
    between_s: float = 2
    deadline_s: int = 3
    spread_s: int = 20


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of both measurements of one proxy. Closes are {"code reason": count}."""

    proxy: str
    version: str
    how: str
    failure: str = ""
    connections_lost: int = 0
    lost_by: dict[str, int] = field(default_factory=dict)
    message_faults: list[str] = field(default_factory=list)
    messages_cut: int = 0
    opened: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    messages: int = 0
    p99_before_ms: float = 0
    p99_during_ms: float = 0
    max_during_ms: float = 0
    release_s: list[float] = field(default_factory=list)
    pss_before_mib: float = 0
    pss_after_mib: float = 0
    closes: dict[str, int] = field(default_factory=dict)
    first_close_s: float = 0
    last_close_s: float = 0
    # The largest distance of the closes from an even spread over the window, as a part of them.
    unevenness: float | None = None
    left_open: int = 0


@contextmanager
def _served(one: Releasable, terms: Terms, threads: int) -> Iterator[tuple[Running, Origin, tuple[str, int]]]:
    """The proxy in front of a numbered origin."""
    with tempfile.TemporaryDirectory(prefix="holdfast-release-") as name, Origin() as origin:
        directory = Path(name)
        chain, key = certificate.make(directory)
        setting = Setting(
            directory=directory,
            origin_port=origin.port,
            plain_port=free_port(),
            tls_port=free_port(),
            chain=chain,
            key=key,
            threads=threads,
        )
        with one.start(setting, terms) as running:
            yield running, origin, ("127.0.0.1", setting.plain_port)


def under_load(one: Releasable, load: Load, outcome: Outcome, *, threads: int) -> None:
    """The first measurement."""
    with _served(one, Terms(), threads) as (running, origin, address), Clients(address) as clients:
        clients.open(load.connections, limit_s=OPEN_LIMIT_S)
        clients.ask("load", load.rate, load.arrivals)
        pause(2)
        clients.ask("phase", "before")
        pause(load.before_s)
        outcome.pss_before_mib = _pss(running)
        clients.ask("phase", "during")
        for _ in range(load.releases):
            began_s = time.monotonic()
            running.release()
            outcome.release_s.append(round(time.monotonic() - began_s, 2))
            pause(load.between_s)
        clients.ask("settle", limit_s=OPEN_LIMIT_S)
        outcome.pss_after_mib = _pss(running)
        _note_loss(outcome, verdict(clients, origin), load)


def _note_loss(outcome: Outcome, said: Verdict, load: Load) -> None:
    stayers = {number: one for number, one in said.clients.items() if number < load.connections}
    lost = [one for one in stayers.values() if one.ended or one.code is not None]
    outcome.connections_lost = len(lost)
    outcome.lost_by = _by_close(lost)
    outcome.message_faults = said.faults
    outcome.messages_cut = sum(count for count in said.lost_at_the_end().values() if count > 0)
    outcome.opened = said.connects.get("open", 0)
    outcome.refused = said.refused
    # A newcomer closes with 1000 when its ten messages have come back; whatever else ended it cut it off.
    cut = [one for number, one in said.clients.items() if number not in stayers and not one.failed]
    if unlike := [one for one in cut if one.ended and one.code != 1000]:
        outcome.refused["open, then cut"] = len(unlike)
    outcome.messages = sum(one.sent for one in said.clients.values())
    before, during = said.phases.get("before", {}), said.phases.get("during", {})
    outcome.p99_before_ms = round(before.get("p99_ms", 0), 2)
    outcome.p99_during_ms = round(during.get("p99_ms", 0), 2)
    outcome.max_during_ms = round(during.get("max_ms", 0), 2)


def at_the_deadline(one: Releasable, load: Load, outcome: Outcome, *, threads: int) -> None:
    """The second measurement."""
    terms = Terms(deadline_s=load.deadline_s, spread_s=load.spread_s)
    with _served(one, terms, threads) as (running, origin, address), Clients(address) as clients:
        clients.open(load.connections, limit_s=OPEN_LIMIT_S)
        clients.ask("load", load.rate, 0)
        pause(1)
        begun_s = time.monotonic()
        running.release()
        limit_s = load.deadline_s + load.spread_s + _SLACK_S
        outcome.left_open = clients.ask("closed", limit_s, limit_s=limit_s + 30)["open"]
        said = verdict(clients, origin)
        outcome.message_faults += [f"at the deadline, {fault}" for fault in said.faults]
        ended = [account for account in said.clients.values() if account.at_s]
        outcome.closes = _by_close(ended)
        _note_spread(outcome, sorted(account.at_s for account in ended), load, begun_s)


def _note_spread(outcome: Outcome, at_s: Sequence[float], load: Load, begun_s: float) -> None:
    if not at_s:
        return
    # The machine's monotonic clock is the same in every process.
    outcome.first_close_s = round(at_s[0] - begun_s, 2)
    outcome.last_close_s = round(at_s[-1] - begun_s, 2)
    outcome.unevenness = round(unevenness(at_s, load.spread_s), 3)


def unevenness(at_s: Sequence[float], window_s: float) -> float:
    """The largest distance between closes and an even spread over the window from the first of them, as a part of all."""
    count, first = len(at_s), at_s[0]
    return max(abs((place + 1) / count - min(1.0, (at - first) / window_s)) for place, at in enumerate(at_s))


def _by_close(accounts: Sequence[Any]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for one in accounts:
        word = one.reason.partition(":")[0]
        told = f"1006 ({one.ended})" if one.code is None else f"{one.code} {word or '(no reason)'}"
        counted[told] = counted.get(told, 0) + 1
    return counted


def _pss(running: Running) -> float:
    return round(sum(meter.pss_bytes(root) for root in running.roots()) / MEBIBYTE, 1)


def measure(name: str, version: str, load: Load, *, threads: int) -> Outcome:
    """Both measurements of one proxy. What fails is told in the outcome."""
    one = RELEASABLE[name]
    outcome = Outcome(proxy=one.name, version=version, how=one.how)
    for part in (under_load, at_the_deadline):
        try:
            part(one, load, outcome, threads=threads)
        except (MeasurementError, AssertionError, OSError) as error:
            outcome.failure = f"{outcome.failure}; {error}".lstrip("; ")
    return outcome


def table(outcomes: Sequence[Outcome], load: Load) -> str:
    """All outcomes as Markdown, and a line that says what was done."""
    head = (
        "proxy",
        "connections lost",
        "messages lost, moved or changed",
        "connects that failed",
        "p99 before, during",
        "memory before, after",
        "closed at the deadline as",
        "closes from, to",
        "uneven by",
    )
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(_row(one)) for one in outcomes)]
    said = (
        f"{load.connections:,} connections, {load.rate:,.0f} messages and {load.arrivals:.0f} new connections a second, "
        f"{load.releases} releases; then one with a deadline of {load.deadline_s} s and, where there is one, a window of {load.spread_s} s."
    )
    return "\n".join([said, "", *(f"| {line} |" for line in lines)])


def _row(one: Outcome) -> Iterator[str]:
    yield f"{one.version} (`{one.how}`)"
    yield f"{one.connections_lost:,}{_counts(one.lost_by, brackets=True)}"
    cut = f"{one.messages_cut:,} cut off" if one.messages_cut else "0"
    yield "; ".join([*one.message_faults, cut] if one.message_faults else [cut])
    yield f"{sum(one.refused.values()):,} of {one.opened + sum(one.refused.values()):,}{_counts(one.refused, brackets=True)}"
    yield f"{one.p99_before_ms:.1f}, {one.p99_during_ms:.1f} ms"
    yield f"{one.pss_before_mib:,.0f}, {one.pss_after_mib:,.0f} MiB"
    yield (
        _counts(one.closes)
        + (f"; {one.left_open:,} still open" if one.left_open else "")
        + (one.failure and f" ({one.failure})")
    )
    yield f"{one.first_close_s:.1f} to {one.last_close_s:.1f} s" if one.closes else ""
    yield "" if one.unevenness is None else f"{one.unevenness * 100:.0f} %"


def _counts(counts: Mapping[str, int], *, brackets: bool = False) -> str:
    said = ", ".join(f"{what}: {count:,}" for what, count in sorted(counts.items(), key=lambda pair: -pair[1]))
    return f" ({said})" if brackets and said else said


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep where that is asked; 0 also where something was lost, 1 where nothing could be measured."""
    standard = Load()
    parser = argparse.ArgumentParser(prog="python -m bench.release", description=__doc__)
    parser.add_argument("--only", default=",".join(RELEASABLE), metavar="LIST", help="default: %(default)s")
    parser.add_argument("--connections", type=int, default=standard.connections, metavar="N")
    parser.add_argument("--rate", type=float, default=standard.rate, metavar="N", help="messages a second over all")
    parser.add_argument(
        "--arrivals", type=float, default=standard.arrivals, metavar="N", help="new connections a second"
    )
    parser.add_argument("--releases", type=int, default=standard.releases, metavar="N")
    parser.add_argument("--before", type=float, default=standard.before_s, metavar="S", help="seconds before the first")
    parser.add_argument("--deadline", type=int, default=standard.deadline_s, metavar="S")
    parser.add_argument("--spread", type=int, default=standard.spread_s, metavar="S")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of every proxy")
    parser.add_argument("--json", type=Path, metavar="PATH", help="keep everything here")
    options = parser.parse_args(argv)
    load = Load(
        connections=options.connections,
        rate=options.rate,
        arrivals=options.arrivals,
        releases=options.releases,
        before_s=options.before,
        deadline_s=options.deadline,
        spread_s=options.spread,
    )
    try:
        outcomes = _measured(options.only, load, threads=options.threads)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.status
    print(table(outcomes, load))
    if options.json is not None:
        kept = {"machine": record.machine(), "load": asdict(load), "outcomes": [asdict(one) for one in outcomes]}
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


def _measured(names: str, load: Load, *, threads: int) -> list[Outcome]:
    versions = installed()
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in RELEASABLE:
            raise UnusableError(f"no proxy is named {name!r}; there are {', '.join(RELEASABLE)}")
    outcomes = []
    for name in wanted:
        if name in versions:
            print(f"bench: {name}", file=sys.stderr)
            outcomes.append(measure(name, versions[name], load, threads=threads))
    if not outcomes:
        raise UnusableError("none of the proxies is installed")
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
