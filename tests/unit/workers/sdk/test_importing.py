"""The directory of the SDK: first on the path of a script's process, and importable in no other."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.workers.sdk import importing

USER_PATH = Path(importing.USER_PATH)

# `__all__` of the original's SDK (workers-runtime-sdk 1.9.5).
ORIGINAL = [
    "Blob",
    "BlobEnding",
    "BlobValue",
    "Body",
    "Context",
    "DurableObject",
    "FetchKwargs",
    "FetchResponse",
    "File",
    "FormData",
    "FormDataValue",
    "Headers",
    "JSBody",
    "Request",
    "RequestInitCfProperties",
    "Response",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "env",
    "fetch",
    "handler",
    "import_from_javascript",
    "patch_env",
    "python_from_rpc",
    "python_to_rpc",
    "waitUntil",
    "wait_until",
]

LIST = """
import importlib, json, sys
from holdfast.workers.sdk import importing
importing.install(); importing.install()
found = {name: sorted(importlib.import_module(name).__all__) for name in json.loads(sys.argv[1])}
for name, names in found.items():
    for one in names:
        getattr(importlib.import_module(name), one)
print(json.dumps({"found": found, "first": sys.path[0], "times": sys.path.count(importing.USER_PATH)}))
"""


def test_a_script_finds_every_name_of_the_original() -> None:
    modules = [
        "workers",
        "js",
        "pyodide.ffi",
        "pyodide.ffi.wrappers",
        "pyodide.http",
        "pyodide.code",
        "workers.blob",
        "workers.formdata",
        "asgi",
        *(
            f"workers.{name}"
            for name in ("asgi", "wsgi", "types", "request", "response", "rpc", "entrypoints", "workflows", "gateway")
        ),
    ]
    ran = subprocess.run(
        [sys.executable, "-c", LIST, json.dumps(modules)], capture_output=True, text=True, timeout=100, check=True
    )
    told = json.loads(ran.stdout)
    assert (told["first"], told["times"]) == (importing.USER_PATH, 1)
    assert set(ORIGINAL) <= set(told["found"]["workers"])
    assert {
        "WebSocketPair",
        "WebSocketRequestResponsePair",
        "Response",
        "Object",
        "setTimeout",
        "HTMLRewriter",
        "EventTarget",
    } <= set(told["found"]["js"])
    assert set(told["found"]) == set(modules)


@pytest.mark.parametrize("name", ["workers", "js", "pyodide"])
def test_no_other_process_finds_them(name: str) -> None:
    assert importlib.util.find_spec(name) is None


def test_what_scripts_import_is_names_only() -> None:
    for path in USER_PATH.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node for node in tree.body if isinstance(node, ast.ClassDef)], path
        assert (USER_PATH / path.relative_to(USER_PATH).parts[0] / "py.typed").exists(), path


def test_an_unknown_global_of_javascript_is_named() -> None:
    code = "from holdfast.workers.sdk import importing; importing.install(); import js; js.document"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert "js.document is not there" in ran.stderr


def test_what_few_scripts_use_is_imported_when_it_is_asked_for() -> None:
    later = "html_rewriter", "event_target", "typed_arrays", "transforms", "ciphers"
    code = (
        "import sys\nfrom holdfast.workers.sdk import importing\nimporting.install()\nimport js\n"
        f"print([name for name in {later} if f'holdfast.workers.sdk.web.{{name}}' in sys.modules])\n"
        "from js import DataView, EventTarget, HTMLRewriter\nprint(js.HTMLRewriter is HTMLRewriter)\n"
        "print([name for name in js.__all__ if not hasattr(js, name)])\n"
        "print(js.globalThis.self is js, js.WeakMap is js.Map, js.navigator.userAgent)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert ran.stdout == "[]\nTrue\n[]\nTrue True Cloudflare-Workers\n", ran.stderr
