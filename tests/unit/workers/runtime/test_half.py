"""How the halves of a pair hear each other, within one process and through a session."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.channel.binding import Binding
from holdfast.workers.channel.records import ToEdge
from holdfast.workers.channel.session import Session
from holdfast.workers.runtime import half as halves
from holdfast.workers.runtime.services import services
from holdfast.workers.runtime.sockets import WebSocket, WebSocketPair
from tests.unit.workers.channel.test_session import FakeLink

ROOM: dict[str, Any] = {
    "class_name": "Room",
    "object_id": "0" * 15 + "5" + "0" * 48,
    "object_name": None,
    "accepted_ms": 1,
}


class Owner:
    """Hears hibernatable sockets."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def message(self, ws: WebSocket, data: Any, seq: int) -> None:
        self.heard.append((data, seq))

    def closed(self, ws: WebSocket, code: int, reason: str, was_clean: bool, seq: int) -> None:
        self.heard.append(("closed", code, reason, was_clean, seq, ws.readyState))

    def failed(self, ws: WebSocket, error: str, seq: int) -> None:
        self.heard.append(("failed", error, seq))

    def resumed(self, ws: WebSocket, binding: Binding) -> bool:
        return True


async def turns(count: int = 6) -> None:
    """Let the loop come round."""
    for _ in range(count):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


def listening(socket: WebSocket) -> list[Any]:
    """What the listeners of `socket` hear."""
    heard: list[Any] = []
    socket.addEventListener("message", lambda event: heard.append(event.data))
    socket.addEventListener("close", lambda event: heard.append((event.code, event.reason, event.wasClean)))
    return heard


def opened(client: WebSocket) -> tuple[Session, Any]:
    """The client of a used half, there by a session."""
    link: Any = FakeLink()
    session = Session(7, link)
    assert client.opened(session)
    return session, link


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


async def test_a_client_that_never_comes_is_told_as_a_disconnect() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, (), **ROOM)
    client.use()
    client.lost()
    assert owner.heard == [("closed", 1006, halves.DISCONNECTED, False, 0, 3)]


async def test_a_half_that_nobody_accepts_holds_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "MAX_HELD_BYTES", 10)
    one, other = WebSocketPair.new()
    other.accept()
    closes = listening(other)
    other.send("0123456789")
    assert other.bufferedAmount == 10
    other.send("1")
    await turns()
    assert closes == [(1013, "too much was sent before the WebSocket was accepted", False)]
    assert one.held_bytes == 0


async def test_an_aborted_socket_tells_its_peer_and_not_its_object() -> None:
    client, server = WebSocketPair.new()
    owner = Owner()
    server.accept_hibernatable(owner, (), **ROOM)
    client.accept()
    heard = listening(client)
    server.abort(1006, "reset")
    await turns()
    assert (owner.heard, heard) == ([], [(1006, halves.DISCONNECTED, False)])
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
    assert server.readyState == WebSocket.CLOSED


@pytest.mark.parametrize(("is_retiring", "told"), [(False, halves.RESET), (True, halves.UPDATED)])
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
    assert owner.heard == [("closed", 1006, halves.DISCONNECTED, False, 0, 3)] * is_hibernatable
    assert heard == [(1006, halves.DISCONNECTED, False)] * (not is_hibernatable)
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
    assert owner.heard == [("closed", 1006, halves.DISCONNECTED, False, 0, 3)]


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
