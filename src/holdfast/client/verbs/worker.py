"""`holdfast worker`: scripts of Workers: deployed from a project, listed, heard, removed; and their secrets.

Law 1: a project is read whole before anything is asked of the API; what is deployed is told with what of the project means nothing here.
Law 2: routes of the project are made after the script serves (`worker_routing`).
Law 3: a secret comes from standard input, or from a prompt that shows nothing; it is printed nowhere.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from holdfast.client.api.answer import JsonObject, as_object, as_objects, id_of, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.paths import path_of
from holdfast.client.api.zones import find_account, the_only
from holdfast.client.printable import printable_lines
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.output import Output, cell
from holdfast.client.worker_routing import led_to
from holdfast.client.worker_upload import parts_of
from holdfast.errors import HoldfastError, UsageError
from holdfast.model.option import spelled, switch
from holdfast.model.worker_script import (
    EXPECTED_BINDING,
    EXPECTED_NAME,
    MAX_VARIABLE_BYTES,
    WorkerSettings,
    is_binding_name,
    is_script_name,
)

if TYPE_CHECKING:
    import typer

    from holdfast.client.api.connection import Api

_ACCOUNTS_A_PAGE = 50
_NAMESPACES = 1_000
_FROM_STDIN = "the secret on standard input"
MAX_TAIL_LINES = 200
MAX_MESSAGE_CHARS = 1_000


class Project(Protocol):
    """A project that was read (`holdfast.config.wrangler`)."""

    @property
    def settings(self) -> WorkerSettings:
        """What it says."""
        ...

    @property
    def files(self) -> Mapping[str, bytes]:
        """Its modules."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What of it means nothing here: sentences."""
        ...


# Reads a project, in an environment of it. Raises HoldfastError.
Read = Callable[[Path, "str | None"], Project]


def _path(text: str, field: str) -> Path:
    if not text or "\0" in text:
        raise UsageError(field, text, "a directory, a configuration of wrangler, or a .py file")
    return Path(text).expanduser()


def _text(text: str, field: str) -> str:
    if not text.isprintable() or not text:
        raise UsageError(field, text, "a text")
    return text


def _message(text: str, field: str) -> str:
    if not text.isprintable() or len(text) > MAX_MESSAGE_CHARS:
        raise UsageError(field, text, f"a text of at most {MAX_MESSAGE_CHARS} characters, on one line")
    return text


def _name(text: str, field: str) -> str:
    if not is_script_name(text):
        raise UsageError(field, text, f"the name of a Worker: {EXPECTED_NAME}")
    return text


def _secret_name(text: str, field: str) -> str:
    if not is_binding_name(text):
        raise UsageError(field, text, EXPECTED_BINDING)
    return text


def _lines(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= MAX_TAIL_LINES):
        raise UsageError(field, text, f"a number from 0 to {MAX_TAIL_LINES}")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerListOptions(ApiOptions):
    """Whose Workers."""

    account: str | None = dataclasses.field(
        default=None,
        metadata=spelled("--account", "ACCOUNT", "The account: its id or its name. Needless with one.", _text),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDeployOptions(WorkerListOptions):
    """What to deploy."""

    path: Path = dataclasses.field(
        metadata=spelled("PATH", "DIR|FILE", "A directory with wrangler.toml or .jsonc, or a .py file.", _path)
    )
    env: str | None = dataclasses.field(
        default=None, metadata=spelled("--env", "NAME", "This environment of the configuration.", _text)
    )
    name: str | None = dataclasses.field(
        default=None, metadata=spelled("--name", "NAME", "Call it so, whatever the configuration says.", _name)
    )
    message: str = dataclasses.field(
        default="", metadata=spelled("--message", "TEXT", "What is said of this version.", _message)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions(WorkerListOptions):
    """Which Worker."""

    name: str = dataclasses.field(metadata=spelled("NAME", "NAME", "The Worker.", _name))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDeleteOptions(WorkerOptions):
    """Which Worker to remove."""

    force: bool = dataclasses.field(
        default=False, metadata=switch("--force", "Also what its Durable Objects stored, for good.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTailOptions(WorkerOptions):
    """Which Worker to hear."""

    lines: int = dataclasses.field(
        default=10, metadata=spelled("--lines", "N", "So many of the last lines first.", _lines, default="10")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretOptions(WorkerOptions):
    """Which secret of which Worker."""

    secret: str = dataclasses.field(metadata=spelled("SECRET", "SECRET", "What it is called in env.", _secret_name))


def deploy(project: Project, options: WorkerDeployOptions, api: Api, output: Output) -> None:
    """Upload the project, make its routes, and say when it runs by itself."""
    settings = project.settings
    name = options.name or settings.name
    for warning in project.warnings:
        output.notice(warning)
    account = _account(api, options.account or settings.account_id or None)
    what = f"deploy the Worker {name}"
    form = parts_of(settings, project.files, message=options.message)
    made = as_object(api.upload("PUT", _script(account, name), what=what, form=form), what=what)
    sentences = [
        f"{name}: deployed version {cell(made.get('deployment_id'))} in {cell(made.get('startup_time_ms'))} ms"
    ]
    try:
        for sentence in _led_to(api, account, name, settings):
            sentences.append(sentence)  # noqa: PERF402  what is done stays said where the next one fails
    except HoldfastError:
        for sentence in sentences:
            output.notice(sentence)
        raise
    if missing := _missing_secrets(api, account, name, settings.required_secrets):
        output.notice(f"{name}: these secrets are required, and not set: {', '.join(missing)}")
    output.done(made, *sentences)


def _led_to(api: Api, account: str, name: str, settings: WorkerSettings) -> Iterator[str]:
    """Have the Worker, which serves, asked by its routes and at its times; a sentence for each that is done. Raises HoldfastError."""
    yield from led_to(api, account, name, settings.routes)
    if settings.crons is not None:
        # None leaves those that there are, an empty list removes them: as wrangler has it.
        body = [{"cron": cron} for cron in settings.crons]
        api.send("PUT", f"{_script(account, name)}/schedules", what=f"schedule {name}", body=body)
        yield f"{name} runs by itself at {', '.join(settings.crons) or 'no time'} (UTC)"


def list_workers(options: WorkerListOptions, api: Api, output: Output) -> None:
    """A row a Worker."""
    account, what = _account(api, options.account), "list the Workers"
    found = as_objects(api.get(path_of("accounts", account, "workers", "scripts"), what=what), what=what)
    keys = ("id", "entry_point", "compatibility_date", "migration_tag", "modified_on")
    titles = ("name", "main", "compatibility", "migration", "modified")
    output.table(found, titles, [[one.get(key) for key in keys] for one in found], empty="no Workers")


def top(options: WorkerOptions, api: Api, output: Output) -> None:
    """A row an object: those in memory that have handled most events."""
    account, what = _account(api, options.account), f"tell the busiest objects of {options.name}"
    base = path_of("accounts", account, "workers", "durable_objects", "namespaces")
    spaces = as_objects(api.get(f"{base}?per_page={_NAMESPACES}", what=what), what=what)
    of_script = [one for one in spaces if one.get("script") == options.name]
    if not of_script:
        # It may be that there is no such Worker.
        api.get(f"{_script(account, options.name)}/settings", what=what)
    found: list[JsonObject] = []
    for space in of_script:
        busy = as_objects(api.get(f"{base}/{id_of(space, what=what)}/busiest", what=what), what=what)
        found += [{**one, "class": space.get("class")} for one in busy]
    found.sort(key=_events, reverse=True)
    titles = ("class", "object", "sockets", "events", "errors", "waiting", "stored bytes")
    keys = ("sockets", "events", "errors", "waiting", "stored_bytes")
    rows = [[one.get("class"), one.get("name") or one.get("id"), *(one.get(key) for key in keys)] for one in found]
    output.table(found, titles, rows, empty="no object is in memory")


def _events(one: JsonObject) -> int:
    events = one.get("events")
    return events if isinstance(events, int) else 0


def delete(options: WorkerDeleteOptions, api: Api, output: Output) -> None:
    """Remove a Worker."""
    account = _account(api, options.account)
    path = _script(account, options.name) + ("?force=true" if options.force else "")
    result = api.send("DELETE", path, what=f"remove the Worker {options.name}")
    output.done(result, f"{options.name}: removed, and its routes")


def tail(options: WorkerTailOptions, api: Api, output: Output) -> None:
    """Print what a Worker logs, until Ctrl-C."""
    from holdfast.client.connection_stream import follow  # noqa: PLC0415  only who follows pays for it
    from holdfast.client.log_memory import LogMemory  # noqa: PLC0415  likewise

    memory = LogMemory()
    path = _script(_account(api, options.account), options.name) + "/tail"
    query, what = {"lines": str(options.lines)}, f"hear the Worker {options.name}"
    try:
        for message in follow(options, path, query, what=what, notice=output.notice, again=memory.opened_again):
            if not memory.is_new(message):
                continue
            if options.as_json:
                output.line(json.dumps(message).replace("\x7f", "\\u007f"))
            elif message.get("type") == "missed":
                output.notice(f"{cell(message.get('lines'))} lines were missed")
            else:
                output.line(log_line(message))
    except KeyboardInterrupt:
        return


def log_line(message: JsonObject) -> str:
    """One line of a log, printable; those of a traceback are indented below it."""
    level, entry = text_of(message, "level"), text_of(message, "entrypoint")
    shown = " ".join(part for part in (level, entry, text_of(message, "ray")) if part)
    return printable_lines(f"{shown}: {text_of(message, 'message').rstrip()}").replace("\n", "\n  ")


def list_secrets(options: WorkerOptions, api: Api, output: Output) -> None:
    """A row a secret: its name."""
    what = f"list the secrets of {options.name}"
    path = f"{_script(_account(api, options.account), options.name)}/secrets"
    found = as_objects(api.get(path, what=what), what=what)
    output.table(found, ("name",), [[one.get("name")] for one in found], empty="no secrets")


def put_secret(options: SecretOptions, api: Api, output: Output) -> None:
    """Set a secret to what comes from standard input."""
    text = _typed(options.secret)
    path = f"{_script(_account(api, options.account), options.name)}/secrets"
    body = {"name": options.secret, "text": text, "type": "secret_text"}
    result = api.send("PUT", path, what=f"set the secret {options.secret} of {options.name}", body=body)
    output.done(result, f"{options.name}: {options.secret} is set, and a version with it deployed")


def delete_secret(options: SecretOptions, api: Api, output: Output) -> None:
    """Remove a secret."""
    path = f"{_script(_account(api, options.account), options.name)}/secrets{path_of(options.secret)}"
    result = api.send("DELETE", path, what=f"remove the secret {options.secret} of {options.name}")
    output.done(result, f"{options.name}: {options.secret} is removed, and a version without it deployed")


def _typed(name: str) -> str:
    """The secret, without the end of its line. Raises UsageError."""
    expected = f"a text of at most {MAX_VARIABLE_BYTES} bytes, in UTF-8"
    # It is not shown, whatever it is.
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            text = getpass(f"{name}: ")
        else:
            text = "" if sys.stdin is None else sys.stdin.read(MAX_VARIABLE_BYTES + 2)
            text = text.removesuffix("\n").removesuffix("\r")
        size = len(text.encode())
    except UnicodeError:
        raise UsageError(_FROM_STDIN, "bytes of another kind", expected) from None
    if not 0 < size <= MAX_VARIABLE_BYTES:
        raise UsageError(_FROM_STDIN, f"{size} bytes" if size else None, expected)
    return text


def _account(api: Api, named: str | None) -> str:
    if named is not None:
        return find_account(api, named)
    what = "find the account"
    found = api.everything("/accounts", what=what, per_page=_ACCOUNTS_A_PAGE)
    if not found:
        raise UsageError("--account", None, "an account that this token may see")
    return id_of(the_only(found, "--account", "", what=what), what=what)


def _script(account: str, name: str) -> str:
    return path_of("accounts", account, "workers", "scripts", name)


def _missing_secrets(api: Api, account: str, name: str, required: Sequence[str]) -> list[str]:
    if not required:
        return []
    what = f"list the secrets of {name}"
    found = as_objects(api.get(f"{_script(account, name)}/secrets", what=what), what=what)
    return sorted(set(required) - {text_of(one, "name") for one in found})


VERBS: Mapping[str, Verb] = {
    "list": Verb(WorkerListOptions, list_workers, "List the Workers."),
    "top": Verb(WorkerOptions, top, "List the objects of a Worker that have most to do."),
    "tail": Verb(WorkerTailOptions, tail, "Print what a Worker logs, as it happens, until Ctrl-C."),
    "delete": Verb(WorkerDeleteOptions, delete, "Remove a Worker, and what leads to it."),
}
SECRET_VERBS: Mapping[str, Verb] = {
    "list": Verb(WorkerOptions, list_secrets, "List the names of a Worker's secrets."),
    "put": Verb(SecretOptions, put_secret, "Set a secret to what standard input says."),
    "delete": Verb(SecretOptions, delete_secret, "Remove a secret."),
}
DEPLOY_HELP = """Deploy a Worker, and have its routes go to it.

PATH is a directory with wrangler.toml, wrangler.json or wrangler.jsonc, such a file, or a single .py file. A version that cannot be
imported is refused with its traceback, and the one before goes on. WebSockets of hibernatable objects stay open.
"""


def deploying(read: Read) -> Verb:
    """The verb that deploys what `read` reads."""

    def run(options: WorkerDeployOptions, api: Api, output: Output) -> None:
        deploy(read(options.path, options.env), options, api, output)

    return Verb(WorkerDeployOptions, run, DEPLOY_HELP)


def app(*, read: Read, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast worker`."""
    group = group_of({"deploy": deploying(read), **VERBS}, help=help)
    group.add_typer(group_of(SECRET_VERBS, help="Secrets of a Worker: what env has and nobody reads."), name="secret")
    return group
