"""Code for what rules ask: conditions as expressions of Python, true where `compile.truth_of` says true.

Law 1: the code of a condition is true or false in the sense of `if`, never an error. A missing value fulfils no comparison.
Law 2: what is rare (conditions over arrays that are combined, comparisons of two arrays), or nested deeply, is asked of the
closure that `compile` makes: this is about speed and adds no meaning.
Law 3: before a pattern is tried on a value, the guards are asked (`program_guards`), which may know that it is in vain.
Law 4: what is dear and asked by several rules in the same words is asked once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from holdfast.rules.compile import MANY_VALUES, truth_of
from holdfast.rules.patterns import Pattern, Wildcard, ascii_lower
from holdfast.rules.predicates import list_predicate_of, members_of, predicate_of
from holdfast.rules.program_names import Names
from holdfast.rules.program_values import Coded, address_numbers, key_of, value_code
from holdfast.rules.syntax_tree import (
    Combination,
    Comparison,
    Condition,
    Constant,
    Contains,
    FieldAccess,
    HasBits,
    InAddresses,
    Indexed,
    InIntegers,
    InList,
    InText,
    IsTrue,
    Literal,
    LogicalOp,
    Matches,
    MatchesWildcard,
    Negation,
    Ordered,
    Ordering,
    Quantified,
    nodes_of,
)
from holdfast.rules.value_types import IP, Address, ValueType

# Conditions in conditions beyond this are left to closures: Python reads only so many brackets within brackets.
MAX_DEPTH = 20
# What generated code calls the guards of its program: by the key of a value, what says whether to try patterns on it.
GUARDS = "G"

# Between texts that are searched together, for what has none of it: then it is in one of them.
_BETWEEN = "\n"

_OPERATORS: Mapping[Ordering, str] = {
    Ordering.EQUAL: "==",
    Ordering.NOT_EQUAL: "!=",
    Ordering.LESS: "<",
    Ordering.LESS_EQUAL: "<=",
    Ordering.GREATER: ">",
    Ordering.GREATER_EQUAL: ">=",
}


@dataclass(slots=True)
class ConditionCode:
    """Code for the conditions of some rules, in one function."""

    names: Names
    repeated: frozenset[Condition] = frozenset()

    def of(self, node: Condition, depth: int = 0) -> str:
        """The code of one condition, which stands `depth` conditions deep."""
        if depth >= MAX_DEPTH:
            return self._closure(node)
        match node:
            case Constant(truth=truth):
                return str(truth)
            case Negation(item=item):
                return f"(not {self.of(item, depth + 1)})"
            case Combination(op=LogicalOp.XOR, items=items):
                odd = " + ".join(f"(1 if {self.of(item, depth + 1)} else 0)" for item in items)
                return f"(({odd}) & 1)"
            case Combination(op=op, items=items):
                if op is LogicalOp.AND:
                    return f"({' and '.join(self.of(item, depth + 1) for item in items)})"
                runs = [list(run) for _, run in groupby(items, _searched)]
                return f"({' or '.join(self._one_of(run, depth + 1) for run in runs)})"
            case Comparison() | Quantified():
                if node in self.repeated:
                    return self.names.kept(node, lambda: self._asked(node))
                return self._asked(node)

    def _one_of(self, items: Sequence[Condition], depth: int) -> str:
        """Whether one of these holds, which search texts in the same value, or are all sorts of conditions."""
        left = _searched(items[0])
        if left is None or len(items) == 1:
            return " or ".join(self.of(item, depth) for item in items)
        value = self.names.moment()
        found = [f"{self.names.constant(item.relation.substring)} in {value}" for item in items]  # type: ignore[union-attr]
        return f"(({value} := {value_code(self.names, left).code}) is not None and ({' or '.join(found)}))"

    def _asked(self, node: Comparison | Quantified) -> str:
        return self._comparison(node) if isinstance(node, Comparison) else self._quantified(node)

    def _closure(self, node: Condition) -> str:
        return self.names.closure(truth_of(node))

    # One value.

    def _comparison(self, node: Comparison) -> str:
        relation, left = node.relation, node.left
        coded = value_code(self.names, left)
        if isinstance(relation, Ordered | HasBits) and isinstance(relation.operand, Indexed):
            return self._two_sided(coded, relation, relation.operand, is_address=left.type == IP)
        if isinstance(relation, InAddresses) and left.target == _CLIENT and not left.indexes:
            return self._client_in(coded, relation.ranges)
        if isinstance(relation, Matches):
            return self._matches(left, coded, relation.pattern)
        if isinstance(relation, MatchesWildcard):
            there = "" if coded.is_sure else f"{coded.code} is not None and "
            return f"({there}{self._wildcard(node, coded, relation.wildcard)})"
        if coded.is_sure or _is_false_of_nothing(relation):
            return self._about(coded.code, node)
        value = self.names.moment()
        return f"(({value} := {coded.code}) is not None and {self._about(value, node)})"

    def _two_sided(self, left: Coded, relation: Ordered | HasBits, operand: Indexed, *, is_address: bool) -> str:
        """What is asked of two values of the request, both of which must be there."""
        is_plain = (
            isinstance(relation, HasBits) or not is_address or relation.op in {Ordering.EQUAL, Ordering.NOT_EQUAL}
        )
        there, values = [], []
        for coded in (left, value_code(self.names, operand)):
            value = self.names.moment()
            there.append(f"({value} := {coded.code}) is not None")
            values.append(value)
        one, other = values
        if isinstance(relation, HasBits):
            return f"({' and '.join(there)} and {one} & {other} != 0)"
        if is_plain:
            return f"({' and '.join(there)} and {one} {_OPERATORS[relation.op]} {other})"
        compared = f"{one}[0] == {other}[0] and {one}[1] {_OPERATORS[relation.op]} {other}[1]"
        return f"({' and '.join(there)} and {compared})"

    def _about(self, value: str, node: Comparison) -> str:
        """What is asked of a value that is there."""
        constant = self.names.constant
        match node.relation:
            case IsTrue():
                return value
            case Ordered(op=op, operand=Literal(value=operand)):
                return self._ordered(value, op, operand, is_address=node.left.type == IP)
            case HasBits(operand=Literal(value=operand)):
                return f"({value} & {constant(operand)} != 0)"
            case Contains(substring=substring):
                return f"({constant(substring)} in {value})"
            case InText() | InIntegers() | InAddresses() | InList() as relation:
                return self._member(value, relation, node.left.type)
            case Ordered() | HasBits() | Matches() | MatchesWildcard():
                raise AssertionError("what needs more than the value is asked before")

    def _member(self, value: str, relation: InText | InIntegers | InAddresses | InList, type_: ValueType) -> str:
        constant = self.names.constant
        if isinstance(relation, InList):
            predicate_for = constant(list_predicate_of(relation, type_), what=(relation.name, type_))
            return f"{self.names.kept(('list', predicate_for), lambda: f'{predicate_for}(context)')}({value})"
        if isinstance(relation, InIntegers):
            search = constant(bisect_right, what=bisect_right)
            return f"({search}({constant(_bounds(relation.ranges))}, {value}) & 1)"
        return f"({value} in {constant(members_of(relation))})"

    def _ordered(self, value: str, op: Ordering, operand: object, *, is_address: bool) -> str:
        if not is_address or op in {Ordering.EQUAL, Ordering.NOT_EQUAL}:
            return f"({value} {_OPERATORS[op]} {self.names.constant(operand)})"
        assert isinstance(operand, tuple), "an address is compared with an address"  # noqa: S101
        family, number = operand
        address = self.names.moment()
        return (
            f"(({address} := {value})[0] == {self.names.constant(family)}"
            f" and {address}[1] {_OPERATORS[op]} {self.names.constant(number)})"
        )

    def _client_in(self, client: Coded, ranges: Sequence[tuple[Address, Address]]) -> str:
        """Whether the client's address is in these ranges, of which most are of one family."""
        asked = []
        for family, number in zip((4, 6), address_numbers(self.names, client), strict=True):
            bounds = _bounds([(first[1], last[1]) for first, last in ranges if first[0] == family])
            if len(bounds) == 2 and bounds[1] == bounds[0] + 1:
                asked.append(f"{number} == {self.names.constant(bounds[0])}")
            elif len(bounds) == 2:
                low, high = map(self.names.constant, bounds)
                asked.append(f"{low} <= {number} < {high}")
            elif bounds:
                search = self.names.constant(bisect_right, what=bisect_right)
                asked.append(f"{search}({self.names.constant(bounds)}, {number}) & 1")
        return f"({' or '.join(asked) or 'False'})"

    def _wildcard(self, node: Comparison, coded: Coded, wildcard: Wildcard) -> str:
        """Whether a wildcard covers a value that is there. Its beginning is asked first: that is mostly the end of it."""
        constant = self.names.constant
        compared = coded.code
        if not wildcard.strict:
            lower = constant(ascii_lower, what=ascii_lower)
            compared = self.names.kept(("lower", node.left), lambda: f"{lower}({coded.code})")
        first, *others = wildcard.pieces
        if not others:
            return f"({compared} == {constant(first)})"
        if len(others) == 2 and not first and not others[1]:
            return f"({constant(others[0])} in {compared})"
        covers = f"{constant(wildcard.covers, what=wildcard)}({coded.code})"
        return f"({compared}.startswith({constant(first)}) and {covers})" if first else covers

    def _matches(self, left: Indexed, coded: Coded, pattern: Pattern) -> str:
        matches = f"{self.names.constant(pattern.is_in, what=pattern)}({coded.code})"
        there = "" if coded.is_sure else f"{coded.code} is not None and "
        return f"({self._may_match(left)} and {there}{matches})"

    def _may_match(self, left: Indexed) -> str:
        """Whether it may be that patterns match this value, or one of these values."""
        guard, key = self.names.moment(), self.names.constant(key_of(left), what=("key", left))
        asked = f"(({guard} := {GUARDS}.get({key})) is None or {guard}(context))"
        return self.names.kept(("guard", left), lambda: asked)

    # Many values.

    def _quantified(self, node: Quantified) -> str:
        item = node.item
        if isinstance(item, Indexed):
            values = self.names.moment()
            reduce = "any" if node.is_any else "all"
            return f"(({values} := {value_code(self.names, item).code}) is not None and {reduce}({values}))"
        if not isinstance(item, Comparison) or item.left.each_count != 1:
            return self._closure(node)
        if not node.is_any:
            return self._all(node, item)
        if isinstance(item.relation, Ordered | HasBits) and isinstance(item.relation.operand, Indexed):
            return self._closure(node)
        coded = value_code(self.names, item.left)
        values = self.names.moment()
        # What is missing, and what is empty, has no element that fulfils anything.
        return f"(({values} := {coded.code}) and {self._any_of(values, item)})"

    def _all(self, node: Quantified, item: Comparison) -> str:
        relation = item.relation
        if isinstance(relation, InList) or (
            isinstance(relation, Ordered | HasBits) and isinstance(relation.operand, Indexed)
        ):
            return self._closure(node)
        values = self.names.moment()
        # What is missing has no element that fails.
        return f"(({values} := {value_code(self.names, item.left).code}) is None or {self._all_of(values, item)})"

    def _all_of(self, values: str, item: Comparison) -> str:
        constant = self.names.constant
        match item.relation:
            case Ordered(op=Ordering.NOT_EQUAL, operand=Literal(value=operand)):
                return f"({constant(operand)} not in {values})"
            case Ordered(op=Ordering.EQUAL, operand=Literal(value=operand)):
                return f"({values}.count({constant(operand)}) == len({values}))"
            case InText(members=members):
                return f"{constant(members)}.issuperset({values})"
            case Matches(pattern=pattern):
                return f"all(map({constant(pattern.is_in, what=pattern)}, {self._distinct(values)}))"
            case MatchesWildcard(wildcard=wildcard):
                return f"all(map({constant(wildcard.covers, what=wildcard)}, {self._distinct(values)}))"
            case Contains(substring=substring):
                return f"all([{constant(substring)} in x for x in {values}])"
            case _:
                return f"all(map({constant(predicate_of(item.relation, item.left.type))}, {values}))"

    def _any_of(self, values: str, item: Comparison) -> str:
        constant = self.names.constant
        match item.relation:
            case Ordered(op=Ordering.EQUAL, operand=Literal(value=operand)):
                return f"({constant(operand)} in {values})"
            case InText(members=members):
                return f"(not {constant(members)}.isdisjoint({values}))"
            case Matches(pattern=pattern):
                tried = f"any(map({constant(pattern.is_in, what=pattern)}, {self._distinct(values)}))"
                return f"({self._may_match(item.left)} and {tried})"
            case MatchesWildcard(wildcard=wildcard):
                return f"any(map({constant(wildcard.covers, what=wildcard)}, {self._distinct(values)}))"
            case InList() as relation:
                predicate_for = constant(list_predicate_of(relation, item.left.type))
                return f"any(map({predicate_for}(context), {values}))"
            case IsTrue():
                return f"any({values})"
            case Contains(substring=substring):
                return self._any_contains(values, item.left, substring)
            case _:
                return f"any(map({constant(predicate_of(item.relation, item.left.type))}, {values}))"

    def _any_contains(self, values: str, left: Indexed, substring: str) -> str:
        """Whether a text is in one of many values, of which there are some."""
        searched = self.names.constant(substring)
        if _BETWEEN in substring:
            return f"any([{searched} in x for x in {values}])"
        join = self.names.constant(_BETWEEN.join, what=("join", _BETWEEN))
        joined = self.names.kept(("joined", left), lambda: f"{join}({value_code(self.names, left).code})")
        return f"({searched} in {joined})"

    def _distinct(self, values: str) -> str:
        """Of many values, those that differ: a client that sends the same thousands of times shall not be tried as often."""
        return f"({values} if len({values}) < {MANY_VALUES} else {self.names.constant(set, what=set)}({values}))"


def _searched(node: Condition) -> Indexed | None:
    """The value that a text is searched in; None for other conditions."""
    return node.left if isinstance(node, Comparison) and isinstance(node.relation, Contains) else None


_CLIENT = FieldAccess("ip.src", IP)


def _is_false_of_nothing(relation: object) -> bool:
    """Whether None, as any other value that is not wanted, simply does not fulfil it."""
    return isinstance(relation, IsTrue | InText) or (isinstance(relation, Ordered) and relation.op is Ordering.EQUAL)


def _bounds(ranges: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Where a sorted line of integers goes into the set and out of it: an odd number of them is at or below a member."""
    found: list[int] = []
    for first, last in sorted(ranges):
        if first > last:
            continue
        if found and first <= found[-1]:
            found[-1] = max(found[-1], last + 1)
        else:
            found += [first, last + 1]
    return tuple(found)


def code_of(roots: Sequence[Condition], names: Names) -> list[str]:
    """Code for each of these conditions, which share what they keep."""
    found = ConditionCode(names, _repeated(roots))
    return [found.of(root) for root in roots]


def _repeated(roots: Sequence[Condition]) -> frozenset[Condition]:
    """What is dear and asked more than once."""
    asked = Counter(
        node
        for root in roots
        for node in nodes_of(root)
        if isinstance(node, Quantified)
        or (isinstance(node, Comparison) and isinstance(node.relation, Matches | MatchesWildcard | InList))
    )
    return frozenset(node for node, times in asked.items() if times > 1 and isinstance(node, Comparison | Quantified))
