"""`tests/unit` mirrors the source, file for file, so that nobody searches for the tests of a module.

Law 1: `src/holdfast/edge/decide.py` is tested by `tests/unit/edge/test_decide.py`; one more word splits it by subject
       (`test_decide_loops.py`).
       A noun of the API (`src/holdfast/api/zones.py`) may be tested by `tests/api/test_zones.py` instead, over both databases.
Law 2: nothing else is there, but for the tests of other Python of ours under its own name (`tests/unit/bench`).
Law 3: the steps of the database are tested through the one that runs them (`tests/unit/store/test_upgrade.py`).
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

from tests.meta.tree import complain, files, name_of

SOURCE, TESTS = PurePosixPath("src/holdfast"), PurePosixPath("tests/unit")
API_TESTS = "tests/api"
# Nothing to test: names and docstrings only, or one call of what is tested elsewhere.
WITHOUT_TESTS = frozenset({"__init__.py", "__main__.py"})
TESTED_THROUGH_OTHERS = "store/migrations/"
OTHER_ROOTS = frozenset({"bench", "conformance", "examples"})


def unmirrored(sources: Iterable[str], tests: Iterable[str]) -> list[str]:
    """A complaint for each source file without its test file, and for each test file without its source file."""
    modules = [
        PurePosixPath(name).relative_to(SOURCE) for name in sources if PurePosixPath(name).name not in WITHOUT_TESTS
    ]
    cases = [PurePosixPath(name).relative_to(TESTS) for name in tests]
    return [
        *(
            f"{SOURCE / module}: no {TESTS / _tested_by(module)}"
            for module in modules
            if not str(module).startswith(TESTED_THROUGH_OTHERS) and not any(_tests(c, module) for c in cases)
        ),
        *(f"{TESTS / case}: tests no file of {SOURCE}" for case in cases if not any(_tests(case, m) for m in modules)),
    ]


def _tested_by(module: PurePosixPath) -> PurePosixPath:
    return module.with_name(f"test_{module.name}")


def _tests(case: PurePosixPath, module: PurePosixPath) -> bool:
    wanted = _tested_by(module)
    return case.parent == wanted.parent and (case.stem == wanted.stem or case.stem.startswith(f"{wanted.stem}_"))


def _test_files() -> list[str]:
    found = [name_of(path) for path in files(".py", under="tests/unit") if path.name.startswith("test_")]
    return [name for name in found if PurePosixPath(name).relative_to(TESTS).parts[0] not in OTHER_ROOTS]


def test_every_module_has_its_test_file_and_every_test_file_its_module() -> None:
    sources = [name_of(path) for path in files(".py", under="src")]
    of_api = [name_of(path) for path in files(".py", under=API_TESTS) if path.name.startswith("test_")]
    elsewhere = [source for source in sources if _is_tested_in_api(PurePosixPath(source), of_api)]
    complain(unmirrored([one for one in sources if one not in elsewhere], _test_files_of(sources, elsewhere)))


def _is_tested_in_api(source: PurePosixPath, cases: Iterable[str]) -> bool:
    wanted = f"test_{source.stem}"
    stems = (PurePosixPath(case).stem for case in cases)
    return source.parent == SOURCE / "api" and any(stem == wanted or stem.startswith(f"{wanted}_") for stem in stems)


def _test_files_of(sources: Iterable[str], elsewhere: Iterable[str]) -> list[str]:
    """The unit tests, but those of modules that have tests elsewhere too."""
    modules = [PurePosixPath(name).relative_to(SOURCE) for name in set(sources) & set(elsewhere)]
    return [
        case
        for case in _test_files()
        if not any(_tests(PurePosixPath(case).relative_to(TESTS), module) for module in modules)
    ]


@pytest.mark.parametrize(
    ("source", "test", "complaints"),
    [
        ("src/holdfast/edge/decide.py", "tests/unit/edge/test_decide.py", 0),
        ("src/holdfast/edge/decide.py", "tests/unit/edge/test_decide_loops.py", 0),
        ("src/holdfast/edge/decide.py", "tests/unit/test_decide.py", 2),
        ("src/holdfast/edge/decide.py", "tests/unit/edge/test_decision.py", 2),
        ("src/holdfast/store/migrations/env.py", "tests/unit/edge/test_decide.py", 1),
    ],
)
def test_a_module_or_a_test_that_stands_alone_is_a_complaint(source: str, test: str, complaints: int) -> None:
    assert len(unmirrored([source, "src/holdfast/edge/__init__.py"], [test])) == complaints
