"""Conditions compiled lately, by their text: who asks again for the same text gets the same closures.

A write of one zone compiles all of its rules three times over: where they are checked, before they are published, and on
each edge. All of them ask here, so that a rule is compiled once in each process for as long as it stays as it is.

Law 1: what is given is what `compile_expression` gives, which is immutable: it can be shared between zones and threads.
Law 2: memory is bounded: the texts that were asked for longest ago are forgotten beyond MAX_CHARS.
Law 3: nothing is remembered of a text that does not compile; finding that out again costs at most one short text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from holdfast.rules.compile import CompiledExpression, compile_expression

# The rules of four zones as large as a zone's can be. A compiled expression takes up to 60 bytes a character.
MAX_CHARS = 512 * 1024
# What an expression takes however short it is, in characters.
_EACH_CHARS = 64


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
        self._by_text: OrderedDict[str, CompiledExpression] = OrderedDict()
        self._chars = 0
        self._compilations = 0
        self._lock = threading.Lock()

    def compiled(self, text: str) -> CompiledExpression:
        """The condition `text`, ready. Raises ParseError."""
        with self._lock:
            found = self._by_text.get(text)
            if found is not None:
                self._by_text.move_to_end(text)
                return found
            self._compilations += 1
        # Without the lock: who only looks up does not wait for who compiles.
        made = self._compile(text)
        with self._lock:
            self._keep(text, made)
        return made

    def statistics(self) -> dict[str, int]:
        """How many expressions are known, how many characters they count for, and how often one was compiled."""
        with self._lock:
            return {
                "expressions": len(self._by_text),
                "expression_chars": self._chars,
                "expression_compilations": self._compilations,
            }

    def _keep(self, text: str, made: CompiledExpression) -> None:
        if text in self._by_text:
            return
        self._by_text[text] = made
        self._chars += len(text) + _EACH_CHARS
        while self._chars > self._max_chars:
            forgotten, _ = self._by_text.popitem(last=False)
            self._chars -= len(forgotten) + _EACH_CHARS


# One for each process: control's and the edge's rules are the same texts again and again.
KNOWN = KnownExpressions()
