"""`holdfast.api.worker_shapes`: what is shown of a version."""

from __future__ import annotations

from holdfast.api.worker_shapes import bindings_view, version_view
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding
from holdfast.store.worker_scripts import Version, VersionSettings

VERSION = Version(
    id="0" * 32,
    script_id="1" * 32,
    number=3,
    settings=VersionSettings(
        main="entry.py",
        vars={"B": {"c": 1}, "A": "x"},
        durable_objects=(DurableObjectBinding(name="ROOMS", class_name="Room", script_name="rooms"),),
        services=(ServiceBinding(name="OTHER", service="other", props={"user": "x"}),),
        version_metadata="V",
    ),
    secrets={"TOKEN": b"sealed"},
    etag="e",
    author_email="a@example.com",
    source="api",
    message="",
    tag="t",
    created_on=0,
)


def test_bindings_are_shown_by_name_and_secrets_without_their_text() -> None:
    assert bindings_view(VERSION) == [
        {"name": "A", "type": "plain_text", "text": "x"},
        {"name": "B", "type": "json", "json": {"c": 1}},
        {"name": "OTHER", "type": "service", "service": "other", "props": {"user": "x"}},
        {"name": "ROOMS", "type": "durable_object_namespace", "class_name": "Room", "script_name": "rooms"},
        {"name": "TOKEN", "type": "secret_text"},
        {"name": "V", "type": "version_metadata"},
    ]


def test_a_version_says_what_is_annotated_and_nothing_else() -> None:
    assert version_view(VERSION)["annotations"] == {"workers/tag": "t", "workers/triggered_by": "api"}
