"""The rules that docs/waf.md shows are taken by the API as they stand there."""

from typing import Any

import pytest

from tests.api.harness import Api
from tests.meta.test_doc_waf import RULES

CUSTOM, LIMITS, MANAGED = "http_request_firewall_custom", "http_ratelimit", "http_request_firewall_managed"


def phase_of(rule: dict[str, Any]) -> str:
    if "ratelimit" in rule:
        return LIMITS
    is_managed = rule["action"] == "execute" or "rules" in rule.get("action_parameters", {})
    return MANAGED if is_managed else CUSTOM


@pytest.mark.parametrize("number", range(len(RULES)))
async def test_a_rule_of_the_documents_is_taken(api: Api, number: int) -> None:
    zone_id = await api.zone()
    # The list is somebody's: an address stands for it.
    rule = {**RULES[number], "expression": RULES[number]["expression"].replace("$monitoring", "{192.0.2.1}")}
    path = f"/zones/{zone_id}/rulesets/phases/{phase_of(rule)}/entrypoint"
    # On the plan that a zone begins with.
    taken = await api.result("PUT", path, json={"rules": [rule]})
    assert taken["rules"][0]["action"] == rule["action"]
