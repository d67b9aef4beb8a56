"""Read the text of an expression into a tree: a Pratt parser over `lexer`, checking types as it goes.

Law 1: any text gives an `Expression` or a `ParseError`, in time linear in its length for each level of nesting.
Law 2: what the original accepts is accepted, with the same meaning; what it refuses is refused at the same place with the
       same words. So the order in which things are tried and checked is the original's, also where another were simpler.
Law 3: `true` and `false` are expressions only as a whole; the original's API knows them, its grammar does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.rules import lexer, literals
from holdfast.rules.arguments import problem_with, result_type
from holdfast.rules.errors import NotKnownHere, ParseError
from holdfast.rules.functions import FUNCTIONS, REFUSED_FUNCTIONS, Function
from holdfast.rules.refused_fields import refusal_of
from holdfast.rules.relations import relation_of, takes_operand
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
    FieldAccess,
    HasBits,
    Index,
    Indexed,
    IsTrue,
    Literal,
    LogicalOp,
    Negation,
    Ordered,
    Ordering,
    Quantified,
)
from holdfast.rules.value_types import BOOL, BOOL_ARRAY, BYTES, INT, IP, ValueType, mismatch

# The original's documented limit for one expression.
MAX_CHARACTERS = 4096
# The original's limit of parentheses, negations, quantifiers and calls inside each other.
MAX_NESTING = 128

# What the original trims: Unicode's white space, which is not quite what Python trims.
_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_CONSTANTS = {"true": True, "false": False}
_NAME_BEGINNINGS = frozenset("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def parse(text: str) -> Expression:
    """Read a condition. Raises ParseError."""
    parser, start = _opened(text)
    trimmed = parser.text[start:]
    if trimmed in _CONSTANTS:
        return Expression(text, Constant(_CONSTANTS[trimmed]))
    with refused_if_too_deep(text):
        root, at = parser.condition(start, 0)
    if root.type != BOOL:
        raise parser.error(at, None, mismatch([BOOL], root.type))
    parser.require_end(at)
    return Expression(text, root)


def parse_value(text: str) -> Expression:
    """Read an expression for a value (`concat("/new", http.request.uri.path)`). Raises ParseError."""
    parser, start = _opened(text)
    with refused_if_too_deep(text):
        root, at = parser.indexed(start, 0)
    if root.each_count:
        raise parser.error(start, None, mismatch([root.type], root.type.array))
    parser.require_end(at)
    return Expression(text, root)


@contextmanager
def refused_if_too_deep(text: str) -> Iterator[None]:
    """Refuse what is nested too deeply for what is left of the caller's stack; no caller of ours is near to that."""
    try:
        yield
    except RecursionError:
        raise ParseError.of_whole(text, "the expression is nested too deeply") from None


def _opened(text: str) -> tuple[_Parser, int]:
    """A parser for a text of a right size, and where what it says begins."""
    if len(text) > MAX_CHARACTERS:
        reason = f"the expression has {len(text)} characters, {MAX_CHARACTERS} are allowed"
        raise ParseError.of_whole(text, reason)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ParseError.of_whole(text, f"character {error.start + 1} is half a surrogate pair") from None
    trimmed = text.rstrip(_WHITE_SPACE)
    return _Parser(trimmed), len(trimmed) - len(trimmed.lstrip(_WHITE_SPACE))


class _Parser:
    """One reading of one text. A method takes a position and a depth; it returns a node and the position after it.

    Methods that call each other around a level of nesting are at most five frames a level, so that `MAX_NESTING` of them
    fit into the interpreter's limit of 1,000 whoever calls.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        # Functions of which one call is allowed: which were called, and which of them is being read.
        self.called: set[str] = set()
        self.rewriting: str | None = None

    def error(self, start: int, end: int | None, reason: str) -> ParseError:
        """The error of `text[start:end]`, to the end of the text if `end` is None."""
        return ParseError.at(self.text, start, len(self.text) if end is None else end, reason)

    def require_end(self, at: int) -> None:
        """Nothing may be left."""
        if at < len(self.text):
            raise self.error(at, None, "unrecognised input")

    def deeper(self, depth: int, at: int) -> int:
        """The depth inside of what begins at `at`."""
        if depth >= MAX_NESTING:
            raise self.error(at, None, f"maximum nesting depth exceeded (limit: {MAX_NESTING})")
        return depth + 1

    # Conditions.

    def condition(self, at: int, depth: int) -> tuple[Condition, int]:
        """Conditions combined by operators."""
        left, at = self._single(at, depth)
        return self._combined(left, depth, None, *lexer.logical_op(self.text, at))

    def _combined(
        self, left: Condition, depth: int, least: LogicalOp | None, op: LogicalOp | None, at: int
    ) -> tuple[Condition, int]:
        """`left` and what follows, whose operator `op` has been read, while it binds as strongly as `least`."""
        while op is not None:
            right, end = self._single(at, depth)
            following, next_at = lexer.logical_op(self.text, end)
            while following is not None and following.value > op.value:
                right, end = self._combined(right, depth, following, following, next_at)
                following, next_at = lexer.logical_op(self.text, end)
            if not (left.type == right.type == BOOL or (left.type.is_array and right.type.is_array)):
                raise self.error(next_at, None, mismatch([left.type], right.type))
            left = _joined(op, left, right)
            if following is None or (least is not None and following.value < least.value):
                return left, end
            op, at = following, next_at
        return left, at

    def _single(self, at: int, depth: int) -> tuple[Condition, int]:
        """A condition that is in parentheses, negated, quantified, or a comparison."""
        if self.text.startswith("(", at):
            inside = self.deeper(depth, at)
            found, at = self.condition(lexer.skip_space(self.text, at + 1), inside)
            return found, lexer.expect(self.text, lexer.skip_space(self.text, at), ")")
        if (negated := lexer.negation(self.text, at)) is not None:
            inside = self.deeper(depth, at)
            found, at = self._single(lexer.skip_space(self.text, negated), inside)
            return Negation(found), at
        if (quantified := lexer.quantifier(self.text, at)) is not None:
            return self._quantified(*quantified, depth)
        left, at = self.indexed(at, depth)
        return self._comparison(left, at, depth)

    def _quantified(self, is_any: bool, opening: int, depth: int) -> tuple[Quantified, int]:
        inside = self.deeper(depth, opening)
        start = lexer.skip_space(self.text, opening + 1)
        found, end = self._argument(start, inside)
        if isinstance(found, Literal) or found.type != BOOL_ARRAY:
            raise self.error(start, end, mismatch([BOOL_ARRAY], found.type))
        return Quantified(is_any, found), lexer.expect(self.text, lexer.skip_space(self.text, end), ")")

    def _comparison(self, left: Indexed, at: int, depth: int) -> tuple[Comparison, int]:
        """What is asked about `left`, which ends at `at`. A truth stands alone."""
        if left.type == BOOL:
            return Comparison(left, IsTrue()), at
        if left.type.element == BOOL:
            if left.each_count:
                raise self.error(at, at, f"cannot perform this operation on type {left.type.array.debug}")
            return Comparison(left, IsTrue()), at
        start = lexer.skip_space(self.text, at)
        found = lexer.comparison_op(self.text, start)
        if found is None:
            raise self.error(start, None, "expected ComparisonOp")
        op, end = found
        if not takes_operand(op, left.type):
            relation, at = relation_of(self.text, start, end, op=op, type_=left.type)
            return Comparison(left, relation), at
        operand, at = self._operand(lexer.skip_space(self.text, end), left.type, depth)
        return Comparison(left, Ordered(op, operand) if isinstance(op, Ordering) else HasBits(operand)), at

    def _operand(self, at: int, type_: ValueType, depth: int) -> tuple[Literal | Indexed, int]:
        """The right side of a comparison: a constant, or what is no constant and looks like a name."""
        try:
            return self._constant(at, type_)
        except ParseError:
            if self.text[at : at + 1] not in _NAME_BEGINNINGS:
                raise
        found, end = self.indexed(at, depth)
        if found.full_type != type_:
            raise self.error(at, end, mismatch([type_], found.full_type))
        return found, end

    def _constant(self, at: int, type_: ValueType) -> tuple[Literal, int]:
        value: str | int | tuple[int, int]
        if type_ == IP:
            value, at = literals.address(self.text, at)
        elif type_ == INT:
            value, at = literals.integer(self.text, at)
        else:
            value, at = literals.byte_string(self.text, at)
        return Literal(value, type_), at

    # Values.

    def indexed(self, at: int, depth: int) -> tuple[Indexed, int]:
        """A field or a call, and its indexes."""
        end = lexer.name(self.text, at)
        name = self.text[at:end]
        target: FieldAccess | Call
        if (field := FIELDS.get(name)) is not None:
            target, at = FieldAccess(name, field.type), end
        elif (function := FUNCTIONS.get(name)) is not None:
            target, at = self._call(function, at, lexer.skip_space(self.text, end), depth)
        else:
            raise self._unknown(name, at, end)
        return self._indexes(target, at)

    def _indexes(self, target: FieldAccess | Call, at: int) -> tuple[Indexed, int]:
        type_, indexes = target.type, list[Index]()
        while self.text.startswith("[", at):
            found, end = lexer.index(self.text, lexer.skip_space(self.text, at + 1))
            end = lexer.expect(self.text, lexer.skip_space(self.text, end), "]")
            element = _element(type_, found)
            if element is None:
                reason = f"cannot access index {lexer.debug_index(found)} for type {type_.debug}"
                raise self.error(at, end, reason)
            type_, at = element, end
            indexes.append(found)
        return Indexed(target, tuple(indexes), type_), at

    def _unknown(self, name: str, at: int, end: int) -> ParseError:
        if (why := refusal_of(name)) is not None:
            what = f"unknown identifier: this edge does not know the field {name} ({why})"
            return NotKnownHere.at(self.text, at, end, what)
        if (why := REFUSED_FUNCTIONS.get(name)) is not None:
            what = f"unknown identifier: this edge does not have the function {name} ({why})"
            return NotKnownHere.at(self.text, at, end, what)
        return self.error(at, end, "unknown identifier")

    def _call(self, function: Function, start: int, at: int, depth: int) -> tuple[Call, int]:
        depth = self.deeper(depth, at)
        self._check_once(function, start)
        at = lexer.skip_space(self.text, lexer.expect(self.text, at, "("))
        arguments: list[Argument] = []
        while at < len(self.text) and self.text[at] != ")":
            if arguments:
                at = lexer.expect(self.text, at, ",")
            at = lexer.skip_space(self.text, at)
            argument, end = self._argument(at, depth)
            self._check(function, arguments, argument, at, end)
            arguments.append(argument)
            at = lexer.skip_space(self.text, end)
        if len(arguments) < function.required:
            raise self.error(at, None, "invalid number of arguments")
        at = lexer.expect(self.text, at, ")")
        if function.once:
            self.rewriting = None
        each = _each_count(arguments[0]) > 0
        type_ = result_type(function, arguments)
        return Call(function.name, tuple(arguments), type_.array if each else type_, each), at

    def _check_once(self, function: Function, start: int) -> None:
        if not function.once:
            return
        end = start + len(function.name)
        if self.rewriting is not None:
            raise self.error(start, end, f"{function.name}() may not stand inside {self.rewriting}()")
        if function.name in self.called:
            raise self.error(start, end, f"{function.name}() may stand once in an expression")
        self.called.add(function.name)
        self.rewriting = function.name

    def _check(self, function: Function, earlier: list[Argument], argument: Argument, start: int, end: int) -> None:
        if earlier and _each_count(argument):
            raise self.error(start, end, "invalid use of map each access operator")
        if function.parameter(len(earlier)) is None:
            raise self.error(start, None, "invalid number of arguments")
        problem = problem_with(function, earlier, argument)
        if problem is not None:
            raise self.error(start, end, problem)

    def _argument(self, at: int, depth: int) -> tuple[Argument, int]:
        """An argument. The grammar is ambiguous (`ab` may begin a name, a number, an address): the likeliest first."""
        if self.text.startswith(('"', 'r"', "r#"), at):
            value, end = literals.byte_string(self.text, at)
            return Literal(value, BYTES), end
        negated_or_quantified = lexer.negation(self.text, at) is not None or lexer.quantifier(self.text, at) is not None
        if self.text.startswith("(", at) or negated_or_quantified:
            return self.condition(at, depth)
        try:
            found, end = self.indexed(at, depth)
        except NotKnownHere:
            raise
        except ParseError:
            if _surely_a_name(self.text[at : at + 3]):
                raise
            return self._any_constant(at)
        if lexer.comparison_op(self.text, lexer.skip_space(self.text, end)) is None:
            return found, end
        return self._comparison(found, end, depth)

    def _any_constant(self, at: int) -> tuple[Literal, int]:
        """An address, a number or bytes, whichever it is. Bytes last: two digits might be their beginning."""
        for type_ in (IP, INT, BYTES):
            try:
                return self._constant(at, type_)
            except ParseError:
                continue
        raise self.error(at, None, "unrecognised input")


def _joined(op: LogicalOp, left: Condition, right: Condition) -> Combination:
    if isinstance(left, Combination) and left.op is op:
        return Combination(op, (*left.items, right))
    return Combination(op, (left, right))


def _each_count(argument: Argument) -> int:
    return argument.each_count if isinstance(argument, Indexed) else 0


def _element(type_: ValueType, index: Index) -> ValueType | None:
    """What `index` finds in a value of this type, None if it can find nothing."""
    if isinstance(index, Each):
        return type_.element
    fitting = type_.is_array if isinstance(index, int) else type_.is_map
    return type_.element if fitting else None


def _surely_a_name(beginning: str) -> bool:
    """Whether a name stands here: one of the first three characters can be in a name and in no hexadecimal number."""
    for char in beginning:
        if not (char.isascii() and (char.isalnum() or char == "_")):
            return False
        if char not in _HEX_DIGITS:
            return True
    return False
