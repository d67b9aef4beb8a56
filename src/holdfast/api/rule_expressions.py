"""The expressions of rules: compiled as an edge compiles them, and what they use held against what may be used.

Law 1: a rule is accepted as it will be compiled: its expressions are read by the same compiler.
Law 2: that is done in a thread, before anything is locked (`read_expressions`): nobody waits for somebody else's rules.
Law 3: an error points at the text that is wrong, in the words of the original.

Source: Cloudflare, "Rules language", "Functions" and "Rate limiting parameters".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.model.rule_error import BLANK_EXPRESSION, INVALID_EXPRESSION, RuleError, not_valid
from holdfast.model.rule_phase import LIMITED_FUNCTIONS, Phase
from holdfast.model.rule_quota import Quota, check_size, not_entitled
from holdfast.model.ruleset import Rule, RuleDraft
from holdfast.rules.compile import compile_value
from holdfast.rules.errors import ParseError
from holdfast.rules.known import KNOWN
from holdfast.rules.lists import check_lists as check_kinds
from holdfast.rules.syntax_tree import Call, Comparison, Expression, Matches, list_uses, nodes_of
from holdfast.rules.value_types import BYTES, INT, IP, ValueType

# What the names of the original's own lists begin with.
MANAGED_LIST = "cf."
_TYPES: Mapping[str, ValueType] = {"ip": IP, "hostname": BYTES, "asn": INT}
_HEADER = re.compile(r"http\.request\.headers\[\"([^\"]*)\"\]")
HMAC = "is_timed_hmac_valid_v0"


@dataclass(frozen=True, slots=True)
class Uses:
    """What an expression uses: names of functions and of lists, and whether it has patterns."""

    expression: Expression
    functions: frozenset[str]
    lists: tuple[str, ...]
    has_patterns: bool


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a rule that is compiled: the member that it is, and where that is."""

    text: str
    field: str
    pointer: str
    is_value: bool = False


# What each text uses, by the text and whether it is a value.
AllUses = Mapping[tuple[str, bool], Uses]


async def read_expressions(drafts: Sequence[RuleDraft], pointer_of: Callable[[int], str], *, room: int) -> AllUses:
    """Compile every expression of `drafts`, in a thread. Raises RuleError; `pointer_of` a draft's place is its pointer.

    They may have `room` characters together.
    """
    texts = [(place, text) for place, draft in enumerate(drafts) for text in texts_of(draft)]
    check_size((text.text for _, text in texts), room=room)
    if not texts:
        return {}

    def read() -> AllUses:
        found: dict[tuple[str, bool], Uses] = {}
        for place, text in texts:
            if (text.text, text.is_value) in found:
                continue
            try:
                found[text.text, text.is_value] = _uses(_expression(text))
            except RuleError as error:
                raise error.below(pointer_of(place)) from None
        return found

    return await asyncio.to_thread(read)


def texts_of(rule: Rule | RuleDraft) -> Iterator[Text]:
    """The texts of a rule that are compiled."""
    yield Text(rule.expression, "expression", "/expression")
    if (terms := rule.ratelimit) is None:
        return
    if terms.counting_expression:
        yield Text(terms.counting_expression, "counting_expression", "/ratelimit/counting_expression")
    for place, text in terms.counted_by:
        yield Text(text, "characteristics", f"/ratelimit/characteristics/{place}", is_value=True)


def check_uses(rule: Rule, uses: AllUses, phase: Phase, quota: Quota) -> None:
    """Raise RuleError where an expression of the rule uses what its phase or its owner's plan has not."""
    for text in texts_of(rule):
        used = uses[text.text, text.is_value]
        for name in sorted(used.functions & LIMITED_FUNCTIONS.keys() - phase.functions):
            what = f"the use of function {name} is not allowed in the phase {phase.name}"
            raise _refused(text, f"{what}: it is for {LIMITED_FUNCTIONS[name]}")
        if used.has_patterns and not quota.has_patterns:
            what, needed = "the use of operator Matches", "a Business plan or a WAF Advanced plan"
            raise not_entitled(text.field, text.text, what, needed, quota, pointer=text.pointer)
        if HMAC in used.functions and not quota.has_hmac:
            what = f"the use of function {HMAC}"
            raise not_entitled(text.field, text.text, what, "a Pro plan", quota, pointer=text.pointer)


def list_names(rules: Sequence[Rule], uses: AllUses) -> set[str]:
    """The names of all lists that the rules name."""
    return {name for rule in rules for text in texts_of(rule) for name in uses[text.text, text.is_value].lists}


def check_lists(rule: Rule, uses: AllUses, kinds: Mapping[str, str]) -> None:
    """Raise RuleError where the rule names a list that is not among `kinds` (by name), or of another kind."""
    for text in texts_of(rule):
        try:
            check_lists_of(uses[text.text, text.is_value].expression, kinds)
        except ParseError as error:
            raise _unparsed(text, error) from None


def check_lists_of(expression: Expression, kinds: Mapping[str, str]) -> None:
    """Raise ParseError, pointing at the name, where the expression names a list that is not among `kinds`, or of another."""
    for use, _ in list_uses(expression.root):
        if use.name.startswith(MANAGED_LIST):
            reason = f"the list ${use.name} is Cloudflare's own, and is not known here: make one of yours"
            raise ParseError.at(expression.text, use.start, use.end, reason)
    check_kinds(expression, {name: _TYPES[kind] for name, kind in kinds.items() if kind in _TYPES})


def _refused(text: Text, reason: str) -> RuleError:
    return not_valid(text.text, text.field, reason, code=INVALID_EXPRESSION, pointer=text.pointer)


def _unparsed(text: Text, error: ParseError) -> RuleError:
    return _refused(text, f"could not parse filter expression: {error.sentence}")


def _expression(text: Text) -> Expression:
    if not text.text.strip():
        reason = "the expression cannot be blank"
        raise not_valid("", text.field, reason, code=BLANK_EXPRESSION, pointer=text.pointer)
    if text.is_value and (found := _HEADER.match(text.text)) and not found[1].islower():
        raise _refused(text, "names of header fields are in lower case here")
    try:
        return compile_value(text.text).expression if text.is_value else KNOWN.compiled(text.text).expression
    except ParseError as error:
        raise _unparsed(text, error) from None


def _uses(expression: Expression) -> Uses:
    functions: set[str] = set()
    has_patterns = False
    for node in nodes_of(expression.root):
        if isinstance(node, Call):
            functions.add(node.name)
        elif isinstance(node, Comparison):
            has_patterns = has_patterns or isinstance(node.relation, Matches)
    return Uses(expression, frozenset(functions), tuple(expression.lists), has_patterns)
