"""Where the values of a `Config` come from: defaults, then a file, then the environment, then flags; the last one wins.

Law 1: what is wrong is refused with the name it has where it stands: the file and the key, the variable, the flag.
Law 2: a key that nobody knows is refused, for it was meant to do something. A variable HOLDFAST_... that nobody knows is
a warning: it may be for a program beside us.
Law 3: for every value it can be told where it came from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.config import spellings
from holdfast.config.run import Config
from holdfast.errors import SetupError, UsageError, shown
from holdfast.model.data_dir import default_data_dir
from holdfast.model.option import Given, Spelling, spelling_of

# Names the configuration file; empty: there is none, not even at SYSTEM_FILE.
FILE_VARIABLE = "HOLDFAST_CONFIG"
# Read where no other file is named, if it is there.
SYSTEM_FILE = Path("/etc/holdfast/holdfast.toml")
DEFAULT = "default"

_PREFIX = "HOLDFAST_"
# Variables that are not keys: of the sealing key, of the command's verbs for the API, and how a supervisor speaks to its
# children. HOLDFAST_SSL is an option of `up`.
OTHER_VARIABLES = frozenset(
    {
        FILE_VARIABLE,
        "HOLDFAST_SECRET_KEY",
        "HOLDFAST_API",
        "HOLDFAST_TOKEN",
        "HOLDFAST_CACERT",
        "HOLDFAST_INHERITED",
        "HOLDFAST_COMMAND",
        "HOLDFAST_SSL",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """A configuration, where each field's value came from (DEFAULT, a file, a variable, a flag), and warnings: sentences."""

    config: Config
    origins: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def effective(
    flags: Mapping[str, Given],
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    system_file: Path = SYSTEM_FILE,
) -> Effective:
    """The configuration. `flags` are by field name; `file` is the one named on the command line.

    Raises UsageError or SetupError for the first thing that cannot be used.
    """
    values: dict[str, object] = {}
    origins = dict.fromkeys((field.name for field in dataclasses.fields(Config)), DEFAULT)
    for name, spelling, given, origin, where in _given(flags, environ, _file_of(file, environ, system_file)):
        values[name] = () if spellings.is_none(name, given) else spelling.value(given, field=where)
        origins[name] = origin
    return Effective(config=Config(**values), origins=origins, warnings=tuple(_unknown_variables(environ)))  # type: ignore[arg-type]  # parsed by the fields' own parsers


def data_dir_of(
    flags: Mapping[str, Given],
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    system_file: Path = SYSTEM_FILE,
) -> Path:
    """The data directory alone, as `effective` finds it, for who serves nothing there: of the rest nothing needs to be right.

    Raises UsageError or SetupError.
    """
    found: object = None
    for name, spelling, given, _, where in _given(flags, environ, _file_of(file, environ, system_file)):
        if name == "data_dir":
            found = spelling.value(given, field=where)
    return found if isinstance(found, Path) else default_data_dir(environ, Path.home())


def spelling_by_name() -> dict[str, Spelling]:
    """The spelling of each field of `Config`, in their order."""
    return {field.name: spelling_of(field) for field in dataclasses.fields(Config)}


_Found = tuple[str, Spelling, "str | list[str]", str, str]


def _given(flags: Mapping[str, Given], environ: Mapping[str, str], file: Path | None) -> Iterator[_Found]:
    """(field, spelling, texts, where from, name for errors) of all that is given, the weakest source first."""
    known = spelling_by_name()
    if file is not None:
        yield from _in_file(file, known)
    for name, spelling in known.items():
        if text := environ.get(spelling.environment):
            given = text.split() if spelling.is_many else text
            yield name, spelling, given, spelling.environment, spelling.environment
    for name, spelling in known.items():
        raw = flags.get(name)
        if (raw or raw == "") and not isinstance(raw, bool):
            yield name, spelling, raw if isinstance(raw, str) else list(raw), spelling.flag, spelling.flag


def _file_of(file: Path | None, environ: Mapping[str, str], system_file: Path) -> Path | None:
    if file is not None:
        return file
    if (named := environ.get(FILE_VARIABLE)) is not None:
        return spellings.path_of(named, FILE_VARIABLE) if named else None
    return system_file if system_file.exists() else None


def _in_file(file: Path, known: Mapping[str, Spelling]) -> Iterator[_Found]:
    by_key = {spelling.key: (name, spelling) for name, spelling in known.items()}
    for key, value in _flat(_read(file), known=frozenset(by_key)):
        where = f"{file}: {key}"
        if key not in by_key:
            raise SetupError(f"{where}: there is no such key{_meant(key, by_key)}")
        name, spelling = by_key[key]
        yield name, spelling, _texts(value, spelling, where), str(file), where


def _read(file: Path) -> dict[str, Any]:
    # Loaded here and not with this module: most starts have no file.
    import tomllib  # noqa: PLC0415

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{file}: expected TOML in UTF-8: {error.reason} at byte {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SetupError(f"{file}: expected TOML: {error}") from error


def _flat(table: Mapping[str, Any], *, known: frozenset[str], above: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every value; a table that no known key is in counts as one."""
    for key, value in table.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and any(one.startswith(f"{path}.") for one in known):
            yield from _flat(value, known=known, above=f"{path}.")
        else:
            yield path, value


def _texts(value: object, spelling: Spelling, where: str) -> str | list[str]:
    """A TOML value as a person would have written it on the command line."""
    if isinstance(value, str):
        return [value] if spelling.is_many else value
    if spelling.is_number and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if spelling.is_many and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(value)
    others = ", or a list of them" if spelling.is_many else ", or a number" if spelling.is_number else ""
    raise UsageError(where, str(value), f"a text in quotes{others}")


def _meant(key: str, known: Mapping[str, object], *, prefix: str = "") -> str:
    # Loaded here: only mistakes need it.
    import difflib  # noqa: PLC0415

    # What all have in common says nothing about which one was meant.
    close = difflib.get_close_matches(key.removeprefix(prefix), [one.removeprefix(prefix) for one in known], n=1)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {spelling.environment: spelling for spelling in spelling_by_name().values()}
    for name in sorted(environ):
        if name.startswith(_PREFIX) and name not in known and name not in OTHER_VARIABLES:
            yield f"the environment variable {shown(name)} is none of ours{_meant(name, known, prefix=_PREFIX)}"
