"""`.dev.vars` and `.env` beside a Worker's configuration: secrets for trying it out, which are never deployed.

Law 1: `.dev.vars` is read, or, where there is none, the `.env` files; those that are of an environment count for more.
Law 2: a line is `NAME=value`, an empty line or a comment; anything else is refused with file and line, and without its value.
Law 3: a value is text: in single quotes as it stands, in double quotes with \\n, \\r, \\t, \\" and \\\\, over several lines in either; without
quotes up to a comment. Nothing is put in for `$NAME`.

Source: Cloudflare, "Secrets: local development"; the npm package dotenv.
"""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.config.wrangler_text import read_text
from holdfast.errors import SetupError

_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^'"#\r\n][^#\r\n]*|(?=[\r\n#]|\Z)))
    [ \t]*(?:\#[^\n]*)?(?:\r?\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_variables(directory: Path, env: str | None) -> dict[str, str]:
    """What is set for development in `directory`, for the environment `env`. Raises SetupError."""
    first, names = _names(env)
    for name in first:
        if (file := directory / name).is_file():
            return parse_variables(read_text(file), str(file))
    found: dict[str, str] = {}
    for name in names:
        if (file := directory / name).is_file():
            found |= parse_variables(read_text(file), str(file))
    return found


def variable_files(directory: Path, env: str | None) -> tuple[Path, ...]:
    """Every file in which something may be set for development, there or not."""
    first, names = _names(env)
    return tuple(directory / name for name in (*first, *names))


def _names(env: str | None) -> tuple[list[str], list[str]]:
    """Of the files of which the first counts that is there, and of those that count together where none of these is."""
    first = [*([f".dev.vars.{env}"] if env else ()), ".dev.vars"]
    return first, [".env", ".env.local", *([f".env.{env}", f".env.{env}.local"] if env else ())]


def parse_variables(text: str, where: str) -> dict[str, str]:
    """The variables in `text`; of two with one name the later one. Raises SetupError, which begins with `where`."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if (nothing := _NOTHING.match(text, at)) is not None:
            at = nothing.end()
            continue
        match = _LINE.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise SetupError(
                f"{where}, line {line}: expected NAME=value, the value in quotes where it has a # or a quote in it"
            )
        found[match["name"]] = _value(match)
        at = match.end()
    return found


def _value(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), match["double"], flags=re.DOTALL)
    if match["single"] is not None:
        return match["single"]
    return (match["bare"] or "").strip()
