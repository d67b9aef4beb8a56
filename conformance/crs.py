"""The regression tests of the OWASP Core Rule Set against the engine, through the edge's own HTTP.

The tests and the rules come from a copy of a release outside this repository. Each request is sent to an edge in this
process; what the edge makes of it is judged by the rules at paranoia level 4, as the tests expect.

Law 1: a case that does not end as expected is well only where `expected/crs.json` names it, with the reason.
Law 2: a case that is named there and does end as expected is not well either: the file is never behind the code.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.crs_beside import Beside
from conformance.crs_cases import Case, LeftOut, cases_in
from conformance.missing import MissingError
from holdfast._native import Edge
from holdfast.edge.decision import Respond
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from holdfast.rules.context import EvaluationContext
from holdfast.rules.seclang.engine import Engine, text_of
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.owasp import release_of
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.reader import read
from holdfast.rules.seclang.request_variables import RequestVariables
from holdfast.rules.seclang.syntax_tree import Rulebook

EXPECTED = Path(__file__).parent / "expected" / "crs.json"
TARGET = 0.97
LIMIT_S = 10
# What the tests' own instructions tell to set (tests/regression/README.md of a release).
SETTINGS = {
    "arg_length": "400",
    "arg_name_length": "100",
    "blocking_paranoia_level": "4",
    "combined_file_sizes": "65535",
    "crs_validate_utf8_encoding": "1",
    "detection_paranoia_level": "4",
    "executing_paranoia_level": "4",
    "inbound_anomaly_score_threshold": "5",
    "max_file_size": "64100",
    "max_num_args": "255",
    "paranoia_level": "4",
    "total_arg_length": "64000",
}


@dataclass
class Result:
    """What came of the tests: names of those that passed, that the edge refused, and complaints by name of the others."""

    passed: list[str] = field(default_factory=list)
    failed: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """How many of those that reached the rules passed."""
        judged = len(self.passed) + len(self.failed)
        return len(self.passed) / judged if judged else 0.0


def run(folder: Path, rules: Sequence[Path], *, is_recorded: bool, is_beside: bool) -> bool:
    """Run the tests of the release in `folder` on its rules, or on those in the folders `rules`; with `is_beside`, ask
    libmodsecurity too. Raises MissingError."""
    folders = rules or [folder, folder / "rules"]
    rulebook = _rulebook(folders)
    release = release_of(rulebook)
    beside = Beside(folders, SETTINGS) if is_beside else None
    result = _judge(folder / "tests" / "regression" / "tests", rulebook, beside)
    expected = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {}
    reasons: dict[str, str] = expected.get(release, {})
    _print(release, result, reasons)
    if is_recorded:
        kept = {name: reasons.get(name, "to be explained") for name in sorted(result.failed)}
        EXPECTED.write_text(
            json.dumps(expected | {release: kept}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        return True
    is_agreed = beside is None or beside.is_well()
    return result.failed.keys() == reasons.keys() and result.share >= TARGET and is_agreed


def _print(release: str, result: Result, reasons: Mapping[str, str]) -> None:
    judged = len(result.passed) + len(result.failed)
    print(f"conformance: CRS {release}: {len(result.passed)} of {judged} as expected ({result.share:.2%})")
    for name, complaints in sorted(result.failed.items()):
        print(f"  {name}: {'; '.join(complaints)} -- {reasons.get(name, 'NOT EXPECTED')}")
    for name in sorted(reasons.keys() - result.failed.keys()):
        print(f"  {name}: is as expected now; remove it from {EXPECTED.name}")
    answers = Counter(result.refused.values())
    refused = ", ".join(f"{answer or 'closed'}: {count}" for answer, count in sorted(answers.items()))
    print(
        f"  refused by the edge before any rule: {len(result.refused)} ({refused}): {' '.join(sorted(result.refused))}"
    )
    print(f"  left out: {', '.join(f'{reason}: {count}' for reason, count in result.left_out.most_common())}")


def _rulebook(folders: Sequence[Path]) -> Rulebook:
    files = {
        path.name: path.read_bytes()
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix in (".conf", ".data", ".example") and path.is_file()
    }
    try:
        return read(files)
    except SecLangError as error:
        raise MissingError(f"the rules cannot be read: {error}") from error


def _judge(tests: Path, rulebook: Rulebook, beside: Beside | None) -> Result:
    files = sorted(tests.glob("REQUEST-*/*.yaml"))
    if not files:
        raise MissingError(f"there are no regression tests in {tests}: give a copy of a release of the Core Rule Set")
    pinned = {name.encode(): value.encode() for name, value in SETTINGS.items()}
    engine = Engine(rulebook.items, PatternCache(), pinned=pinned)
    result = Result()
    numbers = {rule.id for rule in rulebook.rules if rule.phase < 3}
    with _listening() as edge:
        for path in files:
            for case in cases_in(path.name, path.read_text(encoding="utf-8")):
                if isinstance(case, LeftOut):
                    result.left_out[case.reason] += 1
                else:
                    request, found = _judge_case(case, edge, engine, result)
                    if beside is not None and request is not None:
                        beside.compare(case.name, request, found, numbers)
    return result


def _judge_case(case: Case, edge: _Ear, engine: Engine, result: Result) -> tuple[Request | None, Mapping[int, str]]:
    request, status = edge.hear(case.request)
    if request is None:
        result.refused[case.name] = status
        return None, {}
    found = _findings(engine, request)
    if complaints := case.complaints(found):
        result.failed[case.name] = complaints
    else:
        result.passed.append(case.name)
    return request, found


def _findings(engine: Engine, request: Request) -> dict[int, str]:
    """A line of a log for each rule that was found, as ModSecurity words them."""
    transaction = engine.begin(RequestVariables(EvaluationContext(request)), {})
    lines = {}
    for finding in engine.findings(transaction):
        rule = finding.rule
        message, data = text_of(rule.message, transaction), text_of(rule.log_data, transaction)
        tags = "".join(f' [tag "{tag}"]' for tag in rule.tags)
        lines[rule.id] = f'[id "{rule.id}"] [msg "{message}"] [data "{data}"]{tags}'
    return lines


class _Ear:
    """An edge in this process that answers everything itself, and says what it was asked."""

    def __init__(self, address: tuple[str, int], asked: list[Request]) -> None:
        self._address, self._asked = address, asked

    def hear(self, data: bytes) -> tuple[Request | None, int]:
        """What the edge made of these bytes, and the status it answered with; 0: none."""
        self._asked.clear()
        answer = b""
        with socket.create_connection(self._address, timeout=LIMIT_S) as client, suppress(ConnectionError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                answer += piece
        status = answer.split(b" ", 2)[1:2]
        return (self._asked[0] if self._asked else None), int(status[0]) if status else 0


@contextmanager
def _listening() -> Iterator[_Ear]:
    asked: list[Request] = []

    def decide(request: Request) -> Respond:
        asked.append(request)
        return Respond(status=204)

    def answer(_: Fault) -> Respond:
        return Respond(status=502)

    listener = socket.create_server(("127.0.0.1", 0))
    address: Any = listener.getsockname()
    log = os.open(os.devnull, os.O_WRONLY)
    edge = Edge(listeners=[(listener.detach(), False)], threads=1, decide=decide, answer=answer, log_fd=log)
    edge.start()
    try:
        yield _Ear(address[:2], asked)
    finally:
        edge.stop(grace_s=1)
        os.close(log)
