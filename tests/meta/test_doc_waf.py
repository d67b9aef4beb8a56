"""What docs/waf.md shows works: every expression is one, every rule is one that the API takes, every trial says what is said.

Law: the document is the authority for what is tested here; nothing of it is copied.
"""

import json
import re
import shlex
from typing import Any

import pytest

from holdfast import cli
from holdfast.model.request_text import request_from_object
from holdfast.rules.managed import holdfast_ruleset
from holdfast.rules.managed_ruleset import Overrides
from holdfast.rules.parser import parse
from tests.meta.test_doc_tables import rows_of
from tests.meta.test_docs import FENCE
from tests.meta.tree import ROOT

TEXT = (ROOT / "docs/waf.md").read_text(encoding="utf-8")
BLOCKS = FENCE.findall(TEXT)
RULESET = holdfast_ruleset()


def objects() -> list[Any]:
    """The JSON of the document: blocks of their own, and what curl sends."""
    sent = [found for block in BLOCKS for found in re.findall(r"-d '(\{.*?\})'$", block, re.MULTILINE | re.DOTALL)]
    return [json.loads(text) for text in [*(block for block in BLOCKS if block.startswith("{")), *sent]]


RULES = [rule for one in objects() for rule in one.get("rules", [one]) if "expression" in rule]


@pytest.mark.parametrize(
    "expression", [row[1].strip("`") for row in rows_of(TEXT, first_column="what") if row[1].startswith("`")]
)
def test_every_expression_is_one(expression: str) -> None:
    parse(expression)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["action"])
def test_every_rule_names_what_is_there(rule: dict[str, Any]) -> None:
    parse(rule["expression"])
    parameters = rule.get("action_parameters", {})
    if "id" in parameters:
        assert parameters["id"] == RULESET.id
        RULESET.deploy(Overrides.parse(parameters.get("overrides")))
    named = {ident for ids in parameters.get("rules", {}).values() for ident in ids}
    assert named <= {one.id for one in RULESET.rules}


def test_the_managed_ruleset_is_as_large_as_it_is_said_to_be() -> None:
    assert f": {len(RULESET.rules)} rules for the request" in TEXT
    by_ref = {one.ref: one.id for one in RULESET.rules}
    assert by_ref["holdfast-1001"] in TEXT
    said = {
        number for row in rows_of(TEXT, first_column="rules") for number in re.findall(r"holdfast-([0-9]{2})NN", row[0])
    }
    assert {min(said), max(said)} == {min(by_ref)[9:11], max(by_ref)[9:11]}


def test_the_request_in_json_is_one() -> None:
    (request,) = [one for one in objects() if "url" in one]
    assert request_from_object(request).request.is_upgrade


def _trials() -> list[list[str]]:
    lines = [line for block in BLOCKS for line in block.splitlines() if line.startswith("holdfast rule test ")]
    found = [shlex.split(line)[1:] for line in lines]
    return [words for words in found if "--zone" not in words]


@pytest.mark.parametrize("words", _trials(), ids=lambda words: words[2])
def test_every_trial_matches(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(words) == 0
    assert capsys.readouterr().out.startswith("result:")
