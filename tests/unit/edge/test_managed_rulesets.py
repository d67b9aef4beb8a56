"""Managed rulesets by id: those that were loaded, and the one that comes with the edge, which is read when it is asked for."""

import subprocess
import sys
from typing import Any

import pytest

from holdfast.edge.managed_rulesets import ManagedRulesets, always_there
from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset
from tests.unit.edge.firewall.rules import FakeManaged

_LOADED = """
import sys
from holdfast.edge.managed_rulesets import ManagedRulesets
given = ManagedRulesets({"4" * 32: "loaded"})
assert given["4" * 32] == "loaded"
print(any(name.startswith("holdfast.rules.managed") for name in sys.modules))
given.get("5" * 32)
print(any(name.startswith("holdfast.rules.managed") for name in sys.modules))
"""


def test_what_comes_with_the_edge_is_there_beside_what_was_loaded() -> None:
    one: Any = FakeManaged()
    found = ManagedRulesets({one.id: one})
    assert found[one.id] is one
    assert found[HOLDFAST_RULESET_ID] is holdfast_ruleset()
    assert set(found) == {one.id, HOLDFAST_RULESET_ID}
    assert len(found) == 2
    assert dict(found.loaded) == {one.id: one}
    assert dict(always_there()) == {HOLDFAST_RULESET_ID: holdfast_ruleset()}
    assert found.get("5" * 32) is None
    with pytest.raises(KeyError):
        found["5" * 32]


def test_what_was_loaded_costs_nothing_of_what_was_not() -> None:
    ended = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["False", "True"]
