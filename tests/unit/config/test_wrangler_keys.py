"""The keys of a Worker's configuration: what each comes to, and what is refused or told."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from holdfast.config.wrangler_keys import in_environment, modules_of, settings_of
from holdfast.config.wrangler_modules import Rule
from holdfast.config.wrangler_table import Table
from holdfast.errors import UsageError
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.model.worker_migrations import MigrationStep, RenamedClass, TransferredClass
from holdfast.model.worker_script import DevSettings, RouteSetting, WorkerSettings

WHERE = "wrangler.toml"


def settings(**values: object) -> tuple[WorkerSettings, tuple[str, ...]]:
    return settings_of(Table({"name": "chat", **values}, WHERE), main="entry.py", default_name="dir")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"compatibility_date": "2026-11-01", "compatibility_flags": ["python_workers"]},
         {"compatibility_date": "2026-11-01", "compatibility_flags": ("python_workers",)}),
        ({"vars": {"A": "x", "B": {"c": [1]}}}, {"vars": {"A": "x", "B": {"c": [1]}}}),
        ({"durable_objects": {"bindings": [{"name": "R", "class_name": "Room", "script_name": "other"}]}},
         {"durable_objects": (DurableObjectBinding(name="R", class_name="Room", script_name="other"),)}),
        ({"services": [{"binding": "S", "service": "other", "props": {"user": "x", "of": [1]}}]},
         {"services": (ServiceBinding(name="S", service="other", props={"user": "x", "of": [1]}),)}),
        ({"services": [{"binding": "S", "service": "other", "entrypoint": "E"}]},
         {"services": (ServiceBinding(name="S", service="other", entrypoint="E"),)}),
        ({"version_metadata": {"binding": "V"}}, {"version_metadata": "V"}),
        ({"migrations": [{"tag": "v1", "new_sqlite_classes": ["Room"]},
                         {"tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]}]},
         {"migrations": (MigrationStep(tag="v1", new_sqlite_classes=("Room",)),
                         MigrationStep(tag="v2", renamed_classes=(RenamedClass(before="Room", after="Hall"),)))}),
        ({"exports": {"Room": {"type": "durable-object"}, "Old": {"type": "durable-object", "storage": "legacy-kv"},
                      "Gone": {"type": "durable-object", "state": "deleted"},
                      "Was": {"type": "durable-object", "state": "renamed", "renamed_to": "Is"},
                      "Left": {"type": "durable-object", "state": "transferred", "transferred_to": "new"},
                      "Came": {"type": "durable-object", "state": "expecting-transfer", "transfer_from": "old"},
                      "Default": {"type": "worker"}}},
         {"exports": (MigrationStep(new_sqlite_classes=("Room",)), MigrationStep(new_classes=("Old",)),
                      MigrationStep(deleted_classes=("Gone",)),
                      MigrationStep(renamed_classes=(RenamedClass(before="Was", after="Is"),)),
                      MigrationStep(departed_classes=("Left",)),
                      MigrationStep(transferred_classes=(TransferredClass(before="Came", script="old", after="Came"),)))}),
        ({"route": "example.com/*"}, {"routes": (RouteSetting(pattern="example.com/*", key="route"),)}),
        ({"routes": []}, {"routes": ()}),
        ({"routes": [{"pattern": "*/a", "zone_id": "a"}]}, {"routes": (RouteSetting(pattern="*/a", zone_id="a", key="routes[0]"),)}),
        ({"vars": {"DAY": date(2026, 1, 1), "AT": datetime(2026, 1, 1, 7, 32, tzinfo=UTC), "HERE": datetime.fromisoformat("2026-01-01T07:32"),
                   "TIME": [{"a": time(7, 32)}]}},
         {"vars": {"DAY": "2026-01-01", "AT": "2026-01-01T07:32:00.000Z", "HERE": "2026-01-01T07:32:00.000",
                   "TIME": [{"a": "07:32:00.000"}]}}),
        ({"routes": ["a.com/*", {"pattern": "b.com", "custom_domain": True}, {"pattern": "c.com/*", "zone_name": "c.com"}]},
         {"routes": (RouteSetting(pattern="a.com/*", key="routes[0]"),
                     RouteSetting(pattern="b.com", custom_domain=True, key="routes[1]"),
                     RouteSetting(pattern="c.com/*", zone_name="c.com", key="routes[2]"))}),
        ({"triggers": {"crons": ["0 * * * *"]}}, {"crons": ("0 * * * *",)}),
        ({"triggers": {"crons": []}}, {"crons": ()}),
        ({"triggers": {}}, {"crons": None}),
        ({"limits": {"cpu_ms": 100, "memory_mb": 128, "subrequests": 5}}, {"limits": WorkerLimits(cpu_ms=100, memory_mb=128)}),
        ({"secrets": {"required": ["TOKEN"]}}, {"required_secrets": ("TOKEN",)}),
        ({"keep_vars": True, "account_id": "a"}, {"keep_vars": True, "account_id": "a"}),
        ({"dev": {"ip": "::1", "port": 8787}}, {"dev": DevSettings(ip="::1", port=8787)}),
    ],
)  # fmt: skip
def test_each_key_comes_to_a_setting_and_no_warning(values: dict[str, Any], expected: dict[str, Any]) -> None:
    assert settings(**values) == (WorkerSettings(name="chat", main="entry.py", **expected), ())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "Chat Room"}, "name: expected lower-case letters"),
        ({"compatibility_date": "today"}, "compatibility_date: expected a date such as 2026-11-01, got 'today'"),
        ({"vars": {"A-B": 1}}, "vars: expected a name such as ROOMS: letters, digits and _, not beginning with a digit, got 'A-B'"),
        ({"vars": {"A": "x" * 6000}}, "vars.A: expected at most 5120 bytes"),
        ({"vars": {f"A{n}": 1 for n in range(200)}}, "vars: expected at most 128 variables, got '200'"),
        ({"durable_objects": {"bindings": [{"name": "R"}]}},
         "durable_objects.bindings[0].class_name: expected the name of a class, got nothing"),
        ({"durable_objects": {"bindings": [{"name": "R", "class_name": 5}]}},
         "durable_objects.bindings[0].class_name: expected the name of a class, got '5'"),
        ({"durable_objects": []}, "durable_objects: expected a table"),
        ({"vars": {"R": 1}, "durable_objects": {"bindings": [{"name": "R", "class_name": "Room"}]}},
         "bindings: expected a name that nothing else in env has, got 'R'"),
        ({"migrations": [{"new_classes": ["A"]}]}, "migrations[0].tag: expected a text"),
        ({"migrations": [{"tag": "a", "new_classes": ["not a class"]}]}, "migrations[0].new_classes: expected a list of names"),
        ({"migrations": [{"tag": "a"}], "exports": {}}, "exports: expected either exports or migrations"),
        ({"exports": {"A": {"type": "durable-object", "state": "gone"}}}, "exports.A.state: expected created, deleted"),
        ({"exports": {"A": {"type": "durable-object", "state": "expecting-transfer"}}},
         "exports.A.transfer_from: expected the name of a Worker"),
        ({"exports": {"A": {"type": "durable-object", "storage": "disk"}}}, "exports.A.storage: expected sqlite or legacy-kv"),
        ({"exports": {"A": 1}}, "exports.A: expected a table such as"),
        ({"route": "a/*", "routes": []}, "route: expected either route or routes"),
        ({"routes": "a/*"}, "routes: expected a list of patterns, got 'a/*'"),
        ({"routes": [5]}, "routes[0]: expected a pattern, or a table"),
        ({"routes": [{}]}, "routes[0].pattern: expected a pattern"),
        ({"routes": ["a.com/*", "a.com/a*b"]},
         "wrangler.toml: routes[1]: expected a * nowhere in the path but at its end, got 'a.com/a*b'"),
        ({"route": "ftp://a.com/"}, "route: expected http:// or https:// or no scheme, got 'ftp://a.com/'"),
        ({"routes": [""]}, "routes[0]: expected a pattern such as"),
        ({"routes": [{"pattern": "a.com/a?b=c"}]}, "routes[0].pattern: expected a path without a query"),
        ({"routes": ["*/a"]}, "routes[0]: expected a zone_name beside it, for no host says of which zone it is"),
        ({"routes": [{"pattern": "*.a.com", "custom_domain": True}]}, "routes[0].pattern: expected a host name such as"),
        ({"routes": [{"pattern": "a.com/b", "custom_domain": True}]}, "routes[0].pattern: expected a host name such as"),
        ({"services": [{"binding": "S", "service": "other", "props": ["x"]}]}, "services[0].props: expected a table of at most 4096 bytes"),
        ({"services": [{"binding": "S", "service": "other", "props": {"a": "x" * 4096}}]}, "services[0].props: expected a table of at most"),
        ({"services": [{"binding": "S", "service": "other", "props": {"a": float("nan")}}]}, "services[0].props: expected a number that JSON has"),
        ({"vars": {"E": float("inf")}}, "vars.E: expected a number that JSON has, got 'inf'"),
        ({"vars": {"E": {"a": [float("nan")]}}}, "vars.E: expected a number that JSON has"),
        ({"triggers": {"crons": ["0 * * * *", "* * * *"]}},
         "triggers.crons: expected cron expressions (expected five fields such as */5 9-17 * * MON-FRI"),
        ({"triggers": {"crons": ["99 * * * *"]}}, "triggers.crons: expected cron expressions (minute: expected"),
        ({"limits": {"cpu_ms": 0}}, "limits.cpu_ms: expected a number from 1 to 300000, got '0'"),
        ({"limits": {"memory_mb": 1}}, "limits.memory_mb: expected a number from 64"),
        ({"dev": {"port": 70000}}, "dev.port: expected a number from 0 to 65535"),
        ({"compatibility_flags": "python_workers"}, "compatibility_flags: expected a list of texts"),
        ({"kv_namespaces": [{"binding": "KV", "id": "1"}, {"binding": "B"}]},
         "services, vars, secrets and version_metadata), got 'KV, B'"),
        ({"d1_databases": [{"binding": "DB"}]}, "d1_databases: expected no bindings of D1: there are none here (there are durable_objects"),
        ({"queues": {"producers": [{"binding": "Q", "queue": "q"}]}}, "queues: expected no bindings of queues"),
        ({"ai": {"binding": "AI"}}, "ai: expected no bindings of AI"),
        ({"unsafe": {"bindings": [{"name": "LIMITER", "type": "ratelimit", "namespace_id": "1"}]}},
         "unsafe: expected no bindings of unsafe kinds: there are none here (there are durable_objects"),
        ({"workflows": [{"name": "w", "binding": "W", "class_name": "A"}]}, "workflows: expected no bindings of workflows"),
        ({"assets": {"directory": "./public", "binding": "ASSETS"}}, "assets: expected no bindings of static assets"),
        ({"durable_objects": {"code_update_strategy": {"mode": "later"}}},
         "durable_objects.code_update_strategy.mode: expected deferred or immediate, got 'later'"),
        ({"durable_objects": {"code_update_strategy": {"max_delay": 86_401}}},
         "durable_objects.code_update_strategy.max_delay: expected a number from 0 to 86400"),
        ({"text_blobs": {"PAGE": "page.html"}}, "text_blobs: expected no bindings of text blobs"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_key_value_and_what_was_expected(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        settings(**values)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{WHERE}: ")


AT_ONCE = "new code takes effect at once, hibernatable WebSockets stay open, and handlers that run have 5 s to end"


@pytest.mark.parametrize(
    ("values", "warnings"),
    [
        ({"observability": {"enabled": True}, "workers_dev": True, "$schema": "x"}, []),
        ({"comptibility_date": "2026-01-01"}, ["comptibility_date: not known here, and passed over"]),
        ({"assets": {"directory": "./public"}}, ["assets: not there here, and passed over"]),
        ({"unsafe": {"metadata": {"a": 1}}}, ["unsafe: not there here, and passed over"]),
        ({"queues": {"consumers": [{"queue": "q"}]}}, ["queues: not there here, and passed over"]),
        ({"build": {"command": "make"}}, ["build.command: not run here: build before you deploy"]),
        ({"durable_objects": {"code_update_strategy": {"mode": "immediate"}, "x": 1}},
         ["durable_objects.x: not known here, and passed over"]),
        ({"durable_objects": {"code_update_strategy": {"mode": "deferred", "max_delay": 300}}},
         [f"durable_objects.code_update_strategy.mode: not put off here: {AT_ONCE}"]),
        ({"routes": [{"pattern": "a.com/*", "zone": "a.com"}]}, ["routes[0].zone: not known here, and passed over"]),
    ],
)  # fmt: skip
def test_what_does_nothing_here_is_told(values: dict[str, Any], warnings: list[str]) -> None:
    assert list(settings(**values)[1]) == [f"{WHERE}: {one}" for one in warnings]


TOP = {
    "name": "chat",
    "main": "a.py",
    "vars": {"A": 1},
    "route": "a.com/*",
    "durable_objects": {"bindings": []},
    "ai": {"binding": "AI"},
    "version_metadata": {"binding": "VERSION"},
    "env": {"staging": {"vars": {"A": 2}}, "named": {"name": "other", "routes": ["b.com/*"], "main": "b.py"}},
}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (None, {name: value for name, value in TOP.items() if name != "env"}),
        ("staging", {"name": "chat-staging", "main": "a.py", "route": "a.com/*", "vars": {"A": 2}}),
        ("named", {"name": "other", "main": "b.py", "routes": ["b.com/*"]}),
    ],
)
def test_an_environment_lies_over_the_top_level_and_inherits_no_bindings(
    env: str | None, expected: dict[str, Any]
) -> None:
    assert in_environment(TOP, env, WHERE) == expected


def test_an_environment_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        UsageError, match=r"--env: expected an environment of wrangler.toml \(there: named, staging\), got 'x'"
    ):
        in_environment(TOP, "x", WHERE)
    with pytest.raises(UsageError, match=r"there: none"):
        in_environment({"env": 5}, "x", WHERE)


def test_modules_are_said_by_their_keys() -> None:
    table = Table(
        {
            "main": "src/entry.py",
            "base_dir": "src",
            "find_additional_modules": False,
            "rules": [{"type": "Data", "globs": ["*.x"], "fallthrough": True}],
            "python_modules": {"exclude": ["**/tests/**"]},
        },
        WHERE,
    )
    found = modules_of(table)
    assert (found.main, found.base_dir, found.find) == ("src/entry.py", "src", False)
    assert found.rules == (Rule("Data", ("*.x",), fallthrough=True),)
    assert found.excludes == ("**/tests/**",)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "main: expected the path of a .py file: Workers are written in Python here, got nothing"),
        (
            {"main": "index.js"},
            "main: expected the path of a .py file: Workers are written in Python here, got 'index.js'",
        ),
        ({"main": "a.py", "rules": [{"type": "Nothing"}]}, "rules[0].type: expected one of PythonModule"),
    ],
)
def test_a_module_that_cannot_be_one_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        modules_of(Table(values, WHERE))
    assert sentence in str(caught.value)
