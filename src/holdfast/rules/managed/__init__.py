"""The Holdfast Managed Ruleset, which comes with the edge: rules for requests that ask for a WebSocket, and what surrounds them.

    holdfast_ruleset() -> ManagedRuleset      read and compiled by the first who asks, once a process
    made_ready(pause)                         the same in steps, and what it takes to execute it: for whoever has time before

The rules are text, `texts/*.rules`; how one is written says `rule_file`. Their order is that of the files' names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources

from holdfast.rules.managed.rule_file import RuleFile, read_rule_file
from holdfast.rules.managed.ruleset import HoldfastRuleset, compiled_one_by_one
from holdfast.rules.program import compile_program

HOLDFAST_RULESET_ID = "3f0c1d5a7e9b4c28a6d4e1b07c5f9a32"
# Rises with every change of a rule; a test compares it with what the texts were.
VERSION = "4"

# The ruleset, by its id, once somebody has made it.
_MADE: dict[str, HoldfastRuleset] = {}


def holdfast_ruleset() -> HoldfastRuleset:
    """The ruleset. The first call takes 150 ms of a core. Raises RuleFileError if a rule does not compile."""
    for _ in _making(lambda: None):
        pass
    return _MADE[HOLDFAST_RULESET_ID]


def made_ready(pause: Callable[[], None]) -> Iterator[None]:
    """Make the ruleset, and compile what it takes to execute it as it comes, step by step: two for each file.

    A step takes some milliseconds, `pause` is called within it. Raises RuleFileError if a rule does not compile.
    """
    yield from _making(pause)
    files = [file for file in _MADE[HOLDFAST_RULESET_ID].files if any(one.rule.enabled for one in file.rules)]
    for file in files:
        file.make_ready(pause)
        yield
    compile_program([file.when for file in files], pause=pause)


def _making(pause: Callable[[], None]) -> Iterator[None]:
    """Make the ruleset unless somebody has, a file a step."""
    if HOLDFAST_RULESET_ID in _MADE:
        return
    files = []
    for one in compiled_one_by_one(_read_one_by_one(), pause):
        files.append(one)
        yield
    made = HoldfastRuleset(
        id=HOLDFAST_RULESET_ID,
        name="Holdfast Managed Ruleset",
        description="Attacks on the request that asks for a WebSocket, and on the requests around it.",
        version=VERSION,
        files=tuple(files),
    )
    # Of two who make it at once, both go on with the same.
    _MADE.setdefault(HOLDFAST_RULESET_ID, made)


def rule_files() -> tuple[RuleFile, ...]:
    """The files as they were written, with the requests that their rules must and must not match."""
    return tuple(_read_one_by_one())


def _read_one_by_one() -> Iterator[RuleFile]:
    texts = (one for one in resources.files(__name__).joinpath("texts").iterdir() if one.name.endswith(".rules"))
    for one in sorted(texts, key=lambda one: one.name):
        yield read_rule_file(one.name, one.read_text(encoding="utf-8"))
