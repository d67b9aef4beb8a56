"""`holdfast.api.record_changes`: changes are made in a book, and noted in their order."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfast.api.access import Access
from holdfast.api.record_changes import RecordChanges, _listing
from holdfast.model.dns_record import RecordError, RecordFields
from holdfast.model.record_book import RecordBook
from holdfast.store.audit import bounded


def _changes() -> RecordChanges:
    zone = SimpleNamespace(name="z.example", plan="free")
    access: Any = SimpleNamespace(known_zone=zone, context=SimpleNamespace(clock=lambda: 100))
    return RecordChanges(cast(Access, access), RecordBook())


def _fields(name: str, content: str = "10.0.0.1") -> RecordFields:
    return RecordFields(name=name, type="A", content=content)


def test_each_record_is_a_moment_later_than_the_one_before() -> None:
    changes = _changes()
    made = [changes.insert(_fields(name)) for name in ("a", "b")]
    assert [(record.name, record.created_on) for record in made] == [("a.z.example", 100), ("b.z.example", 101)]
    assert changes.inserted == made


def test_what_changes_nothing_is_not_noted() -> None:
    changes = _changes()
    record = changes.insert(_fields("a"))
    assert changes.update(record.id, _fields("a.z.example")) is record
    assert changes.updated == []
    after = changes.update(record.id, _fields("c"))
    assert changes.updated == [(record, after)]
    assert changes.delete(record.id) == after
    assert changes.deleted == [after]


def test_what_is_refused_is_not_noted() -> None:
    changes = _changes()
    record = changes.insert(_fields("a"))
    refusals: list[Callable[[], object]] = [
        lambda: changes.insert(_fields("a")),
        lambda: changes.insert(_fields("b", "x")),
        lambda: changes.update(record.id, _fields("a", "x")),
        lambda: changes.update("nobody", _fields("a")),
        lambda: changes.delete("nobody"),
    ]
    for refuse in refusals:
        with pytest.raises(RecordError):
            refuse()
    assert (changes.inserted, changes.updated, changes.deleted, len(changes.book)) == ([record], [], [], 1)


def test_a_listing_counts_all_and_holds_the_first_that_fit() -> None:
    changes = _changes()
    made = [changes.insert(_fields(f"n{number}")) for number in range(100)]
    listing = _listing(deleted=made[:2], updated=made)
    assert listing["counts"] == {"deleted": 2, "updated": 100}
    assert [one["id"] for one in listing["deleted"]] == [one.id for one in made[:2]]
    assert 10 < len(listing["updated"]) < 100
    assert [one["id"] for one in listing["updated"]] == [one.id for one in made[: len(listing["updated"])]]
    assert bounded(listing) == listing
