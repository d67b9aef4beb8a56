"""`holdfast.api.worker_deploying`: what is written down runs, and what does not run is not written down."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from holdfast.api.context import DeployRefused
from holdfast.model.data_dir import worker_key
from holdfast.model.worker_script import ScriptVersion
from holdfast.store.schema import WORKER_SCRIPTS
from holdfast.store.worker_scripts import MAX_DEPLOYMENTS, MAX_VERSIONS
from tests.api.harness import Api, codes
from tests.api.worker_uploads import ROOM, ROOM_MADE, upload
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


async def test_what_objects_of_a_deleted_class_stored_goes_when_the_new_version_serves(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api, script = worker_api, base(worker_api)
    await api.result("PUT", script, **upload(bindings=[ROOM], migrations=ROOM_MADE))
    other = script.replace("/chat", "/other")
    await api.result("PUT", other, **upload(bindings=[{**ROOM, "script_name": "chat"}]))
    given = upload(migrations={"old_tag": "v1", "new_tag": "v2", "deleted_classes": ["Room"]})
    answer = await api.ask("PUT", script, **given)
    assert (answer.status_code, codes(answer)) == (400, [10061])
    assert "ROOMS of the Worker 'other'" in answer.json()["errors"][0]["message"]
    await api.result("DELETE", other)
    workers.refusal = DeployRefused("ImportError", "")
    assert (await api.ask("PUT", script, **given)).status_code == 400
    assert workers.forgotten == []
    workers.refusal = None
    await api.result("PUT", script, **given)
    assert workers.forgotten == [(worker_key(api.account_id, "chat"), ["chat-Room"])]


async def test_a_class_that_is_made_anew_does_not_meet_what_the_one_before_it_stored(
    worker_api: Api, workers: FakeWorkers
) -> None:
    await worker_api.result("PUT", base(worker_api), **upload(bindings=[ROOM], migrations=ROOM_MADE))
    both = {"old_tag": "v1", "new_tag": "v2", "deleted_classes": ["Room"], "new_sqlite_classes": ["Room"]}
    await worker_api.result("PUT", base(worker_api), **upload(bindings=[ROOM], migrations=both))
    assert workers.versions[-1][0].classes["Room"].namespace == "Room~2"
    assert workers.forgotten[-1][1] == ["chat-Room"]
