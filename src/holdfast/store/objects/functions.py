"""SQL functions that newer versions of SQLite have, and workerd with them, where this machine's SQLite is older.

Law 1: they do what SQLite's documentation says of them, for every kind of value; none is put in the place of one that SQLite has.
Law 2: they only compute: two of the same arguments are the same result, so that an index may use them.

Source: sqlite.org/lang_corefunc.html, sqlite.org/lang_aggfunc.html. Not made here: `timediff` and the `jsonb` family.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = str | bytes | int | float | None

_HEX = frozenset("0123456789abcdefABCDEF")


def install(connection: sqlite3.Connection) -> None:
    """Give the connection those functions that its SQLite does not have."""
    for since, name, count, function in _FUNCTIONS:
        if sqlite3.sqlite_version_info < since:
            connection.create_function(name, count, function, deterministic=True)
    if sqlite3.sqlite_version_info < (3, 44):
        connection.create_aggregate("string_agg", 2, StringAgg)  # type: ignore[arg-type]  # typeshed: of one int


def text_of(value: Value) -> str:
    """The value as `CAST(value AS TEXT)` has it; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        mantissa, e, exponent = f"{value:.15g}".partition("e")
        return f"{mantissa}{'.0' if mantissa.lstrip('-').isdigit() else ''}{e}{exponent}".replace("inf", "Inf")
    return str(value)


def concat(*values: Value) -> str:
    """`concat(X, …)`: the texts of all arguments; NULL is left out."""
    return "".join(map(text_of, values))


def concat_ws(separator: Value, *values: Value) -> str | None:
    """`concat_ws(SEP, X, …)`: the texts of the arguments that are not NULL, with SEP between them. NULL for a NULL separator."""
    if separator is None:
        return None
    return text_of(separator).join(text_of(value) for value in values if value is not None)


def octet_length(value: Value) -> int | None:
    """`octet_length(X)`: bytes of the text (in UTF-8) or BLOB."""
    if value is None:
        return None
    return len(value if isinstance(value, bytes) else text_of(value).encode())


def unhex(value: Value, ignored: Value = "") -> bytes | None:
    """`unhex(X[, Y])`: the bytes that X writes in hexadecimal. NULL unless X is whole pairs, with letters of Y between them only."""
    if value is None or ignored is None:
        return None
    found, high = bytearray(), ""
    skipped = frozenset(text_of(ignored)) - _HEX
    for letter in text_of(value):
        if letter in _HEX:
            if high:
                found.append(int(high + letter, 16))
                high = ""
            else:
                high = letter
        elif high or letter not in skipped:
            return None
    return None if high else bytes(found)


class StringAgg:
    """`string_agg(X, SEP)`: the texts of X that are not NULL, each but the first after its own SEP."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._is_empty = True

    def step(self, value: Value, separator: Value) -> None:
        """One more row."""
        if value is not None:
            if not self._is_empty:
                self._parts.append(text_of(separator))
            self._parts.append(text_of(value))
            self._is_empty = False

    def finalize(self) -> str | None:
        """All of them; NULL if there was none."""
        return None if self._is_empty else "".join(self._parts)


_FUNCTIONS: tuple[tuple[tuple[int, int], str, int, Callable[..., Value]], ...] = (
    ((3, 41), "unhex", 1, unhex),
    ((3, 41), "unhex", 2, unhex),
    ((3, 43), "octet_length", 1, octet_length),
    ((3, 44), "concat", -1, concat),
    ((3, 44), "concat_ws", -1, concat_ws),
)
