"""Conditions compiled lately, by their text: who asks again for the same text gets the same closures.

A write of one zone compiles all of its rules three times over: where they are checked, before they are published, and on
each edge. All of them ask here, so that a rule is compiled once in each process for as long as it stays as it is.

Law 1: what is given is what `compile_expression` gives, which is immutable: it can be shared between zones and threads.
Law 2: memory is bounded (`bounded_memory`), and any thread may ask.
Law 3: nothing is remembered of a text that does not compile; finding that out again costs at most one short text.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.rules.bounded_memory import EACH_CHARS, BoundedMemory
from holdfast.rules.compile import CompiledExpression, compile_expression

# The rules of two zones as large as a zone's can be: 512 KiB of text in a thousand rules (`model.rule_quota`). So many short
# ones, six thousand, take 25 MB compiled, if nobody else holds them.
MAX_CHARS = 2 * (512 * 1024 + 1_000 * EACH_CHARS)


class KnownExpressions:
    """Compiled expressions by text. May be used from any thread."""

    def __init__(
        self,
        compile_text: Callable[[str], CompiledExpression] = compile_expression,
        *,
        max_chars: int = MAX_CHARS,
    ) -> None:
        self._compile = compile_text
        self._made: BoundedMemory[str, CompiledExpression] = BoundedMemory(
            lambda text: len(text) + EACH_CHARS, max_chars=max_chars
        )

    def compiled(self, text: str) -> CompiledExpression:
        """The condition `text`, ready. Raises ParseError."""
        return self._made.found_or_made(text, lambda: self._compile(text))

    def statistics(self) -> dict[str, int]:
        """How many expressions are known, how many characters they count for, and how often one was compiled."""
        expressions, chars, compilations = self._made.counts()
        return {
            "expressions": expressions,
            "expression_chars": chars,
            "expression_compilations": compilations,
        }


# One for each process: control's and the edge's rules are the same texts again and again.
KNOWN = KnownExpressions()
