"""What belongs to a Worker and to none of its versions."""

from __future__ import annotations

from tests.api.harness import Api
from tests.api.worker_uploads import script_path
from tests.api.workers import FakeWorkers


async def test_tags_are_of_the_script_and_change_no_version(
    worker_api: Api, workers: FakeWorkers, worker_zone_id: str
) -> None:
    path, deployed = f"{script_path(worker_api)}/script-settings", len(workers.versions)
    given = {"tags": ["cf:service=chat"], "observability": {"enabled": True}, "logpush": None}
    assert (await worker_api.result("PATCH", path, json=given))["tags"] == ["cf:service=chat"]
    assert await worker_api.result("GET", path) == {
        "logpush": False, "observability": {"enabled": False}, "tags": ["cf:service=chat"], "tail_consumers": None,
    }  # fmt: skip
    assert len(workers.versions) == deployed
