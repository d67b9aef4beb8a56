"""The OWASP Core Rule Set on a browser's upgrade: our engine and libmodsecurity in turns, on the same rules and request.

`python -m bench.crs` measures Debian's release; `python -m bench.crs DIR` the one in a folder, ours alone where
libmodsecurity cannot read it. Each figure is the best of several runs, in time of the processor: what else the machine does
only ever adds.
"""

from __future__ import annotations

import argparse
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.decide import upgrade_request
from bench.errors import BenchError, UnusableError
from bench.modsecurity import ModSecurity
from holdfast.app.load_crs import compiled, rule_files
from holdfast.errors import HoldfastError
from holdfast.rules.context import EvaluationContext
from holdfast.rules.managed_ruleset import Overrides
from holdfast.rules.seclang.owasp import OwaspRuleset

DEBIAN = Path("/usr/share/modsecurity-crs")
SETUP = Path("/etc/modsecurity/crs/crs-setup.conf")
# What we want of the engine at paranoia level 1.
TARGET_US = 350.0


@dataclass(frozen=True, slots=True)
class CrsFigures:
    """Microseconds a request; `peer_us` None where libmodsecurity was not measured."""

    release: str
    ours_us: float
    peer_us: float | None


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status: 0, 1 if a measurement failed, 2 if it could not begin."""
    options = _options(argv)
    try:
        _print_figures(options.directory)
    except HoldfastError as error:
        print(f"bench: {error} (`scripts/need bench` says what to install)", file=sys.stderr)
        return UnusableError.status
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.status
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crs",
        description="The OWASP Core Rule Set on a browser's upgrade: Holdfast's engine and libmodsecurity in turns.",
    )
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=DEBIAN,
        metavar="DIR",
        help="a release of the rules (default: that of Debian's package modsecurity-crs, %(default)s)",
    )
    return parser.parse_args(argv)


def crs_figures(directory: Path = DEBIAN, *, calls: int = 500, runs: int = 7) -> CrsFigures:
    """Measure the release in `directory`. Raises HoldfastError for one that cannot be read."""
    ruleset, release = compiled(rule_files(directory))
    ours, peer = _ours(ruleset), _peer(directory)
    best_ours, best_peer = float("inf"), float("inf")
    for _ in range(runs):
        best_ours = min(best_ours, _microseconds(ours, calls))
        if peer is not None:
            best_peer = min(best_peer, _microseconds(peer, calls))
    return CrsFigures(release, best_ours, None if peer is None else best_peer)


def _microseconds(function: Callable[[], object], calls: int) -> float:
    return timeit.timeit(function, number=calls, timer=time.thread_time) / calls * 1e6


def _ours(ruleset: OwaspRuleset) -> Callable[[], object]:
    deployment, request = ruleset.deploy(Overrides()), upgrade_request()
    if found := list(deployment.matches(EvaluationContext(request), ())):
        raise BenchError(f"a browser's upgrade is refused: {found}")
    return lambda: list(deployment.matches(EvaluationContext(request), ()))


def _peer(directory: Path) -> Callable[[], object] | None:
    setup = next(
        (one for one in (directory / "crs-setup.conf", directory / "crs-setup.conf.example") if one.is_file()), SETUP
    )
    try:
        judged = ModSecurity([setup, *sorted((directory / "rules").glob("*.conf"))]).judge(upgrade_request())
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return None
    if status := judged():
        raise BenchError(f"libmodsecurity refuses a browser's upgrade with {status}")
    return judged


def _print_figures(directory: Path) -> None:
    figures = crs_figures(directory)
    verdict = "ok" if figures.ours_us <= TARGET_US else "MISSED"
    print(f"CRS {figures.release}, paranoia level 1, a browser's upgrade:")
    print(f"  Holdfast: {figures.ours_us:.0f} µs (at most {TARGET_US:.0f}: {verdict})")
    if figures.peer_us is not None:
        print(f"  libmodsecurity: {figures.peer_us:.0f} µs ({figures.ours_us / figures.peer_us:.2f} of it)")


if __name__ == "__main__":
    sys.exit(main())
