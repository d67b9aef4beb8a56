"""The suite: the scenarios against workerd and against ours, and what is made of the two transcripts.

`expected/workerd.json` is what workerd said when it was recorded; `tests/integration/test_worker_transcripts.py` compares ours with that.
`expected/workers.json` lists the differences of ours from it, each with its reason.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from conformance.workers import servers
from conformance.workers.compare import (
    Expected,
    Transcripts,
    differences,
    outdated,
    read_expected,
    read_transcripts,
    unexpected,
    write_expected,
    write_transcripts,
)
from conformance.workers.conversation import Address
from conformance.workers.scenarios import SCENARIOS, SLOW, transcript

EXPECTED = Path(__file__).parents[1] / "expected"
DIFFERENCES, WORKERD = EXPECTED / "workers.json", EXPECTED / "workerd.json"
UNCHANGED = Expected({}, {})


def run(*, is_recorded: bool) -> bool:
    """Run all scenarios against both, and say what is not as expected. Whether all is well. Raises MissingError."""
    print("conformance: the scenarios against workerd and against a Worker of ours; two minutes", flush=True)
    names = list(SCENARIOS)
    servers.workerd_program()
    # Most of the time is waiting, on both sides.
    with ThreadPoolExecutor() as both:
        theirs, ours = both.map(lambda server: _transcript(server, names), (servers.workerd, servers.ours))
    if is_recorded:
        _record(theirs, ours)
    expected, between = read_expected(DIFFERENCES), differences(theirs, ours)
    changed = differences(read_transcripts(WORKERD), theirs)
    found = [f"workerd is not as recorded: {text}" for text in unexpected(changed, UNCHANGED)]
    found += [*unexpected(between, expected), *outdated(between, expected)]
    for text in found:
        print(text)
    lines = sum(map(len, theirs.values()))
    print(f"{len(names)} scenarios, {lines} lines, {len(between)} differences, {len(found)} faults")
    return not found


def quick_names() -> Sequence[str]:
    """The scenarios that wait for no sleep."""
    return [name for name in SCENARIOS if name not in SLOW]


def beside_the_record(ours: Transcripts) -> list[str]:
    """What is not expected in a transcript of ours, beside the recorded one of workerd."""
    recorded = read_transcripts(WORKERD)
    return unexpected(differences({name: recorded[name] for name in ours}, ours), read_expected(DIFFERENCES))


def _transcript(server: Callable[[], AbstractContextManager[Address]], names: Sequence[str]) -> Transcripts:
    with server() as address:
        return transcript(address, names)


def _record(theirs: Transcripts, ours: Transcripts) -> None:
    expected = read_expected(DIFFERENCES) if DIFFERENCES.exists() else UNCHANGED
    write_transcripts(WORKERD, theirs)
    write_expected(DIFFERENCES, expected, differences(theirs, ours))
