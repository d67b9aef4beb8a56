"""A file fits in the head, is named for its one idea, and opens by saying it.

Law 1: no source file is longer than 600 lines, and none is exempt.
Law 2: no module is named for being left over (`utils`); a name says what is inside.
Law 3: every Python and Rust module opens with a docstring that says more than the module's name does. (A Rust test file
       is opened by the module that it stands beside.)
Law 4: no test sleeps: it waits for an event or a condition, with a limit.
"""

import ast
import re
from pathlib import PurePosixPath

import pytest

from tests.meta.tree import complain, files, name_of

MAX_LINES = 600
SOURCES = (".py", ".pyi", ".rs", ".js", ".mjs", ".css", ".html", ".sh")
LEFTOVER_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers", "stuff"}
)
# Words that a sentence about a module must have beyond those of its name.
MIN_NEW_WORDS = 3
SLEEPERS = frozenset({("time", "sleep"), ("asyncio", "sleep"), ("trio", "sleep"), ("anyio", "sleep")})


def too_long(name: str, text: str) -> list[str]:
    """A complaint if the file has more lines than fit in the head."""
    lines = len(text.splitlines())
    return [f"{name}: {lines} lines, {MAX_LINES} at most: it holds more than one idea"] if lines > MAX_LINES else []


def badly_named(name: str) -> list[str]:
    """A complaint for each part of the path that says nothing about what is inside."""
    parts = [PurePosixPath(part).stem for part in PurePosixPath(name).parts]
    return [f"{name}: '{part}' does not say what is inside" for part in parts if part.lower() in LEFTOVER_NAMES]


def opening_of(name: str, text: str) -> str:
    """What a module says of itself: the docstring of a Python module, the `//!` lines of a Rust one."""
    if name.endswith((".py", ".pyi")):
        return ast.get_docstring(ast.parse(text)) or ""
    return "\n".join(line.strip()[3:] for line in text.splitlines() if line.strip().startswith("//!"))


def says_too_little(name: str, text: str) -> list[str]:
    """A complaint if the module's opening is missing or only repeats the words of its path."""
    path = PurePosixPath(name)
    known = set(re.findall(r"[a-z]{3,}", f"{path.parent.name} {path.stem}".lower()))
    words = set(re.findall(r"[a-z]{3,}", opening_of(name, text).lower()))
    new = {word for word in words if not any(word.startswith(one) or one.startswith(word) for one in known)}
    return [f"{name}: its opening says no more than its name"] if len(new) < MIN_NEW_WORDS else []


def sleeps_of_python(name: str, text: str) -> list[str]:
    """A complaint for each call that waits for time to pass instead of for something to happen."""
    tree = ast.parse(text)
    named = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (node.module, alias.name) in SLEEPERS
    }
    complaints = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        by_module = (
            isinstance(called, ast.Attribute)
            and isinstance(called.value, ast.Name)
            and (called.value.id, called.attr) in SLEEPERS
        )
        if by_module or (isinstance(called, ast.Name) and called.id in named):
            complaints.append(f"{name}:{node.lineno}: sleeps; wait for the event, with a limit")
    return complaints


def sleeps_of_rust(name: str, text: str) -> list[str]:
    """The same for a Rust test file, or for what stands below `#[cfg(test)]` in another."""
    is_test_file = name.endswith(("tests.rs", "testing.rs")) or "/tests/" in name
    before, mark, below = ("", "", text) if is_test_file else text.partition("#[cfg(test)]")
    return [
        f"{name}:{number}: sleeps; wait for the event, with a limit"
        for number, line in enumerate(f"{mark}{below}".splitlines(), 1 + before.count("\n"))
        if re.search(r"\bthread::sleep\b", line.partition("//")[0])
    ]


def _read(*suffixes: str, under: str = "") -> list[tuple[str, str]]:
    found = [(name_of(path), path.read_text(encoding="utf-8")) for path in files(*suffixes, under=under)]
    assert found, f"no {' '.join(suffixes)} files below '{under}': this test looks in the wrong place"
    return found


def test_every_file_fits_in_the_head() -> None:
    complain([text for name, source in _read(*SOURCES) for text in too_long(name, source)])


def test_every_name_says_what_is_inside() -> None:
    complain([text for name, _ in _read(*SOURCES) for text in badly_named(name)])


def test_every_module_opens_by_saying_what_it_is() -> None:
    modules = [pair for pair in _read(".py", ".pyi", ".rs") if not pair[0].endswith(("_tests.rs", "/tests.rs"))]
    complain([text for name, source in modules for text in says_too_little(name, source)])


def test_no_test_sleeps() -> None:
    complain([text for name, source in _read(".py", under="tests") for text in sleeps_of_python(name, source)])
    complain([text for name, source in _read(".rs", under="native") for text in sleeps_of_rust(name, source)])


def test_a_file_of_601_lines_is_a_complaint_and_one_of_600_is_not() -> None:
    assert too_long("a.py", "x\n" * 601) == ["a.py: 601 lines, 600 at most: it holds more than one idea"]
    assert too_long("a.py", "x\n" * 600) == []


@pytest.mark.parametrize("name", ["src/holdfast/utils.py", "native/core/src/common/mod.rs", "tests/helpers/origin.py"])
def test_a_leftover_name_is_a_complaint(name: str) -> None:
    assert len(badly_named(name)) == 1


@pytest.mark.parametrize("name", ["src/holdfast/edge/base_path.py", "native/core/src/frames.rs"])
def test_a_name_that_only_contains_one_is_not(name: str) -> None:
    assert badly_named(name) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("src/holdfast/edge/decide.py", "x = 1\n"),
        ("src/holdfast/edge/decide.py", '"""Decide: the decision."""\n'),
        ("src/holdfast/edge/origin_url.py", '"""The edge\'s origin URL."""\n'),
        ("native/core/src/frames.rs", "// Frames are walked here and counted by opcode.\n"),
        ("native/core/src/frames.rs", "//! Frames.\n"),
    ],
)
def test_a_module_that_does_not_open_by_saying_what_it_is_is_a_complaint(name: str, text: str) -> None:
    assert len(says_too_little(name, text)) == 1


def test_a_module_that_says_something_is_not() -> None:
    assert says_too_little("edge/decide.py", '"""Choose what happens to one request, without waiting."""\n') == []
    assert says_too_little("frames.rs", "//! Walk WebSocket headers without buffering a message.\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(1)",
        "import asyncio\nasync def f():\n    await asyncio.sleep(0.1)",
        "from time import sleep as nap\nnap(2)",
        "from asyncio import sleep\nasync def f():\n    await sleep(0)",
    ],
)
def test_a_sleep_is_a_complaint(text: str) -> None:
    assert len(sleeps_of_python("test_x.py", text)) == 1


def test_waiting_for_something_is_not() -> None:
    text = "import asyncio\nasync def f(event):\n    async with asyncio.timeout(1):\n        await event.wait()"
    assert sleeps_of_python("test_x.py", text) == []


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("core/src/a_tests.rs", "use x;\n    std::thread::sleep(limit);\n", ["core/src/a_tests.rs:2"]),
        ("core/src/a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    thread::sleep(limit);\n}\n", ["core/src/a.rs:4"]),
        ("core/src/a.rs", "fn f() {\n    thread::sleep(pause);\n}\n#[cfg(test)]\nmod tests {}\n", []),
        ("core/src/a_tests.rs", "// Not thread::sleep: the loop would miss its wake-up.\n", []),
    ],
)
def test_a_rust_test_that_sleeps_is_a_complaint(name: str, text: str, where: list[str]) -> None:
    assert [complaint.split(": ")[0] for complaint in sleeps_of_rust(name, text)] == where
