"""The command `holdfast`.

Law 1: every error a person can cause is one sentence on stderr that starts with the command, and no traceback.
Exit status 2 says that what was asked must change, 1 that it could not be done, 130 that it was interrupted.
Law 2: flags are not written here: they are made from the fields of the options.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol, Self, TypeVar

import typer

from holdfast import __version__
from holdfast.client.options import ConnectOptions
from holdfast.config import UpOptions
from holdfast.errors import HoldfastError
from holdfast.model.option import Given, Spelling, spelling_of

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status. `arguments` are those after the command's name, by default ours."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. Every error has been said on stderr."""
    command = f"holdfast {arguments[0]}" if arguments and arguments[0] in _COMMANDS else "holdfast"
    try:
        status = _typer_app()(args=list(arguments) or ["--help"], prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        return _say(command, str(error), error.exit_status)
    except typer.TyperException as error:
        # What the parser of the command line has to say: sentences like "No such option: --x".
        return _say(command, error.format_message(), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    return status if isinstance(status, int) else 0


def _say(command: str, sentence: str, status: int) -> int:
    one_line = " ".join(sentence.split()).rstrip(".")
    sys.stderr.write(f"{command}: {one_line}\n")
    return status


def _up(options: UpOptions) -> int:
    from holdfast.app import run_up  # noqa: PLC0415  the command's other verbs start without the edge

    return run_up(options)


def _connect(options: ConnectOptions) -> int:
    from holdfast.client.connect import run_connect  # noqa: PLC0415  `up` starts without the client

    return run_connect(options)


_UP_HELP = """Put the edge in front of ORIGIN: any host name, straight to it.

Prints one "ready:" line for each address it serves. SIGTERM or Ctrl-C stops it: every WebSocket is closed with 1001.
"""

_CONNECT_HELP = """Open a WebSocket: type a line to send it, see what comes, leave with Ctrl-D.

Where standard input is not a terminal, its lines are sent; once replies stop, the connection is closed. What arrives
until then is printed.
"""


class _Options(Protocol):
    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> Self: ...


_OptionsT = TypeVar("_OptionsT", bound=_Options)


def _typer_app() -> typer.Typer:
    app = typer.Typer(
        help="A self-hosted WebSocket edge.",
        no_args_is_help=True,
        add_completion=False,
        # Errors are ours to word (Law 1): no boxes, no pretty tracebacks.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name, (function, text) in _COMMANDS.items():
        app.command(name, help=text)(function)
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
    options: type[_OptionsT], run_with: Callable[[_OptionsT], int], *, reads_environment: bool
) -> Callable[..., int]:
    """A function whose parameters are the options' fields, as typer reads them."""

    def command(**given: Given) -> int:
        return run_with(options.parse(given))

    fields = dataclasses.fields(options)  # type: ignore[arg-type]  # a Protocol cannot say "dataclass"
    parameters = [_parameter(field.name, spelling_of(field), reads_environment=reads_environment) for field in fields]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def _parameter(name: str, spelling: Spelling, *, reads_environment: bool) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    if spelling.is_argument:
        argument = typer.Argument(metavar=spelling.metavar, help=spelling.help)
        return inspect.Parameter(name, kind, annotation=Annotated[str, argument])
    flags = [spelling.flag, *([spelling.short] if spelling.short else [])]
    option = typer.Option(
        *flags,
        metavar=spelling.metavar or None,
        help=spelling.help,
        envvar=spelling.environment if reads_environment else None,
        show_default=spelling.default or False,
    )
    if spelling.is_switch:
        return inspect.Parameter(name, kind, default=False, annotation=Annotated[bool, option])
    value: Any = list[str] | None if spelling.is_many else str | None
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[value, option])


_COMMANDS: dict[str, tuple[Callable[..., int], str]] = {
    "up": (_command(UpOptions, _up, reads_environment=True), _UP_HELP),
    "connect": (_command(ConnectOptions, _connect, reads_environment=False), _CONNECT_HELP),
}
