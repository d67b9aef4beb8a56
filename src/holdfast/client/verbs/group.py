"""A group of verbs as a typer app: `holdfast zone` with `add`, `list` and the rest.

Law 1: flags are not written here: they are made from the fields of a verb's options, as those of every command are.
Law 2: a verb is a function of its options, the API and where to print. It raises HoldfastError and returns nothing;
what it must open is open, and is closed whatever happens.
"""

from __future__ import annotations

import dataclasses
import errno
import inspect
import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.client.api.options import FROM_ENVIRONMENT, ApiOptions
from holdfast.client.verbs.output import Output
from holdfast.errors import OutputError
from holdfast.model.option import Given, Spelling, spelling_of
from holdfast.standard_output import give_up_stdout

if TYPE_CHECKING:
    from holdfast.client.api.connection import Api


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: its options, a subclass of ApiOptions, and `run(options, api, output)`."""

    options: type[ApiOptions]
    run: Callable[[Any, Api, Output], None]
    help: str


def group_of(verbs: Mapping[str, Verb], *, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """The typer app of a group. Its commands return an exit status, or raise HoldfastError."""
    app = typer.Typer(
        help=help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_help_without_verb)
    for name, verb in verbs.items():
        app.command(name, help=verb.help)(_command(verb))
    return app


def _help_without_verb(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(f"{context.get_help()}\n")


def _command(verb: Verb) -> Callable[..., int]:
    return command_of(verb.options, lambda given: run_verb(verb, given))


def command_of(options: type[ApiOptions], run: Callable[[Mapping[str, Given]], int]) -> Callable[..., int]:
    """A command whose parameters are the fields of `options`; an argument whose field has a default may be left out."""

    def command(**given: Given) -> int:
        return run(given)

    # What is the verb's own comes first, what every verb has after it.
    shared = {field.name for field in dataclasses.fields(ApiOptions)}
    fields = sorted(dataclasses.fields(options), key=lambda field: field.name in shared)
    parameters = [
        _parameter(field.name, spelling_of(field), is_needed=field.default is dataclasses.MISSING) for field in fields
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def run_verb(verb: Verb, given: Mapping[str, Given]) -> int:
    """Parse, open the API, run. The exit status: 0, or 1 where whoever read our output has left."""
    from holdfast.client.api.connection import Api  # noqa: PLC0415  `holdfast up` starts without an HTTP client

    options = verb.options.parse(given)

    def work(output: Output) -> int:
        with Api(options) as api:
            verb.run(options, api, output)
            for note in api.notes:
                output.notice(note)
        return 0

    return run_with_output(options, work)


def run_with_output(options: ApiOptions, work: Callable[[Output], int]) -> int:
    """The exit status of `work`, which prints as `options` say; 1 where whoever read our output has left."""
    # None: closed before Python started.
    out, notices = sys.stdout or _Closed(), sys.stderr or io.StringIO()
    output = Output(out, notices, as_json=options.as_json, is_terminal=out.isatty())
    try:
        return work(output)
    except BrokenPipeError:
        # As `head` does.
        give_up_stdout()
        return 1
    except OSError as error:
        # What the network has to say is a sentence already; this is the disk below stdout.
        give_up_stdout()
        reason = error.strerror or str(error)
        raise OutputError(f"what was asked is done, but what came of it could not be written: {reason}") from error


class _Closed(io.StringIO):
    """A standard output that there is not."""

    def write(self, _: str) -> int:
        """Raise OSError: who asked must not believe that there was nothing to say."""
        raise OSError(errno.EBADF, "standard output is closed")


def _parameter(name: str, spelling: Spelling, *, is_needed: bool) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    if spelling.is_argument:
        argument = typer.Argument(metavar=spelling.metavar, help=spelling.help)
        if not is_needed:
            return inspect.Parameter(name, kind, default=None, annotation=Annotated[str | None, argument])
        return inspect.Parameter(name, kind, annotation=Annotated[str, argument])
    option = typer.Option(
        *[spelling.flag, *([spelling.short] if spelling.short else [])],
        metavar=spelling.metavar or None,
        help=spelling.help,
        envvar=spelling.environment if name in FROM_ENVIRONMENT else None,
        show_default=spelling.default or False,
    )
    if spelling.is_switch:
        return inspect.Parameter(name, kind, default=False, annotation=Annotated[bool, option])
    value: Any = list[str] | None if spelling.is_many else str | None
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[value, option])
