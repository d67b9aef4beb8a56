"""Directives into rules: chains put together, defaults taken in, actions sorted by what they are.

Law 1: of an action that can be there once, the last one counts; the rule's own go over the defaults of its phase.
Law 2: only the first link of a chain has an id, a phase, a message and a verdict; what flows (`skip`) is the chain's.

Source: ModSecurity Reference Manual, "SecRule", "SecDefaultAction", "Actions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.rules.seclang.action_syntax import parse_actions
from holdfast.rules.seclang.errors import Position, SecLangError
from holdfast.rules.seclang.lines import Directive
from holdfast.rules.seclang.operator_syntax import parse_operator
from holdfast.rules.seclang.syntax_tree import Action, Link, Rule
from holdfast.rules.seclang.target_syntax import parse_targets
from holdfast.rules.seclang.vocabulary import DISRUPTIVE_ACTIONS, EFFECT_ACTIONS, PHASES, SEVERITIES

Actions = tuple[Action, ...]
# Precedent: ModSecurity has no limit; the longest chain of the Core Rule Set has six links.
MAX_LINKS = 32


class DefaultActions:
    """The actions that rules of a phase have unless they say otherwise (`SecDefaultAction`)."""

    def __init__(self) -> None:
        self._by_phase: dict[int, Actions] = {}

    def read(self, directive: Directive) -> None:
        """Take in one `SecDefaultAction`. Raises SecLangError."""
        if len(directive.words) != 1:
            raise SecLangError(directive.position, " ".join(directive.words) or None, "one list of actions")
        actions = parse_actions(directive.position, directive.words[0])
        self._by_phase[phase_of(directive.position, actions)] = actions

    def of(self, phase: int) -> Actions:
        """What rules of `phase` begin with."""
        return self._by_phase.get(phase, ())


def read_link(directive: Directive, data_files: Mapping[str, bytes]) -> tuple[Link, Actions]:
    """One `SecRule` or `SecAction`: a link without its actions, and its actions. Raises SecLangError."""
    position, words = directive.position, directive.words
    if directive.name == "secaction":
        if len(words) != 1:
            raise SecLangError(position, " ".join(words) or None, "one list of actions after SecAction")
        return Link(position, (), None), parse_actions(position, words[0])
    if len(words) not in (2, 3):
        raise SecLangError(position, " ".join(words) or None, "targets, an operator and actions after SecRule")
    link = Link(position, parse_targets(position, words[0]), parse_operator(position, words[1], data_files))
    return link, parse_actions(position, words[2]) if len(words) == 3 else ()


def is_chained(actions: Actions) -> bool:
    """Whether the next directive is one more link."""
    return any(action.name == "chain" for action in actions)


def make_rule(links: Sequence[tuple[Link, Actions]], defaults: DefaultActions) -> Rule:
    """Put a chain together. Raises SecLangError for what its first link lacks or a later one may not have."""
    head, own = links[0]
    if len(links) > MAX_LINKS:
        raise SecLangError(head.position, str(len(links)), f"at most {MAX_LINKS} links in a chain")
    for link, actions in links[1:]:
        if misplaced := next((action for action in actions if action.name in ("id", "phase")), None):
            raise SecLangError(link.position, f"{misplaced.name}:{misplaced.argument}", "it on the first link only")
    phase = phase_of(head.position, own)
    actions = (*defaults.of(phase), *own)
    every = [action for _, of_link in links for action in of_link]
    last = {action.name: action for action in actions}
    return Rule(
        id=_number(head.position, last.get("id"), "a number as id"),
        phase=phase,
        links=tuple(
            _with_effects(link, actions if link is head else (*defaults.of(phase), *of_link)) for link, of_link in links
        ),
        message=_argument(last, "msg"),
        log_data=_argument(last, "logdata"),
        severity=_severity(head.position, last.get("severity")),
        tags=tuple(action.argument for action in actions if action.name == "tag"),
        is_logged=_is_logged(actions),
        disruption=_disruption(actions),
        skip=_number(head.position, _last(every, "skip") or Action("skip", "0"), "a number of rules to skip"),
        skip_after=(_last(every, "skipafter") or Action("")).argument,
    )


def phase_of(position: Position, actions: Actions) -> int:
    """The phase that `actions` name, by default 2. Raises SecLangError."""
    named = _last(actions, "phase")
    if named is None:
        return 2
    if named.argument.lower() not in PHASES:
        raise SecLangError(position, f"phase:{named.argument}", "a phase from 1 to 5")
    return PHASES[named.argument.lower()]


def _with_effects(link: Link, actions: Actions) -> Link:
    transformations: list[str] = []
    for action in actions:
        if action.name == "t":
            transformations = [*transformations, action.argument] if action.argument != "none" else []
    names = {action.name for action in actions}
    return Link(
        link.position,
        link.targets,
        link.operator,
        tuple(action for action in actions if action.name in EFFECT_ACTIONS),
        tuple(transformations),
        is_capturing="capture" in names,
        is_multi_match="multimatch" in names,
    )


def _last(actions: Sequence[Action], name: str) -> Action | None:
    return next((action for action in reversed(actions) if action.name == name), None)


def _argument(last: Mapping[str, Action], name: str) -> str:
    return last[name].argument if name in last else ""


def _number(position: Position, action: Action | None, expected: str) -> int:
    text = action.argument if action else ""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise SecLangError(position, text or None, expected)
    return int(text)


def _severity(position: Position, action: Action | None) -> int | None:
    if action is None:
        return None
    text = action.argument.lower()
    if text in SEVERITIES:
        return SEVERITIES[text]
    if text.isdigit() and int(text) < len(SEVERITIES):
        return int(text)
    raise SecLangError(position, f"severity:{action.argument}", "a severity such as CRITICAL or 2")


def _is_logged(actions: Actions) -> bool:
    spoken = [action.name for action in actions if action.name in ("log", "nolog")]
    return not spoken or spoken[-1] == "log"


def _disruption(actions: Actions) -> Action:
    return next((action for action in reversed(actions) if action.name in DISRUPTIVE_ACTIONS), Action("pass"))
