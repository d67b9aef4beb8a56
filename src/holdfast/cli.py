"""The command `holdfast`.

Law 1: every error a person can cause is one sentence on stderr that starts with the command, and no traceback.
Exit status 2 says that what was asked must change, 1 that it could not be done, 130 that it was interrupted.
Law 2: flags are not written here: they are made from the fields of the options.
Law 3: a verb loads what it needs when it is run, so that none pays for another's packages.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self, TypeVar

import typer

from holdfast import __version__
from holdfast.client.options import ConnectOptions
from holdfast.client.verbs.groups import GROUPS, app_of
from holdfast.config.init import InitOptions
from holdfast.config.sources import FILE_VARIABLE, SYSTEM_FILE, Effective, data_dir_of, effective, spelling_by_name
from holdfast.config.spellings import path_of
from holdfast.config.up import UpOptions
from holdfast.config.waf import LoadOptions, RemoveOptions, ShowOptions
from holdfast.errors import HoldfastError, SetupError, reason_of
from holdfast.model.option import Given, Spelling, spelling_of

if TYPE_CHECKING:
    from holdfast.config.worker_dev import WorkerDevOptions

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status. `arguments` are those after the command's name, by default ours."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. Every error has been said on stderr."""
    command = _name_of(arguments)
    try:
        app = _typer_app(arguments[0] if arguments else "")
        status = app(args=list(arguments) or ["--help"], prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        return _say(command, str(error), error.exit_status, detail=error.detail)
    except typer.TyperException as error:
        # What the parser of the command line has to say: sentences like "No such option: --x".
        return _say(command, error.format_message(), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    return status if isinstance(status, int) else 0


def _name_of(arguments: Sequence[str]) -> str:
    """How a sentence about this command begins: "holdfast", the verb, and the verb of its group."""
    words = list(arguments[:2])
    if not words or words[0] not in {*_COMMANDS, *_GROUPS}:
        return "holdfast"
    has_verb = words[0] in _GROUPS and len(words) > 1 and re.fullmatch(r"[a-z][a-z0-9_-]*", words[1]) is not None
    return " ".join(["holdfast", *(words if has_verb else words[:1])])


def _say(command: str, sentence: str, status: int, *, detail: str = "") -> int:
    one_line = " ".join(sentence.split()).rstrip(".")
    if sys.stderr is not None:  # None: closed before Python started
        sys.stderr.write(f"{command}: {one_line}\n")
        sys.stderr.writelines(f"  {line}\n" for line in detail.splitlines())
    return status


# --- Verbs ---


def _up(options: UpOptions) -> int:
    from holdfast.app.stem import become_up  # noqa: PLC0415  Law 3

    return become_up(options)


def _worker_dev(options: WorkerDevOptions) -> int:
    as_up = options.as_up()
    try:
        options.log_file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    except OSError as error:
        raise SetupError(f"--data: {options.data_dir} cannot be used: {reason_of(error)}") from error
    return _up(as_up)


def _run(found: Effective) -> int:
    from holdfast.app.stem import become_run  # noqa: PLC0415  Law 3

    return become_run(found)


def _edge(found: Effective) -> int:
    from holdfast.app.run import run_edge  # noqa: PLC0415  Law 3

    return run_edge(found)


def _control(found: Effective) -> int:
    from holdfast.app.run import run_control  # noqa: PLC0415  Law 3

    return run_control(found)


def _init(options: InitOptions) -> int:
    from holdfast.app.init import run_init  # noqa: PLC0415  Law 3

    return run_init(options)


def _connect(options: ConnectOptions) -> int:
    from holdfast.client.connect import run_connect  # noqa: PLC0415  Law 3

    return run_connect(options)


def _config_show(found: Effective, *, as_json: bool) -> int:
    from holdfast.config.texts import as_lines, shown  # noqa: PLC0415  Law 3

    if as_json:
        import json  # noqa: PLC0415

        sys.stdout.write(f"{json.dumps(shown(found), indent=2, ensure_ascii=False)}\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in as_lines(shown(found)))
    _warn(found, "holdfast config show")
    return 0


def _config_check(found: Effective) -> int:
    from holdfast.app.config_check import check_files  # noqa: PLC0415  Law 3

    _warn(found, "holdfast config check")
    for warning in check_files(found.config):
        _say("holdfast config check", warning, 0)
    sys.stdout.write("The configuration can be used.\n")
    return 0


def _load_crs(options: LoadOptions) -> int:
    from holdfast.app.load_crs import run_load_crs  # noqa: PLC0415  Law 3

    return run_load_crs(options)


def _show_waf(options: ShowOptions) -> int:
    from holdfast.app.load_crs import run_show  # noqa: PLC0415  Law 3

    return run_show(options)


def _remove_crs(options: RemoveOptions) -> int:
    from holdfast.app.load_crs import run_remove_crs  # noqa: PLC0415  Law 3

    return run_remove_crs(options)


def _release(data_dir: Path, *, python: str | None, no_wait: bool) -> int:
    from holdfast.app.ask_supervisor import run_release  # noqa: PLC0415  Law 3

    interpreter = None if python is None else path_of(python, "--python")
    return run_release(data_dir, python=interpreter, waits=not no_wait)


def _drain(data_dir: Path, *, no_wait: bool) -> int:
    from holdfast.app.ask_supervisor import run_drain  # noqa: PLC0415  Law 3

    return run_drain(data_dir, waits=not no_wait)


def _warn(found: Effective, command: str) -> None:
    sys.stderr.writelines(f"{command}: {warning}\n" for warning in found.warnings)


_UP_HELP = """Put the edge in front of ORIGIN: any host name, straight to it. Or in front of a Worker, or of both.

Prints one "ready:" line for each address it serves. Ctrl-C stops it: every WebSocket is closed with 1001. SIGTERM
takes no new connections, and ends with those there are; again, it closes them.
"""

_WORKER_DEV_HELP = """Serve a Worker while you edit it: any host name, no API, on port 8787.

A change of its files is served at once; WebSockets of Durable Objects stay open over it. One that does not load is told with its traceback, and what
was served before goes on. What the Worker logs is printed. It is `holdfast up --worker PATH --watch`.
"""

_RUN_HELP = """Run the edge and the API that configures it.

Values come from defaults, then the file, then HOLDFAST_ variables, then flags; the last one wins. The first start
prints a token for the API, once. Ctrl-C stops it: every WebSocket is closed with 1001. SIGTERM takes no new
connections, and ends with those there are; again, it closes them.
"""

_EDGE_HELP = """Run the edge alone, as a service manager would: it serves what control publishes.

Control is found by the socket in the data directory. Without it, the edge serves what it served last.
"""

_CONTROL_HELP = """Run the API alone, as a service manager would: edges find it by the socket in the data directory."""

_RELEASE_HELP = """Replace the processes of the `run` or `up` on this data directory, without dropping a connection.

A new edge is started beside the old one, on the same sockets. When it is ready, the old one takes no new connections
and keeps those it has. One that does not become ready changes nothing: exit status 1, and its sentence. SIGHUP to the
supervisor does the same.
"""

_DRAIN_HELP = """End the `run` or `up` on this data directory when its clients have gone: no new ones are taken.

Connections that are left at the deadline are closed. SIGTERM to the supervisor does the same.
"""

_INIT_HELP = """Make the database, an account, its owner and a token, without serving.

The token is printed once, and cannot be had again.
"""

_CONNECT_HELP = """Open a WebSocket: type a line to send it, see what comes, leave with Ctrl-D.

Where standard input is not a terminal, its lines are sent; once replies stop, the connection is closed. What arrives
until then is printed.
"""

_CONFIG_HELP = "The configuration of `run`: see it, check it."
_RULE_HELP = "Rules of a zone: try one before it is there."
_WORKER_HELP = "Workers: deploy, list, hear and remove scripts that answer requests."
_SHOW_HELP = "Print every value, and where it came from. Secrets are left out."
_CHECK_HELP = "Say whether the configuration can be used: exit status 0, or 2 with a sentence."

_WAF_HELP = "Managed rules: load the OWASP Core Rule Set, see what there is."
_LOAD_CRS_HELP = """Load the OWASP Core Rule Set of a folder for every edge, in the place of the one that was loaded.

The folder is a release as it is unpacked, or Debian's /usr/share/modsecurity-crs. Every rule is read and compiled first.
"""
_SHOW_WAF_HELP = "Print the managed rulesets that rules may execute."
_REMOVE_CRS_HELP = """Remove the OWASP Core Rule Set that was loaded, unless rules execute it.

Such rules would do nothing from then on, and say so nowhere but in the log and where health is asked for.
"""

# The fields of `Config` that a role has no use for. Its file may have them: it is one file for all.
_NOT_OF_THE_EDGE = frozenset(
    {
        "database_url",
        "release_deadline",
        "release_spread",
        "release_order",
        "control_listen",
        "control_cert",
        "control_key",
        "control_rate_limit",
        "control_ip_rate_limit",
        "control_event_days",
        "control_event_rows",
    }
)
_NOT_OF_CONTROL = frozenset(
    {
        "listen",
        "tls_listen",
        "threads",
        "cert",
        "key",
        "origin_ca",
        "geoip_database",
        "resolvers",
        "origin_max_pending_connects",
        "release_deadline",
        "release_spread",
        "release_order",
    }
)
# What only finds a supervisor needs its data directory.
_ALL_BUT_DATA_DIR = frozenset(spelling_by_name()) - {"data_dir"}


# --- The command line, made from options ---


class _Options(Protocol):
    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> Self: ...


_OptionsT = TypeVar("_OptionsT", bound=_Options)
_Command = Callable[..., int]


def _typer_app(first: str) -> typer.Typer:
    """The whole command; of the groups, only the one that `first` names is loaded with its verbs."""
    app = _empty_app("A self-hosted WebSocket edge.")
    app.callback()(_root)
    for name, (function, text) in _COMMANDS.items():
        app.command(name, help=text)(function)
    for name, (load, text) in _GROUPS.items():
        app.add_typer(load() if name == first else _unloaded(text), name=name)
    return app


def _empty_app(text: str) -> typer.Typer:
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        # Errors are ours to word (Law 1): no boxes, no pretty tracebacks.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _unloaded(text: str) -> typer.Typer:
    """A group for the list of all commands only."""
    app = _empty_app(text)
    app.callback()(lambda: None)
    return app


def _config_group() -> typer.Typer:
    app = _empty_app(_CONFIG_HELP)
    app.callback()(lambda: None)
    as_json = _also("as_json", "--json", "For programs: key -> value, from.")
    app.command("show", help=_SHOW_HELP)(_configured(_config_show, also=[as_json]))
    app.command("check", help=_CHECK_HELP)(_configured(_config_check))
    return app


def _waf_group() -> typer.Typer:
    app = _empty_app(_WAF_HELP)
    app.callback()(lambda: None)
    app.command("load-crs", help=_LOAD_CRS_HELP)(_command(LoadOptions, _load_crs, reads_environment=True))
    app.command("show", help=_SHOW_WAF_HELP)(_command(ShowOptions, _show_waf, reads_environment=True))
    app.command("remove-crs", help=_REMOVE_CRS_HELP)(_command(RemoveOptions, _remove_crs, reads_environment=True))
    return app


def _print_version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(f"holdfast {__version__}\n")
        raise typer.Exit


def _root(
    *,
    version: Annotated[  # its callback does the work, before a command is asked for
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Holds the options that belong to no command."""


def _command(
    options: type[_OptionsT], run_with: Callable[[_OptionsT], int], *, reads_environment: bool = False
) -> _Command:
    """A function whose parameters are the options' fields, as typer reads them."""

    def command(**given: Given) -> int:
        return run_with(options.parse(given))

    fields = dataclasses.fields(options)  # type: ignore[arg-type]  # a Protocol cannot say "dataclass"
    return _with_parameters(
        command,
        [_parameter(field.name, spelling_of(field), reads_environment=reads_environment) for field in fields],
    )


def _configured(
    run_with: Callable[..., int],
    *,
    without: frozenset[str] = frozenset(),
    also: Sequence[inspect.Parameter] = (),
    find: Callable[..., object] = effective,
) -> _Command:
    """A function that takes a file and the fields of `Config` as flags, and runs with what `find` makes of them."""
    others = {parameter.name for parameter in also}

    def command(*, config: str | None = None, **given: Any) -> int:  # noqa: ANN401  what typer gives
        flags = {name: value for name, value in given.items() if name not in others}
        found = find(flags, os.environ, file=None if config is None else path_of(config, "--config"))
        return run_with(found, **{name: given[name] for name in others})

    help_of_file = f"Read this file (TOML). By default that of {FILE_VARIABLE}, else {SYSTEM_FILE} if it is there."
    file = inspect.Parameter(
        "config",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, typer.Option("--config", metavar="FILE", help=help_of_file)],
    )
    # The environment is read by `sources`, which says where a value came from.
    own = [_parameter(name, one) for name, one in spelling_by_name().items() if name not in without]
    return _with_parameters(command, [file, *own, *also])


def _with_parameters(command: _Command, parameters: Iterable[inspect.Parameter]) -> _Command:
    command.__signature__ = inspect.Signature(list(parameters))  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def _parameter(name: str, spelling: Spelling, *, reads_environment: bool = False) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    if spelling.is_argument:
        argument = typer.Argument(metavar=spelling.metavar, help=spelling.help)
        if spelling.is_optional:
            return inspect.Parameter(name, kind, default=None, annotation=Annotated[str | None, argument])
        return inspect.Parameter(name, kind, annotation=Annotated[str, argument])
    flags = [spelling.flag, *([spelling.short] if spelling.short else [])]
    option = typer.Option(
        *flags,
        metavar=spelling.metavar or None,
        help=spelling.help,
        # A switch is about this one call: a variable that stays would force, or make tokens, at every other.
        envvar=spelling.environment if reads_environment and not spelling.is_switch else None,
        show_default=spelling.default or False,
    )
    if spelling.is_switch:
        return inspect.Parameter(name, kind, default=False, annotation=Annotated[bool, option])
    value: Any = list[str] | None if spelling.is_many else str | None
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[value, option])


def _also(name: str, flag: str, text: str, *, metavar: str | None = None) -> inspect.Parameter:
    """A flag that is no option of a configuration: a switch, or with `metavar` a text."""
    option = typer.Option(flag, help=text, metavar=metavar)
    kind: Any = bool if metavar is None else str | None
    default = False if metavar is None else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


_PYTHON = _also("python", "--python", "Start the Holdfast of this interpreter, from now on.", metavar="PATH")
_NO_WAIT = _also("no_wait", "--no-wait", "Return when it has begun.")


def _rule_group() -> typer.Typer:
    from holdfast.app.rule_trial import try_expression  # noqa: PLC0415  Law 3
    from holdfast.client.verbs.rule import app  # noqa: PLC0415  Law 3

    return app(try_locally=try_expression, help=_RULE_HELP)


def _worker_group() -> typer.Typer:
    from holdfast.client.verbs.worker import app  # noqa: PLC0415  Law 3
    from holdfast.config.worker_dev import WorkerDevOptions  # noqa: PLC0415  Law 3
    from holdfast.config.wrangler import read_worker  # noqa: PLC0415  Law 3

    group = app(read=read_worker, help=_WORKER_HELP)
    group.command("dev", help=_WORKER_DEV_HELP)(_command(WorkerDevOptions, _worker_dev, reads_environment=True))
    return group


def _client_group(name: str) -> Callable[[], typer.Typer]:
    return lambda: app_of(name)


# The commands, in the order of the help.
_COMMANDS: dict[str, tuple[_Command, str]] = {
    "up": (_command(UpOptions, _up, reads_environment=True), _UP_HELP),
    "run": (_configured(_run), _RUN_HELP),
    "edge": (_configured(_edge, without=_NOT_OF_THE_EDGE), _EDGE_HELP),
    "control": (_configured(_control, without=_NOT_OF_CONTROL), _CONTROL_HELP),
    "release": (
        _configured(_release, without=_ALL_BUT_DATA_DIR, also=[_PYTHON, _NO_WAIT], find=data_dir_of),
        _RELEASE_HELP,
    ),
    "drain": (_configured(_drain, without=_ALL_BUT_DATA_DIR, also=[_NO_WAIT], find=data_dir_of), _DRAIN_HELP),
    "init": (_command(InitOptions, _init, reads_environment=True), _INIT_HELP),
    "connect": (_command(ConnectOptions, _connect), _CONNECT_HELP),
}
# Groups of commands: what gives the group with its verbs, and its line in the help.
_GROUPS: dict[str, tuple[Callable[[], typer.Typer], str]] = {
    "config": (_config_group, _CONFIG_HELP),
    "waf": (_waf_group, _WAF_HELP),
    **{name: (_client_group(name), text) for name, text in GROUPS.items()},
    "rule": (_rule_group, _RULE_HELP),
    "worker": (_worker_group, _WORKER_HELP),
}
