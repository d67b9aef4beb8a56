"""Commands made from options: a field is a flag or an argument, spelled as the field says.

Law: flags are not written here, nor where commands are listed: they are made from the fields of the options.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Protocol, Self, TypeVar

import typer

from holdfast.config.sources import FILE_VARIABLE, SYSTEM_FILE, effective, spelling_by_name
from holdfast.config.spellings import path_of
from holdfast.model.option import Given, Spelling, spelling_of


class Options(Protocol):
    """A dataclass of options, read from what was given."""

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> Self:
        """Options from what was given, by field name. Raises UsageError."""
        ...


OptionsT = TypeVar("OptionsT", bound=Options)
Command = Callable[..., int]


def command_of(
    options: type[OptionsT], run_with: Callable[[OptionsT], int], *, reads_environment: bool = False
) -> Command:
    """A function whose parameters are the options' fields, as typer reads them."""

    def command(**given: Given) -> int:
        return run_with(options.parse(given))

    fields = dataclasses.fields(options)  # type: ignore[arg-type]  # a Protocol cannot say "dataclass"
    return _with_parameters(
        command,
        [_parameter(field.name, spelling_of(field), reads_environment=reads_environment) for field in fields],
    )


def configured(
    run_with: Callable[..., int],
    *,
    without: frozenset[str] = frozenset(),
    with_also: Sequence[inspect.Parameter] = (),
    find: Callable[..., object] = effective,
) -> Command:
    """A function that takes a file and the fields of `Config` as flags, and runs with what `find` makes of them."""
    others = {parameter.name for parameter in with_also}

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
    return _with_parameters(command, [file, *own, *with_also])


def _with_parameters(command: Command, parameters: Iterable[inspect.Parameter]) -> Command:
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


def also(name: str, flag: str, text: str, *, metavar: str | None = None) -> inspect.Parameter:
    """A flag that is no option of a configuration: a switch, or with `metavar` a text."""
    option = typer.Option(flag, help=text, metavar=metavar)
    kind: Any = bool if metavar is None else str | None
    default = False if metavar is None else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
