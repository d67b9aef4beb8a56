"""An edge that retires, around a core that only remembers: in which order, what is said, and what ends it."""

from collections.abc import Sequence
from typing import Any

import pytest

from holdfast.app import retiring
from holdfast.app.retiring import retire
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Draining, Retire, Stop, Word

FOREVER = Retire(why="release", deadline_s=3600.0, spread_s=60.0, order="oldest")
AT_ONCE = Retire(why="drain", deadline_s=0.0, spread_s=7.0, order="idlest")


class Edge:
    """The core's edge, and the zones: one list of what was done to both. `open` are the numbers at each look."""

    def __init__(self, *numbers: int, connections: int = 0) -> None:
        self.did: list[str] = []
        self.numbers = list(numbers)
        self.connections = connections
        self.holds_nothing: bool | None = None

    def retire(self, *, accept_waiting: bool) -> None:
        self.did.append("retire, and let in who waits" if accept_waiting else "retire")

    def close_evenly(self, *, why: str, code: int, reason: str, window_s: float, order: str) -> int:
        self.did.append(f"close {why} {code} {window_s:.0f} {order}: {reason}")
        return 0

    def statistics(self) -> dict[str, int]:
        number = self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]
        return {"tunnels_open": number, "connections_open": self.connections}


class Zones:
    """They say when they were retired."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge

    def retire(self) -> None:
        self.edge.did.append("zones")


class Around(Surroundings):
    """A supervisor that says these words, one at each wait, and hears."""

    def __init__(self, words: Sequence[Word | None] = ()) -> None:
        super().__init__("holdfast run")
        self.words = list(words)
        self.heard: list[int] = []

    def told(self, *, limit_s: float) -> Word | None:
        assert 0 <= limit_s <= retiring.LOOK_INTERVAL_S
        return self.words.pop(0) if self.words else None

    def retiring(self, connections: int) -> None:
        self.heard.append(connections)


def run(edge: Edge, around: Around, word: Retire) -> list[str]:
    core: Any = edge
    zones: Any = Zones(edge)
    edge.holds_nothing = retire(core, zones, around, word)
    return edge.did


def test_the_data_is_handed_over_before_the_core_lets_go_and_it_ends_with_the_last() -> None:
    around = Around()
    assert run(Edge(3, 2, 0, 0), around, FOREVER) == ["zones", "retire"]
    assert around.heard == [3]


@pytest.mark.parametrize(
    ("numbers", "words", "word", "holds_nothing"),
    [
        ((2, 0, 0), (), FOREVER, True),
        ((2,), (None, Stop()), FOREVER, False),
        ((2,), (), Retire(why="release", deadline_s=0.0, spread_s=0.0, order="oldest", closing_limit_s=0.0), False),
    ],
)
def test_whether_all_of_it_has_ended_is_known(
    numbers: tuple[int, ...], words: tuple[Word | None, ...], word: Retire, holds_nothing: bool
) -> None:
    edge = Edge(*numbers)
    run(edge, Around(words), word)
    assert edge.holds_nothing is holds_nothing


@pytest.mark.parametrize(("why", "did"), [("release", "retire"), ("drain", "retire, and let in who waits")])
def test_who_waits_to_be_let_in_is_the_successors_where_there_is_one(why: Any, did: str) -> None:
    word = Retire(why=why, deadline_s=1e6, spread_s=7.0, order="oldest")
    assert run(Edge(0), Around(), word) == ["zones", did]


def test_how_many_are_left_is_said_when_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retiring, "REPORT_INTERVAL_S", 0.0)
    around = Around()
    run(Edge(3, 3, 1, 1, 0, 0), around, FOREVER)
    assert around.heard == [3, 1, 0]


@pytest.mark.parametrize(("why", "sentence"), [("release", "is being replaced"), ("drain", "is being taken out")])
def test_at_the_deadline_what_is_left_is_closed_once_with_a_reason(why: Any, sentence: str) -> None:
    word = Retire(why=why, deadline_s=0.0, spread_s=7.0, order="idlest")
    (*_, closed) = run(Edge(2, 2, 0, 0), Around(), word)
    assert closed.startswith(f"close {why} 1012 7 idlest: the edge {sentence}")
    assert closed.endswith("connect again")


def test_a_request_in_flight_is_waited_for_as_well() -> None:
    edge = Edge(0, connections=1)
    assert run(edge, Around([None, None, Stop()]), FOREVER) == ["zones", "retire"]


@pytest.mark.parametrize("word", [Stop(), Draining()])
def test_another_word_ends_it(word: Word) -> None:
    assert run(Edge(3), Around([None, word]), FOREVER) == ["zones", "retire"]


def test_a_later_word_to_retire_changes_the_times() -> None:
    did = run(Edge(3), Around([None, AT_ONCE, None, Stop()]), FOREVER)
    assert [one.partition(":")[0] for one in did] == ["zones", "retire", "close drain 1012 7 idlest"]
