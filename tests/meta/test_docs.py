"""What the documents say exists, exists: commands, options, files, links.

Law 1: only code (between backticks, or fenced) is held to be literal; prose may speak of what is to come.
Law 2: the command's own `--help` and the Makefile are the authorities, not a list kept here.
Law 3: the first screen of the README has one command, what it shows, and what Holdfast is not.
"""

import functools
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.meta.tree import ROOT, complain, files, name_of

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FIRST_SCREEN_LINES = 45


@dataclass(frozen=True)
class Help:
    """What a command's help lists: its long options, and its verbs where it is a group of them."""

    options: frozenset[str]
    verbs: frozenset[str] = frozenset()


# The help of "" (the whole command), of "up", of "zone add"; None if there is no such command.
HelpOf = Callable[[str], Help | None]


def documents() -> list[Path]:
    """Every document a person is pointed to."""
    return [path for path in files(".md") if "record" not in path.relative_to(ROOT).parts[:-1]]


def code_in(text: str) -> list[str]:
    """The pieces of `text` that are code: each line of a fenced block, and each span between backticks."""
    fenced = [line.strip() for block in FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    return [*fenced, *SPAN.findall(FENCE.sub("", text))]


def unknown_targets(name: str, text: str, targets: frozenset[str]) -> list[str]:
    """A complaint for each `make X` in the text's code for which the Makefile has no target."""
    asked = {found for code in code_in(text) for found in re.findall(r"(?:^|\s|&& )make ([a-z][a-z-]*)", code)}
    return [f"{name}: `make {target}`: the Makefile has no such target" for target in sorted(asked - targets)]


def commands_in(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each (leading words, long options) of a `holdfast ...` in the text's code: the words that may name a command."""
    for code in code_in(text):
        found = re.match(r"(?:\$ )?(?:\S*/)?holdfast(?:\s+(.*))?$", code)
        if found is None or not found[1]:
            continue
        words = [word for word in _words(found[1]) if not word.startswith("[")]
        names = list(itertools.takewhile(lambda word: re.fullmatch(r"[a-z]+", word), words))
        yield names, [word.partition("=")[0] for word in words if word.startswith("--")]


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


def unknown_options(name: str, text: str, help_of: HelpOf) -> list[str]:
    """A complaint for each command, verb of a group or option in the text's code that there is not."""
    complaints = []
    for words, options in commands_in(text):
        command, known = _command_in(words, help_of)
        if known is None:
            complaints.append(f"{name}: `holdfast {command}`: no such command")
        else:
            complaints += [
                f"{name}: `holdfast {command}` has no {option}" for option in options if option not in known.options
            ]
    return complaints


def _command_in(words: list[str], help_of: HelpOf) -> tuple[str, Help | None]:
    """The command that `words` begin with, and its help. What follows a command that is no group are its arguments."""
    command, known = "", help_of("")
    for word in words:
        if known is None or (command and not known.verbs):
            break
        command = f"{command} {word}".strip()
        known = help_of(command)
    return command, known


def dead_links(name: str, text: str, *, root: Path) -> list[str]:
    """A complaint for each relative link to a file, or to a heading, that is not there."""
    complaints = []
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (root / name).parent / path if path else root / name
        if not file.exists():
            complaints.append(f"{name}: the link to {target} leads nowhere")
        elif anchor and file.suffix == ".md" and anchor not in anchors_of(file.read_text(encoding="utf-8")):
            complaints.append(f"{name}: {target}: no such heading")
    return complaints


def anchors_of(text: str) -> set[str]:
    """The anchors of a document's headings, as its readers' software makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing_files(name: str, text: str, *, root: Path, rooms: frozenset[str]) -> list[str]:
    """A complaint for each path in the text's code that begins in one of `rooms` (of the root) and is not there."""
    complaints = []
    for span in SPAN.findall(FENCE.sub("", text)):
        path = span.split(":")[0]
        if not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)*/?", path) or path.split("/")[0] not in rooms:
            continue
        if not (root / path).exists():
            complaints.append(f"{name}: `{span}` is not there")
    return complaints


@functools.cache
def help_of_the_command(command: str) -> Help | None:
    """What `holdfast COMMAND --help` lists; None if there is no such command."""
    asked = [sys.executable, "-m", "holdfast", *command.split(), "--help"]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    told = subprocess.run(asked, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=60)
    return parsed_help(told.stdout) if told.returncode == 0 else None


def parsed_help(text: str) -> Help:
    """The options and verbs in the text of a help."""
    _, _, verbs = text.partition("\nCommands:\n")
    return Help(
        options=frozenset(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)),
        verbs=frozenset(re.findall(r"^  ([a-z]+)", verbs, re.MULTILINE)),
    )


def targets_of(makefile: str) -> frozenset[str]:
    """The targets a person may ask for: those with a comment for `make help`."""
    return frozenset(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def _texts() -> list[tuple[str, str]]:
    found = [(name_of(path), path.read_text(encoding="utf-8")) for path in documents()]
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= {name for name, _ in found}
    return found


def test_every_make_command_in_the_documents_exists() -> None:
    targets = targets_of((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert {"setup", "run", "test", "check", "bench", "conformance", "help"} <= targets
    complain([text for name, source in _texts() for text in unknown_targets(name, source, targets)])


# Half a hundred processes, one after the other.
@pytest.mark.timeout(300)
def test_every_holdfast_command_in_the_documents_exists_with_its_options() -> None:
    assert help_of_the_command("nonsense") is None
    assert help_of_the_command("zone nonsense") is None
    complain([text for name, source in _texts() for text in unknown_options(name, source, help_of_the_command)])


def test_every_link_in_the_documents_leads_somewhere() -> None:
    complain([text for name, source in _texts() for text in dead_links(name, source, root=ROOT)])


def test_every_file_named_in_the_documents_is_there() -> None:
    rooms = frozenset(path.relative_to(ROOT).parts[0] for path in files())
    complain([text for name, source in _texts() for text in missing_files(name, source, root=ROOT, rooms=rooms)])


def test_every_document_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {target.partition("#")[0] for target in LINK.findall(readme)}
    wanted = {name_of(path) for path in files(".md", under="docs")} | {
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    }
    complain([f"README.md has no link to {name}" for name in sorted(wanted - linked)])


def test_the_first_screen_has_one_command_what_it_shows_and_what_holdfast_is_not() -> None:
    screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN_LINES])
    blocks = FENCE.findall(screen)
    assert blocks[0].split("\n")[0].removeprefix("$ ") == "make run"
    assert "ready: wss://" in screen, "what a newcomer will see"
    assert re.search(r"^## What it is not", screen, re.MULTILINE)


def test_a_make_target_that_is_not_there_is_a_complaint() -> None:
    text = "Run `make run`, then\n\n```\nmake deploy\n```\n and make sense of it."
    assert unknown_targets("a.md", text, frozenset({"run"})) == ["a.md: `make deploy`: the Makefile has no such target"]


def _fake_help(command: str) -> Help | None:
    return {
        "": Help(frozenset({"--version"}), frozenset({"up", "zone"})),
        "up": Help(frozenset({"--listen"})),
        "zone": Help(frozenset({"--help"}), frozenset({"add"})),
        "zone add": Help(frozenset({"--origin"})),
    }.get(command)


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("`holdfast up ORIGIN --listen 127.0.0.1:1`", 0),
        ("`holdfast up --nope X`", 1),
        ("```\n$ .venv/bin/holdfast up http://h --listen a \\\n  --nope\n```", 1),
        ("`holdfast launch`", 1),
        ("`holdfast zone add NAME --origin URL`, `holdfast zone`", 0),
        ("`holdfast zone add NAME --nope`", 1),
        ("`holdfast zone conjure`", 1),
        ("`holdfast --version`", 0),
        ("`holdfast --nope`", 1),
        ("`holdfast zone add example.com --origin http://h`", 0),
        ("`holdfast zone`", 0),
        ("`holdfast zone --origin http://h`", 1),
        ("`holdfast zone drop example.com`", 1),
        ("`holdfast zone add --nope`", 1),
        ("`holdfast up localhost --listen 127.0.0.1:1`", 0),
        ("holdfast up --nope in prose, and the package `holdfast`", 0),
    ],
)
def test_a_command_or_option_that_is_not_there_is_a_complaint(text: str, complaints: int) -> None:
    assert len(unknown_options("a.md", text, _fake_help)) == complaints


def test_the_verbs_of_a_group_are_read_from_its_help() -> None:
    text = "Usage: x\n\n  Up --not here.\n\nOptions:\n  -h, --help  Show.\n\nCommands:\n  add   Create the zone.\n  list  All.\n"
    assert parsed_help(text).verbs == {"add", "list"}
    assert parsed_help("Options:\n  --listen X\n").verbs == frozenset()


def test_a_dead_link_or_heading_is_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# One idea: here\n", encoding="utf-8")
    good = "[b](b.md) [h](b.md#one-idea-here) [web](https://example.com/x)"
    bad = "[c](c.md) [h](b.md#two) [self](#nothing)"
    assert dead_links("a.md", good, root=tmp_path) == []
    (tmp_path / "a.md").write_text(bad, encoding="utf-8")
    assert len(dead_links("a.md", bad, root=tmp_path)) == 3


def test_a_file_that_is_not_there_is_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").touch()
    text = "`src/a.py:12`, `src/b.py`, `text/html`, `src/<name>.py`"
    rooms = frozenset({"src"})
    assert missing_files("a.md", text, root=tmp_path, rooms=rooms) == ["a.md: `src/b.py` is not there"]
