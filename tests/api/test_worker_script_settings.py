"""What belongs to a Worker and to none of its versions."""

from __future__ import annotations

import pytest

from tests.api.harness import Api
from tests.api.worker_uploads import upload
from tests.api.workers import FakeWorkers


def base(api: Api, name: str = "chat") -> str:
    return f"/accounts/{api.account_id}/workers/scripts/{name}"


@pytest.fixture
async def zone_id(worker_api: Api) -> str:
    for name in ("chat", "other"):
        await worker_api.result("PUT", base(worker_api, name), **upload())
    return await worker_api.zone()


async def test_tags_are_of_the_script_and_change_no_version(
    worker_api: Api, workers: FakeWorkers, zone_id: str
) -> None:
    path, deployed = f"{base(worker_api)}/script-settings", len(workers.versions)
    given = {"tags": ["cf:service=chat"], "observability": {"enabled": True}, "logpush": None}
    assert (await worker_api.result("PATCH", path, json=given))["tags"] == ["cf:service=chat"]
    assert await worker_api.result("GET", path) == {
        "logpush": False, "observability": {"enabled": False}, "tags": ["cf:service=chat"], "tail_consumers": None,
    }  # fmt: skip
    assert len(workers.versions) == deployed
