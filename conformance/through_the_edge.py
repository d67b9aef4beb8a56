"""The Autobahn suite directly and through the edge by ws and wss, compared case by case.

Law: a case counts as failed where the edge makes it worse, or where it is not as expected.
"""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from conformance import autobahn
from conformance.missing import MissingError
from conformance.verdict import Outcome, case_key, differences, worse_cases

HERE = Path(__file__).parent
EXPECTED = HERE / "expected" / "autobahn.json"
HOLDFAST = Path(sys.executable).with_name("holdfast")
DIRECT, PLAIN, TLS = "direct", "through the edge by ws", "through the edge by wss"

# A thousand compressed messages of 64 KiB and more, or in fragments of 256 bytes: most of an hour in Python 2.7, and the edge
# neither compresses nor holds messages. 12.1 has the same sizes once and is run whole; --all runs the rest.
LEFT_OUT = tuple(
    f"{group}.{number}"
    for group in [f"12.{n}" for n in range(2, 6)] + [f"13.{n}" for n in range(1, 8)]
    for number in (9, 10, *range(13, 19))
)


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


@contextmanager
def edge(origin_port: int) -> Iterator[tuple[str, str]]:
    """The edge in front of it. Its `ws` and `wss` URLs."""
    if not HOLDFAST.exists():
        raise MissingError(f"there is no {HOLDFAST.name} beside this Python: make setup")
    with TemporaryDirectory() as data:
        command: list[str | Path] = [
            HOLDFAST,
            "up",
            f"http://127.0.0.1:{origin_port}",
            "--data",
            data,
            "--log",
            f"{data}/log",
        ]
        command += ["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                ready = [process.stdout.readline() for _ in range(2)]
                if not all(line.startswith("ready: ") for line in ready):
                    raise MissingError(f"the edge did not start: it said {ready}")
                plain, tls = (line.split()[1] for line in ready)
                yield plain, tls
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
    """Record a result, one case a line, so that a change is seen in review. Cases that were not run stay as they were."""
    agents = []
    for agent, found in results.items():
        cases = {**read_expected().get(agent, {}), **found}
        lines = [
            f"    {json.dumps(case)}: {json.dumps(dataclasses.astuple(cases[case]))}"
            for case in sorted(cases, key=case_key)
        ]
        agents.append(f"  {json.dumps(agent)}: {{\n" + ",\n".join(lines) + "\n  }")
    EXPECTED.parent.mkdir(exist_ok=True)
    EXPECTED.write_text("{\n" + ",\n".join(agents) + "\n}\n")


def compare(results: Mapping[str, Mapping[str, Outcome]], expected: Mapping[str, Mapping[str, Outcome]]) -> list[str]:
    """Print how each agent fared; all that is worse or not as expected."""
    faults = []
    for agent, cases in results.items():
        worse = worse_cases(cases, results[DIRECT])
        unexpected = differences(cases, expected.get(agent, {}))
        faults += [f"worse {agent}: {sentence}" for sentence in worse]
        faults += [f"not as expected, {agent}: {sentence}" for sentence in unexpected]
        good = sum(outcome.behavior in {"OK", "INFORMATIONAL"} for outcome in cases.values())
        print(f"{agent}: {len(cases)} cases, {good} pass strictly, {len(worse)} worse than directly")
    return faults


def run(cases: Sequence[str], *, is_all: bool, is_recorded: bool) -> bool:
    """Run the cases (patterns such as `6.*`), compare, report. Whether all is well. Raises MissingError.

    `is_all` leaves none of LEFT_OUT out; `is_recorded` writes the result down as the one to expect.
    """
    start = monotonic()
    python = autobahn.python2()
    place = autobahn.install(python)
    with echo_server() as port, edge(port) as (plain, tls):
        agents = {DIRECT: f"ws://127.0.0.1:{port}", PLAIN: plain, TLS: tls}
        print(f"conformance: running the Autobahn suite against {', '.join(agents)}", flush=True)
        results = autobahn.run(python, place, agents, cases, leave_out=() if is_all else LEFT_OUT)
    if is_recorded:
        write_expected(results)
    faults = compare(results, read_expected())
    for fault in faults:
        print(fault)
    counts = [len(cases) for cases in results.values()]
    print(f"{sum(counts) - len(faults)} passed, {len(faults)} failed")
    print(
        f"conformance: {monotonic() - start:.0f} s; every byte of every case is in conformance/out/reports/index.html"
    )
    return not faults and min(counts) > 0
