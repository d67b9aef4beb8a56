"""`python -m conformance [SUITE...]`: other people's suites against Holdfast, and the long form of tests of our own.

Ends with 0 where every suite is well, 1 where one is not, 2 where something is missing.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance import api_schema, crs, through_the_edge
from conformance.installation import installation
from conformance.missing import MissingError
from conformance.workers import suite as worker_suite

ROOT = Path(__file__).parent.parent
CRASH_TESTS = ("tests/integration/test_crash_writes.py", "tests/integration/test_crash_serving.py")


def autobahn(options: argparse.Namespace) -> bool:
    """The Autobahn suite, through the edge or against a Worker."""
    return through_the_edge.run(options.cases, is_worker=options.worker, is_all=options.all, is_recorded=options.record)


def api(options: argparse.Namespace) -> bool:
    """Schemathesis, against the API."""
    print(f"conformance: schemathesis asks the API, seed {options.seed}; some minutes", flush=True)
    with TemporaryDirectory() as data, installation(Path(data) / "data") as (base, token):
        is_well, said = api_schema.run(api_schema.Subject(base, token), seed=options.seed, examples=options.examples)
    print(said)
    return is_well


def crashes(options: argparse.Namespace) -> bool:
    """Kills during writes, with many seeds."""
    print(f"conformance: each process is killed during writes, {options.rounds} seeds", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *CRASH_TESTS]
    environment = {**os.environ, "CRASH_ROUNDS": str(options.rounds)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def core_rules(options: argparse.Namespace) -> bool:
    """The OWASP Core Rule Set's regression tests, against our engine."""
    if options.crs is None:
        raise MissingError("crs needs --crs DIR, a copy of a release of the OWASP Core Rule Set with its tests")
    return crs.run(options.crs, options.crs_rules, is_recorded=options.record, is_beside=options.beside)


def workers(options: argparse.Namespace) -> bool:
    """Workers and Durable Objects, beside workerd."""
    return worker_suite.run(is_recorded=options.record)


SUITES: Mapping[str, Callable[[argparse.Namespace], bool]] = {
    "autobahn": autobahn,
    "api": api,
    "crashes": crashes,
    "crs": core_rules,
    "workers": workers,
}


def main() -> int:
    """Run the suites that are asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument(
        "suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; all of them but crs if none is named"
    )
    parser.add_argument("--cases", nargs="+", default=["*"], help="autobahn: patterns of case numbers, such as 6.*")
    parser.add_argument("--all", action="store_true", help="autobahn: leave none out, about an hour")
    parser.add_argument("--worker", action="store_true", help="autobahn: ask a Worker that echoes, by both APIs")
    parser.add_argument("--record", action="store_true", help="autobahn, crs, workers: write the result to expected/")
    parser.add_argument("--crs", type=Path, metavar="DIR", help="crs: a copy of a release, with its tests")
    parser.add_argument(
        "--crs-rules",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="crs: folders of the rules, if not that copy",
    )
    parser.add_argument("--beside", action="store_true", help="crs: ask libmodsecurity about the same requests")
    parser.add_argument("--seed", type=int, default=1, help="api: where its chance begins")
    parser.add_argument("--examples", type=int, default=100, help="api: most questions of a kind for one operation")
    parser.add_argument("--rounds", type=int, default=10, help="crashes: how many seeds")
    options = parser.parse_args()
    if unknown := set(options.suites) - SUITES.keys():
        parser.error(f"there is no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    try:
        results = {name: SUITES[name](options) for name in options.suites or _usual(options)}
    except MissingError as missing:
        print(f"conformance: {missing}", file=sys.stderr)
        return 2
    for name, is_well in results.items():
        print(f"conformance: {name}: {'well' if is_well else 'NOT WELL'}")
    return 0 if all(results.values()) else 1


def _usual(options: argparse.Namespace) -> list[str]:
    """What runs if nothing is named: everything there is something to run for."""
    return [name for name in SUITES if name != "crs" or options.crs is not None]


if __name__ == "__main__":
    sys.exit(main())
