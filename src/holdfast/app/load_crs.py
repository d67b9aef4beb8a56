"""`holdfast waf`: the OWASP Core Rule Set from a folder into the database, from where every edge gets it.

Law 1: what is stored has been read and compiled as an edge does it, at every paranoia level; what cannot be is refused here,
with the file and the line.
Law 2: only files that rules are made of are read, each once, and no more of them than an edge takes. The folder may be somebody
else's download: a link in it that leads out of it is refused, as an error would show lines of what it leads to.
Law 3: nothing is removed that rules execute, unless that is forced: a rule that does nothing looks like one that does.
Law 4: nothing is made that was not there, and no table is changed: without an installation of this version there is nothing to
load rules into.
"""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.config.run import Config
from holdfast.config.waf import LoadOptions, RemoveOptions, ShowOptions
from holdfast.edge.managed_rulesets import always_there
from holdfast.edge.rule_sources import MAX_TEXT_BYTES, compile_managed
from holdfast.errors import SetupError, UnavailableError, UsageError, reason_of
from holdfast.model.rule_documents import ManagedDocument
from holdfast.model.ruleset import Rule
from holdfast.rules.managed_ruleset import ManagedRuleset, OverrideError, Overrides
from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.owasp import MAX_PARANOIA_LEVEL, OWASP_RULESET_ID, OwaspRuleset, owasp_ruleset, release_of
from holdfast.rules.seclang.reader import SETUP_FILES, read
from holdfast.standard_output import write_lines
from holdfast.store import audit, identities, managed, rulesets
from holdfast.store.audit import by_installation
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.rulesets import Executor
from holdfast.store.upgrade import refuse_others

_T = TypeVar("_T")

# A release has some 50 files.
MAX_FILES = 500
# Zones and accounts that one sentence names.
MAX_NAMED = 10
# Where Debian's package keeps what an administrator may change; its rules lie elsewhere, beside this file.
_DEBIAN_MARK, _DEBIAN_SETUP = "owasp-crs.load", Path("/etc/modsecurity/crs")
_LOST = "it is done, but what there is to say of it could not be written"
_LOADED = "OWASP Core Rule Set {release}: {rules} rules on the head of a request, {first} of them at paranoia level 1"
_NEXT = """To run it, execute it in the phase http_request_firewall_managed of an account or a zone:
  {rule}"""


def run_load_crs(options: LoadOptions) -> int:
    """Load the rules of a folder, in the place of those that were loaded. Raises HoldfastError."""
    files = rule_files(options.directory, options.setup)
    ruleset, release = compiled(files)
    document = ManagedDocument(
        id=OWASP_RULESET_ID,
        version=0,
        release=release,
        files={name: zlib.compress(content) for name, content in files.items()},
    )

    async def put(database: Database) -> Sequence[Executor]:
        async with database.write() as connection:
            before = await managed.find(connection, OWASP_RULESET_ID)
            await _note(connection, "load-crs", before, document)
            await managed.put(connection, document)
            executing = await rulesets.executing_rules(connection, OWASP_RULESET_ID)
            return sorted({executor for executor, rule in executing if _names_what_is_not_there(rule, ruleset)})

    outdated = _with_database(options.config, put)
    first = sum(rule.enabled for rule in ruleset.rules)
    said = [
        _LOADED.format(release=release, rules=len(ruleset.rules), first=first),
        f"Loaded into {options.config.database}; edges have it within some seconds.",
        _NEXT.format(rule=_execute_rule()),
    ]
    if outdated:
        said.append(
            f"Overrides of {_named(outdated)} name rules or categories that this release does not have: those do nothing."
        )
    write_lines(said, lost=_LOST)
    return 0


def run_show(options: ShowOptions) -> int:
    """Print the managed rulesets that rules may execute. Raises HoldfastError."""

    async def find(database: Database) -> list[ManagedDocument]:
        async with database.read() as connection:
            return await managed.all_documents(connection)

    documents = _with_database(options.config, find)
    try:
        shown: list[ManagedRuleset] = [*always_there().values(), *map(compile_managed, documents)]
    except ValueError as error:
        raise SetupError(f"what was loaded cannot be used by this version: {error}") from error
    if options.as_json:
        write_lines([json.dumps([_shown(one) for one in shown], indent=2, ensure_ascii=False)])
        return 0
    said = [f"{one.id}  {one.name} {one.version}: {len(one.rules)} rules" for one in shown]
    if not documents:
        said.append("The OWASP Core Rule Set has not been loaded: holdfast waf load-crs DIR")
    write_lines(said)
    return 0


def run_remove_crs(options: RemoveOptions) -> int:
    """Remove the OWASP Core Rule Set; where rules execute it, only if that is forced: they do nothing from then on. Raises
    HoldfastError."""

    async def remove(database: Database) -> tuple[bool, Sequence[Executor]]:
        async with database.write() as connection:
            executors = await rulesets.executors(connection, OWASP_RULESET_ID)
            if executors and not options.is_forced:
                raise SetupError(
                    f"the OWASP Core Rule Set is executed by rules of {_named(executors)}, which would do nothing without it: "
                    "remove them first, or say --force"
                )
            before = await managed.find(connection, OWASP_RULESET_ID)
            await _note(connection, "remove-crs", before, None)
            return await managed.remove(connection, OWASP_RULESET_ID), executors

    is_removed, executors = _with_database(options.config, remove)
    if not is_removed:
        raise SetupError("there is nothing to remove: no OWASP Core Rule Set has been loaded")
    said = ["The OWASP Core Rule Set is removed."]
    if executors:
        said.append(f"Rules that execute it do nothing from now on, those of {_named(executors)}.")
    write_lines(said, lost=_LOST)
    return 0


def rule_files(directory: Path, setup: Path | None = None) -> dict[str, bytes]:
    """The files of a release by name: its `rules` folder and its setup, as upstream lays them out, or Debian, or all in one
    folder. Raises UsageError for a folder that has no rules, SetupError for what cannot be read."""
    found: dict[str, bytes] = {}
    room = MAX_TEXT_BYTES
    for path in _paths(directory, setup):
        try:
            with _followed(path, directory, setup).open("rb") as file:
                content = file.read(room + 1)
        except OSError as error:
            raise SetupError(f"{path}: {reason_of(error)}") from error
        room -= len(content)
        if room < 0 or len(found) == MAX_FILES:
            raise UsageError("DIR", str(directory), f"at most {MAX_FILES} files and {MAX_TEXT_BYTES} bytes of rules")
        found[_name_of(path, setup)] = content
    return found


def compiled(files: Mapping[str, bytes]) -> tuple[OwaspRuleset, str]:
    """The ruleset that the files are, compiled for every paranoia level, and its release. Raises UsageError."""
    try:
        release = release_of(read(files))
        ruleset = owasp_ruleset(files, release=release)
        ruleset.deploy(Overrides())
        for level in range(1, MAX_PARANOIA_LEVEL + 1):
            ruleset.engine(level)
    except SecLangError as error:
        raise SetupError(str(error)) from error
    return ruleset, release


def _paths(directory: Path, setup: Path | None) -> list[Path]:
    rules = directory / "rules" if (directory / "rules").is_dir() else directory
    try:
        inside = sorted(path for path in rules.iterdir() if path.suffix in (".conf", ".data") and path.is_file())
    except OSError as error:
        raise UsageError("DIR", str(directory), f"a folder with rules ({reason_of(error)})") from error
    if not any(path.suffix == ".conf" for path in inside):
        raise UsageError("DIR", str(directory), "a folder with *.conf files, or with a folder `rules` that has them")
    if setup is not None:
        return [setup, *(path for path in inside if path.name not in SETUP_FILES)]
    around = [directory]
    if (directory / _DEBIAN_MARK).is_file():
        around.append(_DEBIAN_SETUP)
        inside += sorted(path for path in _DEBIAN_SETUP.glob("*.conf") if path.name not in SETUP_FILES)
    return [*_first(folder / name for name in SETUP_FILES for folder in around), *inside]


def _followed(path: Path, directory: Path, setup: Path | None) -> Path:
    """Where a file is that may be read: whose name was given, or who administers the machine put there, or in the folder."""
    if path == setup or path.parent == _DEBIAN_SETUP:
        return path
    found = path.resolve(strict=True)
    if not found.is_relative_to(directory.resolve()):
        raise SetupError(f"{path}: a link that leads out of {directory} is not followed; a copy of the file is read")
    return found


def _first(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()][:1]


def _name_of(path: Path, setup: Path | None) -> str:
    return SETUP_FILES[0] if path == setup else path.name


def _with_database(config: Config, use: Callable[[Database], Awaitable[_T]]) -> _T:
    file = config.database.sqlite_file
    if file is not None and not file.exists():
        raise SetupError(
            f"there is no installation in {config.database}: name its folder (--data), or make one with holdfast run or holdfast init"
        )
    return asyncio.run(_used(config, use))


async def _used(config: Config, use: Callable[[Database], Awaitable[_T]]) -> _T:
    database = Database(config.database.text)
    try:
        await _refuse_others(database, config)
        return await use(database)
    except StoreUnavailable as error:
        kind = UnavailableError if config.database.sqlite_file is None else SetupError
        raise kind(f"database_url: {config.database}: {error}") from error
    finally:
        await database.close()


async def _refuse_others(database: Database, config: Config) -> None:
    try:
        await refuse_others(database)
    except SetupError as error:
        raise SetupError(f"database_url: {config.database}: {error}") from error


async def _note(
    connection: AsyncConnection, verb: str, before: ManagedDocument | None, after: ManagedDocument | None
) -> None:
    """Write down what is done, in the name of the owner of the installation."""
    account = await identities.first_account(connection)
    owners, _ = await identities.members(connection, account.id, offset=0, limit=1) if account else ([], 0)
    if (before is None and after is None) or account is None or not owners:
        return
    old, new = (None if one is None else {"id": one.id, "release": one.release} for one in (before, after))
    resource = ("managed_ruleset", OWASP_RULESET_ID)
    entry = by_installation(
        time.time_ns() // 1000,
        command=f"holdfast waf {verb}",
        user_id=owners[0].id,
        account_id=account.id,
        resource=resource,
        old=old,
        new=new,
    )
    await audit.insert(connection, [entry])


def _names_what_is_not_there(rule: Rule, ruleset: ManagedRuleset) -> bool:
    try:
        return any(Overrides.parse(rule.action_parameters.get("overrides")).unknown(ruleset.rules))
    except OverrideError:
        return False


def _named(executors: Sequence[Executor]) -> str:
    """The first of them by name, and how many there are besides."""
    named = [f"the {one.kind} {one.name}" for one in executors[:MAX_NAMED]]
    if len(executors) > MAX_NAMED:
        named.append(f"{len(executors) - MAX_NAMED} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _execute_rule() -> str:
    return json.dumps({"action": "execute", "action_parameters": {"id": OWASP_RULESET_ID}, "expression": "true"})


def _shown(ruleset: ManagedRuleset) -> dict[str, object]:
    return {"id": ruleset.id, "name": ruleset.name, "version": ruleset.version, "rules": len(ruleset.rules)}
