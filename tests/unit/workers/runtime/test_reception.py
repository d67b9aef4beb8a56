"""Tickets and tokens: good once, for a while, and for nobody else."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from holdfast.workers.channel.binding import Binding
from holdfast.workers.channel.session import Session
from holdfast.workers.runtime import reception as receptions
from holdfast.workers.runtime.reception import Reception
from holdfast.workers.runtime.sockets import WebSocketPair
from tests.unit.workers.channel.test_session import FakeLink
from tests.unit.workers.runtime.halves import ROOM, Owner, listening, turns


def _session() -> Session:
    link: Any = FakeLink()
    return Session(7, link)


async def test_a_ticket_is_good_once() -> None:
    reception, (client, server) = Reception(), WebSocketPair.new()
    server.accept_hibernatable(Owner(), (), **ROOM)
    client.use()
    ticket = reception.ticket(client)
    assert not reception.opened(_session(), "another")
    session = _session()
    assert reception.opened(session, ticket)
    assert (server.session, session.is_hibernatable, reception.expected) == (session, True, 0)
    assert not reception.opened(_session(), ticket)


async def test_a_ticket_is_good_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receptions, "TICKET_S", 0.01)
    reception, (client, server) = Reception(), WebSocketPair.new()
    server.accept()
    heard = listening(server)
    client.use()
    ticket = reception.ticket(client)
    async with asyncio.timeout(30):
        while reception.expected:
            await turns(1)
    await turns()
    assert heard == [(1006, "WebSocket disconnected without sending Close frame.", False)]
    assert not reception.opened(_session(), ticket)


@pytest.mark.parametrize("there", [True, False])
async def test_a_parked_connection_comes_or_is_lost(*, there: bool) -> None:
    reception, (far, near) = Reception(), WebSocketPair.new()
    near.accept()
    heard = listening(near)
    far.use()
    asked: list[str] = []

    async def ask(token: str) -> bool:
        asked.append(token)
        return there

    reception.adopt(far, "0badcafe.1", ask)
    await turns()
    assert asked == ["0badcafe.1"]
    assert [len(heard), reception.expected] == [0, 1] if there else [1, 0]
    if there:
        reception.not_adopted("0badcafe.1")
        await turns()
        assert heard[0][0] == 1006


async def test_who_has_objects_is_asked_for_sockets_of_before() -> None:
    owner = Owner()
    binding = Binding(class_name="Room", object_id="0" * 64)
    assert Reception(owner).resumed(_session(), binding)
    assert not Reception(None).resumed(_session(), binding)


async def test_what_a_process_before_has_closed_is_closing() -> None:
    for is_closed in (False, True):
        session = _session()
        Reception(Owner()).resumed(session, Binding(class_name="Room", object_id="0" * 64), is_closed=is_closed)
        ws: Any = session.socket
        assert ws.readyState == (2 if is_closed else 1)
        with pytest.raises(TypeError) if is_closed else nullcontext():
            ws.send("more")


async def test_who_waits_for_what_is_expected_waits_until_it_came_or_not_at_all() -> None:
    reception, (client, server) = Reception(), WebSocketPair.new()
    await asyncio.wait_for(reception.settled(60), 30)
    server.accept()
    client.use()
    ticket = reception.ticket(client)
    await reception.settled(0.01)
    assert reception.expected == 1
    waiting = asyncio.create_task(reception.settled(60))
    await turns(1)
    reception.opened(_session(), ticket)
    await asyncio.wait_for(waiting, 30)
