"""Files of objects are moved and removed by whole namespaces, and what failed is done later."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.control.worker_objects import NotLetGo, adopt, doom, forget
from holdfast.model.data_dir import worker_dir, worker_key, worker_namespace_dir, worker_objects_dir
from holdfast.model.worker_migrations import DurableClass
from holdfast.store.objects.alarm_cell import Alarm
from holdfast.store.objects.alarms import FILE_NAME, AlarmRow, AlarmTable
from holdfast.store.objects.errors import StorageError
from holdfast.store.objects.identity import Identity
from tests.unit.edge.deployed import ACCOUNT, deployed

CHAT, HALL = worker_key(ACCOUNT, "chat"), worker_key(ACCOUNT, "hall")
CAME = DurableClass(namespace="chat-Room", came_from=CHAT)


def stored(data_dir: Path, key: str, unique_key: str) -> Path:
    """A namespace with an object."""
    directory = worker_namespace_dir(data_dir, key, unique_key)
    directory.mkdir(parents=True)
    (directory / "object").touch()
    return directory


def test_what_is_doomed_and_lives_stays(tmp_path: Path) -> None:
    room, hall = (stored(tmp_path, CHAT, f"chat-{name}") for name in ("Room", "Hall"))
    doom(tmp_path, CHAT, ["chat-Room", "chat-Hall"])
    assert forget(tmp_path, CHAT, {"chat-Room"})
    assert (room.is_dir(), hall.is_dir()) == (True, False)
    # It is not doomed for ever: a class that is deleted later is doomed anew.
    assert forget(tmp_path, CHAT, ())
    assert room.is_dir()


def test_what_cannot_be_removed_is_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = stored(tmp_path, CHAT, "chat-Room")
    doom(tmp_path, CHAT, ["chat-Room"])

    def refused(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refused)
        assert not forget(tmp_path, CHAT, ())
    doom(tmp_path, CHAT, ["chat-Other"])
    assert directory.is_dir()
    assert forget(tmp_path, CHAT, ())
    assert not directory.exists()


def test_what_was_removed_by_half_is_removed(tmp_path: Path) -> None:
    left = stored(tmp_path, CHAT, ".removed-0123abcd")
    assert forget(tmp_path, CHAT, ())
    assert not left.exists()


@pytest.mark.parametrize("text", ["", "{", "[5]", '["../../x", "/etc", "a\\u0000", ""]', "null"])
def test_nonsense_dooms_nothing(tmp_path: Path, text: str) -> None:
    outside = tmp_path / "workers" / "x"
    outside.mkdir(parents=True)
    worker_dir(tmp_path, CHAT).mkdir(parents=True)
    (worker_dir(tmp_path, CHAT) / "doomed.json").write_text(text, encoding="utf-8")
    assert forget(tmp_path, CHAT, ())
    assert outside.is_dir()


def table(data_dir: Path, key: str) -> AlarmTable:
    """The alarms of a script's objects."""
    found = AlarmTable.open(worker_objects_dir(data_dir, key) / FILE_NAME, list)
    assert found.is_complete()
    return found


def test_objects_move_with_their_alarms_once(tmp_path: Path) -> None:
    there = stored(tmp_path, CHAT, "chat-Room")
    for name in ("chat", "hall"):
        deployed(tmp_path, name)
    source, target = table(tmp_path, CHAT), table(tmp_path, HALL)
    source.put(Identity("Room", "a" * 64, "lobby"), Alarm(100, 150, 2))
    source.put(Identity("Other", "b" * 64), Alarm(1, 1))
    adopt(tmp_path, HALL, "hall", CAME)
    here = worker_namespace_dir(tmp_path, HALL, "chat-Room")
    assert (there.exists(), [one.name for one in here.iterdir()]) == (False, ["object"])
    assert target.due(1000, 9) == [AlarmRow("chat-Room", "a" * 64, "lobby", 100, 2, 150)]
    stored(tmp_path, CHAT, "chat-Room")
    adopt(tmp_path, HALL, "hall", CAME)
    assert there.is_dir()


def test_objects_that_come_back_are_kept_under_their_own_name(tmp_path: Path) -> None:
    stored(tmp_path, HALL, "chat-Room")
    for name in ("chat", "hall"):
        deployed(tmp_path, name)
    source, target = table(tmp_path, HALL), table(tmp_path, CHAT)
    source.put(Identity("chat-Room", "a" * 64), Alarm(100, 100))
    adopt(tmp_path, CHAT, "chat", DurableClass(namespace="Room", came_from=HALL))
    assert [row.class_name for row in target.due(1000, 9)] == ["Room"]


def test_a_script_that_serves_them_lets_none_go(tmp_path: Path) -> None:
    there = stored(tmp_path, CHAT, "chat-Room")
    deployed(tmp_path, "chat", classes={"Renamed": DurableClass(namespace="Room")})
    with pytest.raises(NotLetGo, match="the Worker chat serves its objects still"):
        adopt(tmp_path, HALL, "hall", CAME)
    assert there.is_dir()


def test_where_the_alarms_of_before_are_not_known_they_are_found_in_the_files(tmp_path: Path) -> None:
    stored(tmp_path, CHAT, "chat-Room")
    for name in ("chat", "hall"):
        deployed(tmp_path, name)
    target = table(tmp_path, HALL)
    adopt(tmp_path, HALL, "hall", CAME)
    assert not target.is_complete()


def test_alarms_that_cannot_be_told_keep_the_objects_where_they_are(tmp_path: Path) -> None:
    there = stored(tmp_path, CHAT, "chat-Room")
    for name in ("chat", "hall"):
        deployed(tmp_path, name)
    file = worker_objects_dir(tmp_path, HALL) / FILE_NAME
    file.parent.mkdir()
    file.write_bytes(b"no database" * 100)
    with pytest.raises(StorageError):
        adopt(tmp_path, HALL, "hall", CAME)
    assert there.is_dir()


def test_where_nothing_was_stored_nothing_moves(tmp_path: Path) -> None:
    adopt(tmp_path, HALL, "hall", CAME)
    assert not worker_objects_dir(tmp_path, HALL).exists()
