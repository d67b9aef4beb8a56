"""Links of a chain: each value that matches counts, up to a bound."""

from collections.abc import Mapping

import pytest

from holdfast.rules.seclang import links
from holdfast.rules.seclang.links import MAX_MATCHES
from tests.unit.rules.seclang.running import a_request, engine, found, said

COUNTS = "SecAction \"id:9,msg:'%{tx.n} %{tx.0} %{tx.1}'\""


def counted(rule: str, target: str, headers: Mapping[str, str] | None = None) -> str:
    """What TX:n, TX:0 and TX:1 are after a rule."""
    request = a_request(target, *(headers or {}).items())
    return said(f"{rule}\n{COUNTS}", request)[-1][1]


def test_every_value_that_matches_takes_effect() -> None:
    assert counted('SecRule ARGS "a" "id:1,nolog,setvar:tx.n=+2"', "/?x=a&y=b&z=aa") == "4  "


def test_what_was_found_is_captured_and_what_was_not_is_no_more() -> None:
    rule = 'SecRule ARGS "^(a)?(b)?" "id:1,nolog,capture,setvar:tx.n=+1"\nSecRule ARGS:z "." "id:2,nolog,capture"'
    assert counted(rule, "/?x=ab") == "1 ab a"
    assert counted(rule, "/?x=ab&z=q") == "2 q "


def test_a_value_is_transformed_before_it_is_asked_and_is_so_afterwards() -> None:
    rule = 'SecRule ARGS "^ab$" "id:1,msg:\'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}\',t:urlDecode,t:lowercase"'
    assert said(rule, a_request("/?x=%2541B")) == [(1, "ARGS:x=ab")]


def test_with_multi_match_every_stage_is_asked() -> None:
    rule = 'SecRule ARGS "%s" "id:1,multiMatch,t:urlDecode,t:lowercase"'
    for pattern in ("^%41$", "^A$", "^a$"):
        assert found(rule.replace("%s", pattern), a_request("/?x=%2541")) == [1]
    assert found(rule.replace("%s", "^b$"), a_request("/?x=%2541")) == []


def test_a_chain_holds_where_every_link_does_and_the_first_takes_effect_anyway() -> None:
    rule = (
        'SecRule ARGS:a "x" "id:1,nolog,chain,setvar:tx.n=+1"\n'
        'SecRule ARGS:b "y" "chain,setvar:tx.n=+10"\n'
        'SecRule ARGS:c "z" "setvar:tx.n=+100"'
    )
    assert counted(rule, "/?a=x") == "1  "
    assert counted(rule, "/?a=x&b=y") == "11  "
    assert counted(rule, "/?a=x&b=y&c=z") == "111  "
    assert counted(rule, "/?b=y&c=z") == "  "


def test_a_link_sees_what_the_link_before_it_matched() -> None:
    rule = (
        'SecRule ARGS "a" "id:1,chain,msg:\'%{MATCHED_VAR}\'"\n'
        'SecRule MATCHED_VARS "b" "chain"\n'
        'SecRule MATCHED_VARS_NAMES "@endsWith :y" ""'
    )
    assert found(rule, a_request("/?x=a&y=ab&z=b")) == [1]
    assert found(rule, a_request("/?x=ab&y=a&z=b")) == []


def test_a_negated_operator_needs_a_value() -> None:
    assert found('SecRule ARGS:gone "!@rx a" "id:1"\nSecRule &ARGS:gone "@eq 0" "id:2"') == [2]


@pytest.mark.parametrize("arguments", [MAX_MATCHES, MAX_MATCHES + 1, 400])
def test_so_many_matches_count_and_no_more(arguments: int) -> None:
    query = "&".join(f"a{number}=x" for number in range(arguments))
    assert counted('SecRule ARGS "x" "id:1,nolog,setvar:tx.n=+1"', f"/?{query}") == f"{MAX_MATCHES}  "


def test_the_bound_is_for_all_targets_of_a_link_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_MATCHES", 3)
    rule = 'SecRule ARGS_NAMES|ARGS "x" "id:1,nolog,setvar:tx.n=+1"'
    assert counted(rule, "/?x1=x&x2=x") == "3  "


def test_a_rule_whose_targets_were_taken_away_looks_at_the_others() -> None:
    rules = engine(
        'SecRule REQUEST_URI "@contains off" "id:1,nolog,pass,ctl:ruleRemoveTargetById=2;ARGS:a"\n'
        'SecRule ARGS|REQUEST_COOKIES "x" "id:2"'
    )
    assert found(rules, a_request("/?a=x")) == [2]
    assert found(rules, a_request("/off?a=x")) == []
    assert found(rules, a_request("/off?a=x&b=x")) == [2]
    assert found(rules, a_request("/off?a=x", ("Cookie", "a=x"))) == [2]
