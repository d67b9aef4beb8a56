"""Compile rulesets: documents of one owner in, what is asked for each request out.

Law 1: all rulesets of an owner compile together or raise CompileError, which names ruleset, rule, member and value. A rule
that is not enabled is checked like any other.
Law 2: entrypoints execute custom rulesets of their own owner; a custom ruleset executes no other, so nothing goes round.
Law 3: an expression is compiled once in a process (`KNOWN`), whoever uses it.
Law 4: compiling lets requests in between: it pauses every SLICE rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from holdfast.edge.firewall.actions import action_of, check_limit, check_phase, deploy_of
from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.rate_limit import rate_limit_of
from holdfast.edge.firewall.readings import readings_of
from holdfast.edge.firewall.values import (
    Action,
    CompiledRule,
    CompiledRuleset,
    Execute,
    Step,
)
from holdfast.model.rule_documents import RuleDocument, RulesetDocument
from holdfast.rules.compile import CompiledExpression
from holdfast.rules.errors import ParseError
from holdfast.rules.known import KNOWN
from holdfast.rules.program import compile_program

# Rules that are compiled without a pause: about a millisecond, where a thread that waits for the GIL may wait 5 ms.
SLICE = 8

Customs = Mapping[str, CompiledRuleset]
Pause = Callable[[], None]


def entrypoints_of(
    place: Place, documents: Iterable[RulesetDocument], *, pause: Pause = lambda: None
) -> dict[str, CompiledRuleset]:
    """The entrypoints of one owner by phase. `pause` is called every SLICE rules. Raises CompileError."""
    given = list(documents)
    customs: dict[str, CompiledRuleset] = {}
    entrypoints: dict[str, CompiledRuleset] = {}
    for document in sorted(given, key=lambda one: one.kind != "custom"):
        where = place.below(f"rulesets[{document.id}]")
        check_phase(document.phase, where)
        if document.kind == "custom":
            customs[document.id] = _ruleset(document, None, where, pause)
            continue
        if document.phase in entrypoints:
            raise where.below("phase").wrong(document.phase, "a phase that has no other entrypoint")
        entrypoints[document.phase] = _ruleset(document, customs, where, pause)
    return entrypoints


def _ruleset(document: RulesetDocument, customs: Customs | None, where: Place, pause: Pause) -> CompiledRuleset:
    """`document` compiled. `customs` are what it may execute, None where it may execute managed rulesets only."""
    rules = []
    steps: list[Step] = []
    expressions: list[CompiledExpression] = []
    for number, given in enumerate(document.rules, 1):
        if number % SLICE == 0:
            pause()
        place = where.below(f"rules[{given.id}]")
        compiled = _expression(given.expression, place.below("expression"))
        counting = _counting(given, place)
        rule = _rule(given, document, _Read(compiled, counting), customs, place)
        rules.append(rule)
        if not rule.enabled:
            continue
        if counting is not None:
            steps.append(Step(rule, is_counting=True))
            expressions.append(counting)
        steps.append(Step(rule))
        expressions.append(compiled)
    return CompiledRuleset(
        id=document.id,
        kind=document.kind,
        phase=document.phase,
        name=document.name,
        rules=tuple(rules),
        steps=tuple(steps),
        matching=compile_program(expressions, pause=pause).matching,
        has_limits=any(rule.limit is not None for rule in rules),
    )


class _Read(NamedTuple):
    """The expressions of a rule: its own, and what it counts where that is another."""

    own: CompiledExpression
    counting: CompiledExpression | None


def _rule(
    given: RuleDocument,
    ruleset: RulesetDocument,
    read: _Read,
    customs: Customs | None,
    place: Place,
) -> CompiledRule:
    check_limit(given, ruleset.phase, place)
    limit = None
    if given.ratelimit is not None:
        limit = rate_limit_of(given.ratelimit, rule_id=given.id, place=place.below("ratelimit"))
    return CompiledRule(
        id=given.id,
        ruleset_id=ruleset.id,
        phase=ruleset.phase,
        action=_action(given, ruleset, customs, place),
        action_name=given.action,
        expression=given.expression,
        ref=given.ref,
        description=given.description,
        enabled=given.enabled,
        readings=readings_of(read.own.expression),
        limit=limit,
    )


def _action(given: RuleDocument, ruleset: RulesetDocument, customs: Customs | None, place: Place) -> Action:
    if given.action != "execute":
        return action_of(given, place)
    custom = (customs or {}).get(str(given.action_parameters.get("id")))
    if custom is None:
        return deploy_of(given, place)
    if custom.phase != ruleset.phase:
        raise place.below("action_parameters.id").wrong(custom.id, f"a ruleset of the phase {ruleset.phase}")
    return Execute(custom)


def _counting(given: RuleDocument, place: Place) -> CompiledExpression | None:
    if given.ratelimit is None or not given.ratelimit.counting_expression:
        return None
    return _expression(given.ratelimit.counting_expression, place.below("ratelimit.counting_expression"))


def _expression(text: str, place: Place) -> CompiledExpression:
    try:
        return KNOWN.compiled(text)
    except ParseError as error:
        raise place.wrong(text, f"an expression ({error.sentence})") from None
