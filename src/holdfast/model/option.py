"""How an option is spelled: the metadata of one field of a dataclass of options.

Law: one field is one option. Command line, environment and reference are made from its spelling, and from nothing else.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What the command line gives for one option: text, a list of texts, a switch, or nothing.
Given = str | Sequence[str] | bool | None


@dataclass(frozen=True, slots=True)
class Spelling:
    """One option. `parse` takes the text and the flag, and raises UsageError, naming the flag.

    `short` is "" or a flag of one letter; `default` says in words what holds when it is not given. `key` is its name in a
    configuration file, dotted ("control.listen"), or "" where it cannot stand in one. `is_number`: there it may stand without
    quotes. `is_optional`: an argument that may be left out.
    """

    flag: str
    metavar: str
    help: str
    parse: Callable[[str, str], object]
    short: str = ""
    is_many: bool = False
    is_switch: bool = False
    default: str = ""
    key: str = ""
    is_number: bool = False
    is_optional: bool = False

    @property
    def is_argument(self) -> bool:
        """Whether it stands by position, without a flag."""
        return not self.flag.startswith("-")

    @property
    def environment(self) -> str:
        """The environment variable that gives it where the command line does not."""
        return f"HOLDFAST_{re.sub('[.-]', '_', self.key or self.flag.strip('-')).upper()}"

    def value(self, given: str | Sequence[str] | bool, *, field: str = "") -> object:
        """What was given, parsed: text by `parse`, a list to a tuple. Raises UsageError, naming `field`, else the flag."""
        field = field or self.flag
        if isinstance(given, bool):
            return given
        if isinstance(given, str):
            return self.parse(given, field)
        return tuple(self.parse(text, field) for text in given)


def spelled(  # noqa: PLR0913  one for each field of `Spelling`
    flag: str,
    metavar: str,
    help: str,  # noqa: A002  the word of every command line library
    parse: Callable[[str, str], object],
    *,
    short: str = "",
    is_many: bool = False,
    default: str = "",
    key: str = "",
    is_number: bool = False,
    is_optional: bool = False,
) -> dict[str, Spelling]:
    """Metadata for `dataclasses.field`; the arguments are those of `Spelling`."""
    made = Spelling(
        flag,
        metavar,
        help,
        parse,
        short=short,
        is_many=is_many,
        default=default,
        key=key,
        is_number=is_number,
        is_optional=is_optional,
    )
    return {"spelling": made}


def switch(flag: str, help: str) -> dict[str, Spelling]:  # noqa: A002  as above
    """Metadata for a field that is False until its flag is given."""
    return {"spelling": Spelling(flag, "", help, lambda text, _: bool(text), is_switch=True)}


def spelling_of(field: dataclasses.Field[Any]) -> Spelling:
    """How the option of this field is spelled."""
    spelling: Spelling = field.metadata["spelling"]
    return spelling


def parsed_fields(options: type[Any], given: Mapping[str, Given]) -> dict[str, Any]:
    """The fields of `options` that were given, parsed; what is None, False or an empty list counts as not given.

    Raises UsageError for the first that cannot be used.
    """
    return {
        field.name: spelling_of(field).value(raw)
        for field in dataclasses.fields(options)
        if (raw := given.get(field.name)) or raw == ""
    }
