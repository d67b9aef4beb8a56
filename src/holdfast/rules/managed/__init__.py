"""The Holdfast Managed Ruleset, which comes with the edge: rules for requests that ask for a WebSocket, and what surrounds them.

    holdfast_ruleset() -> ManagedRuleset      read and compiled by the first who asks, once a process

The rules are text, `texts/*.rules`; how one is written says `rule_file`. Their order is that of the files' names.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from holdfast.rules.managed.rule_file import RuleFile, read_rule_file
from holdfast.rules.managed.ruleset import HoldfastRuleset, compile_files

HOLDFAST_RULESET_ID = "3f0c1d5a7e9b4c28a6d4e1b07c5f9a32"
# Rises with every change of a rule; a test compares it with what the texts were.
VERSION = "1"


@cache
def holdfast_ruleset() -> HoldfastRuleset:
    """The ruleset. The first call takes some milliseconds. Raises RuleFileError if a rule does not compile."""
    return HoldfastRuleset(
        id=HOLDFAST_RULESET_ID,
        name="Holdfast Managed Ruleset",
        description="Attacks on the request that asks for a WebSocket, and on the requests around it.",
        version=VERSION,
        files=compile_files(rule_files()),
    )


def rule_files() -> tuple[RuleFile, ...]:
    """The files as they were written, with the requests that their rules must and must not match."""
    texts = (one for one in resources.files(__name__).joinpath("texts").iterdir() if one.name.endswith(".rules"))
    return tuple(
        read_rule_file(one.name, one.read_text(encoding="utf-8")) for one in sorted(texts, key=lambda one: one.name)
    )
