"""What a setting's value is made of: switches, words, whole numbers with their unit, lists and objects of JSON.

Law 1: a parser takes whatever JSON a client sent and returns the value as the API shows it, or raises SettingError.
Law 2: what a parser has returned parses to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

# What an API value may be: JSON.
Value = Any
Parse = Callable[[Value], Value]


class SettingError(ValueError):
    """A value that a setting cannot have. `str` is a sentence: what was expected, and what came."""


def shown(value: Value) -> str:
    """A value as an error repeats it, cut where it is long."""
    text = repr(value)
    return f"{text[:80]}…" if len(text) > 80 else text


def api_value(value: object) -> Value:
    """A value of `ZoneSettings` as the API has it: every member of an object, its defaults too."""
    if isinstance(value, msgspec.Struct):
        return {name: api_value(getattr(value, name)) for name in value.__struct_fields__}
    return [api_value(item) for item in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class OneOf:
    """A parser: one of `choices`. `refused` has a sentence of their own for some that are none."""

    choices: tuple[str, ...]
    refused: Mapping[str, str] | None = None

    def __call__(self, value: Value) -> Value:
        if isinstance(value, str) and value in self.choices:
            return value
        if isinstance(value, str) and self.refused and value in self.refused:
            raise SettingError(self.refused[value])
        raise SettingError(f"expected {' or '.join(repr(choice) for choice in self.choices)}, got {shown(value)}")


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A parser: a whole number of `unit` (a plural) from `low` to `high`. 10.0 is 10, as JSON knows no difference."""

    unit: str
    low: int
    high: int

    def __call__(self, value: Value) -> Value:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise SettingError(f"expected a number of {self.unit} from {self.low} to {self.high}, got {shown(value)}")
        if value != int(value):
            raise SettingError(f"expected whole {self.unit}, got {shown(value)}")
        return int(value)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A parser: a list of at most `most` items that `each` takes, one of a kind. `what` names them (a plural), `example` shows
    a list of some."""

    each: Parse
    most: int
    what: str
    example: str

    def __call__(self, value: Value) -> Value:
        if not isinstance(value, list):
            raise SettingError(f"expected a list of {self.what} such as {self.example}, got {shown(value)}")
        if len(value) > self.most:
            raise SettingError(f"expected at most {self.most} {self.what}, got {len(value)}")
        return list(dict.fromkeys(_placed(str(place), self.each, item) for place, item in enumerate(value)))


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """A parser: an object with some of `members`, or none, each with its parser and default. `example` is what an error
    shows."""

    members: Mapping[str, tuple[Parse, Value]]
    example: str

    def __call__(self, value: Value) -> Value:
        if not isinstance(value, dict):
            raise SettingError(f"expected an object such as {self.example}, got {shown(value)}")
        check_members(value, self.members)
        return {
            name: _placed(name, parse, value[name]) if name in value else default
            for name, (parse, default) in self.members.items()
        }


def check_members(value: Mapping[str, Value], known: Collection[str]) -> None:
    """Raise SettingError for a member that nobody knows."""
    for name in value:
        if name not in known:
            raise SettingError(f"no such member: {shown(name)}; expected {', '.join(known)}")


def _placed(place: str, parse: Parse, value: Value) -> Value:
    try:
        return parse(value)
    except SettingError as error:
        raise SettingError(f"{place}: {error}") from None
