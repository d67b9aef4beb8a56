"""What one owner of rules, a zone or an account, comes to: its firewall.

Law 1: an owner that says nothing has none, so that its requests are asked nothing.
Law 2: an account compiles from its own document alone; that it is asked before its zones is `walk`'s and the phases' to do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS, CompiledAccount, CompiledRuleset, Firewall
from holdfast.model.rule_documents import AccessRuleDocument, AccountDocument, RulesetDocument

# What reads rules, some milliseconds each, where what is named first is what others need.
_READERS: Final = (
    "re2",
    "holdfast.rules.patterns",
    "holdfast.rules.syntax_tree",
    "holdfast.rules.scheme",
    "holdfast.rules.functions",
    "holdfast.rules.parser",
    "holdfast.rules.compile",
    "holdfast.rules.program_code",
    "holdfast.edge.firewall.rulesets",
)


def compile_account(document: AccountDocument, *, pause: Callable[[], None] = lambda: None) -> CompiledAccount:
    """`document` as `decide` reads it. `pause` is called now and then. Raises CompileError, which names the account."""
    firewall = firewall_of(document.id, document.rulesets, document.access_rules, kind="account", pause=pause)
    return CompiledAccount(id=document.id, version=document.version, firewall=firewall)


def firewall_of(
    owner: str,
    rulesets: Sequence[RulesetDocument],
    access_rules: Sequence[AccessRuleDocument],
    *,
    kind: str = "zone",
    pause: Callable[[], None] = lambda: None,
) -> Firewall | None:
    """The firewall of `owner`, a zone's name or an account's id; None where it says nothing. Raises CompileError."""
    if not (rulesets or access_rules):
        return None
    # Loaded with the first rules: most zones have none.
    for name in _READERS:
        if name not in sys.modules:
            import_module(name)
            pause()
    from holdfast.edge.firewall.access_rules import access_rules_of  # noqa: PLC0415
    from holdfast.edge.firewall.rulesets import entrypoints_of  # noqa: PLC0415

    place = Place(owner, "", kind)
    entrypoints = {
        phase: ruleset
        for phase, ruleset in entrypoints_of(place, rulesets, pause=pause).items()
        if _does_something(ruleset)
    }
    access = access_rules_of(place, access_rules)
    if not entrypoints and access is None:
        return None
    return Firewall(
        custom=entrypoints.get(CUSTOM),
        rate_limits=entrypoints.get(RATE_LIMITS),
        managed=entrypoints.get(MANAGED),
        access=access,
    )


def _does_something(ruleset: CompiledRuleset) -> bool:
    """Whether there are rules in it. Those that are not enabled are kept for whoever traces."""
    return bool(ruleset.rules)
