"""Secrets of Workers over the API: set and removed, and shown to nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.api.context import DeployRefused
from holdfast.model.worker_script import secret_purpose
from holdfast.sealing import SealingKey
from tests.api.harness import Api, codes, strict_sdk
from tests.api.worker_uploads import MODULE, upload
from tests.api.workers import FakeWorkers


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts/chat"


async def test_a_secret_is_set_listed_and_removed_each_time_by_a_new_version(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload(bindings=[{"type": "plain_text", "name": "A", "text": "b"}]))
    given = {"name": "TOKEN", "text": "s3cret", "type": "secret_text"}
    shown = {"name": "TOKEN", "type": "secret_text"}
    assert await api.result("PUT", f"{base(api)}/secrets", json=given) == shown
    version, files = workers.versions[-1]
    assert (version.number, version.vars, dict(files)) == (2, {"A": "b"}, {"entry.py": MODULE})
    sealed = version.sealed_secrets["TOKEN"]
    assert SealingKey(bytes(32)).open_sealed(sealed, purpose=secret_purpose(version.key, "TOKEN")) == b"s3cret"
    assert await api.result("GET", f"{base(api)}/secrets") == [shown]
    assert await api.result("GET", f"{base(api)}/secrets/TOKEN") == shown
    await api.result("PUT", f"{base(api)}/secrets", json={**given, "name": "OTHER"})
    assert workers.versions[-1][0].sealed_secrets["TOKEN"] == sealed
    assert await api.result("DELETE", f"{base(api)}/secrets/TOKEN") is None
    assert set(workers.versions[-1][0].sealed_secrets) == {"OTHER"}
    assert "s3cret" not in json.dumps([await api.entries(), api.log])


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"name": "A-B", "text": "s3cret"}, 1004, "/name"),
        ({"text": "s3cret"}, 1004, "/name"),
        ({"name": "T"}, 1004, "/text"),
        ({"name": "T", "text": ["s3cret"]}, 1004, "/text"),
        ({"name": "T", "text": "s3cret" * 1000}, 10054, "/text"),
        ({"name": "T", "text": "s3cret", "type": "secret_key"}, 1004, "/type"),
        ({"name": "A", "text": "s3cret"}, 10053, "/name"),
    ],
)
async def test_a_bad_secret_is_refused_and_never_said_back(
    worker_api: Api, workers: FakeWorkers, body: dict[str, Any], code: int, pointer: str
) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload(bindings=[{"type": "plain_text", "name": "A", "text": "b"}]))
    answer = await api.ask("PUT", f"{base(api)}/secrets", json=body)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, code, pointer)
    assert "s3cret" not in answer.text
    assert len(workers.versions) == 1


async def test_a_secret_that_is_not_there_is_said_not_to_be(worker_api: Api) -> None:
    await worker_api.result("PUT", base(worker_api), **upload())
    for method in ("GET", "DELETE"):
        answer = await worker_api.ask(method, f"{base(worker_api)}/secrets/GONE")
        assert (answer.status_code, codes(answer)) == (404, [10056])
    answer = await worker_api.ask("PUT", f"{base(worker_api)}x/secrets", json={"name": "A", "text": "b"})
    assert (answer.status_code, codes(answer)) == (404, [10007])


async def test_what_does_not_run_with_a_secret_stays_without_it(worker_api: Api, workers: FakeWorkers) -> None:
    await worker_api.result("PUT", base(worker_api), **upload())
    workers.refusal = DeployRefused("no")
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/secrets", json={"name": "A", "text": "b"})
    assert (answer.status_code, codes(answer)) == (400, [10021])
    assert await worker_api.result("GET", f"{base(worker_api)}/secrets") == []


async def test_several_secrets_are_changed_by_one_version(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload(bindings=[{"type": "plain_text", "name": "A", "text": "b"}]))
    text = {"type": "secret_text", "text": "s3cret"}
    bulk = f"{base(api)}/secrets-bulk"
    found = await api.result("PATCH", bulk, json={"secrets": {"ONE": {**text, "name": "ONE"}, "TWO": text}})
    assert found == {name: {"name": name, "type": "secret_text"} for name in ("ONE", "TWO")}
    sdk: Any = strict_sdk(api)
    given = {"ONE": None, "NEVER": None, "THREE": {**text, "name": "THREE"}}
    await sdk.workers.scripts.secrets.bulk_update("chat", account_id=api.account_id, secrets=given)
    version, files = workers.versions[-1]
    assert (version.number, dict(files)) == (3, {"entry.py": MODULE})
    assert set(version.sealed_secrets) == {"TWO", "THREE"}
    for refused, pointer in (({"A": None}, "/secrets"), ({"T": {**text, "text": 5}}, "/secrets/T/text")):
        answer = await api.ask("PATCH", bulk, json={"secrets": refused})
        assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, pointer)
    assert codes(
        await api.ask("PATCH", f"/accounts/{api.account_id}/workers/scripts/none/secrets-bulk", json={"secrets": {}})
    ) == [10007]
    assert len(workers.versions) == 3
