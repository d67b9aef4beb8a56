"""The phases this edge runs rules of, and what a rule of each may do. A table: a phase more is an entry more.

Law 1: what a rule may do depends on the phase and on the kind of its ruleset, and on nothing else.
Law 2: who may see or write a phase's rules is said here, once (`Phase.permission`).

Kinds: `zone` is what a zone runs in a phase, `root` what an account runs for all of its zones, `custom` a ruleset of an account
that its root executes. An account's root holds no rules of its own that act: it says which rulesets are executed for what.

Source: Cloudflare, "Phases list", "Rulesets", "Functions" (where each may be used).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.model.rule_actions import (
    ParseParameters,
    parse_block,
    parse_execute,
    parse_nothing,
    parse_route,
    skip_parser,
)
from holdfast.model.rule_error import RuleError, not_valid

ORIGIN = "http_request_origin"
CUSTOM = "http_request_firewall_custom"
RATE_LIMIT = "http_ratelimit"
MANAGED = "http_request_firewall_managed"

ZONE, ROOT, EXECUTED = "zone", "root", "custom"

CHALLENGES = ("challenge", "js_challenge", "managed_challenge")
Actions = Mapping[str, ParseParameters]


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase. `permission` is a zone's, without its "Read" or "Write". `actions` maps kinds of rulesets to what a rule may
    do there, and that to the parser of its parameters. `functions` are those of `LIMITED_FUNCTIONS` that may be used."""

    name: str
    permission: str
    actions: Mapping[str, Actions]
    functions: frozenset[str] = frozenset()
    has_rate_limits: bool = False


_ACTING: Actions = {"block": parse_block, **dict.fromkeys(CHALLENGES, parse_nothing), "log": parse_nothing}
_IN_CUSTOM = ("phases", "products", "ruleset")
_IN_MANAGED = skip_parser("rules", "ruleset", "rulesets")

_ALL = (
    Phase(ORIGIN, "Origin", {ZONE: {"route": parse_route}}),
    Phase(
        CUSTOM,
        "Zone WAF",
        {
            # `phase: current` leaves out products of the zone: of an account it would say nothing.
            ZONE: {**_ACTING, "skip": skip_parser("phase", *_IN_CUSTOM)},
            ROOT: {"execute": parse_execute, "skip": skip_parser(*_IN_CUSTOM)},
            EXECUTED: {**_ACTING, "skip": skip_parser(*_IN_CUSTOM)},
        },
        frozenset({"cidr", "cidr6", "decode_base64", "join"}),
    ),
    Phase(
        RATE_LIMIT,
        "Zone WAF",
        {ZONE: _ACTING, ROOT: {"execute": parse_execute}, EXECUTED: _ACTING},
        frozenset({"cidr", "cidr6", "decode_base64"}),
        has_rate_limits=True,
    ),
    Phase(
        MANAGED,
        "Zone WAF",
        {kind: {"execute": parse_execute, "skip": _IN_MANAGED} for kind in (ZONE, ROOT, EXECUTED)},
    ),
)
PHASES: Mapping[str, Phase] = {phase.name: phase for phase in _ALL}

# Functions that are for some phases, with the original's words for where. What is not named may be used everywhere.
_REWRITING = "rewriting and redirecting"
LIMITED_FUNCTIONS: Mapping[str, str] = {
    "cidr": "custom rules and rate limiting",
    "cidr6": "custom rules and rate limiting",
    "decode_base64": "custom rules and rate limiting",
    "join": "custom rules",
    "regex_replace": _REWRITING,
    "remove_query_args": _REWRITING,
    "split": "answers of the origin",
    "to_string": _REWRITING,
    "uuidv4": _REWRITING,
    "wildcard_replace": _REWRITING,
}


def phase_of(name: str) -> Phase:
    """The phase with this name. Raises RuleError."""
    phase = PHASES.get(name)
    if phase is None:
        known = ", ".join(PHASES)
        raise not_valid(name[:80], "phase", f"this edge runs no rules of the phase {name[:80]}: it runs {known}")
    return phase


def parse_action(phase: Phase, kind: str, action: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters of `action` in a rule of `phase`, of a ruleset of this `kind`. Raises RuleError."""
    actions = phase.actions.get(kind, {})
    parse = actions.get(action)
    if parse is None:
        reason = (
            f"it is not possible to use the {action[:80]} action in a ruleset with phase {phase.name} and kind {kind}"
        )
        raise not_valid(action[:80], "action", f"{reason}: expected {' or '.join(actions)}")
    try:
        return parse(parameters or {})
    except RuleError as error:
        raise error.below("/action_parameters") from None
