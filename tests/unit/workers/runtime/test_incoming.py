"""What comes for one half of a pair, within one process and through a session."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.channel.records import ToEdge
from holdfast.workers.runtime import incoming
from holdfast.workers.runtime.services import services
from holdfast.workers.runtime.sockets import WebSocket, WebSocketPair
from tests.unit.workers.runtime.halves import ROOM, Owner, listening, opened, turns


async def test_halves_of_one_process_hear_each_other_in_order() -> None:
    one, other = WebSocketPair.new()
    heard, answers = listening(one), listening(other)
    other.accept()
    other.send("before the other is accepted")
    other.send(b"\0\1")
    one.accept()
    one.send("answer")
    await turns()
    assert heard == ["before the other is accepted", b"\0\1"]
    assert answers == ["answer"]


async def test_nothing_is_heard_from_within_the_call_that_sends() -> None:
    one, other = WebSocketPair.new()
    one.accept()
    other.accept()
    heard = listening(one)
    other.send("a")
    assert heard == []
    await turns()
    assert heard == ["a"]


@pytest.mark.parametrize("accepts_late", [False, True])
async def test_a_close_within_one_process_is_answered(*, accepts_late: bool) -> None:
    one, other = WebSocketPair.new()
    heard, echoed = listening(one), listening(other)
    other.accept()
    if not accepts_late:
        one.accept()
    other.close(4001, "bye")
    assert other.readyState == WebSocket.CLOSING
    if accepts_late:
        one.accept()
    await turns()
    assert (heard, echoed) == ([(4001, "bye", True)], [(4001, "bye", True)])
    assert one.readyState == other.readyState == WebSocket.CLOSED


async def test_both_may_close_at_once() -> None:
    one, other = WebSocketPair.new()
    heard, echoed = listening(one), listening(other)
    one.accept()
    other.accept()
    one.close(4001, "one")
    other.close(4002, "other")
    await turns()
    assert (heard, echoed) == ([(4002, "other", True)], [(4001, "one", True)])


async def test_an_object_hears_the_other_half_too() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, ("a",), **ROOM)
    client.accept()
    heard = listening(client)
    client.send("hello")
    server.send("welcome")
    client.close(1000, "done")
    await turns()
    assert owner.heard == [("hello", 0), ("closed", 1000, "done", True, 0, 3)]
    assert heard == ["welcome", (1000, "done", True)]


async def test_an_object_hears_its_session() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, (), **ROOM)
    client.use()
    session, link = opened(client)
    server.arrived("text", 1)
    server.arrived(b"\0", 2)
    server.broke("bad frame", 3)
    server.auto_answered(99)
    server.ended(1002, "", was_clean=False, seq=4)
    assert owner.heard == [("text", 1), (b"\0", 2), ("failed", "bad frame", 3), ("closed", 1002, "", False, 4, 3)]
    assert owner.heard[1][0].to_bytes() == b"\0"
    assert server.auto_answered_ms == 99
    server.send("to nobody")
    server.close(1000)
    assert [kind for kind, _ in link.written] == [ToEdge.BIND]
    assert session.acknowledged == 0


async def test_listeners_hear_their_session_and_each_event_is_acknowledged() -> None:
    client, server = WebSocketPair.new()
    server.accept()
    heard = listening(server)
    client.use()
    session, _ = opened(client)
    session.last_seq = 2
    server.arrived("text", 1)
    server.ended(1005, "", was_clean=True, seq=2)
    await turns()
    assert heard == ["text", (1005, "", True)]
    assert (session.acknowledged, session.is_over) == (2, True)


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_came_before_the_end_is_answered_though_that_is_there(*, is_async: bool) -> None:
    client, server = WebSocketPair.new()
    server.accept()
    states: list[int] = []

    def answer(event: Any) -> None:
        states.append(server.readyState)
        server.send(event.data)

    async def answer_later(event: Any) -> None:
        answer(event)

    server.onmessage = answer_later if is_async else answer
    server.onclose = lambda _: states.append(server.readyState)
    client.use()
    session, link = opened(client)
    session.last_seq = 3
    server.arrived("one", 1)
    server.arrived("two", 2)
    server.ended(4000, "", was_clean=True, seq=3)
    await turns()
    assert [payload for kind, payload in link.written if kind == ToEdge.TEXT] == [b"one", b"two"]
    assert states == [WebSocket.OPEN, WebSocket.OPEN, WebSocket.CLOSED]
    assert (session.acknowledged, session.is_over) == (3, True)


async def test_a_half_that_is_accepted_after_its_client_came_hears_all_of_it() -> None:
    client, server = WebSocketPair.new()
    client.use()
    opened(client)
    server.arrived("early", 1)
    heard = listening(server)
    server.accept()
    server.arrived("late", 2)
    await turns()
    assert heard == ["early", "late"]


async def test_a_half_that_nobody_accepts_holds_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MAX_HELD_BYTES", 10)
    one, other = WebSocketPair.new()
    other.accept()
    closes = listening(other)
    other.send("0123456789")
    assert other.bufferedAmount == 10
    other.send("1")
    await turns()
    assert closes == [(1013, "too much was sent before the WebSocket was accepted", False)]
    assert one.held_bytes == 0


async def test_two_of_the_longest_messages_may_go_ahead_of_the_client() -> None:
    client, server = WebSocketPair.new()
    server.accept_hibernatable(Owner(), ("a",), **ROOM)
    client.use()
    longest = bytes(32 * 1024 * 1024)
    for _ in range(2):
        server.send(longest)
    _, link = opened(client)
    assert [(kind, len(payload)) for kind, payload in link.written[:2]] == [(ToEdge.BINARY, len(longest))] * 2


async def test_a_half_open_socket_answers_the_close_of_its_client_itself() -> None:
    client, server = WebSocketPair.new()
    server.accept({"allowHalfOpen": True})
    heard = listening(server)
    client.use()
    session, link = opened(client)
    session.last_seq = 1
    server.ended(4000, "bye", was_clean=True, seq=1)
    await turns()
    assert (heard, server.readyState) == ([(4000, "bye", True)], WebSocket.CLOSING)
    server.send("last words")
    server.close(4001, "bye yourself")
    assert server.readyState == WebSocket.CLOSED
    assert [kind for kind, _ in link.written] == [ToEdge.BIND, ToEdge.TEXT, ToEdge.CLOSE]
    assert (link.flags[0], session.is_over) == (0, True)


async def test_the_edge_need_not_wait_any_longer_once_the_end_is_given() -> None:
    client, server = WebSocketPair.new()
    server.accept()
    heard = listening(server)
    client.use()
    session, link = opened(client)
    session.received = session.last_seq = 1
    server.ended(4001, "bye", was_clean=True, seq=1)
    await turns()
    assert heard == [(4001, "bye", True)]
    assert [kind for kind, _ in link.written] == [ToEdge.BIND, ToEdge.CLOSE]
    assert session.is_over


async def test_a_half_open_socket_that_closes_before_its_client_came_is_over_when_that_has_answered() -> None:
    client, server = WebSocketPair.new()
    server.accept({"allowHalfOpen": True})
    server.close(4001, "no")
    client.use()
    session, link = opened(client)
    assert [kind for kind, _ in link.written] == [ToEdge.CLOSE, ToEdge.BIND]
    session.received = session.last_seq = 1
    server.ended(4001, "no", was_clean=True, seq=1)
    await turns()
    assert session.is_over


async def test_a_half_open_socket_answers_the_close_of_its_peer_itself() -> None:
    client, server = WebSocketPair.new()
    server.accept({"allowHalfOpen": True})
    client.accept()
    heard, echoed = listening(server), listening(client)
    client.close(4000, "bye")
    await turns()
    assert (heard, server.readyState) == ([(4000, "bye", True)], WebSocket.CLOSING)
    server.send("last words")
    server.close(4001, "bye yourself")
    await turns()
    assert echoed == ["last words", (4001, "bye yourself", True)]
    assert server.readyState == client.readyState == WebSocket.CLOSED


async def test_a_half_open_socket_that_is_cut_off_has_nobody_to_answer() -> None:
    client, server = WebSocketPair.new()
    server.accept({"allowHalfOpen": True})
    client.use()
    opened(client)
    server.ended(1006, "", was_clean=False, seq=1)
    await turns()
    assert server.readyState == WebSocket.CLOSED


@pytest.mark.parametrize(("is_retiring", "told"), [(False, incoming.RESET), (True, incoming.UPDATED)])
async def test_a_socket_whose_listener_is_cancelled_is_closed(
    monkeypatch: pytest.MonkeyPatch, *, is_retiring: bool, told: tuple[int, str]
) -> None:
    monkeypatch.setattr(services, "is_retiring", is_retiring)
    client, server = WebSocketPair.new()
    before = asyncio.all_tasks()
    server.accept()
    client.use()
    session, link = opened(client)
    (task,) = asyncio.all_tasks() - before
    await turns(1)
    task.cancel()
    await turns()
    assert link.written[-1] == (ToEdge.ABORT, told[0].to_bytes(2, "little") + told[1].encode())
    assert (session.is_over, server.readyState) == (True, WebSocket.CLOSED)
