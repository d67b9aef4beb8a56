"""The file of one instance, with services and commits that are played."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfast.store.objects.errors import StorageError
from holdfast.workers.durable.commits import Commits
from holdfast.workers.durable.own_file import Owner, OwnFile
from holdfast.workers.durable.services import Services


class Played:
    """An object with two sockets, one of which has no session; its services; and its commits."""

    def __init__(self, *, has_ledger: bool = True, error: Exception | None = None) -> None:
        self.kind, self.id = "Room", "ab"
        self.sockets = {cast("Any", ws): None for ws in (Socket("s1"), Socket(None))}
        self.open_ledger = self._ledger_of if has_ledger else None
        self.opened: list[tuple[object, object]] = []
        self.file: Any = None
        self.ledger: Any = None
        self.let_go_times = 0
        self._error = error

    def open_file(self, kind: object, digits: object) -> Any:
        if self._error is not None:
            raise self._error
        self.opened.append((kind, digits))
        return SimpleNamespace(changed_rows=0)

    def _ledger_of(self, kind: object, digits: object, file: object, sessions: Any) -> Any:
        return SimpleNamespace(of=(kind, digits, file), sessions=sessions)

    def let_go(self) -> None:
        self.let_go_times += 1


class Socket:
    def __init__(self, session: str | None) -> None:
        self.session = session


def own(played: Played) -> OwnFile:
    return OwnFile(cast("Owner", played), cast("Services", played), cast("Commits", played))


def test_it_is_opened_by_class_and_id_and_is_what_is_committed() -> None:
    played = Played()
    mine = own(played)
    assert (mine.file, mine.ledger, played.opened) == (None, None, [])
    mine.open()
    assert played.opened == [("Room", "ab")]
    assert mine.file is played.file
    assert mine.ledger is played.ledger
    assert mine.ledger is not None


def test_its_ledger_knows_the_sessions_that_there_are_when_it_asks() -> None:
    played = Played()
    mine = own(played)
    mine.open()
    ledger: Any = mine.ledger
    assert ledger.of == ("Room", "ab", mine.file)
    assert ledger.sessions() == ["s1"]
    played.sockets[cast("Any", Socket("s2"))] = None
    assert ledger.sessions() == ["s1", "s2"]


def test_there_is_none_where_nobody_keeps_ledgers() -> None:
    mine = own(Played(has_ledger=False))
    mine.open()
    assert (mine.file is None, mine.ledger) == (False, None)


def test_what_opening_raises_leaves_it_closed() -> None:
    mine = own(Played(error=StorageError("no disk")))
    with pytest.raises(StorageError, match="no disk"):
        mine.open()
    assert (mine.file, mine.ledger, mine.rows_changed()) == (None, None, 0)


def test_rows_are_counted_from_one_time_to_the_next_and_anew_where_the_file_was_emptied() -> None:
    mine = own(Played())
    mine.open()
    counted = []
    for changed in (5, 5, 8, 2):
        mine.file.changed_rows = changed
        counted.append(mine.rows_changed())
    assert counted == [5, 0, 3, 2]


def test_what_is_let_go_of_is_nobodys_and_what_was_made_of_it_goes_with_it() -> None:
    played = Played()
    mine = own(played)
    mine.open()
    mine.storage = "made of it"
    assert mine.let_go() is None
    assert (mine.file, mine.ledger, mine.storage, played.let_go_times) == (None, None, None, 1)
