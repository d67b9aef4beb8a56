"""A Worker's project as the API takes it: the description of an upload, and the parts of its form. Pure.

Source: Cloudflare API v4, "Multipart upload metadata".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.model.worker_migrations import MigrationStep
from holdfast.model.worker_script import WorkerSettings


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form. `filename` is None where it is no file."""

    name: str
    filename: str | None
    content: bytes
    content_type: str


def parts_of(settings: WorkerSettings, files: Mapping[str, bytes], *, message: str = "") -> list[Part]:
    """The form that uploads a project."""
    described = json.dumps(metadata_of(settings, message=message)).encode("ascii")
    return [
        Part("metadata", None, described, "application/json"),
        *(Part("files", name, content, _kind(name)) for name, content in sorted(files.items())),
    ]


def metadata_of(settings: WorkerSettings, *, message: str = "") -> dict[str, Any]:
    """What an upload says of itself. Secrets that are there stay; variables do where the project says so."""
    kept = ["secret_text", *(["plain_text", "json"] if settings.keep_vars else ())]
    found: dict[str, Any] = {
        "main_module": settings.main,
        "bindings": _bindings(settings),
        "keep_bindings": kept,
        "compatibility_date": settings.compatibility_date,
        "compatibility_flags": list(settings.compatibility_flags),
        "limits": msgspec.to_builtins(settings.limits),
    }
    if settings.migrations:
        # All of them: the API passes over what was applied, by the tag of the one applied last.
        steps = [msgspec.to_builtins(step) for step in settings.migrations]
        found["migrations"] = {"new_tag": settings.migrations[-1].tag, "steps": steps}
    if settings.exports is not None:
        found["exports"] = {name: one for step in settings.exports for name, one in _exports(step)}
    if message:
        found["annotations"] = {"workers/message": message}
    return found


def _bindings(settings: WorkerSettings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"type": "plain_text", "name": name, "text": value}
        if isinstance(value, str)
        else {"type": "json", "name": name, "json": value}
        for name, value in settings.vars.items()
    ]
    for binding in settings.durable_objects:
        of_script = {"script_name": binding.script_name} if binding.script_name else {}
        found.append(
            {"type": "durable_object_namespace", "name": binding.name, "class_name": binding.class_name, **of_script}
        )
    for service in settings.services:
        entrypoint = {"entrypoint": service.entrypoint} if service.entrypoint else {}
        props = {"props": service.props} if service.props else {}
        found.append({"type": "service", "name": service.name, "service": service.service, **entrypoint, **props})
    if settings.version_metadata:
        found.append({"type": "version_metadata", "name": settings.version_metadata})
    return found


def _exports(step: MigrationStep) -> list[tuple[str, dict[str, str]]]:
    """A step of `WorkerSettings.exports` as the API has it: one class, as it shall be."""
    of_objects = {"type": "durable-object"}
    return [
        *((name, {**of_objects, "storage": "legacy-kv"}) for name in step.new_classes),
        *((name, {**of_objects, "storage": "sqlite"}) for name in step.new_sqlite_classes),
        *((name, {**of_objects, "state": "deleted"}) for name in step.deleted_classes),
        *((one.before, {**of_objects, "state": "renamed", "renamed_to": one.after}) for one in step.renamed_classes),
        *((name, {**of_objects, "state": "transferred"}) for name in step.departed_classes),
        *(
            (one.after, {**of_objects, "state": "expecting-transfer", "transfer_from": one.script})
            for one in step.transferred_classes
        ),
    ]


def _kind(name: str) -> str:
    return "text/x-python" if name.endswith(".py") else "application/octet-stream"
