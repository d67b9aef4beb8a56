"""The tree of what was read."""

from holdfast.rules.parser import parse, parse_value
from holdfast.rules.syntax_tree import (
    Call,
    Combination,
    Comparison,
    Constant,
    Each,
    FieldAccess,
    Indexed,
    LogicalOp,
    Negation,
    Ordered,
    Ordering,
    Quantified,
    nodes_of,
)
from holdfast.rules.value_types import BOOL, BOOL_ARRAY, BYTES, INT


def test_every_node_knows_its_type() -> None:
    root = parse('any(lower(http.request.headers.names[*])[*] eq "x") and not ssl or len(http.host) gt 1').root
    assert isinstance(root, Combination)
    assert (root.op, root.type) == (LogicalOp.OR, BOOL)
    first = root.items[0]
    assert isinstance(first, Combination)
    quantified, negated = first.items
    assert isinstance(quantified, Quantified)
    assert (quantified.type, quantified.item.type) == (BOOL, BOOL_ARRAY)
    assert isinstance(negated, Negation)
    assert negated.type == BOOL


def test_a_comparison_knows_both_of_its_sides() -> None:
    root = parse("http.host eq http.referer").root
    assert isinstance(root, Comparison)
    assert root.relation == Ordered(Ordering.EQUAL, Indexed(FieldAccess("http.referer", BYTES), (), BYTES))
    assert {node.name for node in nodes_of(root) if isinstance(node, FieldAccess)} == {"http.host", "http.referer"}


def test_a_value_knows_how_often_it_is_mapped() -> None:
    root = parse('any(http.request.headers[*][*] eq "x")').root
    assert isinstance(root, Quantified)
    assert isinstance(root.item, Comparison)
    left = root.item.left
    assert (left.indexes, left.each_count, left.type, left.full_type) == ((Each.EACH,) * 2, 2, BYTES, BYTES.array)


def test_operators_of_one_kind_are_one_node() -> None:
    root = parse("ssl and ssl and (ssl or ssl)").root
    assert isinstance(root, Combination)
    assert len(root.items) == 3


def test_trees_of_the_same_text_are_equal() -> None:
    text = 'regex_replace(http.host, "a", "b")'
    assert parse_value(text).root == parse_value(f" {text} ").root
    assert hash(parse_value(text)) == hash(parse_value(text))
    assert parse("true").root == Constant(truth=True)
    value = parse_value("len(http.host)").root
    assert isinstance(value, Indexed)
    assert value.target == Call("len", (Indexed(FieldAccess("http.host", BYTES), (), BYTES),), INT, each=False)
