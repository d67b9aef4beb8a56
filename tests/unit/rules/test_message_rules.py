"""Rules on messages, compiled: what the core takes, and what is said of the rest."""

import weakref

import pytest

from holdfast.model.message_rules import MAX_RULES
from holdfast.model.websocket_documents import MessageRuleDocument
from holdfast.rules.message_rules import MessageRuleError, compiled

ID = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "rule",
    [
        MessageRuleDocument(id=ID, pattern=r"(?i)<script\b"),
        MessageRuleDocument(id=ID, pattern="\u00e9|\U0001f600", direction="both", action="drop"),
        MessageRuleDocument(id=ID, type="json_schema", schema="{}", direction="to_client", action="log"),
        MessageRuleDocument(id=ID, type="json_schema", schema='{"type":"object","required":["id"]}'),
    ],
)
def test_a_rule_is_made_once(rule: MessageRuleDocument) -> None:
    made = compiled(rule)
    assert made.native.id == rule.id
    assert compiled(rule) is made


def test_a_rule_that_nobody_has_any_more_is_gone() -> None:
    kept = compiled(MessageRuleDocument(id="kept", pattern="x"))
    gone = weakref.ref(compiled(MessageRuleDocument(id="gone", pattern="x")))
    for number in range(MAX_RULES):
        compiled(MessageRuleDocument(id=str(number), pattern="x"))
    assert gone() is None
    assert compiled(MessageRuleDocument(id="kept", pattern="x")) is kept


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"pattern": "a)"}, "pattern: "),
        ({"pattern": "(?=x)"}, "pattern: look-around"),
        ({"pattern": r"(a)\1"}, "pattern: "),
        ({"pattern": "a{1,1000}{1,1000}"}, "pattern: "),
        ({"type": "json_schema", "schema": '{"type":"objekt"}'}, "schema: "),
        ({"type": "json_schema", "schema": '{"$ref":"https://example.com/x"}'}, "schema: "),
        ({"type": "json_schema", "schema": "[]"}, "schema: expected"),
        ({"pattern": "x", "direction": "out"}, "direction: expected"),
    ],
)
def test_what_does_not_compile_is_named_with_its_member(fields: dict[str, str], said: str) -> None:
    with pytest.raises(MessageRuleError) as error:
        compiled(MessageRuleDocument(id=ID, **fields))  # type: ignore[arg-type]
    assert str(error.value).startswith(said)
    assert str(error.value).isprintable()
    assert ID not in str(error.value)
