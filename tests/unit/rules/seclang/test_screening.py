"""The screen: which rules it is for, and that it never misses one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.meter import begin_rule
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.preparation import prepare
from holdfast.rules.seclang.screening import Screening
from tests.unit.rules.seclang.running import a_request, rulebook, transaction


def screened(text: str) -> tuple[Screening, list[int]]:
    """The screen of a text, and the numbers of the rules that it cannot be for."""
    steps = prepare(rulebook(text, {"w.data": b"word"}).items, {}, (), PatternCache()).steps
    screening = Screening(steps, PatternCache())
    return screening, [steps[place].rule.id for place in screening.always]


@pytest.mark.parametrize(
    ("rule", "is_screened"),
    [
        ('SecRule ARGS "x" "id:1"', True),
        ('SecRule ARGS "@pm x y" "id:1"', True),
        ('SecRule ARGS|REQUEST_HEADERS:Host "@pmFromFile w.data" "id:1,t:lowercase"', True),
        ('SecRule ARGS "@detectSQLi" "id:1"', True),
        ('SecRule ARGS "@detectXSS" "id:1"', True),
        ('SecRule ARGS "!@rx x" "id:1"', False),
        ('SecRule ARGS "^.*$" "id:1"', False),
        ('SecRule ARGS "@streq x" "id:1"', False),
        ('SecRule &ARGS "1" "id:1"', False),
        ('SecRule MATCHED_VAR "x" "id:1"', False),
        ('SecRule ARGS "@streq x" "id:1,chain"\nSecRule ARGS "x"', True),
        (
            'SecRule ARGS "@streq x" "id:1,chain,setvar:tx.a=1"\nSecRule ARGS "%{tx.b}x"\nSecAction "id:2,msg:%{tx.a}"',
            False,
        ),
        ('SecAction "id:1"', False),
    ],
)
def test_a_rule_is_screened_by_a_search_of_what_the_request_says(rule: str, is_screened: bool) -> None:
    assert (1 not in screened(rule)[1]) is is_screened


def test_only_what_may_hold_is_a_candidate() -> None:
    rules, _ = screened(
        'SecRule ARGS "x" "id:1"\nSecRule REQUEST_HEADERS|!REQUEST_HEADERS:User-Agent "tests" "id:2"\n'
        'SecRule REQUEST_COOKIES|!REQUEST_COOKIES:a "x" "id:3"\nSecRule ARGS "x" "id:4,t:hexDecode,multiMatch"'
    )
    assert rules.candidates(transaction(a_request("/")).variables) == set()
    assert rules.candidates(transaction(a_request("/?a=x")).variables) == {0, 3}
    assert rules.candidates(transaction(a_request("/?a=78")).variables) == {3}
    # Left to the exact evaluation, which finds that the cookie is excluded.
    assert rules.candidates(transaction(a_request("/", ("Cookie", "a=x"))).variables) == {2}
    assert rules.statistics()["always"] == 0


_TEXTS = st.text(alphabet="ab'<%1 (/", max_size=12)


@given(_TEXTS, _TEXTS, _TEXTS)
def test_no_rule_that_holds_is_missed(query: str, cookie: str, header: str) -> None:
    text = "\n".join(
        f'SecRule {targets} "{operator}" "id:{number},{actions}"'
        for number, (targets, operator, actions) in enumerate(
            [
                ("ARGS", "@rx ^a(?!b)", "pass"),
                ("ARGS_NAMES|REQUEST_COOKIES", "@rx (a)\\\\1", "t:urlDecodeUni"),
                ("REQUEST_HEADERS", "@pm ab b<", "t:removeWhitespace"),
                ("ARGS|REQUEST_COOKIES", "@detectSQLi", "t:none"),
                ("REQUEST_URI|REQUEST_HEADERS:X-A", "@detectXSS", "t:lowercase"),
                ("ARGS", "@rx a b", "multiMatch,t:compressWhitespace,t:urlDecode"),
            ],
            1,
        )
    )
    steps = prepare(rulebook(text).items, {}, (), PatternCache()).steps
    screening = Screening(steps, PatternCache())
    request = a_request(f"/?q={query}", ("Cookie", cookie), ("X-A", header))
    holding = set()
    for place, step in enumerate(steps):
        begin_rule()
        if step.evaluate(transaction(request)):
            holding.add(place)
    assert holding <= screening.candidates(transaction(request).variables) | set(screening.always)
