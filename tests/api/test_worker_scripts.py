"""Scripts of Workers over the API: uploaded, shown, removed."""

from __future__ import annotations

import json
from typing import Any, cast

import cloudflare
import pytest

from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.api.request_body import MAX_BODY_BYTES, MAX_UPLOAD_BYTES
from holdfast.model.data_dir import worker_key
from holdfast.model.worker_messages import CLASS_NOT_EXPORTED, DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.model.worker_migrations import DurableClass
from holdfast.model.worker_script import secret_purpose
from holdfast.sealing import SealingKey
from tests.api.harness import Api, allow, codes, on_account, strict_sdk
from tests.api.worker_uploads import MODULE, ROOM, ROOM_MADE, upload
from tests.api.workers import FakeWorkers


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts"


async def test_a_script_is_uploaded_deployed_shown_listed_and_removed(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    made = await api.result("PUT", f"{base(api)}/chat", **upload(tags=["a"], compatibility_flags=["python_workers"]))
    key = worker_key(api.account_id, "chat")
    ((version, files),) = workers.versions
    assert (version.key, version.name, version.version, version.main) == (
        key,
        "chat",
        made["deployment_id"],
        "entry.py",
    )
    assert (version.account, version.number, version.compatibility_date) == (api.account_id, 1, "2026-11-01")
    assert dict(files) == {"entry.py": MODULE}
    assert (made["id"], made["tags"], made["has_modules"], made["entry_point"]) == ("chat", ["a"], True, "entry.py")
    (listed,) = await api.result("GET", base(api))
    assert listed == {name: value for name, value in made.items() if name not in {"startup_time_ms", "deployment_id"}}
    assert await api.result("DELETE", f"{base(api)}/chat") is None
    assert workers.deleted == [key]
    assert await api.result("GET", base(api)) == []
    entries = await api.entries()
    assert [entry["action"]["type"] for entry in entries[:2]] == ["delete", "create"]


async def test_the_next_upload_is_the_next_version(worker_api: Api, workers: FakeWorkers) -> None:
    first = await worker_api.result("PUT", f"{base(worker_api)}/chat", **upload())
    second = await worker_api.result("PUT", f"{base(worker_api)}/chat", **upload({"entry.py": b"x = 1"}))
    assert [version.number for version, _ in workers.versions] == [1, 2]
    assert second["etag"] != first["etag"]
    assert second["created_on"] == first["created_on"]
    assert second["tag"] == first["tag"]


async def test_modules_come_back_as_they_went(worker_api: Api) -> None:
    files = {"entry.py": MODULE, "pkg/mod.py": b"x = 1\r\n--y\r\n", "data.bin": bytes(range(256))}
    await worker_api.result("PUT", f"{base(worker_api)}/chat", **upload(files))
    async with worker_api.client() as client:
        for path in ("", "/content/v2"):
            answer = await client.get(f"{base(worker_api)}/chat{path}")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("multipart/form-data; boundary=")
            for name, content in files.items():
                assert f'filename="{name}"'.encode() in answer.content
                assert b"\r\n\r\n" + content + b"\r\n--" in answer.content


BINDINGS: list[dict[str, Any]] = [
    {"type": "plain_text", "name": "A", "text": "b"},
    {"type": "json", "name": "J", "json": {"c": [1, None]}},
    {"type": "secret_text", "name": "TOKEN", "text": "s3cret"},
    {**ROOM},
    {"type": "service", "name": "OTHER", "service": "chat", "entrypoint": "E"},
    {"type": "version_metadata", "name": "V"},
]


async def test_bindings_reach_whoever_runs_it_and_secrets_only_sealed(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    given = upload(bindings=BINDINGS, migrations=ROOM_MADE, limits={"cpu_ms": 100, "memory_mb": 256})
    await api.result("PUT", f"{base(api)}/chat", **given)
    version = workers.versions[0][0]
    assert (version.vars["A"], version.vars["J"]) == ("b", {"c": [1, None]})
    assert version.vars["V"]["id"].replace("-", "") == version.version
    assert version.durable_objects == (DurableObjectBinding(name="ROOMS", class_name="Room"),)
    assert version.services == (ServiceBinding(name="OTHER", service="chat", entrypoint="E"),)
    assert version.limits == WorkerLimits(cpu_ms=100, memory_mb=256)
    assert version.classes == {"Room": DurableClass(namespace="Room")}
    sealed = version.sealed_secrets["TOKEN"]
    assert SealingKey(bytes(32)).open_sealed(sealed, purpose=secret_purpose(version.key, "TOKEN")) == b"s3cret"
    shown = await api.result("GET", f"{base(api)}/chat/settings")
    assert shown["limits"] == {"cpu_ms": 100, "memory_mb": 256}
    assert {one["name"]: one["type"] for one in shown["bindings"]} == {one["name"]: one["type"] for one in BINDINGS}
    assert "s3cret" not in json.dumps([shown, await api.entries(), api.log])


async def test_a_service_has_to_be_there_before_a_binding_may_name_it(worker_api: Api, workers: FakeWorkers) -> None:
    given = upload(bindings=[{"type": "service", "name": "STORE", "service": "store"}])
    async with worker_api.client() as client:
        refused = await client.put(f"{base(worker_api)}/chat", **given)
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["code"]) == (400, 10143)
    assert error["message"].startswith("Could not resolve service binding 'STORE'. Target script 'store' not found.")
    assert workers.versions == []
    await worker_api.result("PUT", f"{base(worker_api)}/store", **upload())
    await worker_api.result("PUT", f"{base(worker_api)}/chat", **given)
    assert workers.versions[-1][0].services == (ServiceBinding(name="STORE", service="store"),)


async def test_what_an_upload_does_not_name_is_gone_but_for_what_it_keeps_and_inherits(
    worker_api: Api, workers: FakeWorkers
) -> None:
    async def put(**metadata: Any) -> set[str]:
        await worker_api.result("PUT", f"{base(worker_api)}/chat", **upload(**metadata))
        version = workers.versions[-1][0]
        return {*version.vars, *version.sealed_secrets}

    plain: list[dict[str, Any]] = BINDINGS[:3]
    assert await put(bindings=plain) == {"A", "J", "TOKEN"}
    assert await put(keep_bindings=["secret_text", "plain_text"]) == {"A", "TOKEN"}
    assert await put(bindings=[{"type": "inherit", "name": "TOKEN"}, {"type": "inherit", "name": "GONE"}]) == {"TOKEN"}
    # A name that is given anew is not what it was.
    assert await put(
        bindings=[{"type": "plain_text", "name": "TOKEN", "text": "x"}], keep_bindings=["secret_text"]
    ) == {"TOKEN"}
    assert workers.versions[-1][0].sealed_secrets == {}
    assert await put() == set()
    assert await put(bindings=plain) == {"A", "J", "TOKEN"}
    # wrangler's `deploy` does not say what is to be kept, and deletes no secret.
    assert await put() == {"TOKEN"}
    assert await put(keep_bindings=["plain_text"]) == set()
    given = upload(bindings=[{"type": "inherit", "name": "GONE"}])
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/chat?bindings_inherit=strict", **given)
    assert (answer.status_code, codes(answer)) == (400, [10057])


async def test_a_version_that_does_not_run_changes_nothing_and_says_why(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", f"{base(api)}/chat", **upload())
    shown = await api.result("GET", f"{base(api)}/chat/versions")
    workers.refusal = DeployRefused("ImportError: no module named nope", "Traceback …\nImportError")
    for name in ("chat", "new"):
        answer = await api.ask("PUT", f"{base(api)}/{name}", **upload({"entry.py": b"import nope"}))
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, 10021)
        assert error["message"] == "ImportError: no module named nope"
        assert error["error_chain"] == [{"code": 10021, "message": "Traceback …\nImportError"}]
    assert await api.result("GET", f"{base(api)}/chat/versions") == shown
    assert [one["id"] for one in await api.result("GET", base(api))] == ["chat"]


async def test_a_version_without_a_class_that_has_objects_is_refused_as_such(
    worker_api: Api, workers: FakeWorkers
) -> None:
    workers.refusal = DeployRefused(f"{CLASS_NOT_EXPORTED} 'Room' which is depended on by existing Durable Objects.")
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/chat", **upload())
    assert (answer.status_code, codes(answer)) == (400, [10064])


async def test_a_host_that_is_away_is_said_to_be(worker_api: Api, workers: FakeWorkers) -> None:
    workers.refusal = WorkersUnavailable("it cannot be reached")
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/chat", **upload())
    assert (answer.status_code, codes(answer)) == (503, [10503])
    assert answer.headers["retry-after"] == "5"


async def test_an_installation_without_workers_refuses(api: Api) -> None:
    answer = await api.ask("PUT", f"{base(api)}/chat", **upload())
    assert (answer.status_code, codes(answer)) == (503, [10503])


BAD: list[tuple[dict[str, Any], int, int, str]] = [
    ({"json": {}}, 400, 1004, "expected a form"),
    ({"files": {"entry.py": ("entry.py", MODULE)}}, 400, 10021, "could not read content for part metadata"),
    ({"files": {"metadata": (None, "{")}}, 400, 6007, "Malformed JSON"),
    ({"files": {"metadata": (None, "[]")}}, 400, 10021, "metadata: Expected `object`"),
    ({"files": {"metadata": (None, '{"main_module": "a.py"}')}}, 400, 10021, "expected one module at least"),
    (upload(main_module="other.py"), 400, 10021, "expected the name of one of the modules (entry.py), got 'other.py'"),
    (upload(main_module=5), 400, 10021, "Expected `str`, got `int` - at `$.main_module`"),
    (upload({"a.js": b""}, main_module="a.js"), 400, 10021, "Workers are written in Python here"),
    (upload(main_module="", body_part="script"), 400, 10021, "scripts are modules here"),
    (upload({"entry.py": b"", "../x.py": b""}), 400, 10021, "expected a module's name to be a path"),
    (upload({"entry.py": b"", "/etc/x.py": b""}), 400, 10021, "expected a module's name to be a path"),
    (upload({"entry.py": b"", "entry.py/x.py": b""}), 400, 10021, "to be a module or a directory, not both"),
    (upload(compatibility_date="now"), 400, 10021, "compatibility_date: expected a date"),
    (upload(bindings=[{"type": "kv_namespace", "name": "KV"}]), 400, 10021, "bindings.0.type: expected one of plain_text"),
    (upload(bindings=[{"type": "plain_text", "name": "A-B", "text": ""}]), 400, 10021, "bindings.0.name: expected a name such as"),
    (upload(bindings=[{"type": "plain_text", "name": "A"}]), 400, 10021, "bindings.0.text: expected a text"),
    (upload(bindings=[{"type": "json", "name": "A"}]), 400, 10021, "bindings.0.json: expected a value"),
    (upload(bindings=[{"type": "secret_text", "name": "A", "text": "x" * 6000}]), 400, 10054, "at most 5120 bytes"),
    (upload(bindings=[{"type": "plain_text", "name": f"A{n}", "text": ""} for n in range(129)]), 400, 10055, "at most 128"),
    (upload(bindings=[BINDINGS[0], BINDINGS[0]]), 400, 10021, "expected a name that no other has, got 'A'"),
    (upload(bindings=[{**ROOM, "class_name": "no class"}]), 400, 10021, "class_name: expected the name of a class"),
    (upload(bindings=[{"type": "service", "name": "S", "service": "No"}]), 400, 10021, "service: expected the name of a Worker"),
    (upload(bindings=[ROOM]), 400, 10061, "Cannot create binding for class 'Room'"),
    (upload(bindings=[{**ROOM, "script_name": "gone"}]), 400, 10061, "of the Worker 'gone'"),
    (upload(limits={"cpu_ms": 0}), 400, 10021, "limits.cpu_ms: expected 1 to 300000, got 0"),
    (upload(limits={"memory_mb": 1}), 400, 10021, "limits.memory_mb: expected 64"),
    (upload(migrations={"steps": [{"deleted_classes": ["Room"]}]}), 400, 10021, "cannot delete the class 'Room'"),
    (upload(migrations={"old_tag": "v1", "new_tag": "v2"}), 412, 10079,
     "Actor migration tag precondition failed, got tag 'v1' when expected tag is ''. Please make sure"),
    (upload(migrations={"new_tag": "v1", "transferred_classes": [{"from": "A", "from_script": "gone", "to": "A"}]}), 400, 10021,
     "cannot transfer the class 'A' of the script 'gone': there is no script of that name"),
    (upload(migrations={}, exports={}), 400, 10021, "either exports or migrations"),
    (upload(exports={"A": {"type": "durable-object", "state": "gone"}}), 400, 10021, "exports.A.state: expected created"),
    (upload(exports={"A": {"type": "durable-object", "state": "expecting-transfer"}}), 400, 10021, "with transfer_from"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "status", "code", "words"), BAD, ids=[words for *_, words in BAD])
async def test_a_bad_upload_is_refused_by_what_is_wrong(
    worker_api: Api, workers: FakeWorkers, given: dict[str, Any], status: int, code: int, words: str
) -> None:
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/chat", **given)
    assert (answer.status_code, codes(answer)) == (status, [code]), answer.text
    assert words in answer.json()["errors"][0]["message"]
    assert workers.versions == []


async def test_a_binding_may_be_to_a_class_of_another_script(worker_api: Api, workers: FakeWorkers) -> None:
    await worker_api.result("PUT", f"{base(worker_api)}/rooms", **upload(migrations=ROOM_MADE))
    await worker_api.result("PUT", f"{base(worker_api)}/chat", **upload(bindings=[{**ROOM, "script_name": "rooms"}]))
    version, _ = workers.versions[-1]
    assert [(one.class_name, one.script_name) for one in version.durable_objects] == [(ROOM["class_name"], "rooms")]
    assert version.classes == {}


async def test_a_script_with_objects_is_removed_only_by_force(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", f"{base(api)}/chat", **upload(bindings=[ROOM], migrations=ROOM_MADE))
    answer = await api.ask("DELETE", f"{base(api)}/chat")
    assert (answer.status_code, codes(answer)) == (400, [10064])
    assert await api.result("DELETE", f"{base(api)}/chat?force=true") is None
    assert len(workers.deleted) == 1


async def test_other_modules_may_take_the_place_of_the_code_alone(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", f"{base(api)}/chat", **upload(bindings=BINDINGS[:3]))
    parts = {"metadata": (None, json.dumps({"main_module": "b.py"})), "b.py": ("b.py", b"x = 2", "text/x-python")}
    await api.result("PUT", f"{base(api)}/chat/content", files=parts)
    version, files = workers.versions[-1]
    assert (version.main, dict(files), set(version.vars)) == ("b.py", {"b.py": b"x = 2"}, {"A", "J"})
    assert set(version.sealed_secrets) == {"TOKEN"}
    answer = await api.ask("PUT", f"{base(api)}/chat/content", files={"c.py": ("c.py", b"")})
    assert (answer.status_code, codes(answer)) == (400, [10021])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("DELETE", ""), ("GET", "/content/v2"), ("GET", "/settings"), ("GET", "/secrets"), ("GET", "/secrets/A"),
        ("DELETE", "/secrets/A"), ("GET", "/versions"), ("GET", f"/versions/{'0' * 32}"), ("GET", "/deployments"),
    ],
)  # fmt: skip
async def test_a_script_that_is_not_there_is_said_not_to_be(worker_api: Api, method: str, path: str) -> None:
    answer = await worker_api.ask(method, f"{base(worker_api)}/gone{path}")
    assert (answer.status_code, codes(answer)) == (404, [10007])


async def test_what_cannot_be_a_name_is_no_route(worker_api: Api) -> None:
    answer = await worker_api.ask("GET", f"{base(worker_api)}/No-Name/settings")
    assert (answer.status_code, codes(answer)) == (404, [7003, 7000])


async def test_who_may_read_may_not_write(worker_api: Api) -> None:
    api = worker_api
    secret = await api.token(allow("Workers Scripts Read", on=on_account(api.account_id)))
    assert (await api.ask("GET", base(api), secret=secret)).status_code == 200
    answer = await api.ask("PUT", f"{base(api)}/chat", secret=secret, **upload())
    assert (answer.status_code, codes(answer)) == (403, [10000])
    tail = await api.token(allow("Workers Tail Read", on=on_account(api.account_id)))
    assert (await api.ask("GET", base(api), secret=tail)).status_code == 200


async def test_packages_that_are_to_be_installed_are_told_not_to_be(worker_api: Api) -> None:
    given = upload()
    given["files"].append(("fastapi", ("fastapi", b"", "text/x-python-requirement")))
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/chat", **given)
    assert answer.status_code == 200
    assert "packages are not installed here" in answer.json()["messages"][0]["message"]


async def test_the_official_sdk_uploads_lists_shows_and_removes(worker_api: Api, workers: FakeWorkers) -> None:
    sdk, of = strict_sdk(worker_api), cast("Any", {"account_id": worker_api.account_id})
    metadata: Any = {
        "main_module": "entry.py",
        "compatibility_date": "2026-11-01",
        "bindings": [{"type": "plain_text", "name": "A", "text": "b"}, ROOM],
        "migrations": ROOM_MADE,
    }
    files = [("entry.py", MODULE, "text/x-python"), ("pkg/mod.py", b"x = 1", "text/x-python")]
    made = await sdk.workers.scripts.update("chat", metadata=metadata, files=files, **of)
    assert made is not None
    assert (made.id, made.migration_tag, made.entry_point) == ("chat", "v1", "entry.py")
    assert set(workers.versions[0][1]) == {"entry.py", "pkg/mod.py"}
    assert [one.id async for one in sdk.workers.scripts.list(**of)] == ["chat"]
    secret: Any = await sdk.workers.scripts.secrets.update(
        "chat", name="TOKEN", text="s3cret", type="secret_text", **of
    )
    assert secret.name == "TOKEN"
    assert [one.name async for one in sdk.workers.scripts.secrets.list("chat", **of)] == ["TOKEN"]
    settings: Any = await sdk.workers.scripts.script_and_version_settings.get("chat", **of)
    assert [one.name for one in settings.bindings] == ["A", "ROOMS", "TOKEN"]
    versions = [one async for one in sdk.workers.scripts.versions.list("chat", **of)]
    assert [one.number for one in versions] == [2, 1]
    back: Any = [{"version_id": versions[1].id, "percentage": 100}]
    deployed: Any = await sdk.workers.scripts.deployments.create(
        "chat", strategy="percentage", versions=back, force=True, **of
    )
    assert deployed.versions[0].version_id == versions[1].id
    listed: Any = await sdk.workers.scripts.deployments.list("chat", **of)
    assert listed.result.model_dump()["deployments"][0]["id"] == deployed.id
    spaces = [one async for one in sdk.durable_objects.namespaces.list(**of)]
    assert [(one.class_, one.script, one.use_sqlite) for one in spaces] == [("Room", "chat", True)]
    zone_id = await worker_api.zone()
    route = await sdk.workers.routes.create(zone_id=zone_id, pattern="example.com/*", script="chat")
    assert (await sdk.workers.routes.get(route.id, zone_id=zone_id)).script == "chat"
    assert [one.pattern async for one in sdk.workers.routes.list(zone_id=zone_id)] == ["example.com/*"]
    moved = await sdk.workers.routes.update(route.id, zone_id=zone_id, pattern="example.com/x", script="chat")
    assert moved.pattern == "example.com/x"
    await sdk.workers.routes.delete(route.id, zone_id=zone_id)
    domain = await sdk.workers.domains.update(hostname="chat.example.com", service="chat", zone_id=zone_id, **of)
    assert (await sdk.workers.domains.get(domain.id, **of)).hostname == "chat.example.com"
    assert [one.id async for one in sdk.workers.domains.list(**of)] == [domain.id]
    await sdk.workers.domains.delete(domain.id, **of)
    # The version that was deployed again had none.
    await sdk.workers.scripts.secrets.update("chat", name="TOKEN", text="s3cret", type="secret_text", **of)
    await sdk.workers.scripts.secrets.delete("TOKEN", script_name="chat", **of)
    await sdk.workers.scripts.delete("chat", force=True, **of)
    with pytest.raises(cloudflare.NotFoundError, match="10007"):
        await sdk.workers.scripts.get("chat", **of)


async def test_an_upload_may_be_larger_than_other_bodies_and_has_a_bound_too(
    worker_api: Api, workers: FakeWorkers
) -> None:
    large = upload({"entry.py": MODULE, "model.bin": bytes(MAX_BODY_BYTES)})
    await worker_api.result("PUT", f"{base(worker_api)}/chat", **large)
    assert len(workers.versions[0][1]["model.bin"]) == MAX_BODY_BYTES
    beyond = upload({"entry.py": MODULE, "model.bin": bytes(MAX_UPLOAD_BYTES)})
    answer = await worker_api.ask("PUT", f"{base(worker_api)}/chat", **beyond)
    assert (answer.status_code, codes(answer)) == (413, [10413])
    elsewhere = await worker_api.ask("PATCH", f"{base(worker_api)}/chat/settings", **large)
    assert (elsewhere.status_code, codes(elsewhere)) == (413, [10413])
