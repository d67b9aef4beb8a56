"""Guards: one search says no for many patterns, once a request, for all chunks that want to know."""

from holdfast.rules.compile import compile_expression
from holdfast.rules.context import EvaluationContext
from holdfast.rules.parser import parse
from holdfast.rules.patterns import Pattern
from holdfast.rules.program_guards import MAX_TOGETHER, MIN_TOGETHER, guards_of, tried_by
from holdfast.rules.program_values import key_of
from holdfast.rules.syntax_tree import Comparison, Condition, Indexed, Quantified
from tests.unit.requests import a_request


def root_of(text: str) -> Condition:
    root = parse(text).root
    assert not isinstance(root, Indexed)
    return root


def left_of(text: str) -> Indexed:
    root = root_of(text)
    item = root.item if isinstance(root, Quantified) else root
    assert isinstance(item, Comparison)
    return item.left


HOST = left_of('http.host eq "a"')
CITY = left_of('ip.src.city eq "a"')
HEADER = left_of('any(http.request.headers["x"][*] eq "a")')


def patterns(count: int, first: int = 0) -> tuple[Pattern, ...]:
    return tuple(Pattern(f"^bot{number}$") for number in range(first, first + count))


def test_patterns_are_found_wherever_they_stand_and_once() -> None:
    one = root_of(
        'not (http.host matches "a" and any(http.request.headers["x"][*] matches "b")) or http.host matches "c"'
    )
    found = tried_by([one, one, root_of("ssl")])
    assert {left: sorted(one.source for one in tried) for left, tried in found.items()} == {
        HOST: ["a", "c"],
        HEADER: ["b"],
    }


def test_few_patterns_have_no_guard_and_many_share_one() -> None:
    assert guards_of([{HOST: patterns(MIN_TOGETHER - 1)}]) == [{}]
    few, more, other = guards_of([{HOST: patterns(2)}, {HOST: patterns(2, 2)}, {CITY: patterns(1)}])
    assert few.keys() == more.keys() == {key_of(HOST)}
    assert few[key_of(HOST)] is more[key_of(HOST)]
    assert other == {}


def test_so_many_patterns_are_together_at_most() -> None:
    found = guards_of([{HOST: patterns(MAX_TOGETHER // 2, 1_000 * number)} for number in range(4)])
    assert [one[key_of(HOST)] is found[0][key_of(HOST)] for one in found] == [True, True, False, False]


def test_a_guard_answers_once_a_request_and_is_right() -> None:
    (guards,) = guards_of([{HOST: patterns(4), HEADER: patterns(4), CITY: patterns(4)}])
    for host, header, expected in (
        ("bot2", "none", [True, False]),
        ("none", "bot3", [False, True]),
        ("bot9", "bot", [False, False]),
    ):
        context = EvaluationContext(a_request(host=host, headers=(("X", "a"), ("X", header))))
        asked = [guards[key_of(left)] for left in (HOST, HEADER)]
        assert [guard(context) for guard in asked] == expected
        remembered = dict(context.computed)
        assert [guard(context) for guard in asked] == expected
        assert context.computed == remembered
        # What is missing is matched by nothing.
        assert guards[key_of(CITY)](context) is False
    bare = EvaluationContext(a_request(headers=()))
    assert guards[key_of(HEADER)](bare) is False
    assert not compile_expression('any(http.request.headers["x"][*] matches "")').matches(bare)
