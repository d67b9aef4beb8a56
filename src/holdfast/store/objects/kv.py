"""The key-value API's statements: keys are text, values bytes, order is that of the keys' UTF-8.

Law 1: a key with a lone surrogate has no UTF-8, and is refused; any other text is a key, the empty one too.
Law 2: a listing is one statement, and what it returns is as of then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.store.objects.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.store.objects.file import ObjectFile

_GET = " SELECT value FROM _cf_KV WHERE key = ?"
_PUT = " INSERT INTO _cf_KV VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_DELETE = " DELETE FROM _cf_KV WHERE key = ?"
_LAST_LETTER = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class Range:
    """Which keys: from `start` (itself too), or after `start_after`, before `end`, with `prefix`; at most `limit` of them."""

    start: str | None = None
    start_after: str | None = None
    end: str | None = None
    prefix: str = ""
    is_reverse: bool = False
    limit: int | None = None


class KeyValues:
    """The keys of one file."""

    __slots__ = ("_file",)

    def __init__(self, file: ObjectFile) -> None:
        self._file = file

    def get(self, key: str) -> bytes | None:
        """The value, or None. Raises StorageError."""
        if not self._file.exists:
            return None
        row = self._file.read(_GET, (checked(key),)).fetchone()
        return None if row is None else row[0]

    def put(self, key: str, value: bytes) -> None:
        """Keep the value under the key, in place of any other. Raises StorageError."""
        self._file.write(_PUT, (checked(key), value))

    def delete(self, key: str) -> bool:
        """Whether there was something to delete."""
        if not self._file.exists:
            return False
        return self._file.write(_DELETE, (checked(key),)).rowcount > 0

    def list(self, keys: Range) -> Iterator[tuple[str, bytes]]:
        """Keys and values in order, all as they are now. Raises StorageError."""
        if not self._file.exists:
            return iter(())
        sql, parameters = _listing(keys)
        return iter(self._file.read(sql, parameters).fetchall())


def checked(key: str) -> str:
    """The key, if it has a UTF-8. Raises StorageError."""
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise StorageError(f"a key must be valid Unicode, got a lone surrogate at letter {error.start}") from None
    return key


def after_prefix(prefix: str) -> str | None:
    """The first key after all that begin with `prefix`; None where none is, as of ""."""
    # UTF-8 sorts as code points do, so the last letter that has a next one takes its place.
    stem = prefix.rstrip(_LAST_LETTER)
    if not stem:
        return None
    letter = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if 0xD800 <= letter <= 0xDFFF else letter)


def _listing(keys: Range) -> tuple[str, list[str | int]]:
    after = after_prefix(keys.prefix)
    bounds = [
        ("key >= ?", keys.start),
        ("key > ?", keys.start_after),
        ("key < ?", keys.end),
        ("key >= ?", keys.prefix or None),
        ("key < ?", after),
    ]
    given = [(condition, checked(bound)) for condition, bound in bounds if bound is not None]
    where = f"WHERE {' AND '.join(condition for condition, _ in given)}" if given else ""
    order = "DESC" if keys.is_reverse else "ASC"
    sql = f" SELECT key, value FROM _cf_KV {where} ORDER BY key {order} LIMIT ?"  # noqa: S608 - no text of a user's
    limit = -1 if keys.limit is None else min(keys.limit, 2**62)
    return sql, [*(bound for _, bound in given), limit]
