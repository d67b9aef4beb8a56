"""Workers as written down: names, keys, and which classes a project has by itself."""

import pytest

from holdfast.model.worker_messages import DurableObjectBinding
from holdfast.model.worker_migrations import DurableClass, MigrationStep
from holdfast.model.worker_script import (
    ScriptVersion,
    WorkerSettings,
    is_binding_name,
    is_compatibility_date,
    is_script_name,
    secret_purpose,
)

ROOM = DurableObjectBinding(name="ROOMS", class_name="Room")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("chat", True),
        ("chat-2", True),
        ("_chat", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("-chat", False),
        ("Chat", False),
        ("chat.room", False),
        ("chat\n", False),
        ("../chat", False),
        ("", False),
    ],
)
def test_a_script_has_a_name_that_is_safe_in_a_path_and_in_a_header(name: str, is_one: bool) -> None:
    assert is_script_name(name) is is_one


@pytest.mark.parametrize(
    ("name", "is_one"), [("ROOMS", True), ("_a1", True), ("1a", False), ("a-b", False), ("", False)]
)
def test_a_binding_is_named_as_an_attribute_is(name: str, is_one: bool) -> None:
    assert is_binding_name(name) is is_one


@pytest.mark.parametrize(
    ("date", "is_one"), [("2026-11-01", True), ("2026-13-01", False), ("2026-1-1", False), ("2026-11-01 ", False)]
)
def test_a_compatibility_date_is_a_date(date: str, is_one: bool) -> None:
    assert is_compatibility_date(date) is is_one


def test_a_secret_is_sealed_for_its_script_and_its_name() -> None:
    purposes = {secret_purpose(key, name) for key in ("0" * 12, "1" * 12) for name in ("TOKEN", "OTHER")}
    assert len(purposes) == 4


def test_what_a_project_binds_is_there_when_it_is_tried_out_with_a_migration_or_without() -> None:
    other = DurableObjectBinding(name="OTHERS", class_name="Other", script_name="elsewhere")
    settings = WorkerSettings(
        name="chat",
        main="entry.py",
        durable_objects=(ROOM, DurableObjectBinding(name="LOG", class_name="Log"), other),
        migrations=(MigrationStep(tag="v1", new_classes=("Room",)),),
    )
    assert settings.classes_to_try() == {
        "Room": DurableClass(namespace="Room", storage="legacy-kv"),
        "Log": DurableClass(namespace="Log", storage="sqlite"),
    }


def test_a_version_says_how_each_class_is_stored() -> None:
    version = ScriptVersion(
        key="0" * 12, name="chat", version="v", main="entry.py", classes={"Room": DurableClass(namespace="Hall")}
    )
    assert version.storages == {"Room": "sqlite"}
