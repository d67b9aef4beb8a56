"""The modules of a Worker: which files of a project go along with its entry, and their content.

Law 1: what is collected lies below the project, links included: a link that leads out of it is refused, by name. A link to a directory is
left out and told, as wrangler goes into none; in `python_modules`, where a package would be missing, it is refused.
Law 2: files, their bytes together and the depth of directories have a bound; beyond it the project is refused as a whole.
Law 3: the order is that of names, so that the same project is always the same bytes.

Which files: those that a rule names, by globs, below the directory of imports; a rule ends its type's rules unless it says
`fallthrough`, and wrangler's own come last. `python_modules` beside the configuration goes along whole, but for what is excluded.

Source: wrangler's `find-additional-modules.ts` and `python-modules`, config-schema.json.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import SetupError, reason_of, shown
from holdfast.model.worker_script import MAX_FILES, MAX_FILES_BYTES, is_module_path

# Packages that go along, in the project and in the script's own tree.
VENDORED = "python_modules"
DEFAULT_EXCLUDES = ("**/*.pyc",)
# Never part of a Worker: what tools leave behind. Names that begin with a dot are not, either.
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "venv"})
# Of a virtual environment, whatever it is called (PEP 405).
_ENVIRONMENT = "pyvenv.cfg"
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Rule:
    """Files that `globs` name go along, as modules of `type`."""

    type: str
    globs: tuple[str, ...]
    fallthrough: bool = False


TYPES = ("PythonModule", "PythonRequirement", "Text", "Data", "CompiledWasm", "ESModule", "CommonJS")
DEFAULT_RULES = (
    Rule("PythonModule", ("**/*.py",)),
    Rule("Text", ("**/*.txt", "**/*.html", "**/*.sql")),
    Rule("Data", ("**/*.bin",)),
    Rule("CompiledWasm", ("**/*.wasm",)),
)


def collect_modules(
    root: Path, main: str, rules: Sequence[Rule], *, find: bool = True, left_out: list[Path] | None = None
) -> dict[str, bytes]:
    """Files by their path below `root`, with "/": `main`, and, where they are to be found, what rules name.

    To `left_out` links to directories are added; without it they are refused. Raises SetupError.
    """
    tree = _Tree(root, left_out)
    if not find:
        # What lies beside it is no business of a Worker's, nor is it looked at: it may be a home directory.
        return tree.read([main])
    patterns = [glob_pattern(glob) for rule in _in_force(rules) for glob in rule.globs]
    names = {main, *(name for name in tree.names(below=VENDORED) if any(one.fullmatch(name) for one in patterns))}
    return tree.read(sorted(names))


def collect_vendored(project: Path, excludes: Sequence[str]) -> dict[str, bytes]:
    """What lies in `python_modules` of a project, by its path from there on, `python_modules` included. Raises SetupError."""
    if not (project / VENDORED).is_dir():
        return {}
    tree = _Tree(project / VENDORED)
    patterns = [glob_pattern(glob) for glob in excludes]
    names = [name for name in tree.names() if not any(one.fullmatch(name) for one in patterns)]
    return {f"{VENDORED}/{name}": content for name, content in tree.read(names).items()}


def check_bounds(files: dict[str, bytes], where: Path) -> None:
    """Raise SetupError where all files of a project are too many, or too much."""
    if len(files) > MAX_FILES:
        raise SetupError(f"{where}: expected at most {MAX_FILES} modules, found {len(files)}")
    total = sum(map(len, files.values()))
    if total > MAX_FILES_BYTES:
        raise SetupError(f"{where}: expected modules of at most {MAX_FILES_BYTES} bytes together, found {total}")


def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob as wrangler has them: `*` and `?` within one directory, `**` through all."""
    parts = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    bare = glob.removeprefix("./")
    return re.compile(
        "".join(
            parts.get(piece, re.escape(piece))
            for piece in re.split(r"(\*\*/|\*\*|\*|\?)", re.sub(r"\*{3,}", "**", bare))
        )
    )


def _in_force(rules: Sequence[Rule]) -> Iterator[Rule]:
    done: set[str] = set()
    for rule in (*rules, *DEFAULT_RULES):
        if rule.type not in done:
            yield rule
        if not rule.fallthrough:
            done.add(rule.type)


class _Tree:
    """The files below one directory."""

    def __init__(self, root: Path, left_out: list[Path] | None = None) -> None:
        self._root, self._left_out = root, left_out
        self._real_root = root.resolve()

    def names(self, *, below: str = "") -> list[str]:
        """Of every file, in order, relative to the root. A directory `below` the root of that name is left out."""
        found: list[str] = []
        for directory, directories, files in os.walk(self._root, onerror=self._refuse):
            here = Path(directory).relative_to(self._root)
            if len(here.parts) > MAX_DEPTH:
                raise SetupError(f"{directory}: expected at most {MAX_DEPTH} directories in each other")
            directories[:] = sorted(
                one
                for one in directories
                if self._is_wanted(one)
                and not (one == below and not here.parts)
                and not (Path(directory) / one / _ENVIRONMENT).is_file()
            )
            # `os.walk` does not go into them; what is meant by one would be missing without a word.
            for link in filter(Path.is_symlink, (Path(directory) / one for one in directories)):
                if self._left_out is None:
                    raise SetupError(f"{link}: expected a directory, not a link to one")
                self._left_out.append(link)
            found += [(here / one).as_posix() for one in sorted(files) if self._is_wanted(one)]
            if len(found) > 16 * MAX_FILES:
                raise SetupError(f"{self._root}: expected at most {16 * MAX_FILES} files in the directory of a Worker")
        return found

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Their content."""
        if len(names) > MAX_FILES:
            raise SetupError(f"{self._root}: expected at most {MAX_FILES} modules, found {len(names)}")
        found: dict[str, bytes] = {}
        left = MAX_FILES_BYTES
        for name in names:
            # What a form has for a double quote is something else at the other end.
            if '"' in name or not is_module_path(name):
                expected = "without control characters, double quotes and backslashes, in UTF-8"
                raise SetupError(f"{self._root}: expected names of modules {expected}, found {shown(name)}")
            found[name] = self._content(name, left)
            left -= len(found[name])
        return found

    def _content(self, name: str, left: int) -> bytes:
        file = self._root / name
        try:
            real = file.resolve(strict=True)
            if not real.is_relative_to(self._real_root):
                raise SetupError(f"{file}: expected a file of the project, not a link that leads out of it ({real})")
            if not real.is_file():
                raise SetupError(f"{file}: expected a file")
            with real.open("rb") as stream:
                content = stream.read(left + 1)
        except OSError as error:
            raise SetupError(f"cannot read {file}: {reason_of(error)}") from error
        if len(content) > left:
            raise SetupError(f"{self._root}: expected modules of at most {MAX_FILES_BYTES} bytes together")
        return content

    @staticmethod
    def _is_wanted(name: str) -> bool:
        return not name.startswith(".") and name not in _PASSED_OVER

    @staticmethod
    def _refuse(error: OSError) -> None:
        raise SetupError(f"cannot read {error.filename}: {reason_of(error)}") from error
