"""`holdfast.api.worker_running`: several Workers changed as one: a class that moves from one to another, with its objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.model.data_dir import worker_key
from holdfast.model.worker_messages import DurableObjectBinding
from holdfast.model.worker_migrations import DurableClass, MovedClass
from holdfast.model.worker_script import ScriptVersion
from tests.api.harness import Api, codes, strict_sdk
from tests.api.worker_uploads import ROOM, ROOM_MADE, script_path, upload
from tests.api.workers import FakeWorkers

HALL = {"type": "durable_object_namespace", "name": "HALLS", "class_name": "Hall"}
TRANSFER = {"new_tag": "v1", "transferred_classes": [{"from": "Room", "from_script": "chat", "to": "Hall"}]}
MOVING: dict[str, Any] = {"bindings": [HALL], "migrations": TRANSFER}


async def made(api: Api) -> None:
    """A Worker with objects, and one that is bound to them."""
    await api.result("PUT", script_path(api), **upload(bindings=[ROOM], migrations=ROOM_MADE))
    await api.result("PUT", script_path(api, "user"), **upload(bindings=[{**ROOM, "script_name": "chat"}]))


async def test_a_class_moves_with_its_objects_and_bindings_that_name_it_lead_to_where_it_is(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await made(api)
    all_spaces = f"/accounts/{api.account_id}/workers/durable_objects/namespaces"
    (space,) = await api.result("GET", all_spaces)
    before = len(workers.versions)
    await api.result("PUT", script_path(api, "hall"), **upload({"entry.py": b"x = 2"}, **MOVING))
    chat, hall = worker_key(api.account_id, "chat"), worker_key(api.account_id, "hall")
    staged, source, target = (version for version, _ in workers.versions[before:])
    # First with the objects where they were: it shows that the code can be imported.
    assert (staged.name, staged.classes, staged.awaited) == ("hall", {}, ("Hall",))
    assert staged.moved == {"Hall": MovedClass(script="chat", class_name="Room", unique_key="chat-Room")}
    assert (source.name, source.number, source.classes) == ("chat", 2, {})
    assert source.moved == {"Room": MovedClass(script="hall", class_name="Hall", unique_key="chat-Room")}
    assert source.durable_objects == (DurableObjectBinding(name="ROOMS", class_name="Room"),)
    assert (target.name, target.moved, target.awaited) == ("hall", {}, ())
    assert target.classes == {"Hall": DurableClass(namespace="chat-Room", came_from=chat)}
    assert target.version != staged.version
    assert workers.adopted == [(hall, "chat-Room")]
    spaces = await api.result("GET", all_spaces)
    assert [(one["id"], one["script"], one["class"]) for one in spaces] == [(space["id"], "hall", "Hall")]
    workers.objects["chat-Room"] = ["a" * 64]
    objects = await api.result("GET", f"{all_spaces}/{space['id']}/objects")
    assert [one["id"] for one in objects] == ["a" * 64]
    deployed = (await api.result("GET", f"{script_path(api)}/deployments"))["deployments"]
    assert deployed[0]["annotations"]["workers/message"] == "Room moved to hall"


async def test_workers_that_name_the_class_as_before_may_be_changed(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await made(api)
    await api.result("PUT", script_path(api, "hall"), **upload(**MOVING))
    secret = {"name": "TOKEN", "text": "x", "type": "secret_text"}
    for name in ("chat", "user", "hall"):
        await api.result("PUT", f"{script_path(api, name)}/secrets", json=secret)
    await api.result("PUT", script_path(api), **upload(bindings=[ROOM]))
    # It is told once, and no version after it looks for files any more.
    assert workers.versions[-2][0].classes == {"Hall": DurableClass(namespace="chat-Room")}
    answer = await api.ask("PUT", script_path(api, "new"), **upload(bindings=[{**ROOM, "script_name": "chat"}]))
    assert (answer.status_code, codes(answer)) == (400, [10061])


async def test_a_class_of_the_same_name_that_is_made_later_has_other_objects_and_one_that_comes_back_its_own(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await made(api)
    await api.result("PUT", script_path(api, "hall"), **upload(**MOVING))
    again = {"old_tag": "v1", "new_tag": "v2", "steps": [{"new_sqlite_classes": ["Room"]}]}
    await api.result("PUT", script_path(api), **upload(bindings=[ROOM], migrations=again))
    assert workers.versions[-1][0].classes == {"Room": DurableClass(namespace="Room~2")}
    back = {
        "old_tag": "v2",
        "new_tag": "v3",
        "transferred_classes": [{"from": "Hall", "from_script": "hall", "to": "Back"}],
    }
    await api.result("PUT", script_path(api), **upload(bindings=[ROOM], migrations=back))
    assert workers.versions[-1][0].classes == {
        "Room": DurableClass(namespace="Room~2"),
        "Back": DurableClass(namespace="Room", came_from=worker_key(api.account_id, "hall")),
    }


async def test_a_class_that_is_renamed_is_found_by_bindings_that_name_it_as_before(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await made(api)
    given = {"old_tag": "v1", "new_tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]}
    await api.result("PUT", script_path(api), **upload(bindings=[HALL], migrations=given))
    assert workers.versions[-1][0].moved == {"Room": MovedClass(class_name="Hall", unique_key="chat-Room")}


async def test_a_class_moves_by_what_both_declare(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    of_objects = {"type": "durable-object"}
    await api.result("PUT", script_path(api), **upload(bindings=[ROOM], exports={"Room": of_objects}))
    left = upload(exports={"Room": {**of_objects, "state": "transferred", "transferred_to": "hall"}})
    answer = await api.ask("PUT", script_path(api), **left)
    assert (answer.status_code, codes(answer)) == (400, [10021])
    assert "deploy the Worker that it goes to first" in answer.json()["errors"][0]["message"]
    come = {**of_objects, "state": "expecting-transfer", "transfer_from": "chat"}
    for _ in range(2):
        await api.result("PUT", script_path(api, "hall"), **upload(bindings=[ROOM], exports={"Room": come}))
    assert workers.versions[-1][0].classes == {"Room": DurableClass(namespace="chat-Room")}
    await api.result("PUT", script_path(api), **left)
    assert workers.versions[-1][0].classes == {}


@pytest.mark.parametrize("refused", ["hall", "chat"])
@pytest.mark.parametrize(
    ("why", "status", "code"),
    [(DeployRefused("ImportError"), 400, 10021), (WorkersUnavailable("it is away"), 503, 10503)],
)
async def test_where_one_of_them_does_not_run_everything_is_as_it_was(
    worker_api: Api, workers: FakeWorkers, refused: str, why: Exception, status: int, code: int
) -> None:
    api = worker_api
    await made(api)
    await api.result("PUT", script_path(api, "hall"), **upload({"entry.py": b"x = 0"}))
    running = {name: last(workers, api, name) for name in ("chat", "hall")}
    shown = await api.result("GET", f"/accounts/{api.account_id}/workers/scripts")
    deploy = workers.deploy

    async def one_refused(version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        if version.name == refused and version.version not in running.values():
            raise why
        await deploy(version, files)

    workers.deploy = one_refused  # type: ignore[method-assign]
    answer = await api.ask("PUT", script_path(api, "hall"), **upload(**MOVING))
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert {name: last(workers, api, name) for name in running} == running
    assert await api.result("GET", f"/accounts/{api.account_id}/workers/scripts") == shown
    assert workers.adopted == []


async def test_a_source_of_which_nobody_knows_whether_it_runs_without_its_class_is_run_with_it_again(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await made(api)
    running, deploy = last(workers, api, "chat"), workers.deploy

    async def answered_too_late(version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        await deploy(version, files)
        if version.name == "chat" and not version.classes:
            raise WorkersUnavailable("it did not answer in time")

    workers.deploy = answered_too_late  # type: ignore[method-assign]
    answer = await api.ask("PUT", script_path(api, "hall"), **upload(**MOVING))
    assert (answer.status_code, codes(answer)) == (503, [10503])
    assert last(workers, api, "chat") == running
    (now,) = [version for version, _ in workers.versions if version.name == "chat"][-1:]
    assert list(now.classes) == ["Room"]


async def test_objects_that_cannot_be_moved_yet_are_when_the_version_is_deployed_again(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await made(api)
    adopt = workers.adopt_objects

    async def away(key: str, name: str, one: DurableClass) -> None:
        raise WorkersUnavailable("the Worker chat serves its objects still")

    workers.adopt_objects = away  # type: ignore[method-assign]
    answer = await api.ask("PUT", script_path(api, "hall"), **upload(**MOVING))
    assert (answer.status_code, codes(answer)) == (503, [10503])
    assert workers.versions[-1][0].name == "chat"
    workers.adopt_objects = adopt  # type: ignore[method-assign]
    (version,) = (await api.result("GET", f"{script_path(api, 'hall')}/versions"))["items"]
    body = {"strategy": "percentage", "versions": [{"version_id": version["id"], "percentage": 100}]}
    await api.result("POST", f"{script_path(api, 'hall')}/deployments", json=body)
    assert workers.adopted[-1] == (worker_key(api.account_id, "hall"), "chat-Room")
    assert set(workers.versions[-1][0].classes) == {"Hall"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"from": "Gone", "from_script": "chat", "to": "Hall"}, "it has no class of that name"),
        ({"from": "Room", "from_script": "nobody", "to": "Hall"}, "there is no script of that name"),
        ({"from": "Room", "from_script": "hall", "to": "Hall"}, "that is this script"),
    ],
)
async def test_what_is_not_there_cannot_be_moved(
    worker_api: Api, workers: FakeWorkers, given: dict[str, Any], words: str
) -> None:
    await made(worker_api)
    there = len(workers.versions)
    moving = {"new_tag": "v1", "steps": [{"transferred_classes": [given]}]}
    answer = await worker_api.ask("PUT", script_path(worker_api, "hall"), **upload(migrations=moving))
    assert (answer.status_code, codes(answer)) == (400, [10021])
    assert words in answer.json()["errors"][0]["message"]
    assert len(workers.versions) == there


async def test_a_version_that_is_only_uploaded_moves_nothing(worker_api: Api) -> None:
    api = worker_api
    await made(api)
    await api.result("PUT", script_path(api, "hall"), **upload())
    answer = await api.ask("POST", f"{script_path(api, 'hall')}/versions", **upload(**MOVING))
    assert (answer.status_code, codes(answer)) == (400, [10211])


async def test_two_that_each_want_a_class_of_the_other_take_turns_in_one_order(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await made(api)
    workers.turns.clear()
    await api.result("PUT", script_path(api, "hall"), **upload(**MOVING))
    assert workers.turns == sorted(worker_key(api.account_id, name) for name in ("chat", "hall"))


async def test_the_official_sdk_moves_a_class(worker_api: Api, workers: FakeWorkers) -> None:
    await made(worker_api)
    sdk: Any = strict_sdk(worker_api)
    await sdk.workers.scripts.update(
        "hall",
        account_id=worker_api.account_id,
        metadata={"main_module": "entry.py", "migrations": TRANSFER},
        files=[("entry.py", b"", "text/x-python")],
    )
    assert set(workers.versions[-1][0].classes) == {"Hall"}


def last(workers: FakeWorkers, api: Api, name: str) -> str:
    """The version of a script that runs."""
    key = worker_key(api.account_id, name)
    return next(version.version for version, _ in reversed(workers.versions) if version.key == key)
