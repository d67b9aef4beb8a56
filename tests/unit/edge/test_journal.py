"""The journal on a real disk: written soon, written whole, and never in anybody's way."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.edge import journal as journal_module
from holdfast.edge.journal import Journal
from holdfast.edge.journal_format import Served, entry, replay
from holdfast.edge.link_frames import RawDelta, body_of, raw_of
from tests.unit.edge.origins import a_document, zone_id

LIMIT_S = 30.0


class State:
    """What an edge serves, and the journal it tells of it."""

    def __init__(self, file: Path) -> None:
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.warned = threading.Event()
        self.asked = 0
        self.served = Served(source="s", revision=1, zones={})
        self.journal = Journal(file, log=self.note)

    def note(self, event: str, fields: Any) -> None:
        self.log.append((event, dict(fields)))
        self.warned.set()

    def now(self) -> Served:
        self.asked += 1
        return self.served

    def change(self, name: str, *, padding: int = 0) -> None:
        """One zone more."""
        before = self.served
        raw = raw_of(a_document(name, plan="x" * padding))
        zones = before.zones | {zone_id(name): bytes(raw)}
        self.served = Served(source="s", revision=before.revision + 1, zones=zones)
        delta = RawDelta(source="s", base=before.revision, revision=self.served.revision, zones=(raw,))
        self.journal.append(body_of(delta))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy disk has its time, and what has failed is tried again when the journal is stopped."""
    for limit in ("_STOP_LIMIT_S", "_FIRST_RETRY_S", "_LAST_RETRY_S"):
        monkeypatch.setattr(journal_module, limit, 60.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "edge" / "snapshot.bin"


@pytest.fixture
def start(file: Path) -> Iterator[Callable[[], State]]:
    states: list[State] = []

    def begin() -> State:
        states.append(State(file))
        return states[-1]

    yield begin
    for state in states:
        state.journal.stop()


def on_disk(file: Path) -> Served | None:
    return replay(file.read_bytes()).served


def test_what_was_served_is_there_for_the_next_edge(start: Callable[[], State], file: Path) -> None:
    first = start()
    assert first.journal.load() is None
    first.journal.start(first.now)
    for number in range(50):
        first.change(f"zone-{number}.test")
    first.journal.stop()
    assert on_disk(file) == first.served
    assert file.stat().st_mode & 0o777 == 0o600
    second = start()
    assert second.journal.load() == first.served
    assert (first.log, second.log) == ([], [])


def test_a_journal_that_was_read_is_gone_on_with(start: Callable[[], State], file: Path) -> None:
    first = start()
    first.journal.start(first.now)
    first.change("a.test")
    first.journal.stop()
    second = start()
    loaded = second.journal.load()
    assert loaded is not None
    second.served = loaded
    second.journal.start(second.now)
    size = file.stat().st_size
    second.change("b.test")
    second.journal.stop()
    assert second.asked == 0, "a change was appended, and not everything written anew"
    assert file.stat().st_size > size
    assert on_disk(file) == second.served


def test_who_takes_over_begins_with_everything_and_who_handed_over_writes_no_more(
    start: Callable[[], State], file: Path
) -> None:
    first = start()
    first.journal.start(first.now)
    first.change("a.test")
    second = start()
    second.served = first.served
    second.change("b.test")  # it is not its to write yet
    first.change("c.test")
    first.journal.hand_over()
    assert on_disk(file) == first.served
    first.change("d.test")
    first.journal.rewrite()
    second.journal.start(second.now, anew=True)
    second.change("e.test")
    second.journal.stop()
    assert on_disk(file) == second.served
    assert (first.log, second.log) == ([], [])


def test_what_a_successor_is_not_to_write_yet_is_bounded(
    start: Callable[[], State], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING_BYTES", 1000)
    waiting = start()
    for number in range(20):
        waiting.change(f"zone-{number}.test", padding=200)
        assert waiting.journal.statistics()["journal_waiting_bytes"] <= 1000
    assert not file.exists()


@pytest.mark.parametrize("damage", [b"torn", entry(b"\x00"), b"\xff" * 40])
def test_after_damage_everything_is_written_anew(start: Callable[[], State], file: Path, damage: bytes) -> None:
    first = start()
    first.journal.start(first.now)
    first.change("a.test")
    first.journal.stop()
    with file.open("ab") as opened:
        opened.write(damage)
    second = start()
    loaded = second.journal.load()
    assert loaded == first.served
    assert [event for event, _ in second.log] == ["journal_warning"]
    second.served = first.served
    second.journal.start(second.now)
    second.change("b.test")
    second.journal.stop()
    assert replay(file.read_bytes()).good_bytes == file.stat().st_size
    assert on_disk(file) == second.served


def test_changes_that_outgrow_the_snapshot_are_folded_into_it(
    start: Callable[[], State], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MIN_GROWTH_BYTES", 4096)
    state = start()
    state.journal.start(state.now)
    for _ in range(200):
        state.change("a.test", padding=200)
    state.journal.stop()
    assert file.stat().st_size < 3 * 4096
    assert on_disk(file) == state.served


def test_what_waits_for_a_disk_is_bounded(
    start: Callable[[], State], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING_BYTES", 2000)
    state = start()
    for number in range(100):
        state.change(f"zone-{number}.test")
        assert state.journal.statistics()["journal_waiting_bytes"] <= 2000
    state.journal.start(state.now)
    state.journal.stop()
    assert on_disk(file) == state.served


def test_a_disk_that_fails_is_logged_and_tried_again(start: Callable[[], State], file: Path) -> None:
    file.parent.write_text("a file where the directory should be")
    state = start()
    state.journal.start(state.now)
    state.change("a.test")
    assert state.warned.wait(LIMIT_S)
    assert "cannot be written" in state.log[0][1]["reason"]
    file.parent.unlink()
    state.journal.stop()
    assert on_disk(file) == state.served


def test_a_draft_that_cannot_be_finished_is_not_left_behind(
    start: Callable[[], State], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", full_disk)
        state = start()
        state.journal.start(state.now)
        assert state.warned.wait(LIMIT_S)
        assert list(file.parent.iterdir()) == []
    state.journal.stop()
    assert [path.name for path in file.parent.iterdir()] == ["snapshot.bin"]


def test_a_journal_that_cannot_be_read_is_none(start: Callable[[], State], file: Path) -> None:
    file.mkdir(parents=True)
    state = start()
    assert state.journal.load() is None
    assert "cannot be read" in state.log[0][1]["reason"]


def test_an_edge_that_serves_nothing_writes_nothing(start: Callable[[], State], file: Path) -> None:
    state = start()
    state.journal.start(lambda: None)
    state.journal.stop()
    assert not file.exists()
    assert msgspec.structs.asdict(state.served)["revision"] == 1
