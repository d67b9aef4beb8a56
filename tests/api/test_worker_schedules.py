"""When Workers run by themselves, over the API."""

from __future__ import annotations

from typing import Any, cast

from holdfast.api.context import WorkersUnavailable
from holdfast.api.worker_schedules import MAX_SCHEDULES
from holdfast.model.data_dir import worker_key
from tests.api.harness import Api, codes, strict_sdk
from tests.api.worker_uploads import script_path
from tests.api.workers import FakeWorkers


async def test_schedules_are_replaced_and_told_to_whoever_runs_scripts(
    worker_api: Api, workers: FakeWorkers, worker_zone_id: str
) -> None:
    api, path, key = worker_api, f"{script_path(worker_api)}/schedules", worker_key(worker_api.account_id, "chat")
    assert await api.result("GET", path) == {"schedules": []}
    given = [{"cron": "*/5 * * * *"}, {"cron": "0 0 LW * *"}, {"cron": "*/5 * * * *"}]
    made = (await api.result("PUT", path, json=given))["schedules"]
    assert {one["cron"] for one in made} == set(workers.crons[key]) == {"*/5 * * * *", "0 0 LW * *"}
    kept = next(one for one in made if one["cron"].startswith("*/5"))
    after = await api.result("PUT", path, json=[{"cron": "*/5 * * * *"}])
    assert after == await api.result("GET", path) == {"schedules": [kept]}
    workers.refusal = WorkersUnavailable("it is away")
    answer = await api.ask("PUT", path, json=[])
    assert (answer.status_code, codes(answer)) == (503, [10503])
    workers.refusal = None
    assert await api.result("GET", path) == after
    answer = await api.ask("PUT", path, json=[{"cron": "* * * * *"}, {"cron": "60 * * * *"}])
    assert (answer.status_code, codes(answer)) == (400, [10100])
    assert answer.json()["errors"][0]["source"] == {"pointer": "/1/cron"}
    answer = await api.ask("PUT", path, json=[{"cron": f"{n} * * * *"} for n in range(MAX_SCHEDULES + 1)])
    assert (answer.status_code, codes(answer)) == (400, [10072])
    assert workers.crons[key] == ["*/5 * * * *"]
    sdk, of = strict_sdk(api), cast("Any", {"account_id": api.account_id})
    found = await sdk.workers.scripts.schedules.update("chat", body=[{"cron": "1 * * * *"}], **of)
    assert found is not None
    assert [one.cron for one in found.schedules] == ["1 * * * *"]
