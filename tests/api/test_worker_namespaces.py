"""Namespaces of Durable Objects over the API."""

from __future__ import annotations

from tests.api.harness import Api
from tests.api.worker_uploads import upload


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
    renamed = {"new_tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]}
    await api.result("PUT", f"{base}/scripts/chat", **upload(migrations=renamed))
    after = await api.result("GET", f"{base}/durable_objects/namespaces")
    assert {one["class"]: one["id"] for one in after} == {
        "Hall": found[2]["id"],
        "Log": found[0]["id"],
        "Old": found[1]["id"],
    }
