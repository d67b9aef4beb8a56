"""Workers as all sides know them: what a person writes down about one, and one version of it as it runs.

Law 1: a setting is what was written, checked for its type and its bounds; what follows from it is found by whoever needs it.
Law 2: a version is complete and never changes: the same version runs again after a crash, a restart, a roll-back.
Law 3: a secret is in here sealed (`holdfast.sealing`, purpose `secret_purpose`) or not at all.

Source: wrangler's config-schema.json, Cloudflare API v4 "Workers scripts".
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from holdfast.model.moment import Moment, written
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.model.worker_migrations import (
    DurableClass,
    MigrationStep,
    MovedClass,
    declared,
    migrated,
    tried,
    with_bound,
)

# Longest name. Precedent: a label of workers.dev.
MAX_NAME_CHARS = 63
# Names of bindings become attributes of `env`. Precedent: wrangler's own check.
MAX_BINDING_CHARS = 255
# Of all modules of a script together, and how many there may be. Precedents: the original takes 10 MB compressed, 64 MB
# uncompressed; a vendored package easily has hundreds of files.
MAX_FILES_BYTES = 32 * 1024 * 1024
MAX_FILES = 4_096
# Longest path of a module. Precedent: PATH_MAX is 4096 with everything above it.
MAX_PATH_CHARS = 1_024
# Variables and secrets of a script, and the longest of them. Precedent: the original's paid plan (128 of 5 KB).
MAX_VARIABLES = 128
MAX_VARIABLE_BYTES = 5 * 1024
# Of `props` of a service binding, as JSON: they go along with each call, in its head.
MAX_PROPS_BYTES = 4 * 1024
# Of `limits.cpu_ms`. Precedent: the original's 5 minutes.
MAX_CPU_MS = 300_000
MIN_MEMORY_MB, MAX_MEMORY_MB = 64, 65_536

EXPECTED_NAME = f"lower-case letters, digits, - and _, at most {MAX_NAME_CHARS}, not beginning with -"
EXPECTED_BINDING = "a name such as ROOMS: letters, digits and _, not beginning with a digit"

_NAME = re.compile(rf"[a-z0-9_][a-z0-9_-]{{0,{MAX_NAME_CHARS - 1}}}")
_BINDING = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_BINDING_CHARS - 1}}}")
# A part of a path: not "." and "..", and nothing that a file system takes for more than a name.
_PART = re.compile(r"(?!\.{1,2}$)[^/\\\0]{1,255}")
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


class RouteSetting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A route as a project asks for one: `pattern` as written, of the zone named by id, by name, or by the pattern's host.
    With `custom_domain` the pattern is a host name, and the Worker its origin. `key` is where the project says it, for errors."""

    pattern: str
    zone_id: str = ""
    zone_name: str = ""
    custom_domain: bool = False
    key: str = ""


class DevSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where `holdfast worker dev` listens; "" and 0 where it is not said."""

    ip: str = ""
    port: int = 0
    host: str = ""
    local_protocol: str = ""
    upstream_protocol: str = ""


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a project says about its Worker. `main` is the entry module's file, relative to the root of imports, with "/".

    `migrations` are in their order; `exports` are the classes said the other way, by state instead of by steps, None where
    they are not. `required_secrets` are names that a deployment must have. `keep_vars` keeps what was set by other means. `routes`
    and `crons` are None where they are not said: then a deployment leaves those that there are.
    """

    name: str
    main: str
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    vars: dict[str, Any] = {}
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    version_metadata: str = ""
    migrations: tuple[MigrationStep, ...] = ()
    exports: tuple[MigrationStep, ...] | None = None
    routes: tuple[RouteSetting, ...] | None = None
    crons: tuple[str, ...] | None = None
    limits: WorkerLimits = WorkerLimits()
    required_secrets: tuple[str, ...] = ()
    keep_vars: bool = False
    account_id: str = ""
    dev: DevSettings = DevSettings()

    def own_classes(self) -> tuple[str, ...]:
        """The classes of this script itself that its bindings name."""
        return tuple(one.class_name for one in self.durable_objects if one.script_name in {"", self.name})

    def classes_to_try(self) -> dict[str, DurableClass]:
        """The classes there are where this project is tried out by itself: all migrations applied, and what it binds without one.

        Raises MigrationError.
        """
        found = declared({}, tried(self.exports)) if self.exports is not None else migrated({}, tried(self.migrations))
        return with_bound(found.classes, self.own_classes())


def told_of_itself(binding: str, version: str, *, tag: str, created: Moment) -> dict[str, dict[str, str]]:
    """The variable by which a version knows itself: `id`, `tag`, and as text the time it was made. None where `binding` is empty.

    Source: "Version metadata", https://developers.cloudflare.com/workers/runtime-apis/bindings/version-metadata/.
    """
    return {binding: {"id": version, "tag": tag, "timestamp": written(created)}} if binding else {}


class ScriptVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a script, as it lies beside its code (`script.json`). `key` names the script's directory (`data_dir.worker_key`).

    `version` is its id, `number` counts the script's versions from 1. `sealed_secrets` are by name. `classes` are the Durable
    Object classes that there are with this version, each with where its objects are stored; `moved` those that were renamed, or moved to
    another script, which bindings may still name. `awaited` are classes that the next version will have: the code must export them.
    `created_ms` is Unix time.
    """

    key: str
    name: str
    version: str
    main: str
    account: str = ""
    number: int = 1
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    vars: dict[str, Any] = {}
    sealed_secrets: dict[str, bytes] = {}
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    classes: dict[str, DurableClass] = {}
    moved: dict[str, MovedClass] = {}
    awaited: tuple[str, ...] = ()
    limits: WorkerLimits = WorkerLimits()
    created_ms: int = 0

    @property
    def storages(self) -> dict[str, str]:
        """How the objects of each class are stored, by class name."""
        return {name: one.storage for name, one in self.classes.items()}


def secret_purpose(key: str, name: str) -> str:
    """What the secret `name` of the script with this key is sealed for."""
    return f"worker/{key}/{name}"


def is_module_path(text: str) -> bool:
    """Whether a module may lie there: a path with "/" below the root of imports, each part of which names a file or directory."""
    return len(text) <= MAX_PATH_CHARS and text.isprintable() and all(map(_PART.fullmatch, text.split("/")))


def is_script_name(text: str) -> bool:
    """Whether a script may be called so."""
    return _NAME.fullmatch(text) is not None


def is_binding_name(text: str) -> bool:
    """Whether something of `env` may be called so."""
    return _BINDING.fullmatch(text) is not None


def is_compatibility_date(text: str) -> bool:
    """Whether this is a date as `compatibility_date` has them, 2026-11-01."""
    return _DATE.fullmatch(text) is not None
