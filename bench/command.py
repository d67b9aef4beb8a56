"""The command line: reads the options, runs the rounds, prints the table, keeps the record."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from bench import certificate, generator, record, rounds
from bench.cases import CASES, FIGURES, Case, Leg, cases_named
from bench.errors import BenchError, MissingError, UnusableError
from bench.figures import OURS, Measurement, missed, rows
from bench.generator import FULL, QUICK
from bench.measure import Bench
from bench.proxies import PROXIES
from bench.table import table

PEERS = tuple(name for name in PROXIES if name != OURS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status: 0, 1 if a measurement failed, 2 if it could not begin."""
    options = _options(argv)
    return stoppable(lambda: max(_run(options), _run_workers(options)))


def stoppable(run: Callable[[], int]) -> int:
    """What `run` returns; where it raises, a sentence, and the exit status of that. SIGTERM ends it as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        return run()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(_signal: int, _frame: FrameType | None) -> None:
    # Unwinds through the context managers that stop the children.
    raise KeyboardInterrupt


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Holdfast beside its peers, in one table of one run. Less is better everywhere.",
        epilog=f"Cases: {', '.join(case.name for case in CASES)}. docs/benchmark.md says what each measures. "
        "Without --case and --only, Workers are measured beside workerd too: python -m bench.workers.",
    )
    parser.add_argument(
        "--rounds", type=positive, metavar="N", help="rounds; the table shows medians (default: 5, quick: 1)"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: shows that all works, not how fast")
    parser.add_argument("--only", choices=[str(leg) for leg in Leg], help="one leg instead of both")
    parser.add_argument(
        "--peers", default=",".join(PEERS), metavar="LIST", help="default: %(default)s; 'none' for ours alone"
    )
    parser.add_argument("--without-ours", action="store_true", help="measure the peers alone")
    parser.add_argument("--without-workers", action="store_true", help="no Workers beside workerd after the proxies")
    parser.add_argument("--case", default="", metavar="LIST", help="cases, or beginnings of their names (default: all)")
    parser.add_argument("--threads", type=positive, default=2, metavar="N", help="threads of every proxy (default: 2)")
    parser.add_argument("--record", metavar="LABEL", help="keep the run as bench/record/DATE-LABEL.{json,md}")
    return parser.parse_args(argv)


def positive(text: str) -> int:
    """A number of an option, 1 at least."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is wanted")
    return number


def _run(options: argparse.Namespace) -> int:
    label = record.check_label(options.record) if options.record else None
    cases = _cases(options.case)
    legs = [Leg(options.only)] if options.only else list(Leg)
    proxies = _proxies(options)
    effort = QUICK if options.quick else FULL
    count = options.rounds or (1 if options.quick else 5)
    say("building the load generator and the echo origin")
    programs = generator.build()
    decided = _decide_us() if OURS in proxies else None
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        origin, port = generator.echo(programs, directory)
        stack.enter_context(origin)
        pair = certificate.make(directory)
        bench = Bench(programs=programs, origin_port=port, pair=pair, threads=options.threads, effort=effort)
        measurements = rounds.run(
            rounds.turns(count, legs, cases, list(proxies)),
            lambda turn: bench.measure(PROXIES[turn.proxy], turn.leg, turn.case),
            lambda one: _progress(one, count),
        )
    results = rows(measurements)
    markdown = table(results, list(proxies), decide_us=decided)
    print(markdown)
    if label is not None:
        facts = {
            "machine": record.machine(),
            "versions": proxies,
            "rounds": count,
            "threads": options.threads,
            "quick": options.quick,
            "decide_us": decided,
        }
        stem = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-{label}"
        kept = [record.flat(one) for one in measurements]
        paths = record.write(stem, facts=facts, measurements=kept, markdown=markdown)
        say(f"kept as {' and '.join(str(path.relative_to(generator.ROOT)) for path in paths)}")
    return _close(measurements, len(missed(results)))


def _run_workers(options: argparse.Namespace) -> int:
    """Workers beside workerd, unless only some of the proxies' cases were asked for."""
    if options.without_workers or options.without_ours or options.case or options.only:
        return 0
    from bench.workers import command  # noqa: PLC0415  (it uses what is above, and needs the built package)

    label = f"{options.record}-workers"[: record.MAX_LABEL] if options.record else None
    workers = command.Options(rounds=options.rounds, quick=options.quick, threads=options.threads, record=label)
    print()
    return command.run(workers)


def _cases(names: str) -> tuple[Case, ...]:
    if not names:
        return CASES
    try:
        return cases_named(names)
    except ValueError as error:
        raise UnusableError(str(error)) from None


def _proxies(options: argparse.Namespace) -> dict[str, str]:
    """Those that are asked for and installed, and their versions."""
    asked = [name for name in options.peers.split(",") if name and name != "none"]
    for name in asked:
        if name not in PEERS:
            raise UnusableError(f"no peer is named {name!r}; there are {', '.join(PEERS)}")
    found: dict[str, str] = {}
    for name in ([] if options.without_ours else [OURS]) + asked:
        try:
            found[name] = PROXIES[name].version()
        except MissingError as sentence:
            say(str(sentence))
    if not found:
        raise UnusableError("no proxy is left to measure")
    if asked and not found.keys() - {OURS}:
        raise UnusableError("none of the peers is installed; there is nothing to compare with")
    return found


def _decide_us() -> float | None:
    try:
        from bench.decide import decide_us  # noqa: PLC0415  (needs the built package; the rest does not)
    except ImportError as error:
        say(f"decide is not measured: {error}")
        return None
    return decide_us()


def _progress(one: Measurement, count: int) -> None:
    first = FIGURES[one.case.kind][0]
    told = one.failure or f"{one.figures[first.key]:,.1f} {first.unit}"
    say(f"round {one.round + 1}/{count} {one.leg:5} {one.case.name:16} {one.proxy:8} {told}")


def _close(measurements: Sequence[Measurement], missed_targets: int) -> int:
    failed = [one for one in measurements if one.failure is not None]
    for one in failed:
        say(f"failed: {one.leg} {one.case.name} {one.proxy}, round {one.round + 1}: {one.failure}")
    if missed_targets:
        say(f"{missed_targets} target(s) missed")
    return 1 if failed else 0


def say(text: str) -> None:
    """Tell whoever watches, not who reads the table."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
