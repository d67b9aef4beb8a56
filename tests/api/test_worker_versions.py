"""Versions of Workers over the API, and which is deployed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Api, codes
from tests.api.worker_uploads import upload
from tests.api.workers import FakeWorkers


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts/chat"


def of(version_id: str, percentage: float = 100) -> dict[str, Any]:
    return {"strategy": "percentage", "versions": [{"version_id": version_id, "percentage": percentage}]}


async def test_an_earlier_version_is_deployed_again(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    first = await api.result("PUT", base(api), **upload({"entry.py": b"x = 1"}, annotations={"workers/message": "one"}))
    second = await api.result("PUT", base(api), **upload({"entry.py": b"x = 2"}))
    listed = (await api.result("GET", f"{base(api)}/versions"))["items"]
    assert [(one["number"], one["id"]) for one in listed] == [
        (2, second["deployment_id"]),
        (1, first["deployment_id"]),
    ]
    assert listed[1]["annotations"]["workers/message"] == "one"
    shown = await api.result("GET", f"{base(api)}/versions/{first['deployment_id']}")
    assert shown["resources"]["script"]["etag"] == first["etag"]
    body = {**of(first["deployment_id"]), "annotations": {"workers/message": "back"}}
    made = await api.result("POST", f"{base(api)}/deployments", json=body)
    assert (made["source"], made["annotations"]["workers/message"]) == ("rollback", "back")
    version, files = workers.versions[-1]
    assert (version.version, dict(files)) == (first["deployment_id"], {"entry.py": b"x = 1"})
    deployments = (await api.result("GET", f"{base(api)}/deployments"))["deployments"]
    assert deployments[0] == made
    assert [one["versions"][0]["version_id"] for one in deployments[1:]] == [
        second["deployment_id"],
        first["deployment_id"],
    ]
    (script,) = await api.result("GET", f"/accounts/{api.account_id}/workers/scripts")
    assert script["etag"] == first["etag"]
    third = await api.result("PUT", base(api), **upload({"entry.py": b"x = 3"}))
    assert workers.versions[-1][0].number == 3
    assert third["deployment_id"] != first["deployment_id"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (of("0" * 32), 404, 10222),
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
    assert (answer.status_code, codes(answer)) == (404, [10222])
