"""Namespaces of Durable Objects over the API."""

from __future__ import annotations

from typing import Any

from holdfast.api.context import WorkersUnavailable
from holdfast.model.worker_messages import BusyObject
from tests.api.harness import ABSENT, Api, codes, strict_sdk
from tests.api.worker_uploads import upload
from tests.api.workers import FakeWorkers


async def test_each_class_of_each_script_has_a_namespace_that_keeps_its_id(worker_api: Api) -> None:
    api = worker_api
    base = f"/accounts/{api.account_id}/workers"
    steps = [{"new_sqlite_classes": ["Room", "Log"]}, {"new_classes": ["Old"]}]
    await api.result("PUT", f"{base}/scripts/chat", **upload(migrations={"new_tag": "v1", "steps": steps}))
    found = await api.result("GET", f"{base}/durable_objects/namespaces")
    assert [(one["name"], one["class"], one["script"], one["use_sqlite"]) for one in found] == [
        ("chat_Log", "Log", "chat", True),
        ("chat_Old", "Old", "chat", False),
        ("chat_Room", "Room", "chat", True),
    ]
    assert await api.result("GET", f"{base}/durable_objects/namespaces?per_page=1&page=2") == found[1:2]
    renamed = {"old_tag": "v1", "new_tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]}
    await api.result("PUT", f"{base}/scripts/chat", **upload(migrations=renamed))
    after = await api.result("GET", f"{base}/durable_objects/namespaces")
    assert {one["class"]: one["id"] for one in after} == {
        "Hall": found[2]["id"],
        "Log": found[0]["id"],
        "Old": found[1]["id"],
    }


async def test_objects_that_have_stored_something_are_listed_by_pages(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    base = f"/accounts/{api.account_id}/workers"
    made = {"new_tag": "v1", "new_sqlite_classes": ["Room"]}
    await api.result("PUT", f"{base}/scripts/chat", **upload(migrations=made))
    (space,) = await api.result("GET", f"{base}/durable_objects/namespaces")
    ids = [f"{number:064x}" for number in range(25)]
    workers.objects["chat-Room"] = ids[::-1]
    path = f"{base}/durable_objects/namespaces/{space['id']}/objects"
    found: list[str] = []
    after: str | None = None
    for count in (10, 10, 5):
        answer = (await api.ask("GET", f"{path}?limit=10{f'&cursor={after}' if after else ''}")).json()
        assert answer["result_info"]["count"] == count
        found += [one["id"] for one in answer["result"]]
        after = answer["result_info"]["cursors"]["after"]
    assert (found, after) == (ids, None)
    of: Any = {"account_id": api.account_id}
    listed = strict_sdk(api).durable_objects.namespaces.objects.list(space["id"], **of)
    assert [one.id async for one in listed] == ids


async def test_a_namespace_that_is_not_there_has_no_objects(worker_api: Api) -> None:
    base = f"/accounts/{worker_api.account_id}/workers/durable_objects/namespaces"
    answer = await worker_api.ask("GET", f"{base}/{ABSENT}/objects")
    assert (answer.status_code, codes(answer)) == (404, [10066])
    await worker_api.result(
        "PUT", f"/accounts/{worker_api.account_id}/workers/scripts/chat", **upload(migrations={"new_classes": ["A"]})
    )
    (space,) = await worker_api.result("GET", base)
    for query in ("limit=1", "limit=x", "cursor=nonsense"):
        answer = await worker_api.ask("GET", f"{base}/{space['id']}/objects?{query}")
        assert (answer.status_code, codes(answer)) == (400, [1004])


async def test_the_busiest_objects_of_a_class_are_told(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    base = f"/accounts/{api.account_id}/workers"
    made = {"new_tag": "v1", "new_sqlite_classes": ["Log", "Room"]}
    await api.result("PUT", f"{base}/scripts/chat", **upload(migrations=made))
    _, room = await api.result("GET", f"{base}/durable_objects/namespaces")
    workers.busy = [
        BusyObject(class_name="Room", id="a" * 64, name="lobby", sockets=3, events=9, errors=1, stored_bytes=4096),
        BusyObject(class_name="Log", id="b" * 64, events=5),
        BusyObject(class_name="Room", id="c" * 64, events=2, waiting=7),
    ]
    path = f"{base}/durable_objects/namespaces/{room['id']}/busiest"
    lobby, other = await api.result("GET", path)
    assert lobby == {
        "id": "a" * 64, "name": "lobby", "sockets": 3, "events": 9, "errors": 1, "waiting": 0, "stored_bytes": 4096,
    }  # fmt: skip
    assert (other["id"], other["name"], other["waiting"]) == ("c" * 64, None, 7)
    workers.refusal = WorkersUnavailable("the host of scripts cannot be reached: no answer")
    answer = await api.ask("GET", path)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    answer = await api.ask("GET", f"{base}/durable_objects/namespaces/{ABSENT}/busiest")
    assert (answer.status_code, codes(answer)) == (404, [10066])
