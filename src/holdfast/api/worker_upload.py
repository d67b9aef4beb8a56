"""What a client uploads to make a version of a Worker: a form with the modules, and `metadata`, which says what they are.

Law 1: an upload is read whole, or refused with the member at fault. Nothing of it is run here.
Law 2: what this installation has no counterpart of is refused where a script would call it (a binding of another kind), and
passed over where it changes nothing for the script (`observability`, `placement`).

Source: Cloudflare API v4, "Upload Worker Module", "Multipart upload metadata"; codes as its clients know them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec
from fastapi import Request

from holdfast.api.faults import ApiFault, fault
from holdfast.api.form import Part, read_parts
from holdfast.api.json_body import check_json
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.model.worker_migrations import MigrationStep, RenamedClass, TransferredClass
from holdfast.model.worker_script import (
    EXPECTED_BINDING,
    MAX_CPU_MS,
    MAX_FILES,
    MAX_FILES_BYTES,
    MAX_MEMORY_MB,
    MAX_PROPS_BYTES,
    MAX_VARIABLE_BYTES,
    MAX_VARIABLES,
    MIN_MEMORY_MB,
    is_binding_name,
    is_compatibility_date,
    is_module_path,
    is_script_name,
)
from holdfast.store.worker_scripts import VersionSettings

# Cloudflare's codes.
INVALID_UPLOAD = 10021
TOO_LARGE_SCRIPT = 10027
TOO_LARGE_VARIABLE = 10054
TOO_MANY_VARIABLES = 10055
# For a name that is to be inherited and is nowhere.
NO_BINDING = 10057
# What stays of the version before where an upload does not say `keep_bindings`: wrangler's `deploy` does not, and its documentation
# says that no deployment deletes a secret.
KEPT_KINDS = ("secret_text",)
# Names of parts under which clients put several files.
_LISTS = frozenset({"", "files", "files[]"})
# What clients send beside modules.
_NO_MODULES = frozenset({"application/source-map"})
_REQUIREMENT = "text/x-python-requirement"


class Limits(msgspec.Struct, frozen=True):
    """Limits as a client gives them; None where it does not say."""

    cpu_ms: int | None = None
    memory_mb: int | None = None


class _Export(msgspec.Struct, frozen=True):
    type: str
    storage: str = "sqlite"
    state: str = "created"
    renamed_to: str = ""
    transfer_from: str = ""


class GivenMigrations(MigrationStep, frozen=True, kw_only=True):
    """Migrations as a client gives them: one step, or `steps`."""

    old_tag: str | None = None
    new_tag: str | None = None
    steps: tuple[MigrationStep, ...] | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """The part `metadata`, as far as it means something here."""

    main_module: str = ""
    body_part: str = ""
    bindings: tuple[dict[str, Any], ...] = ()
    keep_bindings: tuple[str, ...] | None = None
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    limits: Limits = Limits()
    tags: tuple[str, ...] | None = None
    migrations: GivenMigrations | None = None
    exports: dict[str, _Export] | None = None
    annotations: dict[str, Any] = {}


class Bindings(msgspec.Struct, frozen=True, kw_only=True):
    """What is bound to `env`. `inherited` are names of what the version before has; `secrets` are in the clear."""

    vars: dict[str, Any]
    secrets: dict[str, str]
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    version_metadata: str = ""
    inherited: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Bindings(vars={sorted(self.vars)}, secrets={sorted(self.secrets)})"


class Migrations(msgspec.Struct, frozen=True, kw_only=True):
    """Steps to apply. `old_tag` is the migration that must have been applied last, None where that does not matter; `new_tag` is the
    last one then, None where it stays. With `is_declared` the steps are states to be reached."""

    steps: tuple[MigrationStep, ...]
    old_tag: str | None = None
    new_tag: str | None = None
    is_declared: bool = False


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload, read and checked. `notes` are told with the answer."""

    main: str
    files: dict[str, bytes]
    bindings: Bindings
    keep: tuple[str, ...]
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    limits: WorkerLimits
    tags: tuple[str, ...] | None
    migrations: Migrations | None
    message: str
    tag: str
    notes: tuple[tuple[int, str], ...] = ()


def refused(message: str, pointer: str | None = None, *, code: int = INVALID_UPLOAD, status: int = 400) -> ApiFault:
    """The fault of an upload. `pointer` leads to the member of the metadata, if there is one at fault."""
    return fault(status, code, message, pointer=pointer)


async def read_upload(request: Request) -> Upload:
    """The upload in the request. Raises ApiFault."""
    parts = await read_parts(request)
    metadata = metadata_of(parts)
    files, notes = modules_of(parts, metadata.main_module)
    if metadata.body_part or not metadata.main_module:
        raise refused("main_module: expected the name of a module: scripts are modules here", "/metadata/main_module")
    if metadata.main_module not in files:
        named = ", ".join(sorted(files)[:5]) or "none"
        raise refused(
            f"main_module: expected the name of one of the modules ({named}), got {metadata.main_module[:80]!r}",
            "/metadata/main_module",
        )
    if not metadata.main_module.endswith(".py"):
        raise refused(
            "main_module: expected a Python module, .py: Workers are written in Python here", "/metadata/main_module"
        )
    if metadata.compatibility_date and not is_compatibility_date(metadata.compatibility_date):
        raise refused(
            f"compatibility_date: expected a date such as 2026-11-01, got {metadata.compatibility_date[:40]!r}",
            "/metadata/compatibility_date",
        )
    return Upload(
        main=metadata.main_module,
        files=files,
        bindings=bindings_of(metadata.bindings),
        keep=KEPT_KINDS if metadata.keep_bindings is None else metadata.keep_bindings,
        compatibility_date=metadata.compatibility_date,
        compatibility_flags=metadata.compatibility_flags,
        limits=limits_of(metadata.limits),
        tags=metadata.tags,
        migrations=migrations_of(metadata),
        message=str(metadata.annotations.get("workers/message", ""))[:1000],
        tag=str(metadata.annotations.get("workers/tag", ""))[:100],
        notes=notes,
    )


def metadata_of(parts: Sequence[Part]) -> Metadata:
    """The part `metadata`. Raises ApiFault."""
    found = [part.content for part in parts if part.name == "metadata"]
    if len(found) != 1:
        raise refused("could not read content for part metadata: expected one part of that name", "/metadata")
    check_json(found[0])
    try:
        return msgspec.json.decode(found[0], type=Metadata)
    except msgspec.ValidationError as error:
        raise refused(f"metadata: {error}", "/metadata") from None


def modules_of(parts: Sequence[Part], main: str = "") -> tuple[dict[str, bytes], tuple[tuple[int, str], ...]]:
    """The modules by path, and what is to be told. A module is called as its file; as its part where `main`, the entry module, is the
    name of a part and of no file (`curl -F worker.py=@src/entry.py`). Raises ApiFault."""
    files: dict[str, bytes] = {}
    notes: list[tuple[int, str]] = []
    modules = [part for part in parts if part.name != "metadata" and part.content_type not in _NO_MODULES]
    by_part = main not in {part.filename for part in modules} and main in {part.name for part in modules}
    for part in modules:
        is_named = part.name not in _LISTS and (by_part or not part.filename)
        name = part.name if is_named else part.filename
        if part.content_type == _REQUIREMENT:
            notes.append(
                (INVALID_UPLOAD, f"{name[:80]}: packages are not installed here: put them into python_modules")
            )
            continue
        if not is_module_path(name):
            raise refused(f"expected a module's name to be a path such as pkg/room.py, got {name[:80]!r}")
        if name in files:
            raise refused(f"expected modules of different names, got {name[:80]!r} twice")
        files[name] = part.content
    if not files:
        raise refused("expected one module at least")
    if len(files) > MAX_FILES:
        raise refused(f"expected at most {MAX_FILES} modules, got {len(files)}", code=TOO_LARGE_SCRIPT, status=413)
    if (total := sum(map(len, files.values()))) > MAX_FILES_BYTES:
        message = f"expected modules of at most {MAX_FILES_BYTES} bytes together, got {total}"
        raise refused(message, code=TOO_LARGE_SCRIPT, status=413)
    directories = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    if clash := next((name for name in files if name in directories), None):
        raise refused(f"expected {clash[:80]!r} to be a module or a directory, not both")
    return files, tuple(notes)


def bindings_of(given: Sequence[Mapping[str, Any]], where: str = "/metadata/bindings") -> Bindings:
    """Bindings in the API's shape. Raises ApiFault."""
    found: dict[str, list[tuple[str, Any]]] = {name: [] for name in _KINDS}
    names: set[str] = set()
    for place, one in enumerate(given):
        kind, name = one.get("type"), one.get("name")
        pointer = f"{where}/{place}"
        if not isinstance(kind, str) or kind not in _KINDS:
            there = ", ".join(_KINDS)
            raise refused(f"bindings.{place}.type: expected one of {there}, got {str(kind)[:40]!r}", f"{pointer}/type")
        if not isinstance(name, str) or not is_binding_name(name):
            raise refused(
                f"bindings.{place}.name: expected {EXPECTED_BINDING}, got {str(name)[:40]!r}", f"{pointer}/name"
            )
        if name in names:
            raise refused(f"bindings.{place}.name: expected a name that no other has, got {name!r}", f"{pointer}/name")
        names.add(name)
        found[kind].append((name, _KINDS[kind](one, f"bindings.{place}", pointer)))
    if sum(len(found[kind]) for kind in ("plain_text", "json", "secret_text")) > MAX_VARIABLES:
        raise refused(f"expected at most {MAX_VARIABLES} variables and secrets", where, code=TOO_MANY_VARIABLES)
    return Bindings(
        vars=dict(found["plain_text"] + found["json"]),
        secrets=dict(found["secret_text"]),
        durable_objects=tuple(one for _, one in found["durable_object_namespace"]),
        services=tuple(one for _, one in found["service"]),
        version_metadata=next((name for name, _ in found["version_metadata"]), ""),
        inherited=tuple(name for name, _ in found["inherit"]),
    )


def wanted_bindings(
    settings: VersionSettings,
    given: Bindings,
    *,
    old: VersionSettings,
    secrets: Collection[str],
    keep: tuple[str, ...] = (),
    is_strict: bool = False,
) -> tuple[VersionSettings, frozenset[str]]:
    """`settings` with the bindings that are `given`, and the names of secrets that stay. `old` and `secrets` are of the version
    before, `keep` the kinds of its bindings that stay. Raises ApiFault for one to inherit that is not there, if `is_strict`."""
    inherited = frozenset(given.inherited)
    there = {*secrets, *old.vars, old.version_metadata, *(one.name for one in old.durable_objects)}
    there |= {one.name for one in old.services}
    if is_strict and (missing := next((name for name in given.inherited if name not in there), None)):
        message = f"inherit binding '{missing}' is invalid: the version before has none of that name"
        raise refused(message, code=NO_BINDING)
    named = {
        *given.vars,
        *given.secrets,
        *(one.name for one in given.durable_objects),
        *(one.name for one in given.services),
    }
    kept_secrets = set(secrets if "secret_text" in keep else ()) - named | inherited & set(secrets)
    kept_vars = {
        name: value
        for name, value in old.vars.items()
        if name in inherited or (_kind_of(value) in keep and name not in named)
    }
    changed = msgspec.structs.replace(
        settings,
        vars={**kept_vars, **given.vars},
        durable_objects=(*(one for one in old.durable_objects if one.name in inherited), *given.durable_objects),
        services=(*(one for one in old.services if one.name in inherited), *given.services),
        version_metadata=given.version_metadata or (old.version_metadata if old.version_metadata in inherited else ""),
    )
    return changed, frozenset(kept_secrets)


def _kind_of(value: object) -> str:
    return "plain_text" if isinstance(value, str) else "json"


def limits_of(given: Limits) -> WorkerLimits:
    """Limits in the API's shape. Raises ApiFault."""
    default = WorkerLimits()
    cpu_ms = default.cpu_ms if given.cpu_ms is None else given.cpu_ms
    memory_mb = default.memory_mb if given.memory_mb is None else given.memory_mb
    if not 1 <= cpu_ms <= MAX_CPU_MS:
        raise refused(f"limits.cpu_ms: expected 1 to {MAX_CPU_MS}, got {cpu_ms}", "/metadata/limits/cpu_ms")
    if not MIN_MEMORY_MB <= memory_mb <= MAX_MEMORY_MB:
        message = f"limits.memory_mb: expected {MIN_MEMORY_MB} to {MAX_MEMORY_MB}, got {memory_mb}"
        raise refused(message, "/metadata/limits/memory_mb")
    return WorkerLimits(cpu_ms=cpu_ms, memory_mb=memory_mb)


def migrations_of(metadata: Metadata) -> Migrations | None:
    """What is to become of classes; None where that is not said. Raises ApiFault."""
    given = metadata.migrations
    if metadata.exports is not None:
        if given is not None:
            raise refused("exports: expected either exports or migrations, not both", "/metadata/exports")
        exports = [_exported(name, one) for name, one in metadata.exports.items() if one.type == "durable-object"]
        return Migrations(steps=tuple(exports), is_declared=True)
    return None if given is None else steps_of(given)


def steps_of(given: GivenMigrations) -> Migrations:
    """Migrations in the API's shape."""
    single = MigrationStep(
        new_classes=given.new_classes,
        new_sqlite_classes=given.new_sqlite_classes,
        renamed_classes=given.renamed_classes,
        transferred_classes=given.transferred_classes,
        deleted_classes=given.deleted_classes,
    )
    return Migrations(
        steps=(single,) if given.steps is None else given.steps, old_tag=given.old_tag, new_tag=given.new_tag
    )


def _exported(name: str, export: _Export) -> MigrationStep:
    pointer = f"/metadata/exports/{name}"
    if not name.isidentifier() or export.storage not in {"sqlite", "legacy-kv"}:
        raise refused(f"exports.{name[:40]}.storage: expected sqlite or legacy-kv", pointer)
    if export.state == "created":
        new = (name,)
        return MigrationStep(new_sqlite_classes=new) if export.storage == "sqlite" else MigrationStep(new_classes=new)
    if export.state == "deleted":
        return MigrationStep(deleted_classes=(name,))
    if export.state == "renamed" and export.renamed_to.isidentifier():
        return MigrationStep(renamed_classes=(RenamedClass(before=name, after=export.renamed_to),))
    if export.state == "transferred":
        return MigrationStep(departed_classes=(name,))
    if export.state == "expecting-transfer" and is_script_name(export.transfer_from):
        come = TransferredClass(before=name, script=export.transfer_from, after=name)
        return MigrationStep(transferred_classes=(come,))
    states = "created, deleted, transferred, renamed with renamed_to, or expecting-transfer with transfer_from"
    raise refused(f"exports.{name[:40]}.state: expected {states}", pointer)


def _plain(one: Mapping[str, Any], where: str, pointer: str) -> str:
    text = _member(one, "text", where, pointer)
    if len(text.encode()) > MAX_VARIABLE_BYTES:
        message = f"{where}.text: expected at most {MAX_VARIABLE_BYTES} bytes"
        raise refused(message, f"{pointer}/text", code=TOO_LARGE_VARIABLE)
    return text


def _json(one: Mapping[str, Any], where: str, pointer: str) -> Any:  # noqa: ANN401  JSON
    if "json" not in one:
        raise refused(f"{where}.json: expected a value", f"{pointer}/json")
    if len(msgspec.json.encode(one["json"])) > MAX_VARIABLE_BYTES:
        message = f"{where}.json: expected at most {MAX_VARIABLE_BYTES} bytes"
        raise refused(message, f"{pointer}/json", code=TOO_LARGE_VARIABLE)
    return one["json"]


def _objects(one: Mapping[str, Any], where: str, pointer: str) -> DurableObjectBinding:
    class_name = _member(one, "class_name", where, pointer)
    if not class_name.isidentifier():
        raise refused(
            f"{where}.class_name: expected the name of a class, got {class_name[:40]!r}", f"{pointer}/class_name"
        )
    script_name = _member(one, "script_name", where, pointer, default="")
    if script_name and not is_script_name(script_name):
        raise refused(f"{where}.script_name: expected the name of a Worker, got {script_name[:40]!r}", pointer)
    return DurableObjectBinding(name=one["name"], class_name=class_name, script_name=script_name)


def _service(one: Mapping[str, Any], where: str, pointer: str) -> ServiceBinding:
    service = _member(one, "service", where, pointer)
    if not is_script_name(service):
        raise refused(f"{where}.service: expected the name of a Worker, got {service[:40]!r}", f"{pointer}/service")
    props = one.get("props") or {}
    if not isinstance(props, dict) or len(msgspec.json.encode(props)) > MAX_PROPS_BYTES:
        raise refused(f"{where}.props: expected an object of at most {MAX_PROPS_BYTES} bytes", f"{pointer}/props")
    return ServiceBinding(
        name=one["name"],
        service=service,
        entrypoint=_member(one, "entrypoint", where, pointer, default=""),
        props=props,
    )


def _nothing(_: Mapping[str, Any], __: str, ___: str) -> None:
    return None


def _member(one: Mapping[str, Any], name: str, where: str, pointer: str, *, default: str | None = None) -> str:
    value = one.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        # What was sent is not said: it may be a secret.
        raise refused(f"{where}.{name}: expected a text", f"{pointer}/{name}")
    return value


_KINDS: Mapping[str, Any] = {
    "plain_text": _plain,
    "json": _json,
    "secret_text": _plain,
    "durable_object_namespace": _objects,
    "service": _service,
    "version_metadata": _nothing,
    "inherit": _nothing,
}
