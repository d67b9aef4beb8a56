"""Workers removed: what others would miss of them is removed only where that is asked for; what objects stored goes with their class, and with
no other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.control.worker_hosting import WorkerHosting
from holdfast.model.data_dir import worker_key
from holdfast.model.worker_migrations import DurableClass
from holdfast.model.worker_script import ScriptVersion
from tests.api.harness import Api, codes
from tests.api.worker_uploads import ROOM, ROOM_MADE, script_path, upload
from tests.api.workers import FakeWorkers

NAMES = ("services", "scripts")
HALL = {"type": "durable_object_namespace", "name": "HALLS", "class_name": "Hall"}
TRANSFER = {"new_tag": "v1", "transferred_classes": [{"from": "Room", "from_script": "chat", "to": "Hall"}]}
MOVING: dict[str, Any] = {"bindings": [HALL], "migrations": TRANSFER}
DELETED = upload(migrations={"old_tag": "v1", "new_tag": "v2", "deleted_classes": ["Room"]})


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


async def made(api: Api) -> None:
    await api.result("PUT", script_path(api), **upload(bindings=[ROOM], migrations=ROOM_MADE))


async def moved_without_its_files(api: Api, workers: FakeWorkers) -> None:
    """The class Room of chat is hall's, as it is written down, and what its objects stored lies beside chat yet."""
    await made(api)
    adopt = workers.adopt_objects

    async def away(key: str, name: str, one: DurableClass) -> None:
        raise WorkersUnavailable("the disk is away")

    workers.adopt_objects = away  # type: ignore[method-assign]
    answer = await api.ask("PUT", script_path(api, "hall"), **upload(**MOVING))
    assert answer.status_code == 503
    workers.adopt_objects = adopt  # type: ignore[method-assign]


async def test_what_a_class_that_went_elsewhere_stored_does_not_go_with_the_script_that_it_came_from(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await moved_without_its_files(api, workers)
    chat, hall = worker_key(api.account_id, "chat"), worker_key(api.account_id, "hall")
    delete = workers.delete

    async def deleted(key: str) -> None:
        assert workers.adopted == [(hall, "chat-Room")]
        await delete(key)

    workers.delete = deleted  # type: ignore[method-assign]
    await api.result("DELETE", script_path(api))
    assert workers.deleted == [chat]
    # A script that is made later under its name is another one, whose objects are its own.
    await made(api)
    await api.result(
        "PUT", f"{script_path(api, 'hall')}/secrets", json={"name": "T", "text": "x", "type": "secret_text"}
    )
    assert workers.adopted == [(hall, "chat-Room")]


async def test_a_script_whose_objects_cannot_go_where_they_belong_is_not_removed(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await moved_without_its_files(api, workers)
    workers.refusal = WorkersUnavailable("the disk is away")
    answer = await api.ask("DELETE", f"{script_path(api)}?force=true")
    assert (answer.status_code, codes(answer)) == (503, [10503])
    assert workers.deleted == []
    assert {one["id"] for one in await api.result("GET", f"/accounts/{api.account_id}/workers/scripts")} == {
        "chat",
        "hall",
    }


async def test_what_a_class_left_beside_another_script_goes_with_the_script_that_has_it(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await moved_without_its_files(api, workers)
    hall = worker_key(api.account_id, "hall")
    await api.result("DELETE", f"{script_path(api, 'hall')}?force=true")
    assert (workers.adopted, workers.deleted) == ([(hall, "chat-Room")], [hall])


async def test_a_script_that_is_removed_while_a_class_of_it_moves_is_removed_afterwards(
    worker_api: Api, workers: FakeWorkers, tmp_path: Path
) -> None:
    api = worker_api
    await made(api)
    workers.turn = WorkerHosting(tmp_path).turn  # type: ignore[method-assign]
    adopt, removing = workers.adopt_objects, list[asyncio.Task[Any]]()

    async def adopting(key: str, name: str, one: DurableClass) -> None:
        if not removing:
            removing.append(asyncio.create_task(api.ask("DELETE", f"{script_path(api)}?force=true")))
            # It asks for nothing more but its turn.
            await asyncio.wait(removing, timeout=0.2)
            assert workers.deleted == []
        await adopt(key, name, one)

    workers.adopt_objects = adopting  # type: ignore[method-assign]
    await api.result("PUT", script_path(api, "hall"), **upload(**MOVING))
    answer = await removing[0]
    assert answer.status_code == 200, answer.text
    assert workers.adopted[0] == (worker_key(api.account_id, "hall"), "chat-Room")
    assert workers.deleted == [worker_key(api.account_id, "chat")]


async def test_a_class_that_is_made_while_a_removal_waits_is_not_removed_without_force(
    worker_api: Api, workers: FakeWorkers, tmp_path: Path
) -> None:
    api = worker_api
    await api.result("PUT", script_path(api), **upload())
    workers.turn = WorkerHosting(tmp_path).turn  # type: ignore[method-assign]
    deploy, removing = workers.deploy, list[asyncio.Task[Any]]()

    async def deploying(version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        removing.append(asyncio.create_task(api.ask("DELETE", script_path(api))))
        await asyncio.wait(removing, timeout=0.2)
        await deploy(version, files)

    workers.deploy = deploying  # type: ignore[method-assign]
    await made(api)
    answer = await removing[0]
    assert (answer.status_code, codes(answer)) == (400, [10064])
    assert workers.deleted == []


@pytest.mark.parametrize(
    ("why", "status"), [(DeployRefused("ImportError"), 400), (WorkersUnavailable("it is away"), 503)]
)
async def test_a_deployment_that_is_refused_dooms_nothing(
    worker_api: Api, workers: FakeWorkers, why: DeployRefused | WorkersUnavailable, status: int
) -> None:
    api = worker_api
    await made(api)
    workers.refusal = why
    answer = await api.ask("PUT", script_path(api), **DELETED)
    assert answer.status_code == status
    assert (workers.doomed, workers.forgotten) == ([], [])


async def test_what_cannot_be_doomed_is_not_deleted(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await made(api)
    there = len(workers.versions)

    async def full(key: str, unique_keys: Any) -> None:
        raise WorkersUnavailable("the disk is full")

    workers.doom_objects = full  # type: ignore[method-assign]
    answer = await api.ask("PUT", script_path(api), **DELETED)
    assert (answer.status_code, codes(answer)) == (503, [10503])
    assert len(workers.versions) == there


async def test_what_another_script_has_yet_to_fetch_is_not_removed_by_a_change_of_the_one_that_had_it(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await moved_without_its_files(api, workers)
    chat = worker_key(api.account_id, "chat")
    # As a deployment that was refused may have left it.
    workers.doomed.append((chat, ["chat-Room", "chat-Gone"]))
    await api.result("PUT", script_path(api), **upload())
    assert workers.forgotten == [(chat, ["chat-Gone"])]


async def test_a_version_of_which_nobody_knows_whether_it_runs_is_replaced_by_the_one_before(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await made(api)
    running, deploy = workers.versions[-1][0].version, workers.deploy

    async def answered_too_late(version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        await deploy(version, files)
        if version.version != running:
            raise WorkersUnavailable("it did not answer in time")

    workers.deploy = answered_too_late  # type: ignore[method-assign]
    answer = await api.ask("PUT", script_path(api), **upload(bindings=[ROOM]))
    assert (answer.status_code, codes(answer)) == (503, [10503])
    assert workers.versions[-1][0].version == running
