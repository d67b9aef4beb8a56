"""What loads, what does not, and what is said about it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.workers.runtime.loading import MAX_FRAMES, LoadError, Script, load, user_trace
from holdfast.workers.sdk import in_place

WORKER = """
from workers import DurableObject, Response, WorkerEntrypoint
import parts.helper

class Room(DurableObject):
    pass

class _Hidden(DurableObject):
    pass

class Api(WorkerEntrypoint):
    pass

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(parts.helper.TEXT)
    async def scheduled(self, controller, env, ctx):
        pass
"""


@pytest.fixture(autouse=True)
def import_system() -> Iterator[None]:
    """What loading changes, put back."""
    path, hooks, writes = list(sys.path), list(sys.path_hooks), sys.dont_write_bytecode
    modules = set(sys.modules)
    yield
    sys.path[:], sys.path_hooks[:], sys.dont_write_bytecode = path, hooks, writes
    sys.path_importer_cache.clear()
    for name in set(sys.modules) - modules:
        if not name.startswith("holdfast"):
            del sys.modules[name]


def _load(directory: Path, source: str, *, main: str = "src/entry_of_worker.py", **options: list[str]) -> Script:
    path = directory / main
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return load(directory, main, **options)


def test_a_script_is_its_exported_classes(tmp_path: Path) -> None:
    (tmp_path / "src/parts").mkdir(parents=True)
    (tmp_path / "src/parts/helper.py").write_text("TEXT = 'hello'\n")
    script = _load(tmp_path, WORKER, wanted=["Room"])
    assert (set(script.objects), set(script.entrypoints)) == ({"Room"}, {"Api", "Default"})
    assert script.handlers == ("fetch", "scheduled")
    assert set(script.classes) == {"Room", "Api", "Default"}
    assert script.default is not None
    assert list(tmp_path.rglob("*.pyc")) == []


def test_the_older_style_has_functions(tmp_path: Path) -> None:
    script = _load(tmp_path, "async def on_fetch(request, env, ctx):\n    return None\n")
    assert (script.handlers, script.default) == (("fetch",), None)


def test_dependencies_beside_the_code_are_found(tmp_path: Path) -> None:
    (tmp_path / "python_modules").mkdir()
    (tmp_path / "python_modules/vendored_for_worker.py").write_text("X = 1\n")
    source = "import vendored_for_worker\nfrom workers import WorkerEntrypoint\nclass Default(WorkerEntrypoint): pass\n"
    assert _load(tmp_path, source).handlers == ()


DEFAULT = "from workers import WorkerEntrypoint\nclass Default(WorkerEntrypoint): pass\n"


@pytest.mark.parametrize(
    ("source", "error", "trace"),
    [
        ("def broken(:\n", "SyntaxError", "entry_of_worker.py"),
        ("def broken(:\n", rf"runs in, {sys.version_info.major}.{sys.version_info.minor} here", "entry_of_worker.py"),
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'", "entry_of_worker.py"),
        ("def a():\n    b()\ndef b():\n    1 / 0\na()\n", "ZeroDivisionError", "in b"),
        ("raise SystemExit(3)\n", "SystemExit: 3", "raise SystemExit"),
        (
            "import nothing_of_that_name\n",
            "pip install --target python_modules NAME",
            "nothing_of_that_name' is neither in",
        ),
        ("from js import HTMLRewriters\n", "js.HTMLRewriters is not there", "entry_of_worker.py"),
        ("import holdfast\n", "No module named 'holdfast'", "import holdfast"),
        ("from holdfast.workers import values\n", "No module named 'holdfast.workers'", "from holdfast"),
        ("x = 1\n", "exports no handler", ""),
        (DEFAULT + "def on_fetch(request): pass\n", "Cannot define multiple default entrypoints", ""),
    ],
)
def test_what_does_not_load_is_told_with_the_users_own_frames(
    tmp_path: Path, source: str, error: str, trace: str
) -> None:
    with pytest.raises(LoadError, match=error) as caught:
        _load(tmp_path, source)
    assert trace in caught.value.trace
    assert "/holdfast/" not in caught.value.trace
    assert "importlib" not in caught.value.trace
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["json", "workers"])
def test_the_main_module_may_have_a_name_that_is_taken(tmp_path: Path, name: str) -> None:
    script = _load(tmp_path, DEFAULT, main=f"{name}.py")
    assert set(script.entrypoints) == {"Default"}
    assert script.module.__file__ == str(tmp_path / f"{name}.py")


def test_a_class_that_a_binding_names_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"the class 'Room' is not exported by src/entry_of_worker.py.*\(none\)"):
        _load(tmp_path, DEFAULT, wanted=["Room"])


def test_a_class_that_has_objects_must_be_there(tmp_path: Path) -> None:
    room = "from workers import DurableObject\nclass Room(DurableObject): pass\n"
    assert set(_load(tmp_path, DEFAULT + room, kept=["Room"]).objects) == {"Room"}
    with pytest.raises(LoadError, match=r"^New version of script does not export class 'Room' which is depended on"):
        _load(tmp_path, DEFAULT, main="another_entry.py", kept=["Room"])


@pytest.mark.parametrize(
    ("main", "expected"), [("nothing.py", "expected a file"), ("worker.js", "expected a Python file")]
)
def test_the_main_module_is_a_python_file(tmp_path: Path, main: str, expected: str) -> None:
    (tmp_path / "worker.js").write_text("")
    with pytest.raises(LoadError, match=expected):
        load(tmp_path, main)


def test_a_traceback_begins_where_user_code_does_and_has_an_end(tmp_path: Path) -> None:
    source = DEFAULT + "def fails(depth):\n    if depth: fails(depth - 1)\n    raise ValueError('deep')\n"
    script = _load(tmp_path, source)
    with pytest.raises(ValueError, match="deep") as caught:
        script.module.fails(MAX_FRAMES * 2)
    trace = user_trace(caught.value, script.root)
    assert "test_loading.py" not in trace
    assert trace.endswith("ValueError: deep")
    assert f'File "{Path(script.module.__file__ or "").name}", line ' in trace
    assert trace.count("in fails") <= MAX_FRAMES
    with pytest.raises(ValueError, match="ours") as caught:
        raise ValueError("ours")
    assert "test_loading.py" in user_trace(caught.value, script.root)


def test_errors_of_the_sdk_have_the_names_that_user_code_knows_them_by(tmp_path: Path) -> None:
    source = "from workers import Response\ntry:\n    Response(5)\nexcept TypeError as error:\n    raise ValueError('of mine') from error\n"
    with pytest.raises(LoadError) as caught:
        _load(tmp_path, source)
    lines = caught.value.trace.splitlines()
    assert "TypeError: Unsupported type in Response: int" in lines
    assert lines[-1] == "ValueError: of mine"
    assert str(tmp_path) not in caught.value.trace


def test_an_exception_that_cannot_be_shown_is_told_by_its_name(tmp_path: Path) -> None:
    class Unreadable(Exception):
        def __getattribute__(self, name: str) -> Any:
            raise KeyError(name)

    expected = "{}: an exception that cannot be shown (KeyError)"
    assert user_trace(Unreadable(), tmp_path) == expected.format("Unreadable")
    assert user_trace(ExceptionGroup("many", [Unreadable()]), tmp_path) == expected.format("ExceptionGroup")


NAMES_IT = {
    "of the module, in a handler": {
        "worker.py": "import pyodide.ffi\ndef waits(work):\n    return pyodide.ffi.run_sync(work)\n"
    },
    "in a module that a handler imports": {
        "worker.py": "def waits(work):\n    import parts.later\n    return parts.later.waits(work)\n",
        "parts/later.py": "import pyodide.ffi\ndef waits(work):\n    return pyodide.ffi.run_sync(work)\n",
    },
    "in a package": {
        "worker.py": "from package import waits\n",
        "python_modules/package.py": "def waits(work):\n    from pyodide.ffi import run_sync\n    return run_sync(work)\n",
    },
}


@pytest.mark.parametrize("how", NAMES_IT)
async def test_the_first_request_of_a_script_that_names_run_sync_may_wait_in_place(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def value() -> int:
        return 5

    monkeypatch.setattr(in_place.Wanted, "on_stacks", None)
    files = dict(NAMES_IT[how])
    files["worker.py"] += "from workers import WorkerEntrypoint\nclass Default(WorkerEntrypoint):\n    pass\n"
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    script = load(tmp_path, "worker.py")
    assert await in_place.called(script.module.waits, value()) == 5


def test_other_scripts_pay_nothing_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_place.Wanted, "on_stacks", None)
    (tmp_path / "unfinished.py").write_text("import pyodide.ffi\ndef f(:\n    pyodide.ffi.run_sync(1)\n")
    (tmp_path / "worker.py").write_text(
        "from pyodide.ffi import to_js\nfrom workers import WorkerEntrypoint\nclass Default(WorkerEntrypoint):\n    pass\n"
    )
    load(tmp_path, "worker.py")
    assert in_place.Wanted.on_stacks is None
