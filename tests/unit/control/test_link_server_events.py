"""Control's end of the link, and what edges say there of events and of the last requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.control import link_server
from holdfast.control.link_server import LinkServer
from holdfast.model.event_messages import (
    AskRequests,
    CountedEvent,
    EventsTaken,
    RecentRequests,
    RecordedRequest,
    SecurityEvents,
)
from tests.unit.control.test_link_server import LIMIT_S, World, world
from tests.unit.edge.events import an_event
from tests.unit.requests import a_request

__all__ = ["world"]
BATCH = SecurityEvents(run="0" * 16, first=1, events=(CountedEvent(an_event()),))
TAKEN = EventsTaken(run="0" * 16, until=2)


Taken = asyncio.Queue[tuple[SecurityEvents, Callable[[EventsTaken], None]]]


@pytest.fixture
async def taking(world: World, tmp_path: Path) -> Taken:
    """The world with a server that takes events in; what it took, and how each is answered."""
    await world.server.stop()
    taken: Taken = asyncio.Queue()
    world.server = LinkServer(
        tmp_path / "control.sock",
        world.publisher,
        log=world.write,
        take_events=lambda message, answer: taken.put_nowait((message, answer)),
    )
    await world.server.start()
    return taken


async def test_a_batch_is_handed_in_and_its_edge_hears_the_answer(world: World, taking: Taken) -> None:
    peer = await world.peer()
    peer.send(BATCH)
    message, answer = await asyncio.wait_for(taking.get(), LIMIT_S)
    assert message == BATCH
    answer(TAKEN)
    assert await peer.next() == TAKEN


async def test_an_answer_to_an_edge_that_is_gone_goes_nowhere(world: World, taking: Taken) -> None:
    peer = await world.peer()
    peer.send(BATCH)
    _, answer = await asyncio.wait_for(taking.get(), LIMIT_S)
    peer.writer.close()
    await world.until_logged("edge_disconnected")
    for _ in range(10):
        answer(TAKEN)


async def test_a_server_that_takes_no_events_leaves_them_with_the_edge(world: World) -> None:
    peer = await world.peer()
    peer.send(BATCH)
    asking = asyncio.create_task(world.server.recent_requests("z", 1))
    # What comes first is the question: the batch was not answered.
    assert isinstance(await peer.next(), AskRequests)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_the_last_requests_of_all_edges_are_told_the_newest_first(world: World) -> None:
    peers = [await world.peer(), await world.peer()]
    asking = asyncio.create_task(world.server.recent_requests("z", 3))
    for peer, times in zip(peers, ((4.0, 1.0), (3.0, 2.0)), strict=True):
        asked = await peer.next()
        assert isinstance(asked, AskRequests)
        assert (asked.zone_id, asked.count) == ("z", 3)
        requests = tuple(RecordedRequest(occurred_at=time, request=a_request(), decision="forward") for time in times)
        peer.send(RecentRequests(request_id=asked.request_id, requests=requests))
    assert [one.occurred_at for one in await asking] == [4.0, 3.0, 2.0]


async def test_an_edge_that_is_silent_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_server, "ANSWER_LIMIT_S", 0.01)
    await world.peer()
    assert await world.server.recent_requests("z", 3) == []
