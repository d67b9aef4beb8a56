"""WebSockets of user code through a real edge: both APIs, what each client is told, and what a flood does to others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.waiting import PATIENT
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 30.0
# Longest message in both directions. Precedent: the original's.
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
# What a close handler is told of a client that has gone without a word.
VANISHED: list[object] = [1006, "WebSocket disconnected without sending Close frame.", False, 3]

CODE = """
import asyncio, threading
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

CLOSES, LEFT = [], []

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.may_answer = asyncio.Event()

    async def fetch(self, request):
        if request.url.endswith("/open"):
            return Response(str(len(self.ctx.getWebSockets())))
        if request.url.endswith("/answer"):
            self.may_answer.set()
            return Response("now")
        client, server = WebSocketPair.new()
        if request.url.endswith("/late"):
            self.ctx.acceptWebSocket(server)
            self.may_answer.clear()
            await self.may_answer.wait()
        elif request.url.endswith("/async-object"):
            server.accept()
            async def answer(event):
                self.ctx.storage.kv.put("last", event.data)
                server.send(event.data)
            server.addEventListener("message", answer)
        elif request.url.endswith("/standard-object"):
            server.accept()
            server.addEventListener("message", lambda event: server.send(event.data))
        else:
            self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if message == "flood":
            for _ in range(100_000):
                ws.send("x" * 1000)
        elif message == "abort":
            self.ctx.abort("enough")
        elif message == "half":
            await self.ctx.storage.put("a", 1)
            ws.send("half \\ud800")
        elif message == "too much":
            try:
                ws.send("é" * 17 * 1024 * 1024)
            except ValueError as error:
                ws.send(str(error))
        elif message == "close":
            ws.close(4002, "as you wish")
        else:
            ws.send(message)

    async def webSocketClose(self, ws, code, reason, was_clean):
        CLOSES.append([code, reason, was_clean, ws.readyState])

def standard(server):
    server.accept()
    server.addEventListener("message", lambda event: server.send(event.data))
    server.addEventListener("close", lambda event: CLOSES.append([event.code, event.reason, event.wasClean, server.readyState]))

def half_open(server):
    server.accept({"allowHalfOpen": True})
    def closed(event):
        server.send("last words")
        server.close(4001, "now you may")
    server.onclose = closed
    server.onmessage = lambda event: server.send(event.data)

def from_a_thread(server):
    server.accept()
    server.onmessage = lambda event: threading.Thread(target=server.send, args=("from a thread",)).start()

def at_once(server):
    server.accept()
    server.send("before you came")
    server.close(4003, "and gone")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.rpartition("/")[2]
        if path == "closes":
            return Response.json(CLOSES)
        if path in {"room", "standard-object", "async-object"}:
            return await self.env.ROOM.getByName("lobby").fetch(request)
        if path == "left":
            return Response.json(len(LEFT))
        if path == "late":
            request.signal.addEventListener("abort", LEFT.append)
        if path in {"dropped", "late", "answer", "open"}:
            answer = await self.env.ROOM.getByName("hall").fetch(request)
            return Response("not you", status=403) if path == "dropped" else answer
        if path == "refused":
            return Response("not you", status=403)
        client, server = WebSocketPair.new().object_values()
        if path == "fails":
            raise ValueError("of the handshake")
        headers = {"Sec-WebSocket-Protocol": "b"} if path == "chosen" else {"Sec-WebSocket-Extensions": ""}
        {"half": half_open, "thread": from_a_thread, "once": at_once}.get(path, standard)(server)
        return Response(None, status=101, web_socket=client, headers=headers if path in {"chosen", "plain"} else None)
"""


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    with worker_up(code=CODE) as one:
        yield one


@asynccontextmanager
async def client(served: ServedWorker, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
    options = {"ping_interval": None, "max_size": None, **PATIENT, **options}
    async with connect(f"ws://{served.address}/{path}", **options) as socket:
        yield socket


async def heard(socket: ClientConnection) -> str | bytes:
    async with asyncio.timeout(LIMIT_S):
        return await socket.recv()


async def ended(socket: ClientConnection) -> tuple[int | None, str]:
    """How the other side closed it; what it said before is passed over."""
    while True:
        try:
            await heard(socket)
        except ConnectionClosed as closed:
            return (None, "") if closed.rcvd is None else (closed.rcvd.code, closed.rcvd.reason)


async def shows(served: ServedWorker, path: str, number: int) -> None:
    """Wait until the Worker answers with this number."""
    async with asyncio.timeout(LIMIT_S):
        while await asyncio.to_thread(lambda: served.get(f"/{path}").json()) != number:
            pass


async def open_late(served: ServedWorker) -> None:
    """Open a socket whose object lets it wait for its 101."""
    async with client(served, "late"):
        raise AssertionError("it was opened")


async def closes(served: ServedWorker, expected: list[object]) -> int:
    """How often a close handler was told this: code, reason, whether clean, and the state it saw."""
    return int((await asyncio.to_thread(lambda: served.get("/closes").json())).count(expected))


async def told(served: ServedWorker, expected: list[object], *, before: int = 0) -> None:
    """Wait until a close handler was told this once more than `before`."""
    async with asyncio.timeout(LIMIT_S):
        while await closes(served, expected) <= before:
            pass
    assert await closes(served, expected) == before + 1


@pytest.mark.parametrize("path", ["room", "standard", "standard-object"])
async def test_text_and_bytes_of_every_size_come_back(served: ServedWorker, path: str) -> None:
    async with client(served, path) as socket:
        for message in ("", "größer 🎈", b"", bytes(range(256)), "x" * 70_000, b"y" * MAX_MESSAGE_BYTES):
            await socket.send(message)
            assert await heard(socket) == message


@pytest.mark.parametrize("path", ["room", "standard"])
async def test_a_message_that_is_too_big_is_told_to_both_sides(served: ServedWorker, path: str) -> None:
    # Not closed by us: it was in the middle of a message when the other side did.
    socket = await connect(f"ws://{served.address}/{path}", ping_interval=None, compression=None, **PATIENT)
    too_big: list[object] = [1009, "a message has more than 33554432 bytes", False, 3]
    before = await closes(served, too_big)
    await socket.send(b"y" * (MAX_MESSAGE_BYTES + 1))
    assert (await ended(socket))[0] == 1009
    await told(served, too_big, before=before)


@pytest.mark.parametrize("path", ["room", "standard"])
async def test_a_client_that_closes_is_answered_and_user_code_is_told(served: ServedWorker, path: str) -> None:
    async with client(served, path) as socket:
        await socket.close(4010, f"enough of {path}")
        assert socket.close_code == 4010
    await told(served, [4010, f"enough of {path}", True, 3])


@pytest.mark.parametrize("path", ["room", "standard", "standard-object", "async-object"])
async def test_who_closes_behind_its_messages_gets_the_answers_to_all_of_them(served: ServedWorker, path: str) -> None:
    messages = [str(number) for number in range(100)]
    async with client(served, path) as socket:
        # One write: the Close is there before anybody could have answered.
        for message in messages:
            socket.protocol.send_text(message.encode())
        socket.protocol.send_close(4006, "done")
        socket.send_data()
        assert [await heard(socket) for _ in messages] == messages
        assert await ended(socket) == (4006, "done")


@pytest.mark.parametrize("path", ["room", "standard"])
async def test_a_client_that_vanishes_is_told_as_such(served: ServedWorker, path: str) -> None:
    before = await closes(served, VANISHED)
    async with client(served, path) as socket:
        socket.transport.abort()
    await told(served, VANISHED, before=before)


async def test_user_code_closes_and_is_told_the_echo(served: ServedWorker) -> None:
    async with client(served, "room") as socket:
        await socket.send("close")
        assert await ended(socket) == (4002, "as you wish")
    await told(served, [4002, "as you wish", True, 3])


async def test_what_was_sent_before_the_client_came_and_a_close_reach_it(served: ServedWorker) -> None:
    async with client(served, "once") as socket:
        assert await heard(socket) == "before you came"
        assert await ended(socket) == (4003, "and gone")


async def test_what_cannot_be_sent_harms_nothing(served: ServedWorker) -> None:
    async with client(served, "room") as socket, client(served, "standard") as other:
        await socket.send("half")
        assert await heard(socket) == "half \ufffd"
        await socket.send("too much")
        assert "at most 33554432 bytes, a message of 35651584 was given" in str(await heard(socket))
        for one in (socket, other):
            await one.send("still there")
            assert await heard(one) == "still there"


async def test_a_half_open_socket_has_the_last_word(served: ServedWorker) -> None:
    async with client(served, "half") as socket:
        await socket.send("bound")
        assert await heard(socket) == "bound"
        closing = asyncio.create_task(socket.close(4010, "bye"))
        assert await heard(socket) == "last words"
        await asyncio.wait_for(closing, LIMIT_S)
        assert (socket.close_code, socket.close_reason) == (4001, "now you may")


async def test_a_thread_of_user_code_is_heard(served: ServedWorker) -> None:
    async with client(served, "thread") as socket:
        await socket.send("go")
        assert await heard(socket) == "from a thread"


async def test_the_worker_says_which_subprotocol_and_whether_compressed(served: ServedWorker) -> None:
    async with client(served, "chosen", subprotocols=["a", "b"]) as socket:
        assert socket.subprotocol == "b"
        assert socket.response is not None
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
    async with client(served, "plain") as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        assert not [name for name in socket.response.headers if name.lower().startswith("holdfast-")]
        await socket.send("plain")
        assert await heard(socket) == "plain"


@pytest.mark.parametrize(("path", "status"), [("refused", 403), ("fails", 500)])
async def test_a_worker_may_refuse_or_fail(served: ServedWorker, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with client(served, path):
            pass
    assert caught.value.response.status_code == status


async def test_an_object_is_told_that_its_socket_went_to_nobody(served: ServedWorker) -> None:
    before = await closes(served, VANISHED)
    with pytest.raises(InvalidStatus):
        async with client(served, "dropped"):
            pass
    await shows(served, "open", 0)
    await told(served, VANISHED, before=before)


@pytest.mark.parametrize("is_known", [True, False])
async def test_an_object_is_told_of_a_client_that_left_before_its_101(served: ServedWorker, *, is_known: bool) -> None:
    """`is_known`: the script has been told when it answers."""
    left, before = served.get("/left").json(), await closes(served, VANISHED)
    opening = asyncio.create_task(open_late(served))
    await shows(served, "open", 1)
    opening.cancel()
    if is_known:
        async with asyncio.timeout(LIMIT_S):
            while await asyncio.to_thread(lambda: served.get("/left").json()) <= left:
                pass
    await asyncio.to_thread(served.get, "/answer")
    await shows(served, "open", 0)
    await told(served, VANISHED, before=before)


async def test_a_client_that_takes_nothing_is_closed_and_harms_nobody(served: ServedWorker) -> None:
    async with client(served, "room") as other, client(served, "room", max_queue=1, compression=None) as slow:
        await slow.send("flood")
        # It has begun. From here on this client takes nothing until all of it has been sent.
        assert await heard(slow) == "x" * 1000
        await other.send("still there")
        assert await heard(other) == "still there"
        assert (await ended(slow))[0] == 1013


async def test_a_reset_object_ends_its_sockets_and_the_next_one_serves(served: ServedWorker) -> None:
    async with client(served, "room") as socket:
        await socket.send("abort")
        code, _ = await ended(socket)
        assert code not in {1000, 1001}
    async with client(served, "room") as socket:
        await socket.send("again")
        assert await heard(socket) == "again"


async def test_new_code_ends_sockets_of_the_standard_api_with_a_reason() -> None:
    with worker_up(code=CODE) as one:
        async with (
            client(one, "standard") as plain,
            client(one, "standard-object") as of_object,
            client(one, "room") as stays,
        ):
            for socket in (plain, of_object, stays):
                await socket.send("there")
                assert await heard(socket) == "there"
            await asyncio.to_thread(one.deploy, "v1", CODE + "\n# new\n")
            for socket in (plain, of_object):
                code, reason = await ended(socket)
                assert (code, reason != "") == (1012, True)
            await stays.send("still")
            assert await heard(stays) == "still"
