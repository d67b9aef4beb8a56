"""A Worker's project read from the disk, in each of its shapes."""

from pathlib import Path

import pytest

from holdfast.config.wrangler import read_worker
from holdfast.errors import HoldfastError

TOML = """
name = "chat"
main = "src/entry.py"
compatibility_date = "2026-11-01"
compatibility_flags = ["python_workers"]
[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Room"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
[env.staging]
vars = { A = "b" }
"""
JSONC = '{ /* the same */ "name": "chat", "main": "src/entry.py", "urgent": 1, }'
SINGLE = '# /// script\n# [tool.wrangler]\n# name = "one"\n# ///\n'


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_a_directory_with_a_configuration_is_read_with_its_modules_and_packages(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "wrangler.toml": TOML,
            "src/entry.py": "import room",
            "src/room/__init__.py": "",
            "src/page.html": "<p>",
            "python_modules/pkg/__init__.py": "",
            "tests/test_it.py": "",
            ".dev.vars": "TOKEN=hidden",
        },
    )
    project = read_worker(tmp_path)
    assert (project.settings.name, project.settings.main) == ("chat", "entry.py")
    assert sorted(project.files) == ["entry.py", "page.html", "python_modules/pkg/__init__.py", "room/__init__.py"]
    assert project.dev_variables == {"TOKEN": "hidden"}
    assert "hidden" not in repr(project)
    assert project.configuration == tmp_path / "wrangler.toml"
    assert project.warnings == (
        f"{tmp_path}/wrangler.toml: env: none of its environments (staging) is named by --env: the top level counts",
    )
    assert list(project.settings.classes_to_try()) == ["Room"]
    assert read_worker(tmp_path / "wrangler.toml").files == project.files


def test_an_environment_is_read(tmp_path: Path) -> None:
    project = read_worker(written(tmp_path, {"wrangler.toml": TOML, "src/entry.py": ""}), "staging")
    assert (project.settings.name, project.settings.vars) == ("chat-staging", {"A": "b"})
    assert project.warnings == ()


def test_json_comes_before_toml_and_what_is_unknown_is_told(tmp_path: Path) -> None:
    project = read_worker(written(tmp_path, {"wrangler.toml": "x = ", "wrangler.jsonc": JSONC, "src/entry.py": ""}))
    assert project.configuration == tmp_path / "wrangler.jsonc"
    assert project.warnings == (f"{tmp_path}/wrangler.jsonc: urgent: not known here, and passed over",)


def test_a_module_alone_is_a_worker_named_after_it_or_by_its_block(tmp_path: Path) -> None:
    written(tmp_path, {"My Chat.py": "import workers", "one.py": SINGLE, "other.py": ""})
    assert read_worker(tmp_path / "My Chat.py").settings.name == "my-chat"
    project = read_worker(tmp_path / "one.py")
    assert (project.settings.name, project.settings.main, set(project.files)) == ("one", "one.py", {"one.py"})


def test_a_directory_without_a_configuration_has_its_usual_module(tmp_path: Path) -> None:
    directory = written(tmp_path / "Chat App", {"entry.py": "", "more.py": ""})
    project = read_worker(directory)
    assert (project.settings.name, set(project.files)) == ("chat-app", {"entry.py", "more.py"})


def test_base_dir_is_the_root_of_imports(tmp_path: Path) -> None:
    files = {
        "wrangler.toml": 'name = "a"\nmain = "src/app/entry.py"\nbase_dir = "src"\n',
        "src/app/entry.py": "",
        "src/b.py": "",
    }
    project = read_worker(written(tmp_path, files))
    assert (project.settings.main, set(project.files)) == ("app/entry.py", {"app/entry.py", "b.py"})


@pytest.mark.parametrize(
    ("base_dir", "main", "names"),
    [
        ("", "worker.py", {"worker.py", "more.py"}),
        ("../src", "worker.py", {"worker.py", "more.py"}),
        ("..", "src/worker.py", {"src/worker.py", "src/more.py", "lib.py"}),
    ],
)
def test_a_module_may_lie_beside_the_directory_of_its_configuration(
    tmp_path: Path, base_dir: str, main: str, names: set[str]
) -> None:
    base = f'base_dir = "{base_dir}"\n' if base_dir else ""
    files = {"deploy/wrangler.toml": f'name = "a"\nmain = "../src/worker.py"\n{base}', "src/worker.py": ""}
    project = read_worker(written(tmp_path, {**files, "src/more.py": "", "lib.py": ""}) / "deploy")
    assert (project.settings.main, set(project.files)) == (main, names)
    assert project.watched == (tmp_path / "deploy", tmp_path if base_dir == ".." else tmp_path / "src")


@pytest.mark.parametrize(
    ("text", "link", "sentence"),
    [
        ('main = "worker.py"', "worker.py", "main: expected no link that leads out of"),
        ('main = "../other/worker.py"', "../other/worker.py", "main: expected no link that leads out of"),
        ('main = "entry.py"\nbase_dir = "lib"', "lib", "base_dir: expected no link that leads out of"),
    ],
)
def test_a_link_to_elsewhere_is_no_part_of_a_project(tmp_path: Path, text: str, link: str, sentence: str) -> None:
    written(tmp_path, {"a/wrangler.toml": text, "a/entry.py": "", "other/x": "", "secret/worker.py": ""})
    (tmp_path / "a" / link).symlink_to(tmp_path / "secret" / ("" if link == "lib" else "worker.py"))
    with pytest.raises(HoldfastError, match=sentence):
        read_worker(tmp_path / "a")


def test_a_link_to_a_directory_is_told(tmp_path: Path) -> None:
    written(tmp_path, {"a/wrangler.toml": 'name = "a"\nmain = "entry.py"', "a/entry.py": "", "lib/x.py": ""})
    (tmp_path / "a/lib").symlink_to(tmp_path / "lib")
    project = read_worker(tmp_path / "a")
    assert set(project.files) == {"entry.py"}
    assert project.warnings == (f"{tmp_path}/a/lib: left out, being a link to a directory",)


def test_what_lies_beside_a_single_module_is_not_looked_at(tmp_path: Path) -> None:
    written(tmp_path, {"one.py": "", "far/" * 40 + "x.py": ""})
    (tmp_path / "link").symlink_to(tmp_path / "far")
    project = read_worker(tmp_path / "one.py")
    assert set(project.files) == {"one.py"}
    assert {one.name for one in project.watched} == {"one.py", ".dev.vars", ".env", ".env.local"}


@pytest.mark.parametrize(
    ("files", "path", "env", "sentence"),
    [
        ({}, "gone", None, "Worker: expected a directory, a .py file or one of wrangler.json"),
        ({"index.js": "export default {}"}, "index.js", None, "Worker: expected a directory, a .py file or one of wrangler.json"),
        ({"a/x.txt": ""}, "a", None, "Worker: expected a directory with wrangler.json, wrangler.jsonc, wrangler.toml or a module such as worker.py in it"),
        ({"wrangler.toml": ""}, "", None, "main: expected the path of a .py file"),
        ({"wrangler.toml": 'main = "gone.py"'}, "", None, "main: there is no file"),
        ({"a/wrangler.toml": 'main = "../gone.py"'}, "a", None, "main: there is no file"),
        ({"wrangler.toml": 'main = "a.py"\nbase_dir = "b"', "a.py": "", "b/x": ""}, "", None, "base_dir: expected a directory that a.py"),
        ({"a.py": SINGLE}, "a.py", "staging", "--env: expected an environment of"),
        ({"a.py": SINGLE.replace('name = "one"', 'main = "b.py"')}, "a.py", None, "tool.wrangler.main: expected a.py"),
        ({}, "gone.py", None, "cannot read"),
    ],
)  # fmt: skip
def test_what_is_no_project_is_refused_with_one_sentence(
    tmp_path: Path, files: dict[str, str], path: str, env: str | None, sentence: str
) -> None:
    written(tmp_path, files)
    with pytest.raises(HoldfastError) as caught:
        read_worker(tmp_path / path, env)
    assert sentence in str(caught.value)
