"""Who watches hears what they asked for, in order; who is slow is over; nobody is told of what nobody watches."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control import connection_watch
from holdfast.control.connection_watch import ConnectionWatch, Watcher
from holdfast.model.connection import Connection, ConnectionEvent
from holdfast.model.connection_messages import ConnectionEvents, WatchConnections
from tests.unit.connections import OPENED, a_connection

LIMIT_S = 30.0


def everything(_: Connection) -> bool:
    return True


def event(number: int, zone_id: str = "z") -> ConnectionEvent:
    return ConnectionEvent(at=OPENED, connection=a_connection(number, zone_id=zone_id))


class World:
    """A watch, and what edges were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.watch = ConnectionWatch(self.tell)

    def tell(self, asked: WatchConnections) -> None:
        self.told.append(asked.zones)

    def happen(self, *events: ConnectionEvent, lost: int = 0) -> None:
        self.watch.take(ConnectionEvents(lost=lost, events=events))


async def news(watcher: Watcher) -> tuple[int, list[ConnectionEvent]]:
    lost, events = await asyncio.wait_for(watcher.next(), LIMIT_S)
    return lost, list(events)


async def test_edges_are_told_of_a_zone_when_the_first_watches_it_and_the_last_does_not_any_more() -> None:
    world = World()
    with world.watch.watching("b", everything), world.watch.watching("a", everything):
        with world.watch.watching("a", everything):
            assert world.watch.statistics() == {"zones": 2, "watchers": 3}
        assert world.watch.zones == ("a", "b")
    assert world.told == [("b",), ("a", "b"), ("b",), ()]


async def test_each_watcher_hears_of_its_zone_and_what_it_asked_for() -> None:
    world = World()
    with (
        world.watch.watching("z", everything) as all_of_it,
        world.watch.watching("z", _is_odd) as odd,
        world.watch.watching("y", everything) as other,
    ):
        world.happen(event(1), event(2), event(3, "y"), event(4, "nobody's"))
        assert await news(all_of_it) == (0, [event(1), event(2)])
        assert await news(odd) == (0, [event(1)])
        assert await news(other) == (0, [event(3, "y")])


def _is_odd(connection: Connection) -> bool:
    return int(connection.id[:16], 16) % 2 == 1


async def test_nothing_that_matches_wakes_nobody() -> None:
    world = World()
    with world.watch.watching("z", _is_odd) as watcher:
        world.happen(event(2))
        waiting = asyncio.create_task(watcher.next())
        assert not (await asyncio.wait([waiting], timeout=0.01))[0]
        world.happen(event(3))
        assert (await asyncio.wait_for(waiting, LIMIT_S))[1] == [event(3)]


async def test_what_is_lost_is_said_to_all_and_an_edge_that_leaves_has_lost_something() -> None:
    world = World()
    with world.watch.watching("z", everything) as one, world.watch.watching("y", everything) as other:
        world.happen(event(1), lost=3)
        world.watch.edge_left()
        assert await news(one) == (4, [event(1)])
        assert await news(other) == (4, [])


async def test_a_watcher_that_is_too_slow_is_over_and_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_watch, "MAX_WAITING", 3)
    world = World()
    with world.watch.watching("z", everything) as slow, world.watch.watching("z", everything) as quick:
        for number in range(5):
            world.happen(event(number))
            assert await news(quick) == (0, [event(number)])
        await asyncio.wait_for(slow.overflow(), LIMIT_S)
        assert slow._events == []
        waiting = asyncio.create_task(quick.overflow())
        assert not (await asyncio.wait([waiting], timeout=0.01))[0]
        waiting.cancel()


BATCHES = st.lists(st.tuples(st.lists(st.integers(0, 100), max_size=5), st.booleans()), max_size=20)


@given(BATCHES)
def test_every_event_comes_once_and_in_order_whenever_one_looks(batches: list[tuple[list[int], bool]]) -> None:
    async def all_of_it() -> list[ConnectionEvent]:
        world, seen = World(), list[ConnectionEvent]()
        with world.watch.watching("z", everything) as watcher:
            for batch, looks in batches:
                world.happen(*map(event, batch))
                if batch and looks:
                    seen += (await news(watcher))[1]
            world.happen(event(1000))
            while not seen or seen[-1] != event(1000):
                seen += (await news(watcher))[1]
        return seen[:-1]

    assert asyncio.run(all_of_it()) == [event(number) for batch, _ in batches for number in batch]
