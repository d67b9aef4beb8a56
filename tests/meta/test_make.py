"""`make check` is what CI runs and leaves nothing out; `make help` tells of every command.

The Makefile is asked what it would do (`make -n`), so nothing is built here.
"""

import os
import re
import subprocess

import pytest

from tests.meta.tree import ROOT, complain

# What must be part of `make check`, as the start of a command: format, lint, types, the boundary, both test runners.
CHECKS = (
    "cargo fmt --all --check",
    "ruff format --check .",
    "cargo clippy --locked --workspace --all-targets -- -D warnings",
    "cargo doc",
    "ruff check .",
    "mypy",
    "python -m mypy.stubtest",
    "cargo test --locked --workspace",
    "python -m pytest",
)


def told(*arguments: str) -> str:
    """What make prints. Without the variables by which a make above this one would change it."""
    done = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=_plain_environment(), check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def _plain_environment() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS", "PROFILE"))
    }


def missing_steps(plan: str) -> list[str]:
    """A complaint for each of CHECKS that no command of a plan (`make -n`) runs."""
    commands = [
        re.sub(r"^(?:\w+=(?:\"[^\"]*\"|\S*) )*(?:\S*/\.venv/bin/)?", "", line.strip()) for line in plan.splitlines()
    ]
    return [
        f"`make check` does not run: {step}" for step in CHECKS if not any(one.startswith(step) for one in commands)
    ]


def test_check_leaves_nothing_out() -> None:
    complain(missing_steps(told("-n", "check")))


def test_check_runs_what_the_readme_calls_the_tests() -> None:
    tests = [
        line for line in told("-n", "test").splitlines() if line.startswith(("cargo test", "/")) and "test" in line
    ]
    assert len(tests) == 2
    check = told("-n", "check")
    complain([f"`make check` does not run: {line}" for line in tests if line not in check])


def test_ci_is_make_check() -> None:
    commands = [
        line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
    ]
    assert commands[-1] == "exec make check"
    assert "scripts/need --install build test" in commands


def test_help_tells_of_every_command() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    commands = {name for name in phony.replace("\\\n", " ").split() if not name.startswith(("need-", "check-"))}
    assert set(re.findall(r"^  make ([a-z-]+) ", told("help"), re.MULTILINE)) == commands


@pytest.mark.parametrize("step", CHECKS)
def test_a_check_that_is_left_out_is_a_complaint(step: str) -> None:
    plan = "\n".join(f"A=b /x/.venv/bin/{one} more" for one in CHECKS if one != step)
    assert missing_steps(plan) == [f"`make check` does not run: {step}"]
