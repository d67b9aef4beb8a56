"""The table of a ledger, and what a version before wrote, which had two."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from holdfast.store.objects.file import ObjectFile
from holdfast.workers.durable import ledger_rows
from holdfast.workers.durable.ledger_rows import Rows, rows_of
from holdfast.workers.durable.outbox import entries_in
from tests.unit.workers.durable.ledger_scene import A, B, Scene

# As the version before wrote them.
FORMER = """
CREATE TABLE IF NOT EXISTS _cf_OUTBOX (slot INTEGER PRIMARY KEY, last INTEGER, entries BLOB)
"""


def former(path: Path, *said: str, first: int = 1, events: tuple[tuple[int, int], ...] = ()) -> None:
    """A file as the version before left it when it was killed: each text in a commit of its own, one of them in two pieces."""
    file = ObjectFile.open(path)
    file.write(f" {FORMER}")
    slot = 0
    for number, text in enumerate(said, first):
        encoded = msgspec.msgpack.encode([(number, 1, [A], text)])
        half = len(encoded) // 2 if number == first else len(encoded)
        for piece in (encoded[:half], encoded[half:]):
            if piece:
                slot += 1
                file.write(" INSERT INTO _cf_OUTBOX VALUES (?, ?, ?)", (slot, number, piece))
    for sid, seq in events:
        file.write(" INSERT INTO _cf_HANDLED VALUES (?, ?)", (sid - 2**64 if sid >= 2**63 else sid, seq))
    file.commit()
    file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "object.sqlite"


def left(scene: Scene) -> list[int]:
    return [scene.file.read(f" SELECT count(*) FROM {table}").fetchone()[0] for table in ("_cf_OUTBOX", "_cf_HANDLED")]


def test_what_a_version_before_wrote_is_found_before_anything_is_written(path: Path) -> None:
    former(path, "one", "two", events=((A, 5), (B, 6)))
    scene = Scene(path)
    assert scene.said == [["one"], ["two"]]
    assert (scene.handled(A, range(8)), scene.handled(B, range(8))) == ([5], [6])
    assert left(scene) == [3, 2]
    scene.file.close()


def test_what_a_version_before_wrote_is_taken_over_with_the_first_commit_and_not_without(path: Path) -> None:
    former(path, "one", "two", events=((A, 5), (B, 6)))
    scene = Scene(path)
    scene.writes()
    scene.writes_down(lambda outbox: outbox.add(1, [A], "never"))
    scene = scene.again()
    assert (scene.said, left(scene)) == ([["one"], ["two"]], [3, 2])
    scene.says("three")
    scene = scene.again()
    assert (scene.said, left(scene)) == ([["one"], ["two"], ["three"]], [0, 0])
    assert [entry.number for entry in entries_in(rows_of(scene.file))] == [1, 2, 3]
    assert (scene.handled(A, range(8)), scene.handled(B, range(8))) == ([5], [6])
    scene.file.close()


def test_what_was_taken_over_makes_room_as_what_was_written_since(path: Path) -> None:
    former(path, "one", "two", events=((A, 5), (B, 6)))
    scene = Scene(path, has_taken=True, has_all_sockets=True)
    scene.session(A, 4)
    scene.says("three")
    assert scene.said == [["three"]]
    assert (scene.handled(A, range(8)), scene.handled(B, range(8))) == ([5], [])
    scene.acknowledges(A, 5)
    for _ in range(3):
        scene.says("four")
    assert scene.rows == 1
    scene.file.close()


def test_what_a_version_before_wrote_when_it_came_again_is_what_is_owed(path: Path) -> None:
    scene = Scene(path)
    scene.writes((A, 1))
    scene.says("of before")
    scene.file.close()
    former(path, "one", "two")
    scene = Scene(path)
    assert scene.said == [["one"], ["two"]]
    scene.says("three")
    scene = scene.again()
    assert scene.said == [["one"], ["two"], ["three"]]
    assert scene.handled(A, range(3)) == [1]
    scene.file.close()


@pytest.fixture
def rows(path: Path) -> Iterator[Rows]:
    file = ObjectFile.open(path)
    made = Rows(file)
    assert made.found() == ([], 0)
    yield made
    file.close()


def test_many_traces_are_in_several_rows(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_rows, "MAX_TRACES", 3)
    traces = [(A, seq) for seq in range(7)]
    written = rows.put(1, [b"one piece"], traces)
    assert [list(of_row) for _, of_row in written] == [traces[:3], traces[3:6], traces[6:]]
    assert [row.size for row, _ in written] == [9, 0, 0]
    found, _ = Rows(rows._file).found()
    assert [list(of_row) for _, of_row in found] == [traces[:3], traces[3:6], traces[6:]]


def test_pieces_stand_in_order_and_go_together_and_others_a_few_at_a_time(rows: Rows) -> None:
    singles = [row for number in range(30) for row, _ in rows.put(number, [b"single"], [])]
    pieces = [row for row, _ in rows.put(30, [b"1", b"2", b"3"], [])]
    for row in (*singles, *pieces):
        rows.free(row)
    again = [row.slot for row, _ in rows.put(31, [b"4", b"5"], [])]
    assert again == sorted(again)
    left = {slot for (slot,) in rows._file.read(" SELECT slot FROM _cf_OWED")}
    assert left.isdisjoint({row.slot for row in pieces} - set(again))
    assert len(left & {row.slot for row in singles}) == 30 - ledger_rows.DELETED_AT_ONCE
