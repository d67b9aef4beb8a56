"""Versions of rulesets over the API: what a ruleset was, of zones and of accounts, by id and by phase."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Api, codes

PHASE = "http_request_firewall_custom"


def rule(number: int) -> dict[str, Any]:
    return {"action": "skip", "expression": f"ip.src.asnum eq {number}", "action_parameters": {"ruleset": "current"}}


async def history(api: Api, level: str) -> tuple[str, list[dict[str, Any]]]:
    """The path of rulesets of a zone or an account, and an entrypoint as it was in each of four versions."""
    base = f"/zones/{await api.zone()}/rulesets" if level == "zone" else f"/accounts/{api.account_id}/rulesets"
    entrypoint = f"{base}/phases/{PHASE}/entrypoint"
    first = await api.result("PUT", entrypoint, json={"rules": [rule(1)], "description": "first"})
    second = await api.result("POST", f"{base}/{first['id']}/rules", json=rule(2))
    third = await api.result("PUT", f"{base}/{first['id']}", json={"description": "third"})
    fourth = await api.result("DELETE", f"{base}/{first['id']}/rules/{first['rules'][0]['id']}")
    return base, [first, second, third, fourth]


@pytest.mark.parametrize("level", ["zone", "account"])
async def test_every_version_is_as_it_was(api: Api, level: str) -> None:
    base, versions = await history(api, level)
    ruleset_id = versions[0]["id"]
    entries = [{name: value for name, value in one.items() if name != "rules"} for one in reversed(versions)]
    for path in (f"{base}/{ruleset_id}/versions", f"{base}/phases/{PHASE}/entrypoint/versions"):
        assert await api.result("GET", path) == entries
        for one in versions:
            assert await api.result("GET", f"{path}/{one['version']}") == one
        for wrong in ("0", "5", "99999999999999999999", "x", "-1", "01"):
            answer = await api.ask("GET", f"{path}/{wrong}")
            assert (answer.status_code, codes(answer)) == (404, [10003]), wrong
    assert await api.result("GET", f"{base}/{ruleset_id}/versions/latest") == versions[-1]


@pytest.mark.parametrize("level", ["zone", "account"])
async def test_an_old_version_can_be_forgotten_and_the_last_cannot(api: Api, level: str) -> None:
    base, versions = await history(api, level)
    path = f"{base}/{versions[0]['id']}/versions"
    for last in ("4", "latest"):
        answer = await api.ask("DELETE", f"{path}/{last}")
        assert (answer.status_code, codes(answer)) == (400, [20120])
    assert (await api.ask("DELETE", f"{path}/2?dry_run=true")).status_code == 204
    assert (await api.ask("DELETE", f"{path}/2")).status_code == 204
    assert codes(await api.ask("DELETE", f"{path}/2")) == [10003]
    assert [one["version"] for one in await api.result("GET", path)] == ["4", "3", "1"]
    assert (await api.entries())[0]["resource"]["id"] == f"{versions[0]['id']}/2"


async def test_a_removed_ruleset_has_no_versions(api: Api) -> None:
    base, versions = await history(api, "zone")
    await api.ask("DELETE", f"{base}/{versions[0]['id']}")
    for path in (f"{base}/{versions[0]['id']}/versions", f"{base}/phases/{PHASE}/entrypoint/versions"):
        assert codes(await api.ask("GET", path)) == [10003]
    again = await api.result("PUT", f"{base}/phases/{PHASE}/entrypoint", json={"rules": []})
    assert [one["version"] for one in await api.result("GET", f"{base}/{again['id']}/versions")] == ["1"]


async def test_only_managed_rulesets_have_tags(api: Api) -> None:
    base, versions = await history(api, "zone")
    answer = await api.ask("GET", f"{base}/{versions[0]['id']}/versions/1/by_tag/x")
    assert (answer.status_code, codes(answer)) == (404, [10003])
