"""`bench.rules`: what it measures is what it says: rules that are all asked, and of which none matches."""

import itertools

from bench.decide import upgrade_request
from bench.rules import (
    KINDS,
    Row,
    best_us,
    compile_figures,
    counter_figures,
    expressions,
    lost_share,
    policies,
    rows,
    table,
)
from holdfast.edge.decision import Forward
from holdfast.rules.compile import compile_expression
from holdfast.rules.context import EvaluationContext, Facts, Place


def test_no_rule_matches_and_each_is_another() -> None:
    texts = expressions(1_000)
    assert len(set(texts)) == len(texts)
    context = EvaluationContext(upgrade_request(), Facts(place=Place(country="NL")))
    assert [text for text in texts[: 5 * len(KINDS)] if compile_expression(text).matches(context)] == []


def test_every_case_forwards_the_request_and_counts_it_where_it_should() -> None:
    for name, policy in policies().items():
        assert isinstance(policy.decide(upgrade_request()), Forward), name


def test_a_figure_is_the_best_of_rounds_in_which_all_take_turns() -> None:
    turns: list[str] = []
    best = best_us({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, calls=2, rounds=2)
    assert "".join(turns) == "aabbaabb"
    assert all(figure >= 0 for figure in best.values())


def test_rows_say_what_a_case_adds_to_the_one_without_rules() -> None:
    found = rows(calls=2, rounds=1)
    assert [row.name for row in found][:2] == ["no rules", "1 rule"]
    assert found[0].added_us == 0
    printed = table([Row("100 rules", 21.04, 16.0, 25.0), Row("no rules", 5.0, 0.0, None)]).splitlines()
    assert printed[2:] == ["| 100 rules | 21.0 µs | 16.0 µs | ≤ 25 µs |", "| no rules | 5.0 µs | 0.0 µs |  |"]


def test_the_other_figures_are_there() -> None:
    assert all(figure >= 0 for figure in itertools.chain(counter_figures(calls=3, rounds=1).values()))
    assert lost_share(1_000) == 0
    assert list(compile_figures(40)) == ["reading", "programs", "the longest chunk"]
