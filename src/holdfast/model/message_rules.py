"""Rules on the messages of WebSockets, as the setting `websocket_message_rules` has them.

    {"description": "No scripts", "direction": "both", "type": "text", "pattern": "(?i)<script", "action": "close"}
    {"type": "json_schema", "schema": {"type": "object", "required": ["id"]}, "action": "drop"}

Law 1: a rule that comes without an id gets one that follows from what it says, so that the same list is the same value; an
id that comes is kept.
Law 2: what a rule says is checked here as far as it can be without compiling it: that a pattern is one, and a schema, is for
those who can compile (`holdfast.rules.message_rules`).
Law 3: a schema is kept as the value that it is, and goes to the edge as text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from holdfast.model.setting_value import OneOf, Parse, SettingError, Value, check_members, shown
from holdfast.model.websocket_documents import MessageRuleDocument

# All are asked of each message (`MAX_MESSAGE_RULES` of the core).
MAX_RULES = 20
# Longest description; those of rules on requests are as long.
MAX_DESCRIPTION_CHARS = 500
# Longest pattern; written out for the core, which takes 8 KiB, it may be longer.
MAX_PATTERN_CHARS = 4096
# Longest schema, as JSON without white space (`MAX_SCHEMA_BYTES` of the core).
MAX_SCHEMA_BYTES = 64 * 1024
# All schemas of a zone together: compiled, they take up to eighty times as much memory on each edge.
MAX_SCHEMAS_BYTES = 128 * 1024

_ID = re.compile(r"[0-9a-f]{32}")
_EXAMPLE = '{"type": "text", "pattern": "badword", "action": "drop"}'
# Which member of the two says what a rule of a type is about.
_ABOUT: Final[Mapping[str, str]] = {"text": "pattern", "json_schema": "schema"}


def parse_message_rules(value: Value) -> Value:
    """The parser of the setting: a list of rules, each with all of its members."""
    if not isinstance(value, list):
        raise SettingError(f"expected a list of rules such as [{_EXAMPLE}], got {shown(value)}")
    if len(value) > MAX_RULES:
        raise SettingError(f"expected at most {MAX_RULES} rules, got {len(value)}")
    rules = [_rule(str(place), one) for place, one in enumerate(value)]
    size = sum(len(_text(rule["schema"])) for rule in rules if "schema" in rule)
    if size > MAX_SCHEMAS_BYTES:
        raise SettingError(f"expected schemas of at most {MAX_SCHEMAS_BYTES} bytes together, got {size}")
    taken: set[str] = set()
    for place, rule in enumerate(rules):
        if rule["id"] in taken:
            raise SettingError(f"{place}: id: expected another one than that of an earlier rule, got {rule['id']!r}")
        taken |= {rule["id"]} - {""}
    for rule in rules:
        rule["id"] = rule["id"] or _new_id(rule, taken)
        taken.add(rule["id"])
    return rules


def message_rule_documents(value: Value) -> list[dict[str, Value]]:
    """What `parse_message_rules` returned, as it is published: by the members of `MessageRuleDocument`."""
    return [rule | {"schema": _text(rule["schema"])} if "schema" in rule else rule for rule in value]


def message_rules_of(value: Value) -> tuple[MessageRuleDocument, ...]:
    """The same as the documents themselves."""
    return msgspec.convert(message_rule_documents(value), tuple[MessageRuleDocument, ...])


def _rule(place: str, value: Value) -> dict[str, Value]:
    if not isinstance(value, dict) or not value:
        raise SettingError(f"{place}: expected a rule such as {_EXAMPLE}, got {shown(value)}")
    kind = value.get("type", "text")
    about = _ABOUT.get(kind) if isinstance(kind, str) else None
    if about is None:
        raise SettingError(f"{place}: type: expected 'text' or 'json_schema', got {shown(kind)}")
    parsers = {**_COMMON, about: _ABOUT_PARSERS[about]}
    try:
        check_members(value, parsers)
    except SettingError as error:
        raise SettingError(f"{place}: {error}") from None
    if about not in value:
        raise SettingError(f"{place}: {about}: expected one, as the type is {kind!r}")
    try:
        return {name: _placed(name, parse, value.get(name, _DEFAULTS.get(name))) for name, parse in parsers.items()}
    except SettingError as error:
        raise SettingError(f"{place}: {error}") from None


def _placed(name: str, parse: Parse, value: Value) -> Value:
    try:
        return parse(value)
    except SettingError as error:
        raise SettingError(f"{name}: {error}") from None


def _id(value: Value) -> Value:
    if value == "" or (isinstance(value, str) and _ID.fullmatch(value)):
        return value
    raise SettingError(f"expected none, or that of a rule (32 hexadecimal digits in lower case), got {shown(value)}")


def _description(value: Value) -> Value:
    if isinstance(value, str) and len(value) <= MAX_DESCRIPTION_CHARS and value.isprintable():
        return value
    raise SettingError(f"expected a printable text of at most {MAX_DESCRIPTION_CHARS} characters, got {shown(value)}")


def _enabled(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    raise SettingError(f"expected true or false, got {shown(value)}")


def _pattern(value: Value) -> Value:
    if isinstance(value, str) and 0 < len(value) <= MAX_PATTERN_CHARS and _is_text(value):
        return value
    raise SettingError(f"expected a pattern of 1 to {MAX_PATTERN_CHARS} characters, got {shown(value)}")


def _is_text(value: str) -> bool:
    # Halves of surrogate pairs are no characters, and PostgreSQL keeps no NUL.
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def _schema(value: Value) -> Value:
    if not isinstance(value, dict):
        raise SettingError(f"expected a JSON Schema, which is an object, got {shown(value)}")
    try:
        size = len(_text(value))
    except (ValueError, RecursionError):
        raise SettingError("expected a JSON Schema that is JSON: no NaN, no infinity, not too deep") from None
    if size > MAX_SCHEMA_BYTES:
        raise SettingError(f"expected a JSON Schema of at most {MAX_SCHEMA_BYTES} bytes, got {size}")
    return value


def _text(schema: Value) -> str:
    """JSON without white space. ASCII: whatever stands in a string, these are bytes that can be kept."""
    return json.dumps(schema, separators=(",", ":"), allow_nan=False)


def _new_id(rule: Mapping[str, Value], taken: set[str]) -> str:
    said = json.dumps(rule, sort_keys=True).encode()
    digest = hashlib.sha256(said).hexdigest()
    # Two rules that say the same have two ids, and so has one that says what another said before it was changed.
    while digest[:32] in taken:
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest[:32]


_COMMON: Final[Mapping[str, Parse]] = {
    "id": _id,
    "description": _description,
    "enabled": _enabled,
    "direction": OneOf(("to_origin", "to_client", "both")),
    "type": OneOf(("text", "json_schema")),
    "action": OneOf(("close", "drop", "log")),
}
_ABOUT_PARSERS: Final[Mapping[str, Parse]] = {"pattern": _pattern, "schema": _schema}
_DEFAULTS: Final[Mapping[str, Value]] = {name: getattr(MessageRuleDocument(id=""), name) for name in _COMMON}
