"""Managed rulesets: which there are, how the API shows them, and what a rule may say of them.

Law 1: a managed ruleset is shown without its expressions, and in its latest version alone.
Law 2: what the original calls its own is refused by name, with the name of ours.

Source: Cloudflare API v4, "Rulesets"; Cloudflare WAF, "Managed Rules".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.model.moment import written
from holdfast.rules.managed_ruleset import ManagedRule, ManagedRuleset

KIND = "managed"
# Nobody says when a managed ruleset was made; its version says whether it is another.
_LAST_UPDATED = written(0)

OWASP_ID = "4814384a9e5d4991b9815dcfc25d2f1f"
# What an operator can load, at any time and from another process.
LOADABLE = frozenset({OWASP_ID})
# The original's, which are not here, with what to say of each.
_OURS = "deploy the Holdfast Managed Ruleset instead (its id is in GET /accounts/{account_id}/rulesets)"
ABSENT: Mapping[str, str] = {
    "efb7b8c949ac4650a09736fc376e9aee": f"the Cloudflare Managed Ruleset is Cloudflare's own: {_OURS}",
    "77454fe2d30c4220b5701f6fdfb893ba": f"the Cloudflare Free Managed Ruleset is Cloudflare's own: {_OURS}",
    "c2e184081120413c86c3ab7e14069605": "exposed credentials are not checked here",
    "e22d83c647c64a3eae91b71b499d988e": "answers of origins are not inspected here",
    OWASP_ID: "the OWASP Core Rule Set has not been loaded: `holdfast waf load-crs DIR` does",
}


def entry_view(ruleset: ManagedRuleset) -> dict[str, Any]:
    """A managed ruleset as it is listed."""
    return {
        "id": ruleset.id,
        "name": ruleset.name,
        "description": ruleset.description,
        "kind": KIND,
        "version": ruleset.version,
        "phase": ruleset.phase,
        "last_updated": _LAST_UPDATED,
    }


def ruleset_view(ruleset: ManagedRuleset, *, category: str | None = None) -> dict[str, Any]:
    """A managed ruleset as the API shows it: all of its rules, or those of one category."""
    rules: Sequence[ManagedRule] = ruleset.rules
    shown = [rule for rule in rules if category is None or category in rule.categories]
    return {**entry_view(ruleset), "rules": [_rule_view(rule, ruleset.version) for rule in shown]}


def _rule_view(rule: ManagedRule, version: str) -> dict[str, Any]:
    view = {
        "id": rule.id,
        "version": version,
        "action": rule.action,
        "categories": list(rule.categories),
        "description": rule.description,
        "last_updated": _LAST_UPDATED,
        "ref": rule.ref,
        "enabled": rule.enabled,
    }
    if rule.score:
        view["action_parameters"] = {"score": rule.score}
    return view
