"""Values taken out of a table of a configuration file, each checked for its type, with the name it has where it stands.

Law 1: whatever a table holds, taking a value gives one of the type that was asked for or raises UsageError, which names file, key and
value and says what was expected.
Law 2: what nobody took is told as a warning; it never stops anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from holdfast.errors import UsageError, shown

T = TypeVar("T")


class Table:
    """One table. `where` is its name for errors: the file, and the keys that lead there."""

    def __init__(self, values: Mapping[str, Any], where: str, key: str = "") -> None:
        self._values = values
        self.where, self._key = where, key
        self._taken: set[str] = set()
        self._below: list[Table] = []

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def key_of(self, name: str) -> str:
        """How `name` is spelled in an error."""
        return f"{self.where}: {self._key}{name}"

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raise UsageError about the value of `name`."""
        value = self._values.get(name)
        raise UsageError(self.key_of(name), None if value is None else _written(value), expected)

    def raw(self, name: str) -> Any:  # noqa: ANN401  whatever is written there
        """The value, None where there is none."""
        self._taken.add(name)
        return self._values.get(name)

    def text(self, name: str, default: str = "", *, expected: str = "a text in quotes") -> str:
        """A text."""
        value = self.raw(name)
        if value is None:
            return default
        return value if isinstance(value, str) else self.refuse(name, expected)

    def needed_text(self, name: str, expected: str, is_fit: Callable[[str], bool] = bool) -> str:
        """A text that must be there, and `is_fit`."""
        value = self.text(name, expected=expected)
        return value if is_fit(value) else self.refuse(name, expected)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self.raw(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else self.refuse(name, "true or false")

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        return self.refuse(name, f"a number from {least} to {most}")

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.refuse(name, "a list of texts in quotes")
        return tuple(value)

    def table(self, name: str) -> Table:
        """A table; an empty one where there is none."""
        value = self.raw(name)
        if value is not None and not isinstance(value, dict):
            self.refuse(name, "a table")
        return self.below(value or {}, f"{name}.")

    def tables(self, name: str) -> list[Table]:
        """A list of tables."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(name, "a list of tables")
        return [self.below(one, f"{name}[{place}].") for place, one in enumerate(value)]

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every name with its value."""
        self._taken.update(self._values)
        yield from self._values.items()

    def warnings(self) -> list[str]:
        """A sentence for each value of this table and those below it that nobody took."""
        unknown = [self.key_of(name) for name in self._values if name not in self._taken]
        return [
            *(f"{one}: not known here, and passed over" for one in unknown),
            *(warning for table in self._below for warning in table.warnings()),
        ]

    def below(self, values: Mapping[str, Any], key: str) -> Table:
        """A table of this one, whose keys are spelled with `key` in front."""
        child = Table(values, self.where, f"{self._key}{key}")
        self._below.append(child)
        return child


def _written(value: object) -> str:
    return value if isinstance(value, str) else shown(str(value), limit=100)[1:-1]
