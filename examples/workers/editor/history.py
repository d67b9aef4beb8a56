"""The updates that made a document, numbered, so that it can be made again as it was when a page last heard of it.

Numbers begin at the time the document was first made: one that is made anew knows no number of the one before it.
"""

import time
from typing import Any

from pycrdt import Doc

# Beyond so many updates, or bytes of them, the older half becomes one.
MAX_UPDATES = 10_000
MAX_BYTES = 16 * 1024 * 1024


class History:
    """What an object has on its disk of a document. `newest` is the number of the document as it is."""

    def __init__(self, sql: Any) -> None:
        self._sql = sql
        self._sql.exec("CREATE TABLE IF NOT EXISTS updates (id INTEGER PRIMARY KEY, data BLOB, client TEXT)")
        self._sql.exec(
            "INSERT INTO updates (id, data) SELECT ?, ? WHERE NOT EXISTS (SELECT * FROM updates)",
            time.time_ns() // 1_000_000, Doc().get_update(),
        )  # fmt: skip
        found = self._sql.exec(
            "SELECT min(id) AS oldest, max(id) AS newest, sum(length(data)) AS size FROM updates"
        ).one()
        self.oldest, self.newest, self.size = int(found["oldest"]), int(found["newest"]), int(found["size"])

    def updates(self, number: int) -> list[bytes]:
        """What makes the document as it was at that number."""
        rows = self._sql.exec("SELECT data FROM updates WHERE id <= ? ORDER BY id", number)
        return [bytes(row["data"]) for row in rows]

    def update_of(self, client: str, base: int) -> bytes | None:
        """What this page did to the document of that number, if it did. By the next number it would know."""
        sql = "SELECT data FROM updates WHERE id > ? AND client = ?"
        found = self._sql.exec(sql, base, client).toArray()
        return bytes(found[0]["data"]) if found else None

    def append(self, update: bytes, client: str | None) -> None:
        """One more, with the next number, and which page it is of."""
        self.newest += 1
        self.size += len(update)
        self._sql.exec("INSERT INTO updates (id, data, client) VALUES (?, ?, ?)", self.newest, update, client)
        while self.newest > self.oldest and (self.newest - self.oldest >= MAX_UPDATES or self.size > MAX_BYTES):
            self._shorten()

    @property
    def is_full(self) -> bool:
        """Whether the document itself is longer than may be, not only what made it."""
        return self.size > MAX_BYTES

    def _shorten(self) -> None:
        middle = self.newest - (self.newest - self.oldest) // 2
        doc: Doc[Any] = Doc()
        older = self.updates(middle)
        for update in older:
            doc.apply_update(update)
        whole = doc.get_update()
        self._sql.exec("DELETE FROM updates WHERE id <= ?", middle)
        self._sql.exec("INSERT INTO updates (id, data) VALUES (?, ?)", middle, whole)
        self.oldest, self.size = middle, self.size - sum(map(len, older)) + len(whole)
