"""The keys of a Worker's configuration, and what each of them comes to.

Law 1: a key means what it means to wrangler. What this installation does not do (`build`, KV, R2 and their like) is said as a
warning where a Worker may live without it, and refused where it would be called.
Law 2: `[env.X]` lies over the top level. What is not inherited (variables, bindings) is taken from the environment alone.

Source: wrangler's config-schema.json; Cloudflare, "Wrangler: configuration", "Environments".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.config.wrangler_modules import DEFAULT_EXCLUDES, TYPES, Rule
from holdfast.config.wrangler_table import Table
from holdfast.config.wrangler_text import json_value
from holdfast.errors import UsageError
from holdfast.model.cron import Cron
from holdfast.model.hostname import parse_hostname
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.model.worker_migrations import MigrationStep, RenamedClass, TransferredClass
from holdfast.model.worker_route import parse_pattern
from holdfast.model.worker_script import (
    EXPECTED_BINDING,
    EXPECTED_NAME,
    MAX_CPU_MS,
    MAX_MEMORY_MB,
    MAX_PROPS_BYTES,
    MAX_VARIABLE_BYTES,
    MAX_VARIABLES,
    MIN_MEMORY_MB,
    DevSettings,
    RouteSetting,
    WorkerSettings,
    is_binding_name,
    is_compatibility_date,
    is_script_name,
)

# Known to wrangler, and without a meaning here: how it builds, where it sends a Worker, what it shows.
_WITHOUT_MEANING = frozenset(
    {
        "$schema", "workers_dev", "preview_urls", "placement", "observability", "logpush", "upload_source_maps", "minify",
        "no_bundle", "define", "tsconfig", "send_metrics", "dependencies_instrumentation", "first_party_worker",
        "keep_names", "tail_consumers", "streaming_tail_consumers", "alias", "jsx_factory", "jsx_fragment",
    }
)  # fmt: skip
# Bindings that a script would call, to find nothing, each with what it is to wrangler.
_NOT_THERE = {
    "kv_namespaces": "KV", "r2_buckets": "R2", "d1_databases": "D1", "queues": "queues", "assets": "static assets", "ai": "AI",
    "vectorize": "Vectorize", "hyperdrive": "Hyperdrive", "browser": "browsers", "workflows": "workflows",
    "analytics_engine_datasets": "Analytics Engine", "dispatch_namespaces": "dispatch namespaces", "mtls_certificates": "mTLS certificates",
    "pipelines": "pipelines", "send_email": "email", "images": "Images", "wasm_modules": "modules of WebAssembly as bindings",
    "text_blobs": "text blobs", "data_blobs": "data blobs", "secrets_store_secrets": "a secrets store", "ratelimits": "rate limits as bindings",
    "vpc_services": "VPC services", "vpc_networks": "VPC networks", "worker_loaders": "loaders of Workers", "ai_search": "AI Search",
    "ai_search_namespaces": "AI Search", "artifacts": "artifacts", "flagship": "Flagship", "media": "Media", "stream": "Stream",
    "unsafe_hello_world": "unsafe kinds", "unsafe": "unsafe kinds",
}  # fmt: skip
_THERE = "there are durable_objects, whose storage has keys and SQL, services, vars, secrets and version_metadata"
_NAMED_BY_KEY = frozenset({"wasm_modules", "text_blobs", "data_blobs"})
# Where kinds of a table have their bindings.
_NAMED_WITHIN = {"queues": "producers", "unsafe": "bindings"}
# When an object has new code (`durable_objects.code_update_strategy`). Precedent of the bound: the original's, a day.
_UPDATES, MAX_UPDATE_DELAY_S = ("deferred", "immediate"), 86_400
# What a Worker lives without: nothing of it is in `env`.
_PASSED_OVER = ("site", "containers", "cloudchamber")
# Of an environment alone, never taken over from the top level. Source: what is `notInheritable` in wrangler 4.86.
NOT_INHERITED = frozenset(
    {
        "vars", "define", "durable_objects", "services", "secrets", "version_metadata", "containers", "cloudchamber", "tail_consumers",
        *_NOT_THERE.keys() - _NAMED_BY_KEY - {"assets"},
    }
)  # fmt: skip
_CLASS = "the name of a class"
_STATES = "created, deleted, renamed, transferred or expecting-transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """Which files go along. `main` and `base_dir` are as written, relative to the configuration; `base_dir` "" where it is not said."""

    main: str
    base_dir: str = ""
    find: bool = True
    rules: tuple[Rule, ...] = ()
    excludes: tuple[str, ...] = DEFAULT_EXCLUDES


def in_environment(values: Mapping[str, Any], env: str | None, where: str) -> dict[str, Any]:
    """The table of the environment `env` over the top level; the top level alone where `env` is None. Raises UsageError."""
    top = {name: value for name, value in values.items() if name != "env"}
    if env is None:
        return top
    known = values.get("env", {})
    if not isinstance(known, dict) or not isinstance(known.get(env), dict):
        there = ", ".join(sorted(known)) if isinstance(known, dict) and known else "none"
        raise UsageError("--env", env, f"an environment of {where} (there: {there})")
    inherited = {name: value for name, value in top.items() if name not in NOT_INHERITED}
    if "route" in known[env] or "routes" in known[env]:
        inherited = {name: value for name, value in inherited.items() if name not in {"route", "routes"}}
    named = {"name": f"{top['name']}-{env}"} if isinstance(top.get("name"), str) else {}
    return {**inherited, **named, **known[env]}


def modules_of(table: Table, default_main: str = "") -> Modules:
    """What `main`, `base_dir`, `rules`, `find_additional_modules` and `python_modules` say. Raises UsageError."""
    main = table.text("main", default_main)
    if not main.endswith(".py"):
        table.refuse("main", "the path of a .py file: Workers are written in Python here")
    return Modules(
        main=main,
        base_dir=table.text("base_dir"),
        find=table.flag("find_additional_modules", default=True),
        rules=tuple(
            Rule(
                one.needed_text("type", f"one of {', '.join(TYPES)}", TYPES.__contains__),
                one.texts("globs"),
                one.flag("fallthrough"),
            )
            for one in table.tables("rules")
        ),
        excludes=table.table("python_modules").texts("exclude", DEFAULT_EXCLUDES),
    )


def settings_of(table: Table, *, main: str, default_name: str) -> tuple[WorkerSettings, tuple[str, ...]]:
    """What a configuration says, and warnings. `main` is the entry module below the root of imports. Raises UsageError."""
    name = table.text("name", default_name)
    if not is_script_name(name):
        table.refuse("name", EXPECTED_NAME)
    date = table.text("compatibility_date")
    if date and not is_compatibility_date(date):
        table.refuse("compatibility_date", "a date such as 2026-11-01")
    objects = table.table("durable_objects")
    settings = WorkerSettings(
        name=name,
        main=main,
        compatibility_date=date,
        compatibility_flags=table.texts("compatibility_flags"),
        vars=_variables(table.table("vars")),
        durable_objects=tuple(_object_binding(one) for one in objects.tables("bindings")),
        services=tuple(_service(one) for one in table.tables("services")),
        version_metadata=_binding_of(table.table("version_metadata")),
        migrations=tuple(_step(one) for one in table.tables("migrations")),
        exports=_exports(table.table("exports")) if "exports" in table else None,
        routes=_routes(table),
        crons=_crons(table.table("triggers")),
        limits=_limits(table.table("limits")),
        required_secrets=table.table("secrets").texts("required"),
        keep_vars=table.flag("keep_vars"),
        account_id=table.text("account_id"),
        dev=_dev(table.table("dev")),
    )
    updates = _updates(objects.table("code_update_strategy"))
    if settings.exports is not None and settings.migrations:
        table.refuse("exports", "either exports or migrations, not both")
    _check_names(table, settings)
    return settings, (*updates, *_missing(table), *table.warnings())


def _crons(table: Table) -> tuple[str, ...] | None:
    if "crons" not in table:
        return None
    crons = table.texts("crons")
    for text in crons:
        try:
            Cron(text)
        except ValueError as error:
            raise UsageError(table.key_of("crons"), text, f"cron expressions ({error})") from None
    return crons


def _missing(table: Table) -> list[str]:
    for name in _WITHOUT_MEANING:
        table.raw(name)
    build = table.table("build")
    for name, what in _NOT_THERE.items():
        if bound := _bound(name, table.raw(name)):
            raise UsageError(table.key_of(name), bound, f"no bindings of {what}: there are none here ({_THERE})")
    warnings = [
        f"{table.key_of(name)}: not there here, and passed over"
        for name in (*_NOT_THERE, *_PASSED_OVER)
        if table.raw(name)
    ]
    if build.raw("command"):
        warnings.append(f"{build.key_of('command')}: not run here: build before you deploy")
    for name in ("cwd", "watch_dir"):
        build.raw(name)
    return warnings


def _bound(name: str, value: object) -> str:
    """The names that bindings of one kind would have in `env`, "" where there are none."""
    if name in _NAMED_WITHIN and isinstance(value, dict):
        value = value.get(_NAMED_WITHIN[name])
    if name in _NAMED_BY_KEY and isinstance(value, dict):
        return ", ".join(value)
    found = value if isinstance(value, list) else [value]
    names = (one.get("binding") or one.get("name") for one in found if isinstance(one, dict))
    return ", ".join(str(one) for one in names if one)


def _check_names(table: Table, settings: WorkerSettings) -> None:
    names = [
        *settings.vars,
        *(one.name for one in settings.durable_objects),
        *(one.name for one in settings.services),
        *([settings.version_metadata] if settings.version_metadata else ()),
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{table.where}: bindings", twice[0], "a name that nothing else in env has")


def _variables(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, written in table.items():
        if not is_binding_name(name):
            raise UsageError(table.key_of("").removesuffix("."), name, EXPECTED_BINDING)
        try:
            found[name] = value = json_value(written)
        except ValueError as error:
            raise UsageError(table.key_of(name), str(written), str(error)) from None
        if len(str(value).encode()) > MAX_VARIABLE_BYTES:
            table.refuse(name, f"at most {MAX_VARIABLE_BYTES} bytes")
    if len(found) > MAX_VARIABLES:
        raise UsageError(table.key_of("").removesuffix("."), str(len(found)), f"at most {MAX_VARIABLES} variables")
    return found


def _binding_of(table: Table, name: str = "binding") -> str:
    return table.needed_text(name, EXPECTED_BINDING, is_binding_name) if name in table else ""


def _object_binding(table: Table) -> DurableObjectBinding:
    if "environment" in table:
        table.raw("environment")
    return DurableObjectBinding(
        name=table.needed_text("name", EXPECTED_BINDING, is_binding_name),
        class_name=table.needed_text("class_name", _CLASS, str.isidentifier),
        script_name=table.text("script_name"),
    )


def _service(table: Table) -> ServiceBinding:
    return ServiceBinding(
        name=table.needed_text("binding", EXPECTED_BINDING, is_binding_name),
        service=table.needed_text("service", f"the name of a Worker: {EXPECTED_NAME}", is_script_name),
        entrypoint=table.text("entrypoint"),
        props=_props(table),
    )


def _props(table: Table) -> dict[str, Any]:
    try:
        found = json_value(table.raw("props") or {})
    except ValueError as error:
        raise UsageError(table.key_of("props"), str(table.raw("props")), str(error)) from None
    if not isinstance(found, dict) or len(msgspec.json.encode(found)) > MAX_PROPS_BYTES:
        table.refuse("props", f"a table of at most {MAX_PROPS_BYTES} bytes")
    return found


def _step(table: Table) -> MigrationStep:
    step = MigrationStep(
        tag=table.needed_text("tag", "a text in quotes that names this migration"),
        new_classes=table.texts("new_classes"),
        new_sqlite_classes=table.texts("new_sqlite_classes"),
        renamed_classes=tuple(
            RenamedClass(before=one.needed_text("from", _CLASS), after=one.needed_text("to", _CLASS))
            for one in table.tables("renamed_classes")
        ),
        transferred_classes=tuple(
            TransferredClass(
                before=one.needed_text("from", _CLASS),
                script=one.needed_text("from_script", "the name of a Worker"),
                after=one.needed_text("to", _CLASS),
            )
            for one in table.tables("transferred_classes")
        ),
        deleted_classes=table.texts("deleted_classes"),
    )
    for name in ("new_classes", "new_sqlite_classes", "deleted_classes"):
        if not all(one.isidentifier() for one in getattr(step, name)):
            table.refuse(name, "a list of names of classes")
    return step


def _exports(table: Table) -> tuple[MigrationStep, ...]:
    steps = []
    for name, value in table.items():
        if not name.isidentifier() or not isinstance(value, dict):
            table.refuse(
                name, 'a table such as { type = "durable-object", storage = "sqlite" }, under the name of a class'
            )
        if value.get("type") == "durable-object":
            steps.append(_export(name, table.below(value, f"{name}.")))
    return tuple(steps)


def _export(name: str, table: Table) -> MigrationStep:
    table.raw("type")
    state = table.text("state", "created")
    storage = table.text("storage", "sqlite")
    if storage not in {"sqlite", "legacy-kv"}:
        table.refuse("storage", "sqlite or legacy-kv")
    if state == "created":
        return MigrationStep(new_sqlite_classes=(name,)) if storage == "sqlite" else MigrationStep(new_classes=(name,))
    if state == "deleted":
        return MigrationStep(deleted_classes=(name,))
    if state == "renamed":
        after = table.needed_text("renamed_to", _CLASS, str.isidentifier)
        return MigrationStep(renamed_classes=(RenamedClass(before=name, after=after),))
    if state == "transferred":
        # Where to is the other Worker's to say.
        table.raw("transferred_to")
        return MigrationStep(departed_classes=(name,))
    if state == "expecting-transfer":
        script = table.needed_text("transfer_from", f"the name of a Worker: {EXPECTED_NAME}", is_script_name)
        return MigrationStep(transferred_classes=(TransferredClass(before=name, script=script, after=name),))
    return table.refuse("state", _STATES)


def _routes(table: Table) -> tuple[RouteSetting, ...] | None:
    found = table.raw("routes")
    one = table.raw("route")
    if found is not None and one is not None:
        table.refuse("route", "either route or routes, not both")
    if found is not None and not isinstance(found, list):
        table.refuse("routes", "a list of patterns")
    if found is None and one is None:
        return None
    routes = []
    for place, value in enumerate(found if found is not None else [one]):
        key = f"routes[{place}]" if found is not None else "route"
        if isinstance(value, str):
            routes.append(_checked(RouteSetting(pattern=value, key=key), table.key_of(key)))
        elif isinstance(value, dict):
            routes.append(_route(table.below(value, f"{key}."), key))
        else:
            raise UsageError(
                table.key_of(key), str(value), 'a pattern, or a table such as { pattern = "example.com/*" }'
            )
    return tuple(routes)


def _route(table: Table, key: str) -> RouteSetting:
    route = RouteSetting(
        pattern=table.needed_text("pattern", "a pattern such as example.com/*"),
        zone_id=table.text("zone_id"),
        zone_name=table.text("zone_name"),
        custom_domain=table.flag("custom_domain"),
        key=key,
    )
    return _checked(route, table.key_of("pattern"))


def _checked(route: RouteSetting, key: str) -> RouteSetting:
    """The route, where there can be such a one: what cannot is found out before anything is uploaded. Raises UsageError."""
    if route.custom_domain:
        try:
            parse_hostname(route.pattern)
        except ValueError:
            expected = "a host name such as chat.example.com, for a custom domain has neither * nor a path"
            raise UsageError(key, route.pattern, expected) from None
        return route
    try:
        pattern = parse_pattern(route.pattern)
    except ValueError as error:
        raise UsageError(key, route.pattern, str(error).removeprefix("expected ").partition(", got ")[0]) from None
    if not pattern.host and not (route.zone_id or route.zone_name):
        expected = f'a zone_name beside it, for no host says of which zone it is: {{ pattern = "{pattern}", zone_name = "example.com" }}'
        raise UsageError(key, route.pattern, expected)
    return route


def _limits(table: Table) -> WorkerLimits:
    default = WorkerLimits()
    table.raw("subrequests")
    return WorkerLimits(
        cpu_ms=table.number("cpu_ms", default.cpu_ms, least=1, most=MAX_CPU_MS),
        memory_mb=table.number("memory_mb", default.memory_mb, least=MIN_MEMORY_MB, most=MAX_MEMORY_MB),
    )


def _updates(table: Table) -> list[str]:
    """Warnings about when new code is to take effect: a script has one process, which has one version's code."""
    mode = table.text("mode", "immediate")
    if mode not in _UPDATES:
        table.refuse("mode", " or ".join(_UPDATES))
    table.number("max_delay", 0, least=0, most=MAX_UPDATE_DELAY_S)
    if mode == "immediate":
        return []
    what = "new code takes effect at once, hibernatable WebSockets stay open, and handlers that run have 5 s to end"
    return [f"{table.key_of('mode')}: not put off here: {what}"]


def _dev(table: Table) -> DevSettings:
    return DevSettings(
        ip=table.text("ip"),
        port=table.number("port", 0, least=0, most=65_535),
        host=table.text("host"),
        local_protocol=table.text("local_protocol"),
        upstream_protocol=table.text("upstream_protocol"),
    )
