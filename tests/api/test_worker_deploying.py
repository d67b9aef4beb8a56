"""`holdfast.api.worker_deploying`: what is written down runs, and what does not run is not written down."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from holdfast.model.worker_script import ScriptVersion
from holdfast.store.schema import WORKER_SCRIPTS
from holdfast.store.worker_scripts import MAX_DEPLOYMENTS, MAX_VERSIONS
from tests.api.harness import Api, codes
from tests.api.worker_uploads import upload
from tests.api.workers import FakeWorkers


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts/chat"


async def test_what_was_changed_meanwhile_is_not_overwritten_and_the_one_before_runs_again(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload({"entry.py": b"x = 1"}))
    first = workers.versions[0][0].version
    deploy = workers.deploy

    async def changed_meanwhile(version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        await deploy(version, files)
        async with api.control.database.write() as connection:
            await connection.execute(sa.update(WORKER_SCRIPTS).values(migration_tag="of another control"))

    workers.deploy = changed_meanwhile  # type: ignore[method-assign]
    async with api.client() as client:
        answer = await client.put(base(api), **upload({"entry.py": b"x = 2"}))
    assert (answer.status_code, codes(answer)) == (409, [10409])
    assert [(version.number, version.version == first) for version, _ in workers.versions] == [
        (1, True),
        (2, False),
        (1, True),
    ]
    assert dict(workers.versions[-1][1]) == {"entry.py": b"x = 1"}


async def test_of_versions_and_deployments_the_newest_are_kept_and_the_deployed_one(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload())
    first = workers.versions[0][0].version
    for number in range(MAX_VERSIONS + 2):
        await api.result("PUT", base(api), **upload({"entry.py": str(number).encode()}))
    versions = (await api.result("GET", f"{base(api)}/versions"))["items"]
    assert [one["number"] for one in versions] == list(range(MAX_VERSIONS + 3, 3, -1))
    deployments = (await api.result("GET", f"{base(api)}/deployments"))["deployments"]
    assert len(deployments) == MAX_DEPLOYMENTS
    answer = await api.ask("GET", f"{base(api)}/versions/{first}")
    assert (answer.status_code, codes(answer)) == (404, [100146])


async def test_changes_of_one_script_take_turns(worker_api: Api, workers: FakeWorkers) -> None:
    await worker_api.result("PUT", base(worker_api), **upload())
    await worker_api.result("DELETE", base(worker_api))
    assert len(workers.turns) == 2
    assert len(set(workers.turns)) == 1
