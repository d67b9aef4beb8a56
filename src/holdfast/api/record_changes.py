"""Changes to the DNS records of a zone: made in a book, written in the same order, and written down.

Law 1: all changes of a request are made or none (one transaction, under the zone's lock), so no client sees or undoes
half of another's.
Law 2: a change that changes nothing is no write: nothing is audited, no time moves.
Law 3: no request leaves more than MAX_ENTRIES audit entries: beyond, it is one, which counts the changes and lists the first.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.faults import not_found
from holdfast.api.record_shapes import record_view
from holdfast.api.undoing import Undone, writing
from holdfast.model.dns_record import DnsRecord, RecordFields, changed, made, parse_fields
from holdfast.model.record_book import RecordBook
from holdfast.store import records, zones
from holdfast.store.audit import MAX_VALUE_BYTES

RESOURCE = "dns_record"
# What one entry is about that is of many records. Its id is the zone's.
RESOURCES = "dns_records"
# Audit entries of one request. People and their tools change a few records at a time; a zone file has thousands, and their
# entries would push out the history of the zone.
MAX_ENTRIES = 10


class RecordChanges:
    """What is to be changed in one zone. Each method raises RecordError, and has changed nothing then."""

    def __init__(self, access: Access, book: RecordBook) -> None:
        self.book = book
        self.inserted: list[DnsRecord] = []
        # (before, after), in the order of the changes: what is written in that order meets no record twice.
        self.updated: list[tuple[DnsRecord, DnsRecord]] = []
        self.deleted: list[DnsRecord] = []
        self._zone = access.known_zone
        self._now = access.context.clock()

    def insert(self, given: RecordFields) -> DnsRecord:
        """Add a record."""
        # Each a moment later than the one before: they are listed in the order in which they were made.
        moment = self._now + len(self.inserted)
        record = made(secrets.token_hex(16), self._parsed(given), now=moment)
        self.book.put(record)
        self.inserted.append(record)
        return record

    def update(self, record_id: str, given: RecordFields) -> DnsRecord:
        """Put `given` in place of what a record holds."""
        before = self.book.find(record_id)
        after = changed(before, self._parsed(given), now=self._now)
        if after is not before:
            self.book.put(after)
            self.updated.append((before, after))
        return after

    def delete(self, record_id: str) -> DnsRecord:
        """Take a record out."""
        record = self.book.remove(record_id)
        self.deleted.append(record)
        return record

    def _parsed(self, given: RecordFields) -> RecordFields:
        return parse_fields(given, zone=self._zone.name, plan=self._zone.plan)


@asynccontextmanager
async def changing(access: Access) -> AsyncIterator[RecordChanges]:
    """Changes to the zone's records, written and published when the block ends, forgotten when it raises."""
    zone = access.known_zone
    is_changed = False
    async with writing(access.context.database) as connection:
        if not await zones.touch(connection, zone.id):
            raise not_found("zone")
        changes = RecordChanges(access, RecordBook(await records.of_zone(connection, zone.id)))
        yield changes
        is_changed = bool(changes.deleted or changes.updated or changes.inserted)
        if not is_changed:
            raise Undone
        await _write(connection, zone.id, changes)
        await _note(access, connection, changes)
    if is_changed:
        await access.context.on_change([zone.id])


async def _write(connection: AsyncConnection, zone_id: str, changes: RecordChanges) -> None:
    if changes.deleted:
        await records.delete(connection, [record.id for record in changes.deleted])
    if changes.updated:
        await records.update(connection, [after for _, after in changes.updated])
    if changes.inserted:
        await records.insert(connection, zone_id, changes.inserted)


async def _note(access: Access, connection: AsyncConnection, changes: RecordChanges) -> None:
    if len(changes.deleted) + len(changes.updated) + len(changes.inserted) > MAX_ENTRIES:
        old = _listing(deleted=changes.deleted, updated=[before for before, _ in changes.updated])
        new = _listing(updated=[after for _, after in changes.updated], created=changes.inserted)
        await access.record(connection, "update", RESOURCES, access.known_zone.id, old=old, new=new)
        return
    for record in changes.deleted:
        await access.record(connection, "delete", RESOURCE, record.id, old=record_view(record))
    for before, after in changes.updated:
        await access.record(connection, "update", RESOURCE, after.id, old=record_view(before), new=record_view(after))
    for record in changes.inserted:
        await access.record(connection, "create", RESOURCE, record.id, new=record_view(record))


def _listing(**parts: Sequence[DnsRecord]) -> dict[str, Any]:
    """How many records each part has, and the first of them, as many as an entry holds."""
    counts = {name: len(part) for name, part in parts.items()}
    listing: dict[str, Any] = {"counts": counts, **{name: [] for name in parts}}
    room = MAX_VALUE_BYTES - len(msgspec.json.encode(listing))
    for name, part in parts.items():
        for record in part:
            view = record_view(record)
            # And the comma.
            room -= len(msgspec.json.encode(view)) + 1
            if room < 0:
                return listing
            listing[name].append(view)
    return listing
