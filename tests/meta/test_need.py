"""`scripts/need` names what a machine lacks: one sentence, everything in it, nothing that is there.

Each case runs it with a PATH of its own that holds the shell's tools and the stand-ins of the case.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.meta.tree import ROOT

SHELL_TOOLS = ("sh", "awk", "cut", "dirname", "head", "sed", "sort", "tr")
GOOD = {
    "python3.11": "exit 0",
    "cargo": "echo 'cargo 1.999.0 (0000 2099-01-01)'",
    "cc": "exit 0",
    "node": "echo v20.1.0",
    "npm": "exit 0",
    "chromium": "exit 0",
    "curl": "exit 0",
    "openssl": "exit 0",
    "pg_createcluster": "exit 0",
    "ip": "exit 0",
    "iptables": "exit 0",
}


def told(tmp_path: Path, commands: dict[str, str], *arguments: str) -> tuple[int, str]:
    """The exit status and the standard error of `scripts/need` where only `commands` (name -> script) exist."""
    for tool in SHELL_TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / tool).symlink_to(found)
    for name, script in commands.items():
        command = tmp_path / name
        command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        command.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "scripts" / "need"), *arguments],
        env={"PATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_a_machine_that_has_all_hears_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD, "build", "test", "check") == (0, "")


def test_a_bare_machine_hears_all_it_lacks_in_one_sentence(tmp_path: Path) -> None:
    status, sentence = told(tmp_path, {}, "build", "test")
    assert status == 1
    assert sentence.count("\n") == 1
    for missing in (
        "Python 3.11",
        "Rust 1.",
        "build-essential",
        "python3-venv",
        "chromium",
        "nodejs",
        "npm",
        "curl",
        "postgresql",
        "apt-get install",
    ):
        assert missing in sentence


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"cargo": "echo 'cargo 1.63.0'"}, "Rust 1."),
        (
            {"cargo": 'test "$1" != clippy && echo "cargo 1.999.0"'},
            "cargo clippy (rustup component add rustfmt clippy)",
        ),
        ({"node": "echo v16.20.0"}, "Node.js 18 or newer (node here is 16.20.0)"),
        ({"python3.11": "exit 1"}, "Python 3.11 or newer"),
        ({"python3.11": 'case "$2" in *ensurepip*) exit 1;; esac'}, "python3-venv"),
    ],
)
def test_what_is_too_old_or_broken_is_named(tmp_path: Path, changed: dict[str, str], sentence: str) -> None:
    status, said = told(tmp_path, GOOD | changed, "build", "test", "check")
    assert status == 1
    assert sentence in said


def test_another_browser_of_the_same_kind_will_do(tmp_path: Path) -> None:
    commands = {name: script for name, script in GOOD.items() if name != "chromium"} | {"google-chrome": "exit 0"}
    assert told(tmp_path, commands, "test") == (0, "")


def test_the_oldest_rust_is_the_one_that_cargo_toml_names(tmp_path: Path) -> None:
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    wanted = next(line.split('"')[1] for line in text.splitlines() if line.startswith("rust-version"))
    assert told(tmp_path, GOOD | {"cargo": f"echo 'cargo {wanted}.0'"}, "build") == (0, "")


def test_a_purpose_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    status, sentence = told(tmp_path, GOOD, "deploy")
    assert status == 1
    assert "'deploy'" in sentence


def test_installing_asks_debian_for_the_missing_packages_only(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    commands = {name: script for name, script in GOOD.items() if name not in {"chromium", "openssl"}}
    status, _ = told(tmp_path, commands | {"apt-get": f'echo "$@" >>{asked}'}, "--install", "build", "test")
    assert status == 0
    assert asked.read_text(encoding="utf-8").splitlines() == [
        "update -q",
        "install -y -q --no-install-recommends chromium openssl",
    ]


def test_installing_where_nothing_is_missing_asks_nobody(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD | {"apt-get": "exit 1"}, "--install", "build", "test") == (0, "")


def test_installing_without_debian_names_the_packages(tmp_path: Path) -> None:
    commands = {name: script for name, script in GOOD.items() if name != "chromium"}
    status, sentence = told(tmp_path, commands, "--install", "test")
    assert status == 1
    assert "no apt-get" in sentence
    assert "chromium" in sentence
