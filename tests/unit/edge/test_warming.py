"""What is made ready beforehand: step by step, with pauses, and then a rule that executes it finds all of it done."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.edge.warming import Warming
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from tests.unit.edge.firewall.rules import a_rule, a_ruleset
from tests.unit.edge.live_parts import Parts, full
from tests.unit.edge.origins import a_document

_READY = f"""
from holdfast.edge.managed_rulesets import always_there
from holdfast.edge.warming import Warming
from holdfast.rules.managed_ruleset import Overrides
from holdfast.rules.program import CHUNKS
pauses, steps = [], 0
warming = Warming(pause=lambda: pauses.append(1), log=print)
while warming.is_left:
    warming.step()
    steps += 1
made = CHUNKS.statistics()["program_compilations"]
always_there()["{HOLDFAST_RULESET_ID}"].deploy(Overrides())
print(steps > 20, len(pauses) > 100, made > 20, CHUNKS.statistics()["program_compilations"] - made)
"""


def test_what_is_ready_is_not_made_again() -> None:
    ended = subprocess.run([sys.executable, "-c", _READY], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["True", "True", "True", "0"]


@pytest.mark.parametrize("fails", [False, True])
def test_it_ends_after_its_last_step_or_the_first_that_fails(fails: bool) -> None:
    said: list[Any] = []

    def steps(pause: Callable[[], None]) -> Iterator[None]:
        pause()
        yield
        if fails:
            raise ValueError("no such file")

    warming = Warming(pause=lambda: said.append("pause"), log=lambda *record: said.append(record), steps=steps)
    was_left = []
    for _ in range(3):
        was_left.append((warming.is_left, len(said)))
        warming.step()
    assert was_left == [(True, 0), (True, 1), (False, 2 if fails else 1)]
    expected = [("warming_failed", {"reason": "ValueError: no such file"})] if fails else []
    assert said == ["pause", *expected]


def test_an_edge_without_rules_makes_nothing_ready() -> None:
    parts = Parts()
    parts.live.apply_full(full(1, a_document("a.test")))
    due = [parts.live.warming_is_due]
    parts.live.apply_full(full(2, a_document("a.test", rulesets=(a_ruleset(a_rule("r")),))))
    while parts.live.warming_is_due:
        due.append(parts.live.warming_is_due)
        parts.live.warm()
    assert due[:2] == [False, True]
    assert parts.log == []
