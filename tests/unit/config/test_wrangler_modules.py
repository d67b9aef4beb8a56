"""Which files of a project go along with its Worker."""

import os
from pathlib import Path

import pytest

from holdfast.config import wrangler_modules
from holdfast.config.wrangler_modules import Rule, check_bounds, collect_modules, collect_vendored, glob_pattern
from holdfast.errors import SetupError


def project(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ((), {"entry.py", "pkg/mod.py", "page.html", "pkg/q.sql"}),
        (
            (Rule("Data", ("**/*.json", "*.css")),),
            {"entry.py", "pkg/mod.py", "page.html", "pkg/q.sql", "pkg/x.json", "a.css"},
        ),
        # A rule ends its type's rules, wrangler's own among them, unless it falls through.
        ((Rule("Text", ("**/*.md",)),), {"entry.py", "pkg/mod.py", "r.md"}),
        ((Rule("Text", ("**/*.md",), fallthrough=True),), {"entry.py", "pkg/mod.py", "page.html", "pkg/q.sql", "r.md"}),
        ((Rule("PythonModule", ()),), {"entry.py", "page.html", "pkg/q.sql"}),
    ],
)
def test_files_that_a_rule_names_go_along(tmp_path: Path, rules: tuple[Rule, ...], found: set[str]) -> None:
    project(
        tmp_path, "entry.py", "pkg/mod.py", "page.html", "pkg/q.sql", "pkg/x.json", "a.css", "r.md",
        ".git/x.py", "__pycache__/x.py", "node_modules/x.py", "python_modules/p/x.py", ".secret.py",
    )  # fmt: skip
    files = collect_modules(tmp_path, "entry.py", rules)
    assert set(files) == found
    assert all(content == name.encode() for name, content in files.items())


def test_without_finding_the_entry_goes_alone(tmp_path: Path) -> None:
    assert set(collect_modules(project(tmp_path, "entry.py", "other.py"), "entry.py", (), find=False)) == {"entry.py"}


def test_vendored_packages_go_along_but_for_what_is_excluded(tmp_path: Path) -> None:
    project(tmp_path, "python_modules/p/a.py", "python_modules/p/a.pyc", "python_modules/p/lib.so", "entry.py")
    assert set(collect_vendored(tmp_path, ("**/*.pyc",))) == {"python_modules/p/a.py", "python_modules/p/lib.so"}
    assert collect_vendored(tmp_path / "python_modules", ()) == {}


def test_a_link_within_the_project_is_followed_and_one_that_leads_out_is_refused(tmp_path: Path) -> None:
    project(tmp_path, "outside.py", "in/entry.py", "in/a.py")
    (tmp_path / "in/b.py").symlink_to(tmp_path / "in/a.py")
    assert collect_modules(tmp_path / "in", "entry.py", ())["b.py"] == b"in/a.py"
    (tmp_path / "in/c.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(SetupError, match=r"c\.py: expected a file of the project, not a link that leads out of it"):
        collect_modules(tmp_path / "in", "entry.py", ())


def test_a_link_to_a_directory_is_left_out_and_told_or_refused(tmp_path: Path) -> None:
    project(tmp_path, "outside/x.py", "in/entry.py", "in/python_modules/a.py")
    (tmp_path / "in/pkg").symlink_to(tmp_path / "outside")
    (tmp_path / "in/python_modules/pkg").symlink_to(tmp_path / "outside")
    told: list[Path] = []
    assert set(collect_modules(tmp_path / "in", "entry.py", (), left_out=told)) == {"entry.py"}
    assert told == [tmp_path / "in/pkg"]
    with pytest.raises(SetupError, match="in/pkg: expected a directory, not a link to one"):
        collect_modules(tmp_path / "in", "entry.py", ())
    with pytest.raises(SetupError, match="python_modules/pkg: expected a directory, not a link to one"):
        collect_vendored(tmp_path / "in", ())


def test_a_virtual_environment_is_passed_over_whatever_it_is_called(tmp_path: Path) -> None:
    project(tmp_path, "entry.py", "my-env/pyvenv.cfg", "my-env/lib/x.py")
    (tmp_path / "my-env/lib64").symlink_to(tmp_path / "my-env/lib")
    assert set(collect_modules(tmp_path, "entry.py", ())) == {"entry.py"}


@pytest.mark.parametrize("name", [b"a\xff.txt", b'a"q.txt', b"a\n.txt", b"a\t.txt", b"a\\b.txt"])
def test_a_name_that_would_not_arrive_as_it_is_is_refused(tmp_path: Path, name: bytes) -> None:
    project(tmp_path, "entry.py")
    (tmp_path / os.fsdecode(name)).write_text("")
    with pytest.raises(SetupError) as caught:
        collect_modules(tmp_path, "entry.py", ())
    assert str(caught.value).startswith(f"{tmp_path}: expected names of modules without control characters")
    assert str(caught.value).endswith(f"found {os.fsdecode(name)!r}")


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    project(tmp_path, "entry.py")
    (tmp_path / "a.py").symlink_to(tmp_path / "gone.py")
    with pytest.raises(SetupError, match=r"cannot read .*a\.py: no such file"):
        collect_modules(tmp_path, "entry.py", ())


def test_files_and_bytes_and_depth_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, "entry.py", *(f"m{n}.py" for n in range(4)))
    monkeypatch.setattr(wrangler_modules, "MAX_FILES", 4)
    with pytest.raises(SetupError, match="at most 4 modules, found 5"):
        collect_modules(tmp_path, "entry.py", ())
    with pytest.raises(SetupError, match="at most 4 modules, found 5"):
        check_bounds({str(n): b"" for n in range(5)}, tmp_path)
    monkeypatch.setattr(wrangler_modules, "MAX_FILES", 5)
    monkeypatch.setattr(wrangler_modules, "MAX_FILES_BYTES", 20)
    with pytest.raises(SetupError, match="at most 20 bytes together"):
        collect_modules(tmp_path, "entry.py", ())
    with pytest.raises(SetupError, match="at most 20 bytes together, found 21"):
        check_bounds({"a": b"x" * 21}, tmp_path)
    project(tmp_path, "/".join(["d"] * 40) + "/x.py")
    with pytest.raises(SetupError, match="at most 32 directories in each other"):
        collect_modules(tmp_path, "entry.py", ())


@pytest.mark.parametrize(
    ("glob", "name", "fits"),
    [
        ("**/*.py", "a.py", True),
        ("**/*.py", "a/b/c.py", True),
        ("*.py", "a/b.py", False),
        ("./*.py", "a.py", True),
        ("a/?.py", "a/b.py", True),
        ("a/?.py", "a/bc.py", False),
        ("a/**", "a/b/c", True),
        ("***.pyc", "a/b.pyc", True),
        ("a.py", "axpy", False),
    ],
)
def test_globs_are_wranglers(glob: str, name: str, *, fits: bool) -> None:
    assert (glob_pattern(glob).fullmatch(name) is not None) is fits
