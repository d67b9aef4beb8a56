"""Scripts, versions and bindings as the API shows them. Secrets show by name alone.

Source: Cloudflare API v4, "Workers scripts".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Request
from pydantic import ConfigDict, Field

from holdfast.api.envelope import View
from holdfast.api.faults import no_route
from holdfast.api.worker_found import Before
from holdfast.model.moment import written
from holdfast.model.worker_script import is_script_name
from holdfast.store.worker_scripts import Deployment, Version


def _script_name(request: Request, value: str = Path(alias="script_name")) -> str:
    if not is_script_name(value):
        raise no_route(request.url.path)
    return value


# The name in a path. Declare it after `access`: who may not come in is told that first.
ScriptName = Annotated[str, Depends(_script_name)]
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def shown_id(ident: str) -> str:
    """The id of a version or a deployment as clients know it: a UUID."""
    return str(UUID(hex=ident))


def kept_id(text: str) -> str | None:
    """The id that a client means by a UUID, with hyphens or without; None where it is none."""
    return text.replace("-", "") if _UUID.fullmatch(text) else None


def _path_uuid(name: str) -> Callable[..., str]:
    def read(request: Request, value: str = Path(alias=name)) -> str:
        if (ident := kept_id(value)) is None:
            raise no_route(request.url.path)
        return ident

    return read


# Ids in a path, as they are kept. Declare them after `access`.
VersionId = Annotated[str, Depends(_path_uuid("version_id"))]
DeploymentId = Annotated[str, Depends(_path_uuid("deployment_id"))]


class BindingView(View):
    """What is bound to a name of `env`, as its kind has it."""

    model_config = ConfigDict(extra="allow")
    name: str
    type: str


class LimitsView(View):
    """Limits of one script's process."""

    cpu_ms: int
    memory_mb: int


class ScriptView(View):
    """One script."""

    id: str
    tag: str
    tags: list[str]
    etag: str
    entry_point: str
    has_assets: bool
    has_modules: bool
    logpush: bool
    usage_model: str
    last_deployed_from: str
    compatibility_date: str
    compatibility_flags: list[str]
    migration_tag: str | None = None
    created_on: str
    modified_on: str


class UploadedView(ScriptView):
    """One script, deployed just now."""

    startup_time_ms: int
    deployment_id: str


class SettingsView(View):
    """What a script is besides its code."""

    bindings: list[BindingView]
    compatibility_date: str
    compatibility_flags: list[str]
    limits: LimitsView
    logpush: bool
    tags: list[str]
    usage_model: str


class VersionMetadataView(View):
    """Who made a version, and by what means."""

    author_email: str
    created_on: str
    modified_on: str
    source: str
    has_preview: bool = Field(alias="hasPreview")


class _VersionView(View):
    """One version, but what it is made of."""

    id: str
    number: int
    metadata: VersionMetadataView
    annotations: dict[str, str]


class VersionScriptView(View):
    """A version's code."""

    etag: str


class VersionRuntimeView(View):
    """What a version runs with."""

    compatibility_date: str
    compatibility_flags: list[str]
    limits: LimitsView
    migration_tag: str | None = None
    usage_model: str


class VersionResourcesView(View):
    """What a version is made of."""

    bindings: list[BindingView]
    script: VersionScriptView
    script_runtime: VersionRuntimeView


class WholeVersionView(_VersionView):
    """One version."""

    resources: VersionResourcesView


class MadeVersionView(WholeVersionView):
    """One version, made just now."""

    startup_time_ms: int


class VersionListView(View):
    """The versions of a script that are kept, the newest first."""

    items: list[WholeVersionView]


class DeployedVersionView(View):
    """A version and how many of the requests it gets: here always all."""

    version_id: str
    percentage: float


class DeploymentView(View):
    """That a version was deployed."""

    id: str
    source: str
    strategy: str
    author_email: str
    annotations: dict[str, str]
    versions: list[DeployedVersionView] = Field(max_length=1)
    created_on: str


class DeploymentListView(View):
    """The deployments of a script that are remembered, the newest first."""

    deployments: list[DeploymentView]


class SecretView(View):
    """A secret: what it is called."""

    name: str
    type: str


def script_view(of: Before) -> dict[str, Any]:
    """A script."""
    script, version = of.script, of.version
    return {
        "id": script.name,
        "tag": script.id,
        "tags": list(script.tags),
        "etag": version.etag,
        "entry_point": version.settings.main,
        "has_assets": False,
        "has_modules": True,
        "logpush": False,
        "usage_model": "standard",
        "last_deployed_from": version.client,
        "compatibility_date": version.settings.compatibility_date,
        "compatibility_flags": list(version.settings.compatibility_flags),
        "migration_tag": script.migration_tag or None,
        "created_on": written(script.created_on),
        "modified_on": written(script.modified_on),
    }


def settings_view(of: Before) -> dict[str, Any]:
    """What a script is besides its code."""
    settings = of.version.settings
    return {
        "bindings": bindings_view(of.version),
        "compatibility_date": settings.compatibility_date,
        "compatibility_flags": list(settings.compatibility_flags),
        "limits": _limits(of.version),
        "logpush": False,
        "tags": list(of.script.tags),
        "usage_model": "standard",
    }


def bindings_view(version: Version) -> list[dict[str, Any]]:
    """The bindings of a version, by name."""
    settings = version.settings
    found: list[dict[str, Any]] = [
        {"name": name, "type": "plain_text", "text": value}
        if isinstance(value, str)
        else {"name": name, "type": "json", "json": value}
        for name, value in settings.vars.items()
    ]
    found += [{"name": name, "type": "secret_text"} for name in version.secrets]
    for binding in settings.durable_objects:
        shown = {"name": binding.name, "type": "durable_object_namespace", "class_name": binding.class_name}
        found.append(shown | ({"script_name": binding.script_name} if binding.script_name else {}))
    for service in settings.services:
        shown = {"name": service.name, "type": "service", "service": service.service}
        entrypoint = {"entrypoint": service.entrypoint} if service.entrypoint else {}
        found.append(shown | entrypoint | ({"props": service.props} if service.props else {}))
    if settings.version_metadata:
        found.append({"name": settings.version_metadata, "type": "version_metadata"})
    return sorted(found, key=lambda one: str(one["name"]))


def version_view(version: Version) -> dict[str, Any]:
    """A version, but what it is made of."""
    created = written(version.created_on)
    return {
        "id": shown_id(version.id),
        "number": version.number,
        "metadata": {
            "author_email": version.author_email,
            "created_on": created,
            "modified_on": created,
            # Clients know a list of these, and what triggered it is annotated.
            "source": version.client,
            "hasPreview": False,
        },
        "annotations": _annotations(message=version.message, tag=version.tag, triggered_by=version.source),
    }


def whole_version_view(of: Before, version: Version) -> dict[str, Any]:
    """A version."""
    settings = version.settings
    runtime = {
        "compatibility_date": settings.compatibility_date,
        "compatibility_flags": list(settings.compatibility_flags),
        "limits": _limits(version),
        "migration_tag": of.script.migration_tag or None,
        "usage_model": "standard",
    }
    resources = {
        "bindings": bindings_view(version),
        "script": {"etag": version.etag},
        "script_runtime": runtime,
    }
    return {**version_view(version), "resources": resources}


def deployment_view(deployment: Deployment) -> dict[str, Any]:
    """A deployment."""
    return {
        "id": shown_id(deployment.id),
        "source": deployment.client,
        "strategy": "percentage",
        "author_email": deployment.author_email,
        "annotations": _annotations(message=deployment.message, triggered_by=deployment.source),
        "versions": [{"version_id": shown_id(deployment.version_id), "percentage": 100.0}],
        "created_on": written(deployment.created_on),
    }


def _limits(version: Version) -> dict[str, int]:
    return {"cpu_ms": version.settings.limits.cpu_ms, "memory_mb": version.settings.limits.memory_mb}


def _annotations(**given: str) -> dict[str, str]:
    return {f"workers/{name}": value for name, value in given.items() if value}
