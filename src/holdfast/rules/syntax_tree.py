"""What an expression says, after reading: a tree of frozen values in which every node knows its type.

Law 1: a tree that exists is right: names are known, types fit, patterns compile. Only lists are looked up when a request is there.
Law 2: a node holds no position of the text but where something can still go wrong after reading (`InList`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from holdfast.rules.patterns import Pattern, Wildcard
from holdfast.rules.value_types import BOOL, BOOL_ARRAY, Address, ValueType


class Each(Enum):
    """The index `[*]`: what follows is done to every element."""

    EACH = auto()


Index: TypeAlias = int | str | Each


@dataclass(frozen=True, slots=True)
class FieldAccess:
    """The value of a field."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Call:
    """A function applied to arguments; `each` if its first argument is mapped over, which makes `type` an array."""

    name: str
    args: tuple[Argument, ...]
    type: ValueType
    each: bool


@dataclass(frozen=True, slots=True)
class Indexed:
    """A field or a call, and the indexes after it. `type` is that of one result, also where `[*]` makes many of them."""

    target: FieldAccess | Call
    indexes: tuple[Index, ...]
    type: ValueType

    @property
    def each_count(self) -> int:
        """How many of the indexes are `[*]`."""
        return self.indexes.count(Each.EACH)

    @property
    def full_type(self) -> ValueType:
        """The type of all results together."""
        return self.type.array if self.each_count else self.type


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant argument: a string (one character a byte), an integer or an address."""

    value: str | int | Address
    type: ValueType


class Ordering(Enum):
    """The comparisons that every scalar but Bool has."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    GREATER_EQUAL = "ge"
    LESS_EQUAL = "le"
    GREATER = "gt"
    LESS = "lt"


@dataclass(frozen=True, slots=True)
class IsTrue:
    """A Bool that stands alone."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A comparison with a constant, or with another value of the request."""

    op: Ordering
    operand: Literal | Indexed


@dataclass(frozen=True, slots=True)
class HasBits:
    """`&`: true where at least one bit is in both."""

    operand: Literal | Indexed


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains`: a substring."""

    substring: str


@dataclass(frozen=True, slots=True)
class Matches:
    """`matches`: a regular expression, anywhere in the value."""

    pattern: Pattern


@dataclass(frozen=True, slots=True)
class MatchesWildcard:
    """`wildcard` and `strict wildcard`: the whole value."""

    wildcard: Wildcard


@dataclass(frozen=True, slots=True)
class InText:
    """`in {"a" "b"}`."""

    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class InIntegers:
    """`in {1 5..9}`: inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class InAddresses:
    """`in {10.0.0.0/8 ::1}`: inclusive ranges, both ends of one family."""

    ranges: tuple[tuple[Address, Address], ...]


@dataclass(frozen=True, slots=True)
class InList:
    """`in $name`. `start` and `end` are where the name stands in the text, for whoever finds that there is no such list
    (`lists.check_lists`)."""

    name: str
    start: int
    end: int


Relation: TypeAlias = (
    IsTrue | Ordered | HasBits | Contains | Matches | MatchesWildcard | InText | InIntegers | InAddresses | InList
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value and what is asked about it. One answer, or an array of them where the value is mapped over."""

    left: Indexed
    relation: Relation

    @property
    def type(self) -> ValueType:
        """Bool or Array<Bool>."""
        if self.left.each_count:
            return BOOL_ARRAY
        return self.left.type if isinstance(self.relation, IsTrue) else BOOL


class LogicalOp(Enum):
    """The ways to combine; the value is the precedence."""

    OR = 1
    XOR = 2
    AND = 3


@dataclass(frozen=True, slots=True)
class Combination:
    """Two or more conditions of one type under one operator."""

    op: LogicalOp
    items: tuple[Condition, ...]

    @property
    def type(self) -> ValueType:
        """That of its parts."""
        return self.items[0].type


@dataclass(frozen=True, slots=True)
class Negation:
    """`not`, element by element where there are many."""

    item: Condition

    @property
    def type(self) -> ValueType:
        """That of what is negated."""
        return self.item.type


@dataclass(frozen=True, slots=True)
class Quantified:
    """`any(...)` (`is_any`) or `all(...)` over an Array<Bool>."""

    is_any: bool
    item: Condition | Indexed

    @property
    def type(self) -> ValueType:
        """Bool."""
        return BOOL


@dataclass(frozen=True, slots=True)
class Constant:
    """`true` or `false` as the whole expression."""

    truth: bool

    @property
    def type(self) -> ValueType:
        """Bool."""
        return BOOL


Condition: TypeAlias = Comparison | Combination | Negation | Quantified | Constant
Argument: TypeAlias = Indexed | Literal | Condition
Node: TypeAlias = Condition | Indexed | Literal | FieldAccess | Call


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that has been read: its `text` and what it says."""

    text: str
    root: Condition | Indexed

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields it uses."""
        return frozenset(node.name for node in nodes_of(self.root) if isinstance(node, FieldAccess))

    @property
    def functions(self) -> frozenset[str]:
        """The names of the functions it calls."""
        return frozenset(node.name for node in nodes_of(self.root) if isinstance(node, Call))

    @property
    def lists(self) -> Mapping[str, ValueType]:
        """The names of the lists it looks in, without their "$", and the type of what it looks for there."""
        return {relation.name: type_ for relation, type_ in list_uses(self.root)}


def list_uses(root: Node) -> list[tuple[InList, ValueType]]:
    """Each place where a list is looked in, in the order of the text, and the type of what is looked for."""
    found = [
        (node.relation, node.left.type)
        for node in nodes_of(root)
        if isinstance(node, Comparison) and isinstance(node.relation, InList)
    ]
    return sorted(found, key=lambda use: use[0].start)


def nodes_of(root: Node) -> Iterator[Node]:
    """Every node of a tree, parents first."""
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(_children(node))


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Indexed(target=target):
            return (target,)
        case Call(args=args):
            return args
        case Comparison(left=left, relation=Ordered(operand=operand) | HasBits(operand=operand)):
            return left, operand
        case Comparison(left=left):
            return (left,)
        case Combination(items=items):
            return items
        case Negation(item=item) | Quantified(item=item):
            return (item,)
        case _:
            return ()
