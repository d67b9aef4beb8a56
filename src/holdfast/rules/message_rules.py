"""Rules on messages, compiled: what the core asks of them, or why it cannot.

Law 1: a pattern is written in the dialect of `matches`, and a match costs time in proportion to the message.
Law 2: what compiles once compiles everywhere: the API refuses a rule for the reason for which an edge would.
"""

from __future__ import annotations

from functools import lru_cache

from holdfast._native import MessageRule
from holdfast.model.websocket_documents import MessageRuleDocument
from holdfast.rules.patterns import Pattern, PatternError
from holdfast.rules.regex_classes import RegexFault
from holdfast.rules.regex_dialect import translate


class MessageRuleError(ValueError):
    """A rule that does not compile. `str` is a sentence that names the member."""


# Those of a few zones that are changed one after another: a rule is checked, then compiled.
@lru_cache(maxsize=64)
def compiled(rule: MessageRuleDocument) -> MessageRule:
    """The core's handle of a rule. Raises MessageRuleError."""
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
