"""Managed rulesets that another process loads: the API knows of one from the moment it is in the database."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.control.publisher import Publisher
from holdfast.edge.compilation import check_document
from holdfast.model.rule_documents import ManagedDocument
from holdfast.rules.seclang.owasp import OWASP_RULESET_ID
from holdfast.sealing import SealingKey
from holdfast.store import managed
from holdfast.store.database import Database
from tests.api import harness
from tests.api.harness import Api, codes
from tests.unit.rules.seclang.core_rules import FILES

PHASE = "http_request_firewall_managed"


@pytest.fixture(name="api")
async def _api(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """A control that compiles what it publishes, and does not look by itself at what others wrote."""

    async def never(_: Publisher) -> None:
        """Find nothing."""

    monkeypatch.setattr(Publisher, "poll", never)
    running = await harness.start(
        database_url, tmp_path, check=lambda document: check_document(document, SealingKey(bytes(32)))
    )
    yield running
    await running.close()


async def load(database_url: str) -> None:
    """What `holdfast waf load-crs` does, in another process."""
    database = Database(database_url)
    files = {name: zlib.compress(content) for name, content in FILES.items()}
    async with database.write() as connection:
        await managed.put(connection, ManagedDocument(id=OWASP_RULESET_ID, version=0, release="3.3.4", files=files))
    await database.close()


def executing(**parameters: Any) -> dict[str, Any]:
    return {"action": "execute", "expression": "true", "action_parameters": {"id": OWASP_RULESET_ID, **parameters}}


@pytest.mark.parametrize("is_zone", [True, False])
async def test_a_rule_executes_what_was_loaded_a_moment_ago(api: Api, database_url: str, is_zone: bool) -> None:
    owner = f"/zones/{await api.zone()}" if is_zone else f"/accounts/{api.account_id}"
    path = f"{owner}/rulesets/phases/{PHASE}/entrypoint"
    body = {"rules": [executing(overrides={"categories": [{"category": "paranoia-level-2", "enabled": True}]})]}
    before = await api.ask("PUT", path, json=body)
    assert (before.status_code, codes(before)) == (400, [20120])
    assert "has not been loaded" in before.json()["errors"][0]["message"]
    await load(database_url)
    made = await api.result("PUT", path, json=body)
    assert made["rules"][0]["action_parameters"]["id"] == OWASP_RULESET_ID
    # Overrides are held against the rules that were loaded.
    wrong = {"rules": [executing(overrides={"categories": [{"category": "nope", "enabled": True}]})]}
    assert (await api.ask("PUT", path, json=wrong)).status_code == 400


async def test_a_rule_that_skips_it_may_be_written_at_once(api: Api, database_url: str) -> None:
    path = f"/zones/{await api.zone()}/rulesets/phases/{PHASE}/entrypoint"
    skip = {"action": "skip", "expression": "true", "action_parameters": {"rulesets": [OWASP_RULESET_ID]}}
    assert (await api.ask("PUT", path, json={"rules": [skip]})).status_code == 400
    await load(database_url)
    assert (await api.ask("PUT", path, json={"rules": [skip]})).status_code == 200


async def test_it_is_shown_at_once(api: Api, database_url: str) -> None:
    path = f"/accounts/{api.account_id}/rulesets/{OWASP_RULESET_ID}"
    assert (await api.ask("GET", path)).status_code == 404
    await load(database_url)
    assert (await api.result("GET", path))["kind"] == "managed"
    assert (await api.result("GET", f"{path}/versions/latest"))["id"] == OWASP_RULESET_ID
