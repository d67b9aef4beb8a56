"""`holdfast.api.list_references`: which lists rules name."""

from __future__ import annotations

import pytest

from holdfast.api.list_references import names_in
from holdfast.store.lists import RuleTexts


def rule(expression: str, counting: str = "", *characteristics: str) -> RuleTexts:
    return RuleTexts(expression, RuleTexts.Limit(counting, characteristics) if counting or characteristics else None)


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (rule("ip.src in $office"), {"office"}),
        (rule("ip.src in $a or not ip.src in $a and ip.src in $b"), {"a", "b"}),
        (rule('http.host eq "$office"'), set()),
        (rule('http.host eq "in $office" and ip.src in $b'), {"b"}),
        (rule("ssl", "ip.src in $office"), {"office"}),
        (rule("ssl", "", "ip.src", 'http.request.headers["$office"]'), set()),
        (rule("ssl", "", "not a value with $office"), set()),
        (rule("no language at all with $office and $b"), {"office", "b"}),
        (RuleTexts(), set()),
    ],
)
def test_a_list_is_named_where_the_compiler_says_so(one: RuleTexts, names: set[str]) -> None:
    assert set(names_in((one,))) == names


def test_a_rule_counts_once_and_each_rule_counts() -> None:
    rules = (rule("ip.src in $a or ip.src in $a"), rule("ip.src in $a", "ip.src in $a"), rule("ip.src in $ab"))
    assert dict(names_in(rules)) == {"a": 2, "ab": 1}
    assert dict(names_in(rules, "a")) == {"a": 2}
