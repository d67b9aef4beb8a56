"""Rules over a request: order, phases, flow, denial."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.seclang.engine import Engine
from holdfast.rules.seclang.patterns import PatternCache
from tests.unit.rules.seclang.running import a_request, engine, found, rulebook, said, transaction

LAST = 'SecAction "id:99"'


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('SecRule ARGS "x" "id:1"\nSecRule ARGS "y" "id:2"', [1, 99]),
        ('SecRule ARGS "x" "id:1,block"', [1, 99]),
        ('SecRule ARGS "x" "id:1,deny,status:403"', [1]),
        ('SecRule ARGS "x" "id:1,nolog,drop"', [1]),
        ('SecRule ARGS "x" "id:1,redirect:/away"', [1]),
        ('SecRule ARGS "x" "id:1,nolog,allow"', []),
        ('SecRule ARGS "x" "id:1,phase:1,nolog,allow:phase"\nSecRule ARGS "x" "id:2,phase:1"', [99]),
        ('SecRule ARGS "x" "id:1,phase:1,nolog,allow:request"\nSecRule ARGS "x" "id:2,phase:1"', []),
        ('SecRule ARGS "x" "id:1,nolog,ctl:ruleEngine=Off"', []),
        ('SecRule ARGS "x" "id:1,nolog,skipAfter:E"\nSecRule ARGS "x" "id:2"\nSecMarker E', [99]),
        ('SecRule ARGS "x" "id:1,nolog,skipAfter:2"\nSecRule ARGS "x" "id:2"\nSecRule ARGS "x" "id:3"', [3, 99]),
        ('SecRule ARGS "x" "id:1,nolog,skipAfter:GONE"\nSecRule ARGS "x" "id:2"', []),
        ('SecRule ARGS "x" "id:1,nolog,skip:2"\nSecRule ARGS "x" "id:2"\nSecRule ARGS "x" "id:3"', [99]),
        ('SecMarker E\nSecRule ARGS "x" "id:1,nolog,skipAfter:E"\nSecRule ARGS "x" "id:2"\nSecMarker E', [99]),
        (
            'SecRule ARGS "x" "id:1,nolog,ctl:ruleRemoveById=2-3"\nSecRule ARGS "x" "id:2"\nSecRule ARGS "x" "id:4"',
            [4, 99],
        ),
        ('SecRule ARGS "x" "id:2,phase:2"\nSecRule ARGS "x" "id:1,phase:1"', [1, 2, 99]),
        ('SecRule RULE:id "@eq 1" "id:1,setvar:tx.r=%{rule.id}"', [1, 99]),
    ],
)
def test_rules_run_in_order_and_flow_as_they_say(text: str, numbers: list[int]) -> None:
    assert found(f"{text}\n{LAST}", a_request("/?q=x")) == numbers


def test_a_message_is_filled_in_when_its_rule_was_found() -> None:
    text = (
        'SecRule ARGS "(x)" "id:1,capture,msg:\'%{TX.1} in %{MATCHED_VAR_NAME}\'"\n'
        'SecRule ARGS "(y)" "id:2,capture,severity:ERROR,msg:\'%{TX.1}\'"\n'
        'SecRule HIGHEST_SEVERITY "@eq 3" "id:3,msg:\'%{HIGHEST_SEVERITY}\'"'
    )
    assert said(text, a_request("/?a=x&b=y")) == [(1, "x in ARGS:a"), (2, "y"), (3, "3")]


def test_rules_are_left_out_or_not_counted_as_a_deployment_says() -> None:
    text = (
        'SecRule ARGS "x" "id:1,setvar:tx.a=+5"\nSecRule ARGS "x" "id:2,setvar:tx.a=+3"\n'
        'SecRule TX:a "@ge %{tx.limit}" "id:3"'
    )
    rules = Engine(rulebook(text).items, PatternCache(), pinned={b"limit": b"1"}, given=(b"limit",))
    for without, uncounted, limit, numbers in (
        ((), (), b"8", [1, 2, 3]),
        ((1,), (), b"3", [2, 3]),
        ((1,), (), b"4", [2]),
        ((), (1,), b"4", [1, 2]),
        ((3,), (), b"1", [1, 2]),
    ):
        begun = rules.begin(transaction(a_request("/?q=x")).variables, {b"limit": limit})
        assert [one.rule.id for one in rules.findings(begun, without=without, uncounted=uncounted)] == numbers


def test_what_is_found_is_found_when_it_is_asked_for() -> None:
    rules = engine(
        'SecRule ARGS "x" "id:1,setvar:tx.a=1"\nSecRule ARGS "x" "id:2,setvar:tx.a=2"\nSecAction "id:3,msg:%{tx.a}"'
    )
    begun = rules.begin(transaction(a_request("/?q=x")).variables, {})
    findings = rules.findings(begun)
    assert (next(findings).rule.id, begun.tx[b"a"]) == (1, b"1")
    assert (next(findings).rule.id, begun.tx[b"a"]) == (2, b"2")


def test_one_request_leaves_nothing_for_the_next() -> None:
    rules = engine('SecRule ARGS "x" "id:1,nolog,setvar:tx.a=1,setvar:ip.a=1"\nSecRule TX:a|IP:a "@eq 1" "id:2"')
    assert found(rules, a_request("/?q=x")) == [2]
    assert found(rules, a_request("/")) == []
    assert rules.statistics()["steps"] == 2


@given(st.text(max_size=30), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=20)), max_size=4))
def test_no_request_makes_the_engine_raise(query: str, headers: list[tuple[str, str]]) -> None:
    rules = (
        'SecRule ARGS|ARGS_NAMES|REQUEST_HEADERS|REQUEST_COOKIES "(.)(.)?" "id:1,capture,t:urlDecodeUni,setvar:tx.n_%{tx.1}=+%{tx.2}"\n'
        'SecRule TX:/^n_/ "@gt 1" "id:2,chain"\nSecRule MATCHED_VARS_NAMES "!@within %{tx.0}" "setvar:tx.b=%{matched_var}"'
    )
    assert set(found(rules, a_request(f"/?{query}", *headers))) <= {1, 2}
