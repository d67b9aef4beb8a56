"""Workers removed: what others would miss of them is removed only where that is asked for."""

from __future__ import annotations

import pytest

from holdfast.api.context import WorkersUnavailable
from tests.api.harness import Api, codes
from tests.api.worker_uploads import ROOM, ROOM_MADE, upload
from tests.api.workers import FakeWorkers

NAMES = ("services", "scripts")


@pytest.mark.parametrize("kind", NAMES)
async def test_a_script_that_others_are_bound_to_is_removed_by_force_alone(
    worker_api: Api, workers: FakeWorkers, kind: str
) -> None:
    api, workers_path = worker_api, f"/accounts/{worker_api.account_id}/workers"
    await api.result("PUT", f"{workers_path}/scripts/chat", **upload())
    bound = {"type": "service", "name": "CHAT", "service": "chat"}
    await api.result("PUT", f"{workers_path}/scripts/other", **upload(bindings=[bound]))
    answer = await api.ask("DELETE", f"{workers_path}/{kind}/chat")
    assert (answer.status_code, codes(answer), workers.deleted) == (400, [10142], [])
    await api.result("DELETE", f"{workers_path}/{kind}/chat?force=true")
    assert len(workers.deleted) == 1
    assert codes(await api.ask("DELETE", f"{workers_path}/{kind}/chat?force=true")) == [10007]


async def test_a_script_with_classes_and_one_whose_host_is_away_stay(worker_api: Api, workers: FakeWorkers) -> None:
    path = f"/accounts/{worker_api.account_id}/workers/scripts/chat"
    await worker_api.result("PUT", path, **upload(bindings=[ROOM], migrations=ROOM_MADE))
    assert codes(await worker_api.ask("DELETE", path)) == [10064]
    workers.refusal = WorkersUnavailable("it is away")
    answer = await worker_api.ask("DELETE", f"{path}?force=true")
    assert (answer.status_code, codes(answer)) == (503, [10503])
    assert (await worker_api.result("GET", f"{path}/schedules")) == {"schedules": []}
