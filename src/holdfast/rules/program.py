"""Many conditions made into one program: Python code that says which of them hold for a request, in order.

Law 1: a program says what the conditions say one by one (`CompiledExpression.matches`), in their order, and no later one is
asked before somebody wants to know: who stops after the first that holds has paid for no other.
Law 2: code is made in chunks so small that making one keeps the interpreter from other threads for about a millisecond. Where
a chunk ends depends on the rules around its end, so that a change of one rule makes one chunk anew or two.
Law 3: a chunk is made once for the same texts and then known; memory is bounded as for `known`.
Law 4: the code of a chunk is names and brackets of ours; what a person wrote is only bound to those names (`program_names`).
Law 5: where a condition is undecided, its number says so (`Undecidable`), and those after it are asked all the same. What is
dear is counted for a chunk as for one rule; where that does not do, each of its rules is asked by itself (`_one_by_one`). A rule
that could be dear without being counted (`worst_steps`) is asked by itself from the beginning, of the closure, which counts.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import FunctionType
from typing import TypeAlias

from holdfast.rules.bounded_memory import EACH_CHARS, BoundedMemory
from holdfast.rules.compile import CompiledExpression, truth_of
from holdfast.rules.context import EvaluationContext
from holdfast.rules.costs import MAX_UNCOUNTED_STEPS, worst_steps
from holdfast.rules.known import MAX_CHARS
from holdfast.rules.meter import Undecided, begin_rule
from holdfast.rules.program_code import GUARDS, code_of
from holdfast.rules.program_guards import Tried, guards_of, tried_by
from holdfast.rules.program_names import Names
from holdfast.rules.program_values import HEADERS
from holdfast.rules.syntax_tree import Condition, Expression, FieldAccess, Index, Indexed, nodes_of
from holdfast.rules.undecidable import Undecidable

# Numbers of the conditions that hold or are `Undecidable`, in order, each found when it is asked for.
Matching: TypeAlias = Callable[[EvaluationContext], Iterator[int]]

MAX_CHUNK_RULES = 24
MAX_CHUNK_CHARS = 4_096
# On average, a chunk ends by itself after this many rules beyond the first few.
_ENDS_AFTER = 16
_MIN_CHUNK_RULES = 8
# What generated code calls the number of the condition after the last that held.
_NEXT = "N"


@dataclass(frozen=True, slots=True)
class Program:
    """`matching(context)` gives the numbers of the conditions that hold for a request, lazily and in order, and of those that
    are undecided (`Undecidable`)."""

    matching: Matching


def compile_program(
    expressions: Sequence[Expression | CompiledExpression], *, pause: Callable[[], None] = lambda: None
) -> Program:
    """One program of these conditions, which are numbered from 0. It never fails for what has been parsed.

    `pause` is called after each chunk, and after each guard: it takes 1 to 3 ms from one to the next.
    """
    read = [one.expression if isinstance(one, CompiledExpression) else one for one in expressions]
    chunks = []
    for chunk in chunks_of(read):
        chunks.append(CHUNKS.compiled(chunk))
        pause()
    return Program(_in_turn(chunks, pause))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rules of a program, compiled: how many, which of them hold, and which patterns they try on what."""

    rules: int
    matching: FunctionType
    tried: Tried


def chunks_of(expressions: Sequence[Expression]) -> list[tuple[Expression, ...]]:
    """The expressions in order, in chunks that end where their texts say."""
    chunks: list[tuple[Expression, ...]] = []
    chunk: list[Expression] = []
    chars = 0
    for expression in expressions:
        if chunk and (len(chunk) == MAX_CHUNK_RULES or chars + len(expression.text) > MAX_CHUNK_CHARS):
            chunks.append(tuple(chunk))
            chunk, chars = [], 0
        chunk.append(expression)
        chars += len(expression.text)
        if len(chunk) >= _MIN_CHUNK_RULES and zlib.crc32(expression.text.encode()) % _ENDS_AFTER == 0:
            chunks.append(tuple(chunk))
            chunk, chars = [], 0
    return [*chunks, tuple(chunk)] if chunk else chunks


def _in_turn(chunks: Sequence[Chunk], pause: Callable[[], None]) -> Matching:
    """The chunks one after another."""
    firsts = accumulate((chunk.rules for chunk in chunks), initial=0)
    guards = guards_of([chunk.tried for chunk in chunks], pause)
    placed = [(first, chunk.matching, of) for first, chunk, of in zip(firsts, chunks, guards, strict=False)]
    if len(placed) == 1:
        (_, only, its_guards), *_ = placed
        # With the guards as a default it is called without a function in between.
        return FunctionType(only.__code__, only.__globals__, only.__name__, (its_guards,))

    def matching(context: EvaluationContext) -> Iterator[int]:
        for first, chunk, of in placed:
            for number in chunk(context, of):
                yield first + number

    return matching


class KnownChunks:
    """Chunks by their texts. May be used from any thread."""

    def __init__(self, *, max_chars: int = MAX_CHARS) -> None:
        self._made: BoundedMemory[tuple[str, ...], Chunk] = BoundedMemory(_chars, max_chars=max_chars)

    def compiled(self, chunk: Sequence[Expression]) -> Chunk:
        """These rules, compiled."""
        texts = tuple(expression.text for expression in chunk)
        return self._made.found_or_made(texts, lambda: _compiled(chunk))

    def statistics(self) -> dict[str, int]:
        """How many chunks are known, how many characters they count for, and how often one was compiled."""
        chunks, chars, compilations = self._made.counts()
        return {"program_chunks": chunks, "program_chars": chars, "program_compilations": compilations}


def _chars(texts: tuple[str, ...]) -> int:
    return sum(map(len, texts)) + EACH_CHARS * len(texts)


# One for each process, as for the expressions.
CHUNKS = KnownChunks()


def _compiled(chunk: Sequence[Expression]) -> Chunk:
    names, roots = Names(), [_condition(expression) for expression in chunk]
    names.has_one_header = _has_one_header(roots)
    lines: list[str] = []
    for number, (root, code) in enumerate(zip(roots, code_of(roots, names), strict=True)):
        said = str(number)
        if worst_steps(root) > MAX_UNCOUNTED_STEPS:
            said = names.moment()
            code = f"({said} := {names.closure(_by_itself(number, root))}) is not None"  # noqa: PLW2901
        lines += [f"if {code}:", f"    {_NEXT} = {number + 1}", f"    yield {said}"]
    begin, undecided = names.constant(begin_rule), names.constant(Undecided)
    source = "".join(names.functions) + "\n ".join(
        [
            f"def matching(context, {GUARDS}):",
            f"{_NEXT} = 0",
            f"{begin}()",
            "try:",
            *(f" {line}" for line in ("request = context.request", *names.setup, *lines)),
            f"except {undecided}:",
            f" yield from {names.constant(_one_by_one(roots))}(context, {_NEXT})",
        ]
    )
    exec(compile(source, "<rules>", "exec"), names.namespace)  # noqa: S102  (law 4)
    return Chunk(len(chunk), names.namespace["matching"], tried_by(roots))


def _has_one_header(roots: Sequence[Condition]) -> bool:
    """Whether no more than one header is asked for by its name."""
    found = set[Index]()
    for root in roots:
        for node in nodes_of(root):
            if isinstance(node, Indexed) and isinstance(node.target, FieldAccess) and node.target.name == HEADERS:
                found.add(node.indexes[0] if node.indexes else "")
    return len(found) <= 1 and "" not in found


def _by_itself(number: int, root: Condition) -> Callable[[EvaluationContext], int | None]:
    """A condition as a rule by itself: its number if it holds, or as Undecidable. What follows is another rule."""
    truth = truth_of(root)

    def matching(context: EvaluationContext) -> int | None:
        begin_rule()
        try:
            return number if truth(context) else None
        except Undecided as error:
            return Undecidable.of(number, str(error))
        finally:
            begin_rule()

    return matching


def _one_by_one(roots: Sequence[Condition]) -> Callable[[EvaluationContext, int], Iterator[int]]:
    """The conditions from one number on, each as a rule by itself."""
    # Made when they are first needed, which for most rules is never.
    rules: list[Callable[[EvaluationContext], int | None]] = []

    def matching(context: EvaluationContext, first: int) -> Iterator[int]:
        if not rules:
            rules[:] = map(_by_itself, range(len(roots)), roots)
        for rule in rules[first:]:
            if (number := rule(context)) is not None:
                yield number

    return matching


def _condition(expression: Expression) -> Condition:
    if isinstance(expression.root, Indexed):
        raise TypeError("expected an expression that is a condition, got one that is a value")
    return expression.root
