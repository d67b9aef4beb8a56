"""`holdfast.store.list_names`: the kinds of lists that rules name."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from holdfast.store import identities
from holdfast.store.database import Database
from holdfast.store.identities import Account
from holdfast.store.list_names import kinds_of
from holdfast.store.schema import LISTS

MINE, THEIRS = "d" * 32, "e" * 32


def row(number: int, account_id: str, name: str, kind: str) -> dict[str, Any]:
    ids = {"id": f"{number:032x}", "account_id": account_id, "name": name, "kind": kind}
    return {**ids, "description": "", "num_items": 0, "version": 1, "created_on": 0, "modified_on": 0}


async def test_lists_of_the_account_are_found_by_name(database: Database) -> None:
    async with database.write() as connection:
        for account_id in (MINE, THEIRS):
            await identities.insert_account(connection, Account(id=account_id, name=account_id, created_on=0))
        rows = [row(1, MINE, "office", "ip"), row(2, MINE, "hosts", "hostname"), row(3, THEIRS, "networks", "asn")]
        await connection.execute(sa.insert(LISTS), rows)
        assert await kinds_of(connection, MINE, ["office", "networks", "nothing"]) == {"office": "ip"}
        assert await kinds_of(connection, MINE, []) == {}
