"""How a half of a pair is accepted, used, reset and dropped."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.channel.binding import Binding
from holdfast.workers.channel.records import GONE, ToEdge
from holdfast.workers.channel.session import Session
from holdfast.workers.runtime.sockets import WebSocket, WebSocketPair
from tests.unit.workers.channel.test_session import FakeLink
from tests.unit.workers.runtime.halves import ROOM, Owner, listening, opened, turns


async def test_what_was_sent_before_the_client_came_goes_ahead_of_the_binding() -> None:
    client, server = WebSocketPair.new()
    server.accept_hibernatable(Owner(), ("a",), **ROOM)
    server.send("first")
    client.use()
    server.send("second")
    server.close(4000, "enough")
    _, link = opened(client)
    assert [kind for kind, _ in link.written] == [ToEdge.TEXT, ToEdge.TEXT, ToEdge.CLOSE, ToEdge.BIND]
    assert link.groups == [5]


async def test_a_client_that_never_comes_is_told_as_a_disconnect() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, (), **ROOM)
    client.use()
    client.lost()
    assert owner.heard == [("closed", 1006, GONE, False, 0, 3)]


async def test_an_aborted_socket_tells_its_peer_and_not_its_object() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, (), **ROOM)
    client.accept()
    heard = listening(client)
    server.abort(1006, "reset")
    await turns()
    assert (owner.heard, heard) == ([], [(1006, GONE, False)])
    away, there = WebSocketPair.new()
    there.accept_hibernatable(owner, (), **ROOM)
    away.use()
    session, link = opened(away)
    there.abort(1011, "reset")
    assert link.written[-1] == (ToEdge.ABORT, b"\xf3\x03reset")
    assert session.is_over


async def test_a_socket_of_a_process_before_this_one_is_as_it_was() -> None:
    owner = Owner()
    binding = Binding(class_name="Room", object_id=ROOM["object_id"], tags=("a",), attachment=b"\x01\x07")
    session = Session(7, None, received=3)
    session.is_hibernatable = True
    socket = WebSocket.resumed(session, binding, owner)
    assert (socket.tags, socket.deserializeAttachment(), socket.is_hibernatable) == (("a",), 7, True)
    assert socket.binding == binding
    socket.arrived("text", 4)
    assert owner.heard == [("text", 4)]


async def test_a_client_of_a_socket_that_was_reset_meanwhile_is_not_wanted() -> None:
    client, server = WebSocketPair.new()
    server.accept_hibernatable(Owner(), (), **ROOM)
    client.use()
    server.send("never heard")
    server.abort(1011, "reset")
    link: Any = FakeLink()
    assert not client.opened(Session(7, link))
    assert link.written == []


@pytest.mark.parametrize("is_hibernatable", [True, False])
async def test_a_half_whose_peer_is_dropped_has_ended(*, is_hibernatable: bool) -> None:
    client, server = WebSocketPair.new()
    owner, heard = Owner(), listening(server)
    if is_hibernatable:
        server.accept_hibernatable(owner, (), **ROOM)
    else:
        server.accept()
    server.send("never heard")
    del client
    assert (owner.heard, heard) == ([], [])
    await turns()
    assert owner.heard == [("closed", 1006, GONE, False, 0, 3)] * is_hibernatable
    assert heard == [(1006, GONE, False)] * (not is_hibernatable)
    assert server.readyState == WebSocket.CLOSED
    server.send("to nobody")


async def test_a_half_whose_peer_is_dropped_in_another_thread_has_ended() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, (), **ROOM)
    kept = [client]
    del client
    await asyncio.to_thread(kept.clear)
    await turns()
    assert owner.heard == [("closed", 1006, GONE, False, 0, 3)]


async def test_a_half_is_heard_whose_peer_only_its_listeners_have() -> None:
    server = WebSocketPair.new()[0]
    heard = listening(server)

    def begin() -> None:
        one, other = WebSocketPair.new()
        one.accept()
        other.accept()
        one.onmessage = lambda event: one.send(event.data.upper())
        other.onmessage = lambda event: heard.append(event.data)
        other.send("a")

    begin()
    await turns()
    assert heard == ["A"]


async def test_a_client_that_came_and_whose_answer_is_dropped_stays() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, (), **ROOM)
    client.use()
    _, link = opened(client)
    del client
    await turns()
    server.send("still here")
    assert (owner.heard, [kind for kind, _ in link.written]) == ([], [ToEdge.BIND, ToEdge.TEXT])


async def test_nobody_is_told_of_a_peer_that_is_dropped_after_the_loop() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    loop = asyncio.new_event_loop()

    async def accept() -> None:
        server.accept_hibernatable(owner, (), **ROOM)

    await asyncio.to_thread(loop.run_until_complete, accept())
    loop.close()
    del client
    await turns()
    assert owner.heard == []
