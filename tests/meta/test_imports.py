"""Who may import whom: the rooms of ARCHITECTURE.md, held by reading every module's syntax tree.

Law 1: a room imports only what its row allows; a room without a row is a complaint, so the table is never behind the code.
Law 2: what is pure imports nothing that waits, reads a clock or rolls dice, and may use pure rooms only.
Law 3: no module imports itself over others. An import for types only counts as any other.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.meta.tree import ROOT, complain, files

PACKAGE = "holdfast"
SHARED = frozenset({"errors", "model"})
EVERYTHING = frozenset({"*"})

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "": frozenset(),
    "__main__": frozenset({"cli"}),
    "errors": frozenset(),
    "model": frozenset({"errors"}),
    # `_native` for what is matched there: patterns and transformations of the SecLang engine.
    "rules": SHARED | {"_native"},
    "limits": SHARED,
    "edge": SHARED | {"rules", "limits", "sealing", "_native"},
    "store": SHARED,
    "api": SHARED | {"rules", "store", "sealing", "certificates"},
    "control": SHARED | {"api", "removal", "store", "sealing"},
    "sealing": SHARED,
    "workers": SHARED | {"removal", "store.objects", "spare"},
    "dashboard": SHARED,
    "client": SHARED | {"standard_output"},
    "config": SHARED,
    "certificates": SHARED | {"config", "_native"},
    "listeners": SHARED | {"config"},
    "event_log": SHARED,
    "removal": SHARED,
    "spare": SHARED,
    "standard_output": SHARED,
    "served_certificates": SHARED | {"certificates", "config", "event_log", "_native"},
    "app": EVERYTHING,
    "cli": EVERYTHING,
    "command_line": SHARED | {"config"},
    "command_texts": frozenset(),
}
PURE = frozenset({"errors", "model", "rules", "limits"})
IMPURE_MODULES = frozenset({"asyncio", "os", "random", "secrets", "socket", "ssl", "subprocess", "threading", "time"})


def module_of(path: Path, root: Path) -> str:
    """The dotted name of a source file: `<root>/holdfast/edge/decide.py` is `holdfast.edge.decide`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(module: str, source: str, *, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Each (line, dotted name) that `module` imports, relative ones resolved; `from a import b` gives `a.b`."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _is_within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def complaints_about(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What `module` imports and may not."""
    room = module.split(".")[1] if "." in module else ""
    if room not in MAY_IMPORT:
        return [f"{module}: the room '{room}' has no row in MAY_IMPORT: add it, here and in ARCHITECTURE.md"]
    allowed = MAY_IMPORT[room] | {room}
    complaints = []
    for line, name in imports_of(module, source, is_package=is_package):
        top, _, ours = name.partition(".")
        if top == PACKAGE:
            known = "*" in allowed or not ours or any(_is_within(ours, one) for one in allowed - {""})
            if not known and not ours.startswith("__"):
                complaints.append(f"{module}:{line}: '{room}' may not import {name}")
        elif room in PURE and top in IMPURE_MODULES:
            complaints.append(f"{module}:{line}: '{room}' is pure and may not import {top}")
    return complaints


def cycles_in(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The import cycles of a graph (module -> modules it imports), each as the path that closes it."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            found.append([*path[path.index(module) :], module])
            return
        if module in done:
            return
        for imported in sorted(graph.get(module, ())):
            visit(imported, [*path, module])
        done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found


def graph_of(sources: Mapping[str, tuple[str, bool]]) -> dict[str, set[str]]:
    """Module -> the modules of `sources` it imports; a name inside a module counts as that module."""
    graph: dict[str, set[str]] = {}
    for module, (source, is_package) in sources.items():
        names = {name for _, name in imports_of(module, source, is_package=is_package)}
        graph[module] = {
            found for name in names for found in (name, name.rpartition(".")[0]) if found in sources and found != module
        }
        # `from package import submodule` needs the submodule; the package alone is meant only where there is none.
        graph[module] -= {name.rpartition(".")[0] for name in names if name in sources}
    return graph


def our_sources() -> dict[str, tuple[str, bool]]:
    """Every module of the package: dotted name -> (source, whether it is a package's `__init__`)."""
    source_root = ROOT / "src"
    return {
        module_of(path, source_root): (path.read_text(encoding="utf-8"), path.stem == "__init__")
        for path in files(".py", under="src")
    }


def test_every_room_imports_only_what_its_row_allows() -> None:
    found = our_sources()
    assert f"{PACKAGE}.cli" in found, "the package is not where this test looks for it"
    complain(
        [text for module, (source, pkg) in found.items() for text in complaints_about(module, source, is_package=pkg)]
    )


def test_no_module_imports_itself_over_others() -> None:
    complain([" -> ".join(cycle) for cycle in cycles_in(graph_of(our_sources()))])


def test_every_room_that_exists_is_described_in_the_architecture() -> None:
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {module.split(".")[1] for module in our_sources() if "." in module} - {"__main__"}
    complain([f"ARCHITECTURE.md does not name '{room}'" for room in sorted(rooms) if room not in architecture])


def test_a_pure_room_uses_pure_rooms_only() -> None:
    # What rules take of the core are functions of bytes: the same bytes give the same answer.
    pure = PURE | {"_native"}
    complain([f"{room} uses {used}" for room in PURE for used in MAY_IMPORT[room] - pure])


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("holdfast.edge.decide", "import holdfast.api"),
        ("holdfast.edge.decide", "from holdfast import store"),
        ("holdfast.edge.decide", "from ..api.zones import Zone"),
        (
            "holdfast.edge.decide",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from holdfast.app import run_up",
        ),
        ("holdfast.edge.decide", "def f():\n    from holdfast.cli import main"),
        ("holdfast.client.connect", "from holdfast.edge import decision"),
        ("holdfast.control.publisher", "from holdfast.edge import compile"),
        ("holdfast.workers.runtime", "from holdfast.store import zones"),
        ("holdfast.model.request", "import time"),
        ("holdfast.rules.lexer", "import os.path"),
        ("holdfast.limits.window", "from asyncio import sleep"),
        ("holdfast.errors", "from holdfast.model import request"),
        ("holdfast", "from holdfast.app import run_up"),
        ("holdfast.novelty", "x = 1"),
    ],
)
def test_a_forbidden_import_is_a_complaint(module: str, source: str) -> None:
    assert len(complaints_about(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "holdfast.edge.decide",
            "from holdfast.model.request import Request\nfrom .decision import Forward\nimport holdfast",
        ),
        ("holdfast.edge.snapshot", "from holdfast import _native"),
        ("holdfast.workers.runtime", "from holdfast.store.objects import Storage"),
        ("holdfast.app", "import time\nfrom holdfast.edge import decide"),
        ("holdfast.model.request", "import msgspec\nfrom holdfast.errors import UsageError"),
        ("holdfast.cli", "from holdfast import __version__"),
    ],
)
def test_an_allowed_import_is_not(module: str, source: str) -> None:
    assert complaints_about(module, source) == []


def test_a_cycle_is_found_and_named() -> None:
    sources = {
        "holdfast.a": ("from holdfast.b import thing", False),
        "holdfast.b": ("from holdfast import c", False),
        "holdfast.c": ("import holdfast.a", False),
        "holdfast.d": ("import holdfast.a", False),
    }
    assert cycles_in(graph_of(sources)) == [["holdfast.a", "holdfast.b", "holdfast.c", "holdfast.a"]]


def test_two_ways_to_the_same_module_are_no_cycle() -> None:
    assert cycles_in({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_a_package_resolves_its_relative_imports_from_itself() -> None:
    assert list(imports_of("holdfast.edge", "from .decide import decide", is_package=True)) == [
        (1, "holdfast.edge.decide.decide")
    ]
