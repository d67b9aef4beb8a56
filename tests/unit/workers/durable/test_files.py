"""Where the files of objects are, and when they may be opened."""

from pathlib import Path

import pytest

from holdfast.store.objects.alarms import FILE_NAME, AlarmTable
from holdfast.workers.durable.files import Files
from holdfast.workers.durable.ids import IdSpace
from holdfast.workers.durable.services import ObjectClass

ROOM = ObjectClass(name="Room2", namespace="Room", unique_key="chat-Room", code=object, ids=IdSpace("chat-Room"))
DIGITS = "ab" * 32


def test_no_file_is_opened_before_the_directory_is_ours() -> None:
    files = Files(lambda *_: None)
    with pytest.raises(RuntimeError, match="before start"):
        files.open(ROOM, DIGITS)


def test_a_file_says_whose_it_is_and_tells_of_its_alarm(tmp_path: Path) -> None:
    table = AlarmTable.open(tmp_path / FILE_NAME)
    files = Files(lambda kind, digits: f"{kind.name} {digits[:2]}")
    files.found(tmp_path, table)
    assert files.stored_bytes(ROOM, DIGITS) == 0
    file = files.open(ROOM, DIGITS)
    file.alarm.set(5)
    file.commit()
    assert file.path == tmp_path / "chat-Room" / f"{DIGITS}.sqlite"
    assert files.stored_bytes(ROOM, DIGITS) > 0
    (row,) = table.due(10, 9)
    assert (row.class_name, row.object_id, row.object_name) == ("Room", DIGITS, "Room2 ab")
    file.close()
    looked_into = files.open_as_it_is(ROOM, DIGITS)
    assert looked_into.alarm.get() == 5
    looked_into.close()
    table.close()
