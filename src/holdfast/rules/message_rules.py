"""Rules on messages, compiled: what the core asks of them, or why it cannot.

Law 1: a pattern is written in the dialect of `matches`, and a match costs time in proportion to the message.
Law 2: what compiles once compiles everywhere: the API refuses a rule for the reason for which an edge would.
Law 3: a rule that somebody has is not made again, and one that nobody has any more is gone: a schema of 64 KiB takes a tenth
of a second, and 5 MB.
"""

from __future__ import annotations

from collections import deque
from weakref import WeakValueDictionary

import msgspec

from holdfast._native import MessageRule
from holdfast.model.message_rules import MAX_RULES
from holdfast.model.websocket_documents import MessageRuleDocument
from holdfast.rules.patterns import Pattern, PatternError
from holdfast.rules.regex_classes import RegexFault
from holdfast.rules.regex_dialect import translate


class MessageRuleError(ValueError):
    """A rule that does not compile. `str` is a sentence that names the member."""


class CompiledRule(msgspec.Struct, frozen=True, weakref=True, eq=False):
    """A rule in the core's hands."""

    native: MessageRule


_MADE: WeakValueDictionary[MessageRuleDocument, CompiledRule] = WeakValueDictionary()
# Those of one zone, which are checked before anybody has them.
_LATEST: deque[CompiledRule] = deque(maxlen=MAX_RULES)


def compiled(rule: MessageRuleDocument) -> CompiledRule:
    """The core's handle of a rule. Raises MessageRuleError. It lets go of the interpreter while it is made."""
    known = _MADE.get(rule)
    if known is None:
        known = _MADE[rule] = CompiledRule(_made(rule))
        _LATEST.append(known)
    return known


def _made(rule: MessageRuleDocument) -> MessageRule:
    is_text = rule.type == "text"
    try:
        return MessageRule(
            id=rule.id,
            direction=rule.direction,
            action=rule.action,
            pattern=_translated(rule.pattern) if is_text else None,
            schema=None if is_text else rule.schema,
        )
    except ValueError as error:
        # The core names the rule; who asks knows which it is.
        raise MessageRuleError(str(error).removeprefix(f'message rule "{rule.id}": ')) from None


def _translated(source: str) -> str:
    try:
        pattern = translate(source)
    except RegexFault as fault:
        raise MessageRuleError(f"pattern: {fault.what} (character {fault.start + 1})") from None
    try:
        Pattern(source)
    except PatternError as error:
        raise MessageRuleError(f"pattern: {error}") from None
    return pattern
