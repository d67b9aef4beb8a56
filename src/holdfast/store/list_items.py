"""The items of lists: many at once.

Law 1: items are unique in their list by value; one that comes again keeps its id, and becomes what came.
Law 2: a change of many is some statements of ITEMS_AT_ONCE items, each as one value in JSON that the database takes apart: a
row each would take five times as long, and on SQLite others wait meanwhile.
Law 3: ids that are made together follow each other, and items come in the order of their values: then each page of an index
is written once, in a third of the time.
Law 4: who writes items has touched their list before (`holdfast.store.lists`).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.model.rule_list import ASN, HOSTNAME
from holdfast.store.schema import ID_CHARS, LIST_ITEMS

ITEMS_AT_ONCE = 10_000
T = TypeVar("T")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item."""

    id: str
    value: str
    comment: str | None
    created_on: Moment
    modified_on: Moment


_COLUMNS = tuple(LIST_ITEMS.c[name] for name in Item.__struct_fields__)
# `true`: without it SQLite takes ON CONFLICT for a join's ON.
_PUT = {
    "sqlite": """
        INSERT INTO list_items (id, list_id, value, comment, created_on, modified_on)
        SELECT json_extract(value, '$[0]'), :list_id, json_extract(value, '$[1]'), json_extract(value, '$[2]'), :now, :now
        FROM json_each(:rows) WHERE true
        ON CONFLICT (list_id, value) DO UPDATE SET comment = excluded.comment, modified_on = excluded.modified_on
        WHERE list_items.comment IS NOT excluded.comment""",
    "postgresql": """
        INSERT INTO list_items (id, list_id, value, comment, created_on, modified_on)
        SELECT item ->> 0, CAST(:list_id AS varchar), item ->> 1, item ->> 2, CAST(:now AS bigint), CAST(:now AS bigint)
        FROM json_array_elements(CAST(:rows AS json)) AS item
        ON CONFLICT (list_id, value) DO UPDATE SET comment = excluded.comment, modified_on = excluded.modified_on
        WHERE list_items.comment IS DISTINCT FROM excluded.comment""",
}
_DELETE = {
    "sqlite": "DELETE FROM list_items WHERE list_id = :list_id AND id IN (SELECT value FROM json_each(:rows))",
    "postgresql": """DELETE FROM list_items WHERE list_id = :list_id
        AND id IN (SELECT json_array_elements_text(CAST(:rows AS json)))""",
}
_DELETE_OTHERS = {
    "sqlite": "DELETE FROM list_items WHERE list_id = :list_id AND value NOT IN (SELECT value FROM json_each(:rows))",
    # NOT IN would compare each with each where there are more than fit into its memory.
    "postgresql": """DELETE FROM list_items WHERE list_id = :list_id AND NOT EXISTS (
        SELECT 1 FROM json_array_elements_text(CAST(:rows AS json)) AS kept(value) WHERE kept.value = list_items.value)""",
}
# Hexadecimal digits of an id that count the items made together; the others are chance.
_COUNTING_DIGITS = 8


async def put(connection: AsyncConnection, list_id: str, items: Mapping[str, str | None], *, now: Moment) -> int:
    """Add items, given by value with their comments; those that are there get the comments that are given. How many were not
    there, or had another comment."""
    statement, changed = sa.text(_PUT[connection.dialect.name]), 0
    chance = secrets.token_hex((ID_CHARS - _COUNTING_DIGITS) // 2)
    for part in _parts(enumerate(items.items())):
        rows = [(f"{chance}{number:0{_COUNTING_DIGITS}x}", value, comment) for number, (value, comment) in part]
        changed += (await connection.execute(statement, {"list_id": list_id, "rows": _json(rows), "now": now})).rowcount
    return changed


async def delete(connection: AsyncConnection, list_id: str, ids: Collection[str]) -> int:
    """Remove the items with these ids; how many of them there were."""
    statement, gone = sa.text(_DELETE[connection.dialect.name]), 0
    for part in _parts(ids):
        gone += (await connection.execute(statement, {"list_id": list_id, "rows": _json(part)})).rowcount
    return gone


async def delete_others(connection: AsyncConnection, list_id: str, kept: Collection[str]) -> int:
    """Remove all items but those with these values; how many that were."""
    statement = sa.text(_DELETE_OTHERS[connection.dialect.name])
    return (await connection.execute(statement, {"list_id": list_id, "rows": _json(list(kept))})).rowcount


async def count(connection: AsyncConnection, list_id: str) -> int:
    """How many items a list has."""
    statement = sa.select(sa.func.count()).select_from(LIST_ITEMS).where(LIST_ITEMS.c.list_id == list_id)
    return await connection.scalar(statement) or 0


async def unknown_ids(connection: AsyncConnection, list_id: str, ids: Collection[str]) -> set[str]:
    """Those of `ids` that no item of the list has."""
    left = set(ids)
    for part in _parts(ids):
        statement = sa.select(LIST_ITEMS.c.id).where(LIST_ITEMS.c.list_id == list_id, LIST_ITEMS.c.id.in_(part))
        left.difference_update((await connection.scalars(statement)).all())
    return left


async def find(connection: AsyncConnection, list_id: str, item_id: str) -> Item | None:
    """The list's item with this id."""
    condition = sa.and_(LIST_ITEMS.c.list_id == list_id, LIST_ITEMS.c.id == item_id)
    row = (await connection.execute(sa.select(*_COLUMNS).where(condition))).mappings().one_or_none()
    return None if row is None else Item(**row)


async def page(
    connection: AsyncConnection, list_id: str, kind: str, *, after: str, search: str | None, limit: int
) -> list[Item]:
    """Up to `limit` items, by value, of those that come after the value `after`."""
    condition = sa.and_(LIST_ITEMS.c.list_id == list_id, LIST_ITEMS.c.value > after)
    if search:
        condition = sa.and_(condition, _matches(kind, search))
    statement = sa.select(*_COLUMNS).where(condition).order_by(LIST_ITEMS.c.value).limit(limit)
    return [Item(**row) for row in (await connection.execute(statement)).mappings().all()]


def _matches(kind: str, search: str) -> sa.ColumnElement[bool]:
    """Addresses begin with what is searched for, host names contain it, numbers are it."""
    value = LIST_ITEMS.c.value
    if kind == ASN:
        return value == search
    lowered = search.lower()
    if kind == HOSTNAME:
        # Contains: taking the text out changes it. LIKE would read "_" in it as a wildcard.
        return sa.func.replace(value, lowered, "") != value
    return sa.func.substr(value, 1, len(lowered)) == lowered


def _parts(items: Iterable[T]) -> Iterator[Sequence[T]]:
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == ITEMS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _json(rows: Sequence[object]) -> str:
    return msgspec.json.encode(rows).decode()
