"""The text of a Worker's configuration, read to one table: wrangler.json, wrangler.jsonc, wrangler.toml, or a block in a `.py`.

Law 1: a file is read whole or refused with its name, and the line and column of the first thing that is wrong.
Law 2: JSON may have comments and commas before a closing bracket (as wrangler reads it, whatever the file's ending); they become
blanks, so that every place stays where it was. A text that is no Unicode (half of a surrogate pair) is refused with its key.
Law 3: a single `.py` file may have its configuration within it, as the table `tool.wrangler` of its inline metadata (PEP 723).
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NoReturn

from holdfast.errors import SetupError, reason_of

# Where a directory's configuration is, in wrangler's own order.
FILES = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")
# Longest configuration, and longest single .py that is looked into. Precedent: none known; real ones have a few KB.
MAX_BYTES = 1024 * 1024

# A text, or a comment, or a comma that nothing comes after. A text has no line breaks.
_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|/\*', re.DOTALL)
_TEXT_OR_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[\]}])')
# PEP 723, "Specification": the block, and what its lines begin with.
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def read_configuration(file: Path) -> dict[str, Any]:
    """The table in a configuration file. Raises SetupError."""
    text = read_text(file)
    return _toml(text, file) if file.suffix == ".toml" else _json(text, file)


def read_inline(file: Path) -> dict[str, Any]:
    """The table `tool.wrangler` in the inline metadata of a `.py` file; {} where there is none. Raises SetupError."""
    text = read_text(file).replace("\r\n", "\n")
    blocks = [
        match for match in _BLOCK.finditer(text if text.endswith("\n") else text + "\n") if match["type"] == "script"
    ]
    if len(blocks) > 1:
        raise SetupError(f"{file}: expected one block of inline metadata (# /// script), got {len(blocks)}")
    if not blocks:
        return {}
    lines = (line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines())
    tool = _toml("\n".join(lines), file, what="TOML in its block of inline metadata").get("tool", {})
    found = tool.get("wrangler", {}) if isinstance(tool, dict) else {}
    if not isinstance(found, dict):
        raise SetupError(f"{file}: tool.wrangler: expected a table, got {found!r}")
    return found


def read_text(file: Path) -> str:
    """A small file as text. Raises SetupError."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SetupError(f"cannot read {file}: {reason_of(error)}") from error
    if len(content) > MAX_BYTES:
        raise SetupError(f"{file}: expected at most {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SetupError(f"{file}: expected text in UTF-8: {error.reason} at byte {error.start}") from error


def without_comments(text: str) -> str:
    """JSON of what may have comments and commas too many: as long as `text`. Raises ValueError for a comment without an end."""

    def blank(match: re.Match[str]) -> str:
        found = match[0]
        if found == "/*":
            line = text.count("\n", 0, match.start()) + 1
            raise ValueError(f"the comment that begins on line {line} has no end")
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    return _TEXT_OR_COMMA.sub(lambda match: match[0] if match[0] != "," else " ", _TEXT_OR_COMMENT.sub(blank, text))


def json_value(value: object) -> object:
    """A value of TOML or JSON as JSON has it: dates and times are texts, as wrangler writes them. Raises ValueError, what was expected."""
    if isinstance(value, dict):
        return {name: json_value(one) for name, one in value.items()}
    if isinstance(value, list):
        return [json_value(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that JSON has")
    if isinstance(value, datetime | time):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _json(text: str, file: Path) -> dict[str, Any]:
    # Loaded here and not with this module: most projects have TOML.
    import json  # noqa: PLC0415

    try:
        found = json.loads(without_comments(text), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{file}: expected JSON, with comments or without: {error}") from error
    if not isinstance(found, dict):
        raise SetupError(f"{file}: expected an object of JSON, got {type(found).__name__}")
    if "\\u" in text:
        _check_texts(found, f"{file}: ")
    return found


def _check_texts(value: object, key: str) -> None:
    """Raise SetupError for a text that cannot be written anywhere."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SetupError(
                f"{key}: expected a text of Unicode, without halves of surrogate pairs, got {value!r}"
            ) from None
    elif isinstance(value, list):
        for place, one in enumerate(value):
            _check_texts(one, f"{key}[{place}]")
    elif isinstance(value, dict):
        for name, one in value.items():
            _check_texts(name, f"{key} {name!r}")
            _check_texts(one, f"{key}{name}" if key.endswith(" ") else f"{key}.{name}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _toml(text: str, file: Path, *, what: str = "TOML") -> dict[str, Any]:
    # Loaded here and not with this module: nothing else of the command needs it.
    import tomllib  # noqa: PLC0415

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SetupError(f"{file}: expected {what}: {error}") from error
