"""`holdfast.store.list_items`: many at once, on both databases."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from holdfast.store import list_items, lists
from holdfast.store.database import Database
from tests.unit.store.test_lists import ONE, OTHER, a_list


@pytest.fixture(autouse=True)
async def two_lists(database: Database) -> None:
    async with database.write() as connection:
        await lists.insert(connection, a_list())
        await lists.insert(connection, a_list(OTHER, "other"))
        await list_items.put(connection, OTHER, {"a": "untouched"}, now=1)


async def everything(database: Database, list_id: str = ONE) -> list[list_items.Item]:
    async with database.read() as connection:
        return await list_items.page(connection, list_id, "ip", after="", search=None, limit=100)


async def put(database: Database, items: Mapping[str, str | None], *, now: int) -> int:
    async with database.write() as connection:
        return await list_items.put(connection, ONE, items, now=now)


async def test_what_comes_again_keeps_its_id_and_becomes_what_came(database: Database) -> None:
    assert await put(database, {"a": "1", "b": None, "c": 'ü "quoted" \\ $'}, now=5) == 3
    before = await everything(database)
    assert await put(database, {"a": "1", "b": "2", "c": None, "d": None}, now=6) == 3
    after = await everything(database)
    assert [(one.value, one.comment, one.created_on, one.modified_on) for one in before] == [
        ("a", "1", 5, 5),
        ("b", None, 5, 5),
        ("c", 'ü "quoted" \\ $', 5, 5),
    ]
    assert [(one.value, one.comment, one.created_on, one.modified_on) for one in after] == [
        ("a", "1", 5, 5),
        ("b", "2", 5, 6),
        ("c", None, 5, 6),
        ("d", None, 6, 6),
    ]
    assert [one.id for one in after[:3]] == [one.id for one in before]
    assert len({one.id for one in after}) == 4
    assert {len(one.id) for one in after} == {32}


async def test_more_than_a_statement_takes_are_put_and_removed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_items, "ITEMS_AT_ONCE", 3)
    await put(database, {f"{number:02}": None for number in range(10)}, now=5)
    found = await everything(database)
    assert [one.value for one in found] == [f"{number:02}" for number in range(10)]
    async with database.write() as connection:
        assert await list_items.unknown_ids(connection, ONE, [one.id for one in found] + ["x"]) == {"x"}
        assert await list_items.delete(connection, ONE, [one.id for one in found[:7]] + ["x"]) == 7
        assert await list_items.count(connection, ONE) == 3
        assert await list_items.count(connection, OTHER) == 1


async def test_all_others_are_removed_of_the_list_alone(database: Database) -> None:
    await put(database, {"a": None, "b": None, "c": None}, now=5)
    async with database.write() as connection:
        assert await list_items.delete_others(connection, ONE, {"b": None, "z": None}) == 2
        assert await list_items.delete_others(connection, ONE, []) == 1
    assert await everything(database) == []
    assert len(await everything(database, OTHER)) == 1


async def test_an_item_is_found_in_its_list_alone(database: Database) -> None:
    (item,) = await everything(database, OTHER)
    async with database.read() as connection:
        assert await list_items.find(connection, OTHER, item.id) == item
        assert await list_items.find(connection, ONE, item.id) is None
        assert await list_items.unknown_ids(connection, ONE, [item.id]) == {item.id}


@pytest.mark.parametrize(
    ("kind", "search", "found"),
    [
        ("ip", "10.0", ["10.0.0.1"]),
        ("ip", "0.0", []),
        ("hostname", "_B", ["a_b.test"]),
        ("asn", "1", ["1"]),
        ("asn", "2", []),
    ],
)
async def test_a_search_is_of_the_kind(database: Database, kind: str, search: str, found: list[str]) -> None:
    await put(database, dict.fromkeys(("10.0.0.1", "a_b.test", "axb.test", "1", "12")), now=5)
    async with database.read() as connection:
        items = await list_items.page(connection, ONE, kind, after="", search=search, limit=9)
    assert [one.value for one in items] == found


async def test_items_go_with_their_list(database: Database) -> None:
    async with database.write() as connection:
        await lists.delete(connection, OTHER)
    assert await everything(database, OTHER) == []
