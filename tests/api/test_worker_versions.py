"""Versions of Workers over the API, and which is deployed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.api.harness import Api, codes
from tests.api.worker_uploads import ROOM, ROOM_MADE, upload
from tests.api.workers import FakeWorkers


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts/chat"


def shown_id(made: dict[str, Any]) -> str:
    return str(UUID(hex=made["deployment_id"]))


def of(version_id: str, percentage: float = 100) -> dict[str, Any]:
    return {"strategy": "percentage", "versions": [{"version_id": version_id, "percentage": percentage}]}


async def test_an_earlier_version_is_deployed_again(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    first = await api.result("PUT", base(api), **upload({"entry.py": b"x = 1"}, annotations={"workers/message": "one"}))
    second = await api.result("PUT", base(api), **upload({"entry.py": b"x = 2"}))
    listed = (await api.result("GET", f"{base(api)}/versions"))["items"]
    assert [(one["number"], one["id"]) for one in listed] == [(2, shown_id(second)), (1, shown_id(first))]
    assert listed[1]["annotations"]["workers/message"] == "one"
    assert listed[1]["resources"]["script"]["etag"] == first["etag"]
    shown = await api.result("GET", f"{base(api)}/versions/{first['deployment_id']}")
    assert shown["resources"]["script"]["etag"] == first["etag"]
    body = {**of(first["deployment_id"]), "annotations": {"workers/message": "back"}}
    made = await api.result("POST", f"{base(api)}/deployments", json=body)
    assert made["annotations"] == {"workers/message": "back", "workers/triggered_by": "rollback"}
    version, files = workers.versions[-1]
    assert (version.version, dict(files)) == (first["deployment_id"], {"entry.py": b"x = 1"})
    deployments = (await api.result("GET", f"{base(api)}/deployments"))["deployments"]
    assert deployments[0] == made
    assert [one["versions"][0]["version_id"] for one in deployments[1:]] == [shown_id(second), shown_id(first)]
    assert await api.result("GET", f"{base(api)}/deployments/{made['id']}") == made
    answer = await api.ask("GET", f"{base(api)}/deployments/{'0' * 32}")
    assert (answer.status_code, codes(answer)) == (404, [10336])
    (script,) = await api.result("GET", f"/accounts/{api.account_id}/workers/scripts")
    assert script["etag"] == first["etag"]
    gone, kept = deployments[1], [deployments[0], *deployments[2:]]
    assert await api.result("DELETE", f"{base(api)}/deployments/{gone['id']}") is None
    assert codes(await api.ask("DELETE", f"{base(api)}/deployments/{gone['id']}")) == [10336]
    assert codes(await api.ask("DELETE", f"{base(api)}/deployments/{made['id']}")) == [10406]
    assert (await api.result("GET", f"{base(api)}/deployments"))["deployments"] == kept
    third = await api.result("PUT", base(api), **upload({"entry.py": b"x = 3"}))
    assert workers.versions[-1][0].number == 3
    assert third["deployment_id"] != first["deployment_id"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (of("0" * 32), 404, 100146),
        (of("0" * 32, 50), 400, 1004),
        ({**of("0" * 32), "versions": []}, 400, 1004),
        ({**of("0" * 32), "strategy": "other"}, 400, 1004),
        ({}, 400, 1004),
    ],
)
async def test_a_bad_deployment_is_refused(
    worker_api: Api, workers: FakeWorkers, body: dict[str, Any], status: int, code: int
) -> None:
    await worker_api.result("PUT", base(worker_api), **upload())
    answer = await worker_api.ask("POST", f"{base(worker_api)}/deployments", json=body)
    assert (answer.status_code, codes(answer)[0]) == (status, code)
    assert len(workers.versions) == 1


async def test_a_version_that_is_not_there_is_said_not_to_be(worker_api: Api) -> None:
    await worker_api.result("PUT", base(worker_api), **upload())
    answer = await worker_api.ask("GET", f"{base(worker_api)}/versions/{'0' * 32}")
    assert (answer.status_code, codes(answer)) == (404, [100146])


async def test_a_version_is_uploaded_and_deployed_later(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    room: dict[str, Any] = {
        "bindings": [ROOM, {"type": "secret_text", "name": "TOKEN", "text": "s3cret"}],
        "migrations": ROOM_MADE,
    }
    first = await api.result("PUT", base(api), **upload(**room))
    inherits = [{"type": "inherit", "name": name} for name in ("ROOMS", "TOKEN")]
    given = upload({"entry.py": b"x = 2"}, bindings=inherits, annotations={"workers/tag": "two"})
    async with api.client() as client:
        headers = {"user-agent": "wrangler/4.86.0"}
        answer = await client.post(f"{base(api)}/versions?bindings_inherit=strict", headers=headers, **given)
    made = answer.json()["result"]
    assert (made["number"], made["metadata"]["source"], made["annotations"]["workers/tag"]) == (2, "wrangler", "two")
    assert [one["name"] for one in made["resources"]["bindings"]] == ["ROOMS", "TOKEN"]
    assert len(workers.versions) == 1
    assert [one["etag"] for one in await api.result("GET", f"/accounts/{api.account_id}/workers/scripts")] == [
        first["etag"]
    ]
    async with api.client() as client:
        assert b"x = 2" in (await client.get(f"{base(api)}/content/v2?version={made['id']}")).content
        assert b"x = 2" not in (await client.get(f"{base(api)}/content/v2")).content
    deployed = await api.result("POST", f"{base(api)}/deployments", json=of(made["id"]))
    assert deployed["annotations"]["workers/triggered_by"] == "promotion"
    version, files = workers.versions[-1]
    assert (version.number, dict(files)) == (2, {"entry.py": b"x = 2"})
    assert [*version.sealed_secrets] == ["TOKEN"]


async def test_a_version_has_the_secrets_of_the_one_before(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload())
    await api.result("PUT", f"{base(api)}/secrets", json={"name": "TOKEN", "text": "x", "type": "secret_text"})
    # As wrangler's `deploy` sends it.
    made = await api.result("POST", f"{base(api)}/versions?bindings_inherit=strict", **upload({"entry.py": b"x = 2"}))
    assert [one["name"] for one in made["resources"]["bindings"]] == ["TOKEN"]
    await api.result("POST", f"{base(api)}/deployments", json=of(made["id"]))
    assert [*workers.versions[-1][0].sealed_secrets] == ["TOKEN"]


@pytest.mark.parametrize(
    ("metadata", "status", "code"),
    [
        ({"migrations": {"new_tag": "v2", "new_sqlite_classes": ["Other"]}}, 400, 10211),
        ({"bindings": [{"type": "inherit", "name": "GONE"}]}, 400, 10057),
        ({"bindings": [ROOM]}, 400, 10061),
        ({"main_module": "gone.py"}, 400, 10021),
    ],
)
async def test_a_version_that_cannot_be_deployed_is_refused(
    worker_api: Api, workers: FakeWorkers, metadata: dict[str, Any], status: int, code: int
) -> None:
    path = f"{base(worker_api)}/versions?bindings_inherit=strict"
    answer = await worker_api.ask("POST", path, **upload())
    assert (answer.status_code, codes(answer)) == (404, [10007])
    await worker_api.result("PUT", base(worker_api), **upload())
    answer = await worker_api.ask("POST", path, **upload(**metadata))
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert len((await worker_api.result("GET", f"{base(worker_api)}/versions"))["items"]) == len(workers.versions) == 1


async def test_to_have_other_secrets_again_must_be_meant(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    first = await api.result("PUT", base(api), **upload())
    await api.result("PUT", f"{base(api)}/secrets", json={"name": "TOKEN", "text": "x", "type": "secret_text"})
    body = of(shown_id(first))
    answer = await api.ask("POST", f"{base(api)}/deployments", json=body)
    assert (answer.status_code, codes(answer)) == (400, [10220])
    assert answer.json()["errors"][0]["message"].endswith("The following secrets have changed: TOKEN")
    assert len(workers.versions) == 2
    await api.result("POST", f"{base(api)}/deployments?force=true", json=body)
    assert workers.versions[-1][0].sealed_secrets == {}
