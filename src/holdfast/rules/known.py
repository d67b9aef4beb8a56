"""Conditions compiled lately, by their text: who asks again for the same text gets the same closures.

A write of one zone compiles all of its rules three times over: where they are checked, before they are published, and on
each edge. All of them ask here, so that a rule is compiled once in each process for as long as it stays as it is.

Law 1: what is given is what `compile_expression` gives, which is immutable: it can be shared between zones and threads.
Law 2: memory is bounded: the texts that were asked for longest ago are forgotten beyond MAX_CHARS.
Law 3: any thread may ask, and none waits for another: each step on the dictionary is one that the interpreter does whole.
At worst two compile the same text at once, and one of them for nothing.
Law 4: nothing is remembered of a text that does not compile; finding that out again costs at most one short text.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.rules.compile import CompiledExpression, compile_expression

# The rules of four zones as large as a zone's can be. A compiled expression takes up to 60 bytes a character.
MAX_CHARS = 768 * 1024
# What each counts for beside its text, so that there are some thousands at most: they are counted anew for each that comes.
EACH_CHARS = 256


class KnownExpressions:
    """Compiled expressions by text. May be used from any thread."""

    def __init__(
        self,
        compile_text: Callable[[str], CompiledExpression] = compile_expression,
        *,
        max_chars: int = MAX_CHARS,
    ) -> None:
        self._compile = compile_text
        self._max_chars = max_chars
        # Those asked for longest ago first.
        self._by_text: dict[str, CompiledExpression] = {}
        self._compilations = 0

    def compiled(self, text: str) -> CompiledExpression:
        """The condition `text`, ready. Raises ParseError."""
        found = self._by_text.pop(text, None)
        if found is not None:
            self._by_text[text] = found
            return found
        self._compilations += 1
        made = self._by_text[text] = self._compile(text)
        self._forget_the_oldest()
        return made

    def statistics(self) -> dict[str, int]:
        """How many expressions are known, how many characters they count for, and how often one was compiled."""
        texts = tuple(self._by_text)
        return {
            "expressions": len(texts),
            "expression_chars": _chars(texts),
            "expression_compilations": self._compilations,
        }

    def _forget_the_oldest(self) -> None:
        texts = tuple(self._by_text)
        excess = _chars(texts) - self._max_chars
        for text in texts:
            if excess <= 0:
                return
            self._by_text.pop(text, None)
            excess -= len(text) + EACH_CHARS


def _chars(texts: tuple[str, ...]) -> int:
    return sum(map(len, texts)) + EACH_CHARS * len(texts)


# One for each process: control's and the edge's rules are the same texts again and again.
KNOWN = KnownExpressions()
