"""What docs/websockets.md says of settings, refusals and closes is what the code has, and what it shows is taken.

Law: the code is the authority: its registry, its explanations and its vocabulary are read, not a copy of them.
"""

import json
import shlex
from collections.abc import Iterator

import pytest

from holdfast.client.verbs.setting import parsed
from holdfast.edge.explanations import LIMIT_EXPLANATIONS, SETTING_EXPLANATIONS, Explanation
from holdfast.model.close_reason import Why
from holdfast.model.message_rules import message_rules_of
from holdfast.model.setting import SETTINGS, Setting
from holdfast.model.setting_value import OneOf, WholeNumber
from holdfast.model.websocket_documents import MessageRuleDocument
from holdfast.rules.message_rules import compiled
from tests.meta.test_doc_tables import difference, examples_in, rows_of
from tests.meta.test_docs import code_in
from tests.meta.tree import ROOT, complain

TEXT = (ROOT / "docs/websockets.md").read_text(encoding="utf-8")
# What the document calls the settings that set a limit which is told as a fault.
LIMITED_BY = {
    "websocket_max_connections": LIMIT_EXPLANATIONS["zone_connections"],
    "websocket_max_connections_per_address": LIMIT_EXPLANATIONS["address_connections"],
}


def described(setting: Setting) -> str:
    """The row of a setting, as far as the code knows it."""
    default = json.dumps(setting.default) if isinstance(setting.default, list) else str(setting.default)
    match setting.parse:
        case WholeNumber(unit, low, high):
            return f"`{setting.id}` | {low} to {high} {unit} | {default}"
        case OneOf(choices):
            return f"`{setting.id}` | {' or '.join(f'`{choice}`' for choice in choices)} | `{default}`"
        case _:
            # What such a value is made of is said in words.
            return f"`{setting.id}` | … | {'no limit' if isinstance(setting.default, dict) else f'`{default}`'}"


def test_every_setting_is_described_as_it_is() -> None:
    rows = [row for row in rows_of(TEXT, first_column="setting") if row[1][:3] not in ("403", "503", "429")]
    said = [" | ".join((name, "…" if "#" in values else values, default)) for name, values, default, _ in rows]
    true = [described(one) for name, one in SETTINGS.items() if name.startswith("websocket") or name == "http2"]
    complain(difference("docs/websockets.md", said, true))


def _told(setting: str, status: int, meaning: Explanation) -> str:
    least = meaning.retry_after_s
    return f"`{setting}` | {status} | `{meaning.name}` | {f'{least} to {2 * least - 1}' if least else ''}"


def test_every_refusal_by_a_setting_is_told() -> None:
    said = [" | ".join(row) for row in rows_of(TEXT, first_column="setting") if row[1][:3] in ("403", "503", "429")]
    true = [_told(name, 403, meaning) for name, meaning in SETTING_EXPLANATIONS.items()]
    for name, meaning in LIMITED_BY.items():
        true.append(_told(name, 429 if "address" in name else 503, meaning))
    complain(difference("docs/websockets.md", said, true))


def test_errors_has_every_refusal_by_a_setting_and_by_a_limit() -> None:
    errors = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    settings = [f"{row[0]} | {row[1]} | {row[3]}" for row in rows_of(errors, first_column="setting")]
    limits = [" | ".join((*row[:3], *row[4:])) for row in rows_of(errors, first_column="`X-Holdfast-Reason`")]
    true = [f"`{name}` | `{meaning.name}` | {meaning.side}" for name, meaning in SETTING_EXPLANATIONS.items()]
    for kind, meaning in LIMIT_EXPLANATIONS.items():
        status, least = 429 if "address" in kind else 503, meaning.retry_after_s
        assert least is not None
        true.append(f"`{kind}` | {status} | `{meaning.name}` | {meaning.side} | {least} to {2 * least - 1}")
    complain(difference("docs/errors.md", settings + limits, true))


def test_every_reason_for_a_close_is_told() -> None:
    said = [row[0].strip("`") for row in rows_of(TEXT, first_column="`why`")]
    complain(difference("docs/websockets.md", said, [str(why) for why in Why]))


def _commands() -> Iterator[tuple[str, str]]:
    """Each (setting, value) that the document sets."""
    for line in code_in(TEXT):
        words = shlex.split(line) if line.startswith("holdfast setting set ") else []
        if len(words) == 6 and words[4].startswith("websocket") and not words[5].startswith("@"):
            yield words[4], words[5]


COMMANDS = list(_commands())


@pytest.mark.parametrize(("setting", "value"), COMMANDS)
def test_every_setting_that_is_set_takes_its_value(setting: str, value: str) -> None:
    SETTINGS[setting].parse(parsed(value, SETTINGS[setting].default))


def test_the_document_sets_something() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("example", examples_in(TEXT), ids=lambda example: ",".join(example))
def test_every_example_is_a_value(example: dict[str, object]) -> None:
    if "to_origin" in example:
        SETTINGS["websocket_rate_limits"].parse(example)
    else:
        for rule in message_rules_of(SETTINGS["websocket_message_rules"].parse([example])):
            compiled(rule)


def test_every_member_of_a_message_rule_is_described() -> None:
    said = [row[0].strip("`") for row in rows_of(TEXT, first_column="member")]
    complain(difference("docs/websockets.md", said, list(MessageRuleDocument.__struct_fields__)))
