"""`holdfast.api.worker_found`: what whoever runs a script, and the audit log, are told of it."""

from __future__ import annotations

from uuid import UUID

import msgspec

from holdfast.api.worker_found import Before, audited, described, no_such_script, no_such_version
from holdfast.model.worker_messages import DurableObjectBinding
from holdfast.model.worker_migrations import DurableClass, MovedClass
from holdfast.store.worker_scripts import Script, Version, VersionSettings

MOVED = MovedClass(script="hall", class_name="Hall", unique_key="chat-Gone")
BEFORE = Before(
    Script(id="s", account_id="a", name="chat", key="k", version_id="1" * 32, next_number=2, tags=(),
           classes={"Room": DurableClass(namespace="Room")}, moved={"Gone": MOVED}, migration_tag="v1",
           created_on=0, modified_on=0),
    Version(id="1" * 32, script_id="s", number=1, etag="e", author_email="a@example.com", source="upload", message="m",
            tag="t", created_on=5_000, secrets={"TOKEN": b"sealed"},
            settings=VersionSettings(main="entry.py", vars={"A": "hidden"}, version_metadata="V",
                                     durable_objects=(DurableObjectBinding(name="ROOMS", class_name="Room"),))),
)  # fmt: skip


def test_whoever_runs_it_is_told_all_of_a_version_and_the_classes_of_its_script() -> None:
    told = described(BEFORE)
    assert (told.key, told.name, told.version, told.number, told.account) == ("k", "chat", "1" * 32, 1, "a")
    assert (told.classes, told.moved) == (BEFORE.script.classes, BEFORE.script.moved)
    itself = {"id": str(UUID(hex="1" * 32)), "tag": "t", "timestamp": "1970-01-01T00:00:00.005000Z"}
    assert told.vars == {"A": "hidden", "V": itself}
    assert (told.sealed_secrets, told.created_ms) == ({"TOKEN": b"sealed"}, 5)


def test_a_version_without_such_a_binding_has_no_variable_of_it() -> None:
    settings = msgspec.structs.replace(BEFORE.version.settings, version_metadata="")
    plain = Before(BEFORE.script, msgspec.structs.replace(BEFORE.version, settings=settings))
    assert described(plain).vars == {"A": "hidden"}


def test_the_audit_log_is_told_no_value() -> None:
    told = audited(BEFORE)
    assert (told["variables"], told["secrets"], told["durable_objects"]) == (["A"], ["TOKEN"], ["Room"])
    assert "hidden" not in repr(told)
    assert "sealed" not in repr(told)


def test_what_is_not_there_is_said_with_cloudflares_codes() -> None:
    assert [(one.status, one.complaints[0].code) for one in (no_such_script(), no_such_version())] == [
        (404, 10007),
        (404, 100146),
    ]
