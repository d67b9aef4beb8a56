"""What a Worker is besides its code, over the API: shown, and changed by a version of the same code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.model.worker_messages import WorkerLimits
from tests.api.harness import Api, codes, strict_sdk
from tests.api.worker_uploads import MODULE, ROOM, ROOM_MADE, upload
from tests.api.workers import FakeWorkers

BINDINGS = [
    {"type": "plain_text", "name": "A", "text": "b"},
    {"type": "secret_text", "name": "TOKEN", "text": "s3cret"},
    ROOM,
]


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts/chat"


def form(**settings: Any) -> dict[str, Any]:
    return {"files": {"settings": (None, json.dumps(settings), "application/json")}}


async def test_what_is_not_named_stays_and_the_code_too(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload(bindings=BINDINGS, migrations=ROOM_MADE))
    shown = await api.result("PATCH", f"{base(api)}/settings", **form(limits={"cpu_ms": 7}, tags=["x"]))
    assert shown["limits"]["cpu_ms"] == 7
    assert shown["tags"] == ["x"]
    assert [one["name"] for one in shown["bindings"]] == ["A", "ROOMS", "TOKEN"]
    assert await api.result("GET", f"{base(api)}/settings") == shown
    version, files = workers.versions[-1]
    assert (version.number, version.limits, dict(files)) == (2, WorkerLimits(cpu_ms=7), {"entry.py": MODULE})
    assert version.sealed_secrets == workers.versions[0][0].sealed_secrets


async def test_bindings_that_are_given_are_all_but_for_what_they_inherit(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload(bindings=BINDINGS, migrations=ROOM_MADE))
    given = [{"type": "inherit", "name": "TOKEN"}, {"type": "json", "name": "J", "json": 1}]
    shown = await api.result("PATCH", f"{base(api)}/settings", **form(bindings=given))
    assert [(one["name"], one["type"]) for one in shown["bindings"]] == [("J", "json"), ("TOKEN", "secret_text")]


async def test_settings_may_say_what_becomes_of_classes(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", base(api), **upload(bindings=BINDINGS, migrations=ROOM_MADE))
    made = {"old_tag": "v1", "new_tag": "v2", "new_sqlite_classes": ["Hall"]}
    await api.result("PATCH", f"{base(api)}/settings", **form(migrations=made))
    assert set(workers.versions[-1][0].classes) == {"Room", "Hall"}
    answer = await api.ask("PATCH", f"{base(api)}/settings", **form(migrations=made))
    assert (answer.status_code, codes(answer)) == (412, [10079])


async def test_a_binding_of_which_only_kind_and_name_are_said_is_the_one_there_is(
    worker_api: Api, workers: FakeWorkers
) -> None:
    api = worker_api
    everything: list[dict[str, Any]] = [
        *BINDINGS,
        {"type": "json", "name": "J", "json": [1]},
        {"type": "version_metadata", "name": "V"},
    ]
    await api.result("PUT", base(api), **upload(bindings=everything, migrations=ROOM_MADE))
    given = [{"type": one["type"], "name": one["name"]} for one in everything]
    shown = await api.result(
        "PATCH", f"{base(api)}/settings", **form(bindings=[*given, {"type": "secret_text", "name": "NEW", "text": "x"}])
    )
    assert [one["name"] for one in shown["bindings"]] == ["A", "J", "NEW", "ROOMS", "TOKEN", "V"]
    before, after = workers.versions[0][0], workers.versions[1][0]
    assert after.sealed_secrets["TOKEN"] == before.sealed_secrets["TOKEN"]
    assert (after.vars["A"], after.vars["J"]) == ("b", [1])
    assert after.durable_objects == before.durable_objects


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"json": {}}, 1004),
        ({"files": {"other": (None, "{}")}}, 10021),
        ({"files": {"settings": (None, "{")}}, 6007),
        (form(tags=5), 10021),
        (form(compatibility_date="now"), 10021),
        (form(limits={"cpu_ms": 0}), 10021),
        (form(bindings=[{"type": "kv_namespace", "name": "A"}]), 10021),
        (form(bindings=[{**ROOM, "class_name": "Gone"}]), 10061),
        (form(bindings=[{"type": "plain_text", "name": "UNKNOWN"}]), 10021),
        (form(bindings=[{"type": [], "name": {}}]), 10021),
    ],
)
async def test_bad_settings_are_refused(
    worker_api: Api, workers: FakeWorkers, given: dict[str, Any], code: int
) -> None:
    await worker_api.result("PUT", base(worker_api), **upload())
    answer = await worker_api.ask("PATCH", f"{base(worker_api)}/settings", **given)
    assert (answer.status_code, codes(answer)) == (400, [code])
    assert len(workers.versions) == 1


async def test_a_script_that_is_not_there_has_none(worker_api: Api) -> None:
    for method, given in (("GET", {}), ("PATCH", form(tags=[]))):
        answer = await worker_api.ask(method, f"{base(worker_api)}/settings", **given)
        assert (answer.status_code, codes(answer)) == (404, [10007])


async def test_the_official_sdk_changes_them(worker_api: Api) -> None:
    await worker_api.result("PUT", base(worker_api), **upload())
    settings: Any = strict_sdk(worker_api).workers.scripts.script_and_version_settings
    changed = await settings.edit("chat", account_id=worker_api.account_id, settings={"tags": ["a", "b"]})
    assert changed.tags == ["a", "b"]
