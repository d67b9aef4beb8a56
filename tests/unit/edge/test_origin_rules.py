"""Origin rules: what a rule may say, and that what it may not say keeps its zone from compiling."""

from typing import Any

import pytest

from holdfast.edge.compile_error import CompileError
from holdfast.edge.origin_rules import origin_rules_of
from holdfast.edge.zone import OriginRule
from holdfast.model.zone_document import OriginRuleDocument


def compiled(**fields: Any) -> OriginRule:
    (rule,) = origin_rules_of("example.com", [OriginRuleDocument(id="7", **{"expression": "true", **fields})])
    return rule


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"target": None, "port": 0, "host_header": "", "server_name": ""}),
        ({"origin_port": 8080}, {"port": 8080}),
        ({"host_header": "In.test:81"}, {"host_header": "In.test:81", "server_name": "in.test"}),
        ({"host_header": "in.test", "sni": "out.test"}, {"host_header": "in.test", "server_name": "out.test"}),
    ],
    ids=str,
)
def test_a_rule_says_what_changes(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    rule = compiled(**fields)
    assert {name: getattr(rule, name) for name in expected} == expected


def test_a_rule_may_name_another_place() -> None:
    target = compiled(origin_host="origin.test").target
    assert target is not None
    assert target.alias == "origin.test"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"expression": "http.host eq"}, "expression"),
        ({"expression": ""}, "expression"),
        ({"expression": "no.such.field"}, "expression"),
        ({"origin_port": 0}, "origin_port"),
        ({"origin_port": 65_536}, "origin_port"),
        ({"host_header": "a b"}, "host_header"),
        ({"host_header": "a\r\nX-Evil: 1"}, "host_header"),
        ({"host_header": "a.test:0"}, "host_header"),
        ({"host_header": "a.test:99999"}, "host_header"),
        ({"host_header": ""}, "host_header"),
        ({"sni": "*.test"}, "sni"),
        ({"sni": ""}, "sni"),
        ({"origin_host": "not a name"}, "origin_host"),
        ({"origin_host": ""}, "origin_host"),
    ],
    ids=str,
)
@pytest.mark.parametrize("enabled", [True, False])
def test_what_a_rule_may_not_say_is_named(fields: dict[str, Any], field: str, enabled: bool) -> None:
    with pytest.raises(CompileError) as caught:
        compiled(**fields, enabled=enabled)
    assert caught.value.field == f"origin_rules[7].{field}"
    assert "\n" not in str(caught.value)


def test_rules_keep_their_order_and_those_that_are_off_are_left_out() -> None:
    documents = [OriginRuleDocument(id=str(n), expression="true", origin_port=n, enabled=n != 2) for n in (1, 2, 3)]
    assert [rule.port for rule in origin_rules_of("example.com", documents)] == [1, 3]
