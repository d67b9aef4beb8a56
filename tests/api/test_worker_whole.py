"""Workers as newer clients look at them, and secrets of a version that is not deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.model.worker_script import secret_purpose
from holdfast.sealing import SealingKey
from tests.api.harness import Api, codes, strict_sdk
from tests.api.worker_uploads import MODULE, ROOM, ROOM_MADE, script_path, upload
from tests.api.workers import FakeWorkers

PATCH_TYPE = {"content-type": "application/merge-patch+json"}


def whole(api: Api, name: str = "") -> str:
    return f"/accounts/{api.account_id}/workers/workers" + (f"/{name}" if name else "")


async def test_a_worker_is_shown_with_all_that_leads_to_it_by_name_and_by_id(worker_api: Api) -> None:
    api = worker_api
    await api.result("PUT", script_path(api), **upload(bindings=[ROOM], migrations=ROOM_MADE, tags=["a"]))
    service = {"type": "service", "name": "CHAT", "service": "chat"}
    await api.result("PUT", script_path(api, "other"), **upload(bindings=[service, {**ROOM, "script_name": "chat"}]))
    off = {"enabled": False, "previews_enabled": False}
    found = await api.result("GET", whole(api, "chat"))
    assert (found["name"], found["tags"], found["subdomain"]) == ("chat", ["a"], off)
    (user,), (objects,) = found["references"]["workers"], found["references"]["durable_objects"]
    assert (user["name"], objects["worker_id"], objects["namespace_name"]) == ("other", user["id"], "chat_Room")
    assert await api.result("GET", whole(api, found["id"])) == found
    await api.zone("us.workers.dev")
    await api.result("POST", f"{script_path(api)}/subdomain", json={"enabled": True})
    found = await api.result("GET", whole(api, "chat"))
    host = "chat.us.workers.dev"
    assert found["subdomain"] == {
        "enabled": True,
        "previews_enabled": False,
        "url": f"https://{host}",
        "preview_url_suffix": f"-{host}",
    }
    assert [one["hostname"] for one in found["references"]["domains"]] == [host]
    sdk: Any = strict_sdk(api)
    assert [one.name async for one in sdk.workers.beta.workers.list(account_id=api.account_id)] == ["chat", "other"]
    assert codes(await api.ask("GET", whole(api, "none"))) == [10007]
    assert codes(await api.ask("GET", whole(api, "a" * 32))) == [10007]


async def test_secrets_of_the_newest_version_are_changed_in_one_that_is_not_deployed(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    await api.result("PUT", script_path(api), **upload(bindings=[{"type": "plain_text", "name": "A", "text": "b"}]))
    latest = f"{whole(api, 'chat')}/versions/latest"
    env = {"ONE": {"type": "secret_text", "text": "s3cret"}, "TWO": {"type": "secret_text", "text": "t"}}
    said = {"workers/message": "both", "workers/tag": "t1"}
    made = await api.result("PATCH", latest, json={"env": env, "annotations": said}, headers=PATCH_TYPE)
    assert made["annotations"] == {"workers/message": "both", "workers/tag": "t1", "workers/triggered_by": "secret"}
    again = await api.result("PATCH", latest, json={"env": {"ONE": None, "NEVER": None}})
    assert (again["number"], len(workers.versions)) == (3, 1)
    body = {"strategy": "percentage", "versions": [{"version_id": again["id"], "percentage": 100}]}
    await api.result("POST", f"{script_path(api)}/deployments", json=body)
    version, files = workers.versions[-1]
    assert (dict(files), version.vars, set(version.sealed_secrets)) == ({"entry.py": MODULE}, {"A": "b"}, {"TWO"})
    sealed = version.sealed_secrets["TWO"]
    assert SealingKey(bytes(32)).open_sealed(sealed, purpose=secret_purpose(version.key, "TWO")) == b"t"
    assert "s3cret" not in json.dumps([await api.entries(), api.log])


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"env": {"A": {"type": "secret_text", "text": "s3cret"}}}, 10053, "/env"),
        # It is no secret, and would stay.
        ({"env": {"A": None}}, 10053, "/env"),
        ({"env": {"T": {"type": "plain_text", "text": "s3cret"}}}, 1004, "/env/T/type"),
        ({"env": {"T": {"type": "secret_text", "text": ["s3cret"]}}}, 1004, "/env/T/text"),
        ({"env": {"T": {"type": "secret_text", "text": "s3cret" * 1000}}}, 10054, "/env/T/text"),
        ({"env": {"A-B": {"type": "secret_text", "text": "s3cret"}}}, 1004, "/env"),
        ({"env": {f"T{n}": {"type": "secret_text", "text": "s3cret"} for n in range(128)}}, 10055, None),
        ({"env": {}, "main_module": "other.py"}, 1004, "/main_module"),
        ({}, 1004, "/env"),
    ],
)
async def test_what_a_patch_cannot_change_is_refused_and_no_secret_said_back(
    worker_api: Api, body: dict[str, Any], code: int, pointer: str | None
) -> None:
    api = worker_api
    await api.result("PUT", script_path(api), **upload(bindings=[{"type": "plain_text", "name": "A", "text": "b"}]))
    answer = await api.ask("PATCH", f"{whole(api, 'chat')}/versions/latest", json=body)
    assert (answer.status_code, codes(answer)) == (400, [code]), answer.text
    source = answer.json()["errors"][0].get("source") or {}
    assert source.get("pointer") == pointer
    assert "s3cret" not in answer.text
    assert len((await api.result("GET", f"{script_path(api)}/versions"))["items"]) == 1
