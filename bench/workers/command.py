"""The command line: reads the options, takes the turns, prints the table, keeps the record."""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import generator, record
from bench.command import positive, say, stoppable
from bench.errors import MeasurementError, MissingError, UnusableError
from bench.workers.cases import CASES, FULL, OURS, QUICK, Case, Effort, cases_named
from bench.workers.figures import Measurement, Turn, missed, rows, turns
from bench.workers.measure import Bench
from bench.workers.sides import versions
from bench.workers.table import table


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status: 0, 1 if a measurement failed, 2 if it could not begin."""
    options = _options(argv)
    return stoppable(lambda: run(options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked for. `rounds` None: as many as the effort has; `only` None: all cases."""

    rounds: int | None = None
    quick: bool = False
    only: str | None = None
    without_peer: bool = False
    threads: int = 2
    record: str | None = None


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m bench.workers",
        description="Workers and Durable Objects beside workerd, with the same object, in one table of one run.",
        epilog=f"Cases: {', '.join(case.name for case in CASES)}. docs/benchmark.md says what each measures.",
    )
    parser.add_argument("--rounds", type=positive, metavar="N", help="rounds (default: 5, quick: 1)")
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that all works, not how fast")
    parser.add_argument("--only", metavar="LIST", help="these cases, with commas between (default: all)")
    parser.add_argument("--without-peer", action="store_true", help="measure Holdfast alone")
    parser.add_argument("--threads", type=positive, default=2, metavar="N", help="of the edge (default: 2)")
    parser.add_argument("--record", metavar="LABEL", help="keep the run as bench/record/DATE-LABEL.{json,md}")
    return Options(**vars(parser.parse_args(argv)))


def run(options: Options) -> int:
    """Measure what `options` ask for, and print it. Raises BenchError."""
    label = record.check_label(options.record) if options.record else None
    cases = _cases(options.only)
    effort = QUICK if options.quick else FULL
    effort = replace(effort, rounds=options.rounds or effort.rounds)
    _raise_limits()
    sides = _sides(without_peer=options.without_peer)
    say("building the load generator")
    programs = generator.build()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        bench = Bench(programs, Path(name), effort, threads=options.threads)
        measurements = [_taken(bench, turn, effort) for turn in turns(cases, effort.rounds, list(sides))]
    found = rows(measurements)
    markdown = table(found, effort)
    print(markdown)
    if label is not None:
        facts = {"machine": record.machine(), "versions": sides, "rounds": effort.rounds, "threads": options.threads}
        stem = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-{label}"
        kept = [one.flat() for one in measurements]
        paths = record.write(stem, facts={**facts, "quick": options.quick}, measurements=kept, markdown=markdown)
        say(f"kept as {' and '.join(str(path.relative_to(generator.ROOT)) for path in paths)}")
    return _close(measurements, len(missed(found)))


def _cases(names: str | None) -> tuple[Case, ...]:
    if names is None:
        return CASES
    try:
        return cases_named(names)
    except ValueError as error:
        raise UnusableError(str(error)) from None


def _sides(*, without_peer: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, version_of in versions().items():
        if name != OURS and without_peer:
            continue
        try:
            found[name] = version_of()
        except MissingError as sentence:
            if name == OURS:
                raise UnusableError(str(sentence)) from None
            say(f"{sentence}; {name} is left out")
    return found


def _raise_limits() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _taken(bench: Bench, turn: Turn, effort: Effort) -> Measurement:
    try:
        figures, failure = bench.measure(turn), None
    except MeasurementError as error:
        figures, failure = {}, str(error)
    one = Measurement(round=turn.round, case=turn.case, side=turn.side, figures=figures, failure=failure)
    first = turn.case.figures[0]
    told = failure or f"{figures[first.key]:,.{first.digits}f} {first.unit}".strip()
    rounds = 1 if turn.case.once else effort.rounds
    say(f"round {turn.round + 1}/{rounds} {turn.case.name:10} {turn.side:8} {told}")
    return one


def _close(measurements: Sequence[Measurement], missed_targets: int) -> int:
    failed = [one for one in measurements if one.failure is not None]
    for one in failed:
        say(f"failed: {one.case.name} {one.side}, round {one.round + 1}: {one.failure}")
    if missed_targets:
        say(f"{missed_targets} target(s) missed")
    sys.stdout.flush()
    return 1 if failed else 0
