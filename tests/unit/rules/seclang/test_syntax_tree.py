"""The tree: where a rule stands, and rules without the markers between them."""

from tests.unit.rules.seclang.running import rule, rulebook


def test_a_rule_stands_where_its_first_link_does() -> None:
    made = rule('\n\nSecRule ARGS "a" "id:1,chain"\nSecRule ARGS "b"')
    assert str(made.position) == "a.conf:3"


def test_rules_come_without_the_markers() -> None:
    book = rulebook('SecMarker A\nSecAction "id:1"\nSecMarker B')
    assert (len(book.items), [one.id for one in book.rules]) == (3, [1])
