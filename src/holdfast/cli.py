"""The command `holdfast`.

Law 1: every error a person can cause is one sentence on stderr that starts with the command, and no traceback.
Exit status 2 says that what was asked must change, 1 that it could not be done, 130 that it was interrupted.
Law 2: flags are not written here: they are made from the fields of the options (`command_line`).
Law 3: a verb loads what it needs when it is run, so that none pays for another's packages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast import __version__
from holdfast.client.options import ConnectOptions
from holdfast.client.verbs.groups import GROUPS, app_of
from holdfast.command_line import Command, also, command_of, configured
from holdfast.command_texts import (
    CHECK_HELP,
    CONFIG_HELP,
    CONNECT_HELP,
    CONTROL_HELP,
    DRAIN_HELP,
    EDGE_HELP,
    INIT_HELP,
    LOAD_CRS_HELP,
    RELEASE_HELP,
    REMOVE_CRS_HELP,
    RULE_HELP,
    RUN_HELP,
    SHOW_HELP,
    SHOW_WAF_HELP,
    UP_HELP,
    WAF_HELP,
    WORKER_DEV_HELP,
    WORKER_HELP,
)
from holdfast.config.init import InitOptions
from holdfast.config.sources import Effective, data_dir_of, spelling_by_name
from holdfast.config.spellings import path_of
from holdfast.config.up import UpOptions
from holdfast.config.waf import LoadOptions, RemoveOptions, ShowOptions
from holdfast.errors import HoldfastError, SetupError, reason_of
from holdfast.standard_output import write_lines

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

        write_lines([json.dumps(shown(found), indent=2, ensure_ascii=False)])
    else:
        write_lines(as_lines(shown(found)))
    _warn(found, "holdfast config show")
    return 0


def _config_check(found: Effective) -> int:
    from holdfast.app.config_check import check_files  # noqa: PLC0415  Law 3

    _warn(found, "holdfast config check")
    for warning in check_files(found.config):
        _say("holdfast config check", warning, 0)
    write_lines(["The configuration can be used."])
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


# --- The command line ---


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
    app = _empty_app(CONFIG_HELP)
    app.callback()(lambda: None)
    as_json = also("as_json", "--json", "For programs: key -> value, from.")
    app.command("show", help=SHOW_HELP)(configured(_config_show, with_also=[as_json]))
    app.command("check", help=CHECK_HELP)(configured(_config_check))
    return app


def _waf_group() -> typer.Typer:
    app = _empty_app(WAF_HELP)
    app.callback()(lambda: None)
    app.command("load-crs", help=LOAD_CRS_HELP)(command_of(LoadOptions, _load_crs, reads_environment=True))
    app.command("show", help=SHOW_WAF_HELP)(command_of(ShowOptions, _show_waf, reads_environment=True))
    app.command("remove-crs", help=REMOVE_CRS_HELP)(command_of(RemoveOptions, _remove_crs, reads_environment=True))
    return app


def _print_version(is_asked: bool) -> None:
    if is_asked:
        write_lines([f"holdfast {__version__}"])
        raise typer.Exit


def _root(
    *,
    version: Annotated[  # its callback does the work, before a command is asked for
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Holds the options that belong to no command."""


_PYTHON = also("python", "--python", "Start the Holdfast of this interpreter, from now on.", metavar="PATH")
_NO_WAIT = also("no_wait", "--no-wait", "Return when it has begun.")


def _rule_group() -> typer.Typer:
    from holdfast.app.rule_trial import try_expression  # noqa: PLC0415  Law 3
    from holdfast.client.verbs.rule import app  # noqa: PLC0415  Law 3

    return app(try_locally=try_expression, help=RULE_HELP)


def _worker_group() -> typer.Typer:
    from holdfast.client.verbs.worker import app  # noqa: PLC0415  Law 3
    from holdfast.config.worker_dev import WorkerDevOptions  # noqa: PLC0415  Law 3
    from holdfast.config.wrangler import read_worker  # noqa: PLC0415  Law 3

    group = app(read=read_worker, help=WORKER_HELP)
    group.command("dev", help=WORKER_DEV_HELP)(command_of(WorkerDevOptions, _worker_dev, reads_environment=True))
    return group


def _client_group(name: str) -> Callable[[], typer.Typer]:
    return lambda: app_of(name)


# The commands, in the order of the help.
_COMMANDS: dict[str, tuple[Command, str]] = {
    "up": (command_of(UpOptions, _up, reads_environment=True), UP_HELP),
    "run": (configured(_run), RUN_HELP),
    "edge": (configured(_edge, without=_NOT_OF_THE_EDGE), EDGE_HELP),
    "control": (configured(_control, without=_NOT_OF_CONTROL), CONTROL_HELP),
    "release": (
        configured(_release, without=_ALL_BUT_DATA_DIR, with_also=[_PYTHON, _NO_WAIT], find=data_dir_of),
        RELEASE_HELP,
    ),
    "drain": (configured(_drain, without=_ALL_BUT_DATA_DIR, with_also=[_NO_WAIT], find=data_dir_of), DRAIN_HELP),
    "init": (command_of(InitOptions, _init, reads_environment=True), INIT_HELP),
    "connect": (command_of(ConnectOptions, _connect), CONNECT_HELP),
}
# Groups of commands: what gives the group with its verbs, and its line in the help.
_GROUPS: dict[str, tuple[Callable[[], typer.Typer], str]] = {
    "config": (_config_group, CONFIG_HELP),
    "waf": (_waf_group, WAF_HELP),
    **{name: (_client_group(name), text) for name, text in GROUPS.items()},
    "rule": (_rule_group, RULE_HELP),
    "worker": (_worker_group, WORKER_HELP),
}
