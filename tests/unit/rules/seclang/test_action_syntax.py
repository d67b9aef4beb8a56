"""What a rule does, as it is written."""

import pytest

from holdfast.rules.seclang.action_syntax import parse_actions
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.syntax_tree import Action
from tests.unit.rules.seclang.running import WHERE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("id:1,  deny ,", [Action("id", "1"), Action("deny")]),
        ("msg:'a, b: c'", [Action("msg", "a, b: c")]),
        (r"msg:'it\'s, here',log", [Action("msg", "it's, here"), Action("log")]),
        ("setvar:'tx.a=+%{tx.b}'", [Action("setvar", "tx.a=+%{tx.b}")]),
        ("t:URLDECODEUNI,t:normalisePath", [Action("t", "urlDecodeUni"), Action("t", "normalizePath")]),
        ("ctl:RuleEngine=Off", [Action("ctl", "ruleengine=Off")]),
        ("severity:CRITICAL,PASS", [Action("severity", "CRITICAL"), Action("pass")]),
    ],
)
def test_actions_are_read(text: str, expected: list[Action]) -> None:
    assert list(parse_actions(WHERE, text)) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("destroy", "expected an action such as id:1000, deny or setvar:tx.a=1, got 'destroy'"),
        ("t:rot13", "expected a transformation such as t:urlDecodeUni, got 't:rot13'"),
        ("ctl:explode=1", "expected a ctl such as ruleRemoveById=942100, got 'ctl:explode=1'"),
        ("msg:'a", "expected a closing ', got 'msg:'a'"),
    ],
)
def test_what_is_no_action_is_refused_by_name(text: str, sentence: str) -> None:
    with pytest.raises(SecLangError) as raised:
        parse_actions(WHERE, text)
    assert str(raised.value) == f"a.conf:1: {sentence}"
