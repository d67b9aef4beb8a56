"""Make an expression that has been read into Python closures that answer for one request.

Law 1: all that can be decided without a request is decided here: patterns, sets, constants. Lists belong to the request.
Law 2: whatever the client sent, evaluating raises nothing but Undecided, where it would cost more than a rule may (`costs`). A
       comparison with a missing value is false, `ne` as well: that is what the original documents, though its open engine
       can be set to say otherwise.
Law 3: where a value is mapped over (`[*]`), a condition is a list of truths, element by element; combining them takes the
       shortest one's length, and what is missing has no elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from holdfast.rules.arguments import defaults, prepared
from holdfast.rules.context import EvaluationContext
from holdfast.rules.costs import counted_call, counted_comparison
from holdfast.rules.function_bodies import to_string
from holdfast.rules.functions import FUNCTIONS, Function
from holdfast.rules.meter import Undecided, begin_rule, spend
from holdfast.rules.parser import parse, parse_value, refused_if_too_deep
from holdfast.rules.predicates import comparison_of, has_common_bits, list_predicate_of, predicate_of
from holdfast.rules.scheme import FIELDS
from holdfast.rules.syntax_tree import (
    Argument,
    Call,
    Combination,
    Comparison,
    Condition,
    Constant,
    Each,
    Expression,
    HasBits,
    Index,
    Indexed,
    InList,
    InText,
    Literal,
    LogicalOp,
    Negation,
    Ordered,
    Ordering,
    Quantified,
)
from holdfast.rules.value_types import BOOL, BYTES, Value, ValueType

# From this many values on, it is worth finding those that differ.
MANY_VALUES = 64
# Steps for an element that is put into a list of them, for each index after which it is.
_SPREAD = 6

Truth: TypeAlias = Callable[[EvaluationContext], bool]
Truths: TypeAlias = Callable[[EvaluationContext], list[bool]]
# Reads a value, None if it is missing. Where the value is mapped over, the list of its elements.
Read: TypeAlias = Callable[[EvaluationContext], Any]


@dataclass(frozen=True, slots=True)
class CompiledExpression:
    """A condition, ready: `matches(context)` says whether it holds for a request, as a rule by itself. It raises Undecided.
    What was read is `expression`."""

    expression: Expression
    matches: Truth


@dataclass(frozen=True, slots=True)
class CompiledValue:
    """A value, ready: `evaluate(context)` gives it, of `type`, None if it is missing, or would cost more than a rule may.
    Strings have one character a byte."""

    expression: Expression
    type: ValueType
    evaluate: Callable[[EvaluationContext], Value]

    def text(self, context: EvaluationContext) -> str | None:
        """The value as it is written (see `to_string`); None if it is missing, or an array or a map."""
        value = self.evaluate(context)
        if value is None or self.type.layers:
            return None
        return value if self.type == BYTES else to_string(value)  # type: ignore[return-value, arg-type]


def compile_expression(expression: str | Expression) -> CompiledExpression:
    """Compile a condition. Raises ParseError. Whether the lists that it names are there, `lists.check_lists` says."""
    read = parse(expression) if isinstance(expression, str) else expression
    if isinstance(read.root, Indexed):
        raise TypeError("expected an expression that is a condition, got one that is a value")
    with refused_if_too_deep(read.text):
        return CompiledExpression(read, _as_rule(truth_of(read.root)))


def compile_value(expression: str | Expression) -> CompiledValue:
    """Compile an expression for a value (`concat("new.", http.host)`). Raises ParseError."""
    read = parse_value(expression) if isinstance(expression, str) else expression
    if not isinstance(read.root, Indexed):
        raise TypeError("expected an expression that is a value, got one that is a condition")
    with refused_if_too_deep(read.text):
        return CompiledValue(read, read.root.full_type, _or_missing(value_of(read.root)))


def _as_rule(truth: Truth) -> Truth:
    def matches(context: EvaluationContext) -> bool:
        begin_rule()
        return truth(context)

    return matches


def _or_missing(read: Read) -> Read:
    def evaluate(context: EvaluationContext) -> Any:  # noqa: ANN401
        begin_rule()
        try:
            return read(context)
        except Undecided:
            return None

    return evaluate


def truth_of(node: Condition) -> Truth:
    """A condition that is one truth."""
    match node:
        case Comparison():
            return _comparison(node)
        case Combination(op=op, items=items):
            return _combined(op, list(map(truth_of, items)))
        case Negation(item=item):
            negated = truth_of(item)
            return lambda context: not negated(context)
        case Quantified(is_any=is_any, item=item):
            return _quantified(any if is_any else all, item)
        case Constant(truth=truth):
            return lambda _: truth


def _quantified(reduce: Callable[[list[bool]], bool], item: Condition | Indexed) -> Truth:
    if not isinstance(item, Indexed):
        truths = truths_of(item)
        return lambda context: reduce(truths(context))
    read = value_of(item)
    # What is missing as a whole fulfils nothing; an array without elements fulfils "all".
    return lambda context: (values := read(context)) is not None and reduce(values)


def _comparison(node: Comparison) -> Truth:
    relation = node.relation
    read = counted_comparison(value_of(node.left), relation)
    if isinstance(relation, InText):
        members = relation.members
        return lambda context: read(context) in members
    if isinstance(relation, Ordered | HasBits) and isinstance(relation.operand, Indexed):
        compare, other = _two_sided(relation, node.left.type), value_of(relation.operand)
        return lambda context: (
            (left := read(context)) is not None and (right := other(context)) is not None and compare(left, right)
        )
    if isinstance(relation, Ordered) and relation.op is Ordering.EQUAL:
        return _equals(read, relation.operand)
    if isinstance(relation, InList):
        predicate_for = list_predicate_of(relation, node.left.type)
        return lambda context: (value := read(context)) is not None and predicate_for(context)(value)
    predicate = predicate_of(relation, node.left.type)
    return lambda context: (value := read(context)) is not None and predicate(value)


def truths_of(node: Condition) -> Truths:
    """A condition that is an array of truths."""
    match node:
        case Comparison():
            return _comparisons(node)
        case Combination(op=op, items=items):
            parts, reduce = list(map(truths_of, items)), _REDUCE[op]
            return lambda context: [reduce(row) for row in zip(*(part(context) for part in parts), strict=False)]
        case Negation(item=item):
            negated = truths_of(item)
            return lambda context: [not truth for truth in negated(context)]
        case Quantified() | Constant():
            raise AssertionError("one truth is no array of them")


def _comparisons(node: Comparison) -> Truths:
    relation = node.relation
    read = counted_comparison(value_of(node.left), relation)
    if isinstance(relation, Ordered | HasBits) and isinstance(relation.operand, Indexed):
        compare, other = _two_sided(relation, node.left.type), value_of(relation.operand)

        def compared(context: EvaluationContext) -> list[bool]:
            values, right = read(context), other(context)
            return [right is not None and compare(left, right) for left in values or ()]

        return compared
    if isinstance(relation, InList):
        predicate_for = list_predicate_of(relation, node.left.type)
        return lambda context: list(map(predicate_for(context), read(context) or ()))
    predicate = predicate_of(relation, node.left.type)
    return lambda context: [predicate(value) for value in read(context) or ()]


def value_of(node: Indexed) -> Read:
    """A value, or the list of its elements where it is mapped over."""
    target = _call(node.target) if isinstance(node.target, Call) else FIELDS[node.target.name].read
    if not node.indexes:
        return target
    if Each.EACH not in node.indexes:
        return _followed(target, node.indexes)
    before = node.indexes.index(Each.EACH)
    first = _followed(target, node.indexes[:before]) if before else target
    return _spread(first, node.indexes[before:])


def _call(node: Call) -> Read:
    function = FUNCTIONS[node.name]
    if all(isinstance(argument, Literal) for argument in node.args):
        constants = [
            prepared(function, place, argument)
            for place, argument in enumerate(node.args)
            if isinstance(argument, Literal)
        ]
        return _once_for_all(lambda: function.body(*constants, *defaults(function, len(node.args))))
    constant_tail = [argument for argument in node.args[1:] if isinstance(argument, Literal)]
    if len(constant_tail) == len(node.args) - 1 and not function.takes_missing:
        tail = [prepared(function, place, argument) for place, argument in enumerate(constant_tail, 1)]
        tail += defaults(function, len(node.args))
        return _call_of_one(
            function.body, counted_call(_argument(function, 0, node.args[0]), node.name), tail, each=node.each
        )
    reads: list[Read] = []
    for place, argument in enumerate(node.args):
        # No comprehension: it is a frame more for each level of nesting.
        reads.append(_argument(function, place, argument))
    return _call_of_many(function, reads, defaults(function, len(node.args)), each=node.each)


def _once_for_all(compute: Callable[[], object]) -> Read:
    """What depends on no request, computed now."""
    begin_rule()
    try:
        result = compute()
    except Undecided as error:
        why = str(error)

        def undecided(_: EvaluationContext) -> Any:  # noqa: ANN401
            raise Undecided(why)

        return undecided
    return lambda _: result


def _argument(function: Function, place: int, argument: Argument) -> Read:
    if isinstance(argument, Literal):
        return _constantly(prepared(function, place, argument))
    if isinstance(argument, Indexed):
        return value_of(argument)
    return truth_of(argument) if argument.type == BOOL else truths_of(argument)


def _is_odd(truths: Sequence[bool]) -> bool:
    return sum(truths) % 2 == 1


_REDUCE: Mapping[LogicalOp, Callable[[Sequence[bool]], bool]] = {
    LogicalOp.AND: all,
    LogicalOp.OR: any,
    LogicalOp.XOR: _is_odd,
}


def _combined(op: LogicalOp, parts: Sequence[Truth]) -> Truth:
    """All, any, or an odd number of the parts; the first that decides is the last that is asked."""
    if op is LogicalOp.XOR:
        return lambda context: _is_odd([part(context) for part in parts])
    if len(parts) == 2:
        first, second = parts
        if op is LogicalOp.AND:
            return lambda context: first(context) and second(context)
        return lambda context: first(context) or second(context)
    decisive = op is LogicalOp.OR

    def combined(context: EvaluationContext) -> bool:
        for part in parts:
            if part(context) is decisive:
                return decisive
        return not decisive

    return combined


def _two_sided(relation: Ordered | HasBits, type_: ValueType) -> Callable[[Any, Any], bool]:
    return comparison_of(relation.op, type_) if isinstance(relation, Ordered) else has_common_bits


def _equals(read: Read, operand: Literal | Indexed) -> Truth:
    assert isinstance(operand, Literal), "a comparison of two values is compiled before"  # noqa: S101
    wanted = operand.value
    # None is equal to no constant.
    return lambda context: read(context) == wanted


def _constantly(value: object) -> Read:
    return lambda _: value


def _followed(target: Read, indexes: Sequence[Index]) -> Read:
    """The value after indexes none of which is `[*]`."""
    if len(indexes) == 2:
        key, place = indexes
        if isinstance(key, str) and isinstance(place, int):
            return _followed_to_one(target, key, place)

    def followed(context: EvaluationContext) -> Any:  # noqa: ANN401
        value = target(context)
        for index in indexes:
            if value is None:
                return None
            value = _element(value, index)
        return value

    return followed


def _followed_to_one(target: Read, key: str, place: int) -> Read:
    """A header, an argument, a cookie: by far the most frequent of all."""

    def read(context: EvaluationContext) -> Any:  # noqa: ANN401
        found = target(context)
        values = None if found is None else found.get(key)
        return values[place] if values is not None and place < len(values) else None

    return read


def _element(container: Any, index: Index) -> Any:  # noqa: ANN401
    if isinstance(index, str):
        return container.get(index)
    assert isinstance(index, int), "[*] is not one element"  # noqa: S101
    return container[index] if index < len(container) else None


def _spread(target: Read, indexes: Sequence[Index]) -> Read:
    """The elements of a value after indexes of which the first is `[*]`."""

    def spread(context: EvaluationContext) -> list[Any] | None:
        value = target(context)
        if value is None:
            return None
        values = [value]
        for index in indexes:
            if isinstance(index, Each):
                values = [item for one in values for item in (one.values() if isinstance(one, dict) else one)]
            else:
                values = [item for one in values if (item := _element(one, index)) is not None]
        spend(_SPREAD * len(indexes) * len(values))
        return values

    return spread


def _call_of_one(body: Callable[..., Any], first: Read, tail: Sequence[object], *, each: bool) -> Read:
    """A call of which only the first argument depends on the request."""
    if each:
        call = (lambda value: body(value, *tail)) if tail else body
        return lambda context: None if (values := first(context)) is None else _of_each(call, values)
    if not tail:
        return lambda context: None if (value := first(context)) is None else body(value)
    if len(tail) == 1:
        second = tail[0]
        return lambda context: None if (value := first(context)) is None else body(value, second)
    return lambda context: None if (value := first(context)) is None else body(value, *tail)


def _of_each(call: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    """What `call` gives for each element, without what is missing. Of many texts, those that differ are computed once: a
    client may send the same one thousands of times."""
    if len(values) >= MANY_VALUES and isinstance(values[0], str):
        call = {value: call(value) for value in set(values)}.__getitem__
    return [result for value in values if (result := call(value)) is not None]


def _call_of_many(function: Function, reads: Sequence[Read], last: Sequence[object], *, each: bool) -> Read:
    """A call whose arguments are read anew for each request; those that are not mapped over, once for all elements."""
    body, takes_missing = function.body, function.takes_missing
    first, *others = reads
    first = counted_call(first, function.name)

    def called(context: EvaluationContext) -> Any:  # noqa: ANN401
        head = first(context)
        tail = [read(context) for read in others]
        if each and head is None:
            return None
        if not takes_missing and (head is None or None in tail):
            return [] if each else None
        if not each:
            return body(head, *tail, *last)
        return _of_each(lambda value: body(value, *tail, *last), head)

    return called
