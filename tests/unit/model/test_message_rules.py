"""Rules on messages, as they are written: bounds, ids, and what they are published as."""

import json
from typing import Any

import pytest

from holdfast.model.message_rules import MAX_SCHEMA_BYTES, message_rule_documents, message_rules_of, parse_message_rules
from holdfast.model.setting_value import SettingError

TEXT = {"pattern": "x"}
SCHEMA = {"type": "json_schema", "schema": {"type": "object", "required": ["id"]}}
ID = "0123456789abcdef" * 2


def parsed(*rules: Any) -> list[dict[str, Any]]:
    value: list[dict[str, Any]] = parse_message_rules(list(rules))
    assert parse_message_rules(value) == value
    return value


def test_a_rule_has_all_of_its_members_and_an_id_that_follows_from_them() -> None:
    (rule,) = parsed(TEXT)
    assert rule == {
        "id": rule["id"],
        "description": "",
        "enabled": True,
        "direction": "to_origin",
        "type": "text",
        "action": "close",
        "pattern": "x",
    }
    assert len(rule["id"]) == 32
    assert parsed(TEXT) == [rule]
    assert parsed({"pattern": "y"})[0]["id"] != rule["id"]


def test_an_id_that_comes_is_kept_whatever_the_rule_says_now() -> None:
    (before,) = parsed(TEXT)
    after, new = parsed({**before, "pattern": "y"}, TEXT)
    assert after["id"] == before["id"]
    assert new["id"] != before["id"], "it says what the other said before it was changed"


def test_two_rules_that_say_the_same_have_two_ids() -> None:
    assert len({rule["id"] for rule in parsed(TEXT, TEXT, TEXT)}) == 3


def test_rules_are_published_with_their_schema_as_text() -> None:
    documents = message_rules_of(parsed(TEXT, SCHEMA | {"action": "drop", "direction": "both", "enabled": False}))
    assert (documents[0].pattern, documents[0].schema) == ("x", "")
    assert documents[1].schema == '{"type":"object","required":["id"]}'
    assert (documents[1].type, documents[1].action, documents[1].direction, documents[1].enabled) == (
        "json_schema",
        "drop",
        "both",
        False,
    )


@pytest.mark.parametrize("schema", [{}, {"const": 10**40}, {"const": "\ud800\0"}, {"$comment": "é"}], ids=str)
def test_whatever_is_json_is_published_as_that(schema: dict[str, Any]) -> None:
    (document,) = message_rule_documents(parsed({"type": "json_schema", "schema": schema}))
    assert document["schema"].isascii()
    assert json.loads(document["schema"]) == schema


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"not": value}
    return value


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("x", "expected a list of rules such as"),
        ([TEXT] * 21, "expected at most 20 rules, got 21"),
        ([TEXT, 5], "1: expected a rule such as"),
        ([{}], "0: expected a rule such as"),
        ([{"type": "regex"}], "0: type: expected 'text' or 'json_schema', got 'regex'"),
        ([{"type": ["text"]}], "0: type: expected 'text' or 'json_schema', got ['text']"),
        ([{"enabled": True}], "0: pattern: expected one, as the type is 'text'"),
        ([{"type": "json_schema"}], "0: schema: expected one, as the type is 'json_schema'"),
        ([{"type": "json_schema", "pattern": "x"}], "0: no such member: 'pattern'"),
        ([TEXT | {"schema": {}}], "0: no such member: 'schema'; expected id, description, enabled, direction, type"),
        ([{"pattern": ""}], "0: pattern: expected a pattern of 1 to 4096 characters, got ''"),
        ([{"pattern": "x" * 4097}], "0: pattern: expected a pattern of 1 to 4096"),
        ([{"pattern": "\0"}], "0: pattern: expected a pattern of 1 to 4096 characters, got '\\x00'"),
        ([{"pattern": "\ud800"}], "0: pattern: expected a pattern of"),
        ([TEXT | {"id": "1"}], "0: id: expected none, or that of a rule"),
        ([TEXT | {"id": ID}, TEXT | {"id": ID}], "1: id: expected another one than that of an earlier rule"),
        ([TEXT | {"description": "a\nb"}], "0: description: expected a printable text of at most 500"),
        ([TEXT | {"description": "x" * 501}], "0: description: expected a printable text of at most 500"),
        ([TEXT | {"enabled": "yes"}], "0: enabled: expected true or false, got 'yes'"),
        ([TEXT | {"enabled": None}], "0: enabled: expected true or false, got None"),
        ([TEXT | {"direction": "out"}], "0: direction: expected 'to_origin' or 'to_client' or 'both', got 'out'"),
        ([TEXT | {"action": "block"}], "0: action: expected 'close' or 'drop' or 'log', got 'block'"),
        ([SCHEMA | {"schema": True}], "0: schema: expected a JSON Schema, which is an object, got True"),
        ([SCHEMA | {"schema": {"const": float("nan")}}], "0: schema: expected a JSON Schema that is JSON"),
        ([SCHEMA | {"schema": deep(3000)}], "0: schema: expected a JSON Schema that is JSON"),
        (
            [SCHEMA | {"schema": {"$comment": "x" * 60_000}}] * 3,
            "expected schemas of at most 131072 bytes together, got 180045",
        ),
        (
            [SCHEMA | {"schema": {"$comment": "x" * MAX_SCHEMA_BYTES}}],
            f"of at most {MAX_SCHEMA_BYTES} bytes, got {MAX_SCHEMA_BYTES + 15}",
        ),
    ],
    ids=range(27),
)
def test_what_is_wrong_is_said_with_its_place(rules: Any, said: str) -> None:
    with pytest.raises(SettingError) as error:
        parse_message_rules(rules)
    assert said in str(error.value)
    assert len(str(error.value)) < 400
