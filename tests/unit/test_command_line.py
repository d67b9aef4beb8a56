"""Commands are made from options: each field a flag or an argument, as it is spelled there."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from holdfast.command_line import also, command_of, configured
from holdfast.config.sources import spelling_by_name
from holdfast.model.option import Given, parsed_fields, spelled, switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """An argument, a flag with a value, and a switch."""

    path: str = dataclasses.field(metadata=spelled("PATH", "FILE", "What to read.", lambda text, _: text))
    name: str = dataclasses.field(
        default="none", metadata=spelled("--name", "NAME", "Its name.", lambda text, _: text.upper())
    )
    force: bool = dataclasses.field(default=False, metadata=switch("--force", "All the same."))

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> Options:
        """Options from what was given."""
        return cls(**parsed_fields(cls, given))


def ran(*arguments: str) -> tuple[int, list[Options]]:
    found: list[Options] = []

    def run(options: Options) -> int:
        found.append(options)
        return 0

    app = typer.Typer(add_completion=False)
    app.command()(command_of(Options, run))
    return CliRunner().invoke(app, arguments).exit_code, found


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("a",), Options(path="a")),
        (("a", "--name", "b", "--force"), Options(path="a", name="B", force=True)),
    ],
)
def test_what_is_typed_comes_to_options(arguments: tuple[str, ...], options: Options) -> None:
    assert ran(*arguments) == (0, [options])


@pytest.mark.parametrize("arguments", [(), ("a", "--other"), ("a", "--name")])
def test_what_no_field_spells_runs_nothing(arguments: tuple[str, ...]) -> None:
    assert ran(*arguments) == (2, [])


def test_a_command_with_a_configuration_takes_a_file_every_value_and_what_is_asked_for_besides() -> None:
    as_json = also("as_json", "--json", "For programs.")
    found: list[tuple[dict[str, Any], bool]] = []

    def run(given: dict[str, Any], *, as_json: bool) -> int:
        found.append((given, as_json))
        return 0

    command = configured(
        run, without=frozenset({"threads"}), with_also=[as_json], find=lambda flags, _, **__: dict(flags)
    )
    names = set(inspect.signature(command).parameters)
    assert names == {"config", "as_json", *spelling_by_name()} - {"threads"}
    assert command(listen=["127.0.0.1:1"], as_json=True) == 0
    assert found == [({"listen": ["127.0.0.1:1"]}, True)]


def test_a_flag_besides_is_a_switch_or_takes_a_text() -> None:
    assert (also("a", "--a", "A.").default, also("b", "--b", "B.", metavar="TEXT").default) == (False, None)
