"""What is wrong with a ruleset or a rule: a code, the original's sentence, and where. Pure.

Law: a pointer is relative to what was given; whoever hands a part on puts its place before it (`below`).

Source: Cloudflare API v4, "Rulesets"; sentences as its clients know them.
"""

from __future__ import annotations

INVALID_VALUE = 20120
MISSING = 20122
BLANK_EXPRESSION = 20125
INVALID_EXPRESSION = 20127
TOO_MANY_RULES = 20216
ONE_A_PHASE = 20217
TOO_LARGE = 20218
NOT_ENTITLED = 10010
NO_SUCH_RULE = 10003

_MAX_SHOWN = 80


class RuleError(ValueError):
    """A ruleset that cannot be. `pointer` is the member at fault, relative to what was given."""

    def __init__(self, code: int, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.code, self.pointer = code, pointer

    def below(self, pointer: str) -> RuleError:
        """The same, where what was given stands at `pointer`."""
        return RuleError(self.code, str(self), pointer + self.pointer)


def not_valid(value: object, field: str, reason: str, *, code: int = INVALID_VALUE, pointer: str = "") -> RuleError:
    """`value` is not a value of the member `field`, as the original says it. `pointer` stands for it where `field` cannot."""
    text = str(value)
    said = text if len(text) <= 4096 else f"{text[:_MAX_SHOWN]}…"
    place = pointer or "/" + field.replace(".", "/")
    return RuleError(code, f"'{said}' is not a valid value for {field} because {reason}", place)


def shown(value: object) -> str:
    """`value` as a message can hold it: short, and without what is no Unicode."""
    text = value if isinstance(value, str) else repr(value)
    return text[:_MAX_SHOWN].encode("utf-8", "backslashreplace").decode()
