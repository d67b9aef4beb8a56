"""What the host reads while the loop runs and waits."""

import selectors
import socket
import struct
from pathlib import Path

import pytest

from holdfast.model.worker_messages import TURN_FILE_BYTES, TURN_FORMAT, TURN_OF_ANOTHER, TURN_OF_EVENT, TURN_WAITS
from holdfast.workers.runtime.turns import Selector, Turns, current_event, see_event


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "turn"
    path.write_bytes(bytes(TURN_FILE_BYTES))
    return path


def _turn(file: Path) -> tuple[int, ...]:
    return struct.unpack_from(TURN_FORMAT, file.read_bytes())


def test_the_host_reads_where_the_loop_is(file: Path) -> None:
    turns = Turns()
    turns.begin()
    turns.use(str(file))
    turns.begin(7, 2**32 + 3)
    assert _turn(file) == (2, 7, 3, TURN_OF_EVENT)
    # What the event has left behind may end the process yet.
    turns.rest()
    assert _turn(file) == (2, 7, 3, TURN_WAITS)
    turns.begin()
    assert _turn(file) == (3, 7, 3, TURN_OF_ANOTHER)


def test_what_comes_about_for_an_event_that_has_not_begun_is_its_own_as_long_as_it_takes(file: Path) -> None:
    turns = Turns()
    turns.use(str(file))
    turns.begin(7, 3)
    back = turns.lend(8, 1)
    assert _turn(file) == (2, 8, 1, TURN_OF_EVENT)
    back()
    assert _turn(file) == (3, 7, 3, TURN_OF_ANOTHER)


def test_waiting_is_a_rest_and_looking_is_not(file: Path) -> None:
    turns = Turns()
    turns.use(str(file))
    rests: list[tuple[int, ...]] = []
    turns.rest = lambda: rests.append(_turn(file))  # type: ignore[method-assign]
    ours, theirs = socket.socketpair()
    with ours, theirs, Selector(turns) as selector:
        selector.register(ours, selectors.EVENT_READ)
        assert selector.select(0) == []
        assert rests == []
        theirs.send(b"a")
        assert len(selector.select(30)) == 1
        assert len(rests) == 1
    assert _turn(file) == (2, 0, 0, TURN_OF_ANOTHER)


def test_code_can_be_asked_which_event_it_is_about() -> None:
    token = current_event.set(None)
    see_event(7, 3)
    assert current_event.get() == (7, 3)
    current_event.reset(token)


@pytest.mark.parametrize(
    "wanted", [selectors.EVENT_READ, selectors.EVENT_WRITE, selectors.EVENT_READ | selectors.EVENT_WRITE]
)
@pytest.mark.parametrize("fate", ["silent", "talks", "closes"])
def test_what_is_ready_is_what_the_base_class_says(wanted: int, fate: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Selector(Turns()) as selector, selectors.EpollSelector() as other:
        selector.register(ours, wanted, "ours")
        other.register(ours, wanted, "ours")
        if fate == "talks":
            theirs.send(b"a")
        elif fate == "closes":
            theirs.close()
        assert selector.select(0.001) == other.select(0.001)
        assert selector.select(-1) == other.select(-1)
        selector.unregister(ours)
        assert selector.select(0) == []


def test_it_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, int]] = []
    with Selector(Turns()) as selector:

        def poll(wait_s: float, most: int) -> list[tuple[int, int]]:
            asked.append((wait_s, most))
            return []

        monkeypatch.setattr(selector, "_poll", poll)
        for timeout in (None, -3, 0, 0.0101):
            selector.select(timeout)
    assert asked == [(-1.0, 1), (0.0, 1), (0.0, 1), (pytest.approx(0.011), 1)]
