"""The Autobahn suite directly, through the edge by ws and wss, and against a Worker, compared case by case.

Law: a case counts as failed where it is worse than npm `ws` directly, or where it is not as expected.
"""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import starmap
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from conformance import autobahn
from conformance.missing import MissingError
from conformance.verdict import Outcome, case_key, differences, worse_cases

HERE = Path(__file__).parent
EXPECTED = HERE / "expected" / "autobahn.json"
HOLDFAST = Path(sys.executable).with_name("holdfast")
ECHO_WORKER = HERE / "echo_worker"
DIRECT, PLAIN, TLS = "direct", "through the edge by ws", "through the edge by wss"
STANDARD, HIBERNATION = "a Worker, standard API", "a Worker, hibernation API"

# A thousand compressed messages of 64 KiB and more, or in fragments of 256 bytes: most of an hour in Python 2.7, and the edge
# neither compresses nor holds messages. 12.1 has the same sizes once and is run whole; --all runs the rest.
LEFT_OUT = tuple(
    f"{group}.{number}"
    for group in [f"12.{n}" for n in range(2, 6)] + [f"13.{n}" for n in range(1, 8)]
    for number in (9, 10, *range(13, 19))
)

# Cases that send a message and then what breaks the protocol, at once. The suite calls it non-strict where the echo of the message does not
# come before the Close; a Worker answers from another process, and may be too late. Either is well (RFC 6455 §7.1.7 demands no answer).
RACED = frozenset({"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"})
# Cases that want the server's windows to be of 512 bytes: an edge that compresses has windows of the full size alone, and declines the
# extension then, as RFC 7692 §7.1.2.1 lets it. The suite calls that unimplemented.
DECLINED = ("13.3.", "13.5.")


@contextmanager
def echo_server() -> Iterator[int]:
    """The origin: npm `ws` echoing, with permessage-deflate. Its port."""
    node = shutil.which("node")
    if node is None:
        raise MissingError("the echo server needs Node.js: apt-get install nodejs")
    if not (HERE.parent / "node_modules" / "ws").exists():
        raise MissingError("the echo server needs npm's ws: npm ci")
    with subprocess.Popen(
        [node, str(HERE / "echo.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


def edge(origin_port: int) -> AbstractContextManager[list[str]]:
    """The edge in front of it. Its `ws` and `wss` URLs."""
    return holdfast_up(f"http://127.0.0.1:{origin_port}", "--tls-listen", "127.0.0.1:0", listeners=2)


@contextmanager
def holdfast_up(*arguments: str | Path, listeners: int) -> Iterator[list[str]]:
    """`holdfast up` with these arguments and free ports, which must end well. The URLs of its listeners."""
    if not HOLDFAST.exists():
        raise MissingError(f"there is no {HOLDFAST.name} beside this Python: make setup")
    with TemporaryDirectory(prefix="hf") as data:
        command: list[str | Path] = [HOLDFAST, "up", *arguments, "--data", data, "--log", f"{data}/log"]
        command += ["--listen", "127.0.0.1:0"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                ready = [process.stdout.readline() for _ in range(listeners)]
                if not all(line.startswith("ready: ") for line in ready):
                    raise MissingError(f"the edge did not start: it said {ready}")
                yield [line.split()[1] for line in ready]
            finally:
                process.send_signal(signal.SIGINT)
            if (status := process.wait(30)) != 0:
                raise MissingError(
                    f"the edge ended with status {status}; its log was {Path(data, 'log').read_text()[-2000:]}"
                )


def read_expected() -> dict[str, dict[str, Outcome]]:
    """The recorded result: agent -> case -> outcome. Empty before the first `--record`."""
    if not EXPECTED.exists():
        return {}
    recorded = json.loads(EXPECTED.read_text())
    return {agent: {case: Outcome(*said) for case, said in cases.items()} for agent, cases in recorded.items()}


def write_expected(results: Mapping[str, Mapping[str, Outcome]]) -> None:
    """Record a result, one case a line, so that a change is seen in review. What was not run stays as it was."""
    agents = []
    before = read_expected()
    for agent in {**before, **results}:
        cases = {**before.get(agent, {}), **results.get(agent, {})}
        lines = [
            f"    {json.dumps(case)}: {json.dumps(dataclasses.astuple(cases[case]))}"
            for case in sorted(cases, key=case_key)
        ]
        agents.append(f"  {json.dumps(agent)}: {{\n" + ",\n".join(lines) + "\n  }")
    EXPECTED.parent.mkdir(exist_ok=True)
    EXPECTED.write_text("{\n" + ",\n".join(agents) + "\n}\n")


def settled(case: str, outcome: Outcome) -> tuple[str, Outcome]:
    """The outcome of a Worker, whoever came first."""
    is_late = case in RACED and outcome.behavior == "NON-STRICT"
    return case, dataclasses.replace(outcome, behavior="OK") if is_late else outcome


def compare(
    results: Mapping[str, Mapping[str, Outcome]],
    directly: Mapping[str, Outcome],
    expected: Mapping[str, Mapping[str, Outcome]],
) -> list[str]:
    """Print how each agent fared; all that is worse than `directly` or not as expected."""
    faults = []
    for agent, cases in results.items():
        worse = worse_cases(cases, {case: outcome for case, outcome in directly.items() if case in cases})
        unexpected = differences(cases, expected.get(agent, {}))
        faults += [f"worse {agent}: {sentence}" for sentence in worse]
        faults += [f"not as expected, {agent}: {sentence}" for sentence in unexpected]
        good = sum(outcome.behavior in {"OK", "INFORMATIONAL"} for outcome in cases.values())
        print(f"{agent}: {len(cases)} cases, {good} pass strictly, {len(worse)} worse than directly")
    return faults


@contextmanager
def through_the_edge() -> Iterator[dict[str, str]]:
    """An origin, directly and behind an edge: agent -> URL."""
    with echo_server() as port, edge(port) as (plain, tls):
        yield {DIRECT: f"ws://127.0.0.1:{port}", PLAIN: plain, TLS: tls}


@contextmanager
def of_a_worker() -> Iterator[dict[str, str]]:
    """A Worker that echoes, where the edge itself is the server: agent -> URL."""
    with holdfast_up("--worker", ECHO_WORKER, listeners=1) as (plain,):
        yield {STANDARD: f"{plain.rstrip('/')}/standard", HIBERNATION: f"{plain.rstrip('/')}/hibernation"}


def run(cases: Sequence[str], *, is_worker: bool, is_all: bool, is_recorded: bool) -> bool:
    """Run the cases (patterns such as `6.*`), compare, report. Whether all is well. Raises MissingError.

    `is_worker` asks a Worker instead of an origin; `is_all` leaves none of LEFT_OUT out; `is_recorded` writes the result
    down as the one to expect.
    """
    start = monotonic()
    python = autobahn.python2()
    place = autobahn.install(python)
    with of_a_worker() if is_worker else through_the_edge() as agents:
        print(f"conformance: running the Autobahn suite against {', '.join(agents)}", flush=True)
        results = autobahn.run(python, place, agents, cases, leave_out=() if is_all else LEFT_OUT)
    if is_worker:
        results = {agent: dict(starmap(settled, found.items())) for agent, found in results.items()}
    if is_recorded:
        write_expected(results)
    expected = read_expected()
    directly = results.get(DIRECT, expected.get(DIRECT, {}))
    if is_worker:
        directly = {case: outcome for case, outcome in directly.items() if not case.startswith(DECLINED)}
    faults = compare(results, directly, expected)
    for fault in faults:
        print(fault)
    counts = [len(cases) for cases in results.values()]
    print(f"{sum(counts) - len(faults)} passed, {len(faults)} failed")
    print(
        f"conformance: {monotonic() - start:.0f} s; every byte of every case is in conformance/out/reports/index.html"
    )
    return not faults and min(counts) > 0
