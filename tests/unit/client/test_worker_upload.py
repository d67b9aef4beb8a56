"""A Worker's project as the API takes it."""

import json

import pytest

from holdfast.api.form import Part as ApiPart
from holdfast.api.worker_upload import bindings_of, migrations_of
from holdfast.api.worker_upload import metadata_of as read_metadata
from holdfast.client.worker_upload import metadata_of, parts_of
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.model.worker_migrations import MigrationStep, RenamedClass, TransferredClass
from holdfast.model.worker_script import WorkerSettings

SETTINGS = WorkerSettings(
    name="chat",
    main="entry.py",
    compatibility_date="2026-11-01",
    compatibility_flags=("python_workers",),
    vars={"A": "b", "J": {"c": 1}},
    durable_objects=(
        DurableObjectBinding(name="ROOMS", class_name="Room"),
        DurableObjectBinding(name="OTHERS", class_name="Other", script_name="other"),
    ),
    services=(ServiceBinding(name="S", service="other", entrypoint="E", props={"user": "x"}),),
    version_metadata="V",
    migrations=(
        MigrationStep(tag="v1", new_sqlite_classes=("Room",)),
        MigrationStep(tag="v2", renamed_classes=(RenamedClass(before="Room", after="Hall"),)),
    ),
    limits=WorkerLimits(cpu_ms=5),
)


def test_what_is_sent_is_what_the_api_reads() -> None:
    described = read_metadata([ApiPart("metadata", "", "", json.dumps(metadata_of(SETTINGS, message="m")).encode())])
    bindings = bindings_of(described.bindings)
    assert (bindings.vars, bindings.durable_objects) == (SETTINGS.vars, SETTINGS.durable_objects)
    assert (bindings.services, bindings.version_metadata) == (SETTINGS.services, "V")
    migrations = migrations_of(described)
    assert migrations is not None
    assert (migrations.steps, migrations.new_tag) == (SETTINGS.migrations, "v2")
    assert (described.main_module, described.limits.cpu_ms) == ("entry.py", 5)
    assert described.annotations == {"workers/message": "m"}


EXPORTS = (
    MigrationStep(new_sqlite_classes=("Room",)),
    MigrationStep(new_classes=("Old",)),
    MigrationStep(deleted_classes=("Gone",)),
    MigrationStep(renamed_classes=(RenamedClass(before="Was", after="Is"),)),
    MigrationStep(departed_classes=("Left",)),
    MigrationStep(transferred_classes=(TransferredClass(before="Came", script="old", after="Came"),)),
)


def test_declared_classes_are_sent_as_they_were_declared() -> None:
    settings = WorkerSettings(name="chat", main="entry.py", exports=EXPORTS)
    described = read_metadata([ApiPart("metadata", "", "", json.dumps(metadata_of(settings)).encode())])
    migrations = migrations_of(described)
    assert migrations is not None
    assert (migrations.steps, migrations.is_declared) == (EXPORTS, True)


@pytest.mark.parametrize(("keep", "kept"), [(False, ["secret_text"]), (True, ["secret_text", "plain_text", "json"])])
def test_secrets_stay_and_variables_where_the_project_says_so(kept: list[str], *, keep: bool) -> None:
    assert metadata_of(WorkerSettings(name="a", main="a.py", keep_vars=keep))["keep_bindings"] == kept


def test_modules_go_by_their_names_in_order() -> None:
    parts = parts_of(SETTINGS, {"pkg/b.py": b"b", "a.bin": b"a"})
    assert [(one.name, one.filename, one.content_type) for one in parts] == [
        ("metadata", None, "application/json"),
        ("files", "a.bin", "application/octet-stream"),
        ("files", "pkg/b.py", "text/x-python"),
    ]
