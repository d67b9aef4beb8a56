"""A script's process, with user code as the reference has it, against an edge that is played by the test."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.model.worker_messages import DurableObjectBinding, Event, Loaded, Log, Retire, Retired, Serve, Serving
from holdfast.workers.channel.binding import Binding, decode
from tests.integration.fake_edge_channel import (
    BACKLOG,
    BINARY,
    OPENED,
    P_ABORT,
    P_ACK,
    P_AUTO,
    P_BINARY,
    P_BIND,
    P_BYE,
    P_CLOSE,
    P_MANY,
    P_STATE,
    P_TEXT,
    P_UNKNOWN,
    TEXT,
    FakeLoop,
    Record,
)
from tests.integration.runtime_process import LIMIT_S, RuntimeProcess, ScriptUnderTest, script

ROOMS = (DurableObjectBinding(name="ROOM", class_name="Room"),)

WORKER = """
import asyncio, logging, os, subprocess, sys
from js import WebSocketPair, WebSocketRequestResponsePair
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))
        self.sockets = len(self.ctx.getWebSockets())
        self.gate = asyncio.Event()

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, ["room:a", request.headers.get("X-User") or "nobody"])
        server.serializeAttachment({"user": request.headers.get("X-User")})
        server.send("welcome")
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        if isinstance(message, bytes):
            ws.send(bytes(reversed(message)))
        elif message == "who":
            ws.send(str(ws.deserializeAttachment()["user"]))
        elif message == "sockets":
            ws.send(str(self.sockets))
        elif message == "count":
            value = (await self.ctx.storage.get("count") or 0) + 1
            await self.ctx.storage.put("count", value)
            ws.send(str(value))
        elif message == "all":
            self.ctx.broadcast("to all", exclude=[ws])
        elif message == "fail":
            raise ValueError("of the handler")
        elif message == "wait":
            await self.gate.wait()
            ws.send("waited")
        elif message == "go":
            self.gate.set()
        elif message == "abort":
            self.ctx.abort("enough")
        elif message == "die":
            os.abort()
        elif message == "buffered":
            ws.send(str(ws.bufferedAmount))
        else:
            ws.send("echo " + message)

    async def webSocketClose(self, ws, code, reason, wasClean):
        print("closed", code, reason, wasClean, ws.readyState, self.ctx.getTags(ws))

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.split("example.com", 1)[1]
        if path.startswith("/standard"):
            client, server = WebSocketPair.new()
            server.accept()
            server.addEventListener("message", lambda event: server.send(event.data))
            server.addEventListener("close", lambda event: print("standard closed", event.code))
            return Response(None, status=101, web_socket=client)
        if path.startswith("/room/"):
            return await self.env.ROOM.getByName(path[6:]).fetch(request)
        if path == "/refuse":
            return Response("no", status=403)
        if path == "/fail":
            raise ValueError("of the request")
        if path == "/fork":
            subprocess.run(["true"])
        if path == "/spawn":
            import multiprocessing
            multiprocessing.get_context("spawn").Process(target=print).start()
        if path.startswith("/read"):
            return Response(open(path[5:]).read())
        if path == "/env":
            return Response.json({"greeting": self.env.GREETING, "key": self.env["KEY"], "environ": sorted(os.environ)})
        if path == "/upload":
            return Response(str(len(await request.bytes())))
        if path == "/log":
            print("printed")
            logging.getLogger("app").warning("logged")
        return Response("hello from " + path, headers={"X-A": "b"})
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ScriptUnderTest]:
    with script(tmp_path, WORKER) as under_test:
        yield under_test


def _serving(worker: ScriptUnderTest, **more: Any) -> RuntimeProcess:
    return worker.serving(durable_objects=ROOMS, **more)


def _ready(worker: ScriptUnderTest, **who: Any) -> FakeLoop:
    loop = worker.loop(**who)
    loop.ready()
    return loop


def _open(worker: ScriptUnderTest, loop: FakeLoop, sid: int, path: str = "/room/lobby", *, user: str = "ann") -> Record:
    """Open a socket; its BIND."""
    answer = worker.client.upgrade(path, fields={"X-User": user})
    assert answer.status == 101
    loop.send(OPENED, sid, answer.fields["holdfast-session"].encode())
    return loop.until(P_BIND, where=lambda record: record.sid == sid)


def _said(loop: FakeLoop, sid: int) -> str:
    return loop.until(P_TEXT, where=lambda record: record.sid == sid).payload.decode()


def _said_ahead(loop: FakeLoop, sid: int) -> list[str]:
    """What was said to a client that is bound before it was: it goes behind the 101."""
    of_it = [record for record in loop.seen if record.sid == sid]
    ahead = of_it[: [record.kind for record in of_it].index(P_BIND)]
    return [record.payload.decode() for record in ahead if record.kind == P_TEXT]


def test_requests_are_answered_by_the_default_entrypoint(worker: ScriptUnderTest) -> None:
    process = _serving(worker, vars={"GREETING": "hi"}, secrets={"KEY": "hush"})
    answer = worker.client.ask("/a?b=c")
    assert (answer.status, answer.body, answer.fields["x-a"]) == (200, b"hello from /a?b=c", "b")
    told = worker.client.ask("/env").json()
    assert (told["greeting"], told["key"]) == ("hi", "hush")
    assert not {"SECRET_OF_THE_HOST", "HOLDFAST_WORKER_FD"} & set(told["environ"])
    assert worker.client.ask("/upload", method="POST", body=bytes(300_000)).body == b"300000"
    assert worker.client.ask("/log").status == 200
    assert process.hear(Log, containing="printed").ray == "0123456789abcdef"
    assert process.hear(Log, containing="logged").level == "warn"


def test_what_user_code_raises_is_logged_with_its_own_frames(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    answer = worker.client.ask("/fail")
    assert (answer.status, answer.fields["holdfast-fault"]) == (500, "1101")
    log = process.hear(Log, containing="of the request")
    assert (log.kind, log.ray, log.entrypoint) == ("exception", "0123456789abcdef", "Default")
    assert "holdfast/workers" not in log.message
    assert worker.client.ask("/refuse").status == 403


def test_the_processs_own_files_are_all_that_user_code_reaches(worker: ScriptUnderTest) -> None:
    # DATA/workers/<key>: the script's directory is two below what is Holdfast's.
    data = worker.directory.parents[1]
    (data / "secret.key").write_text("secret")
    process = _serving(worker)
    assert worker.client.ask(f"/read{data}/secret.key").status == 500
    process.hear(Log, containing="is not of this Worker")
    for path in ("/fork", "/spawn"):
        assert worker.client.ask(path).status == 500
        process.hear(Log, containing="cannot start other programs")
    assert b"class Room" in worker.client.ask(f"/read{worker.directory}/code/main.py").body


def test_a_hibernatable_socket_is_bound_with_its_object_its_tags_and_its_attachment(worker: ScriptUnderTest) -> None:
    _serving(worker)
    with _ready(worker) as loop:
        bind = _open(worker, loop, 7)
        group = struct.unpack_from("<Q", bind.payload)[0]
        binding = decode(bind.payload[8:])
        assert bind.flags == 3
        assert (binding.class_name, binding.object_name, binding.tags) == ("Room", "lobby", ("room:a", "ann"))
        assert binding.group == group
        assert b"ann" in (binding.attachment or b"")
        assert [record.kind for record in loop.seen[-2:]] == [P_AUTO, P_BIND]
        assert _said_ahead(loop, 7) == ["welcome"]


def test_messages_go_to_their_handler_and_are_acknowledged_after_it(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop:
        _open(worker, loop, 7)
        loop.send(TEXT, 7, b"a", seq=1)
        assert loop.until(P_TEXT, where=lambda record: record.payload != b"welcome").payload == b"echo a"
        assert loop.until(P_ACK).seq == 1
        loop.send(BINARY, 7, b"\0\1\2", seq=2)
        assert loop.until(P_BINARY).payload == b"\2\1\0"
        loop.send(TEXT, 7, b"fail", seq=3)
        assert loop.until(P_ACK, where=lambda record: record.seq == 3).sid == 7
        log = process.hear(Log, containing="of the handler")
        assert "ValueError: of the handler" in log.message
        assert (log.kind, log.entrypoint) == ("exception", "Room")
        loop.closed(7, 4001, "bye", seq=4)
        assert loop.until(P_ACK, where=lambda record: record.seq == 4).sid == 7
        assert process.hear(Log, containing="closed 4001").message == "closed 4001 bye True 3 ['room:a', 'ann']"


def test_a_handler_that_waits_holds_up_neither_others_nor_what_comes_after(worker: ScriptUnderTest) -> None:
    _serving(worker)
    with _ready(worker) as loop:
        _open(worker, loop, 7)
        assert _said_ahead(loop, 7) == ["welcome"]
        for seq, text in enumerate((b"wait", b"a", b"b"), 1):
            loop.send(TEXT, 7, text, seq=seq)
        assert [_said(loop, 7), _said(loop, 7)] == ["echo a", "echo b"]
        loop.send(TEXT, 7, b"go", seq=4)
        assert _said(loop, 7) == "waited"
        # One acknowledgement, for nothing before the first was done.
        assert loop.until(P_ACK).seq == 4


def test_a_broadcast_is_one_record_for_all_sockets_of_a_loop(worker: ScriptUnderTest) -> None:
    _serving(worker)
    with _ready(worker) as loop:
        for sid in (7, 8, 9):
            _open(worker, loop, sid)
        loop.send(TEXT, 7, b"all", seq=1)
        many = loop.until(P_MANY)
        assert struct.unpack_from("<IQQ", many.payload) == (2, 8, 9)
        assert many.payload.endswith(b"to all")


def test_what_a_handler_sent_leaves_when_what_it_wrote_is_durable(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop:
        _open(worker, loop, 7)
        assert _said_ahead(loop, 7) == ["welcome"]
        for seq in range(1, 11):
            loop.send(TEXT, 7, b"count", seq=seq)
        assert [_said(loop, 7) for _ in range(10)] == [str(number) for number in range(1, 11)]
        loop.until(P_ACK, where=lambda record: record.seq == 10)
    process.kill()
    _serving(worker)
    with _ready(worker, edge="00000002") as loop:
        _open(worker, loop, 8)
        assert _said_ahead(loop, 8) == ["welcome"]
        loop.send(TEXT, 8, b"count", seq=1)
        assert _said(loop, 8) == "11"


def test_sockets_live_through_the_death_of_the_process(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop:
        bindings = {sid: _open(worker, loop, sid, user=user).payload[8:] for sid, user in ((7, "ann"), (8, "bob"))}
        loop.send(TEXT, 7, b"count", seq=1)
        loop.until(P_ACK)
        process.kill()
        loop.rest()
    next_one = worker.start()
    next_one.load(durable_objects=ROOMS)
    next_one.hear(Loaded)
    with worker.loop() as loop:
        loop.resumed(7, bindings[7], next_seq=2)
        loop.resumed(8, bindings[8], next_seq=1)
        loop.ready()
        for seq, text in ((2, b"who"), (3, b"sockets"), (4, b"count")):
            loop.send(TEXT, 7, text, seq=seq)
        loop.send(TEXT, 8, b"who", seq=1)
        next_one.say(Serve())
        assert sorted(_said(loop, 7) for _ in range(3)) == ["2", "2", "ann"]
        next_one.hear(Serving)
        assert loop.until(P_ACK, where=lambda record: record.sid == 7).seq == 4
        assert b"bob" in b"".join(record.payload for record in loop.seen if record.sid == 8)


def test_a_socket_whose_class_is_gone_is_not_wanted(worker: ScriptUnderTest) -> None:
    process = worker.start()
    process.load(durable_objects=ROOMS)
    process.hear(Loaded)
    with worker.loop() as loop:
        gone = msgspec.msgpack.encode(Binding(class_name="Gone", object_id="0" * 64))
        loop.resumed(9, gone, next_seq=1)
        loop.ready()
        process.say(Serve())
        assert loop.until(P_UNKNOWN).sid == 9


def test_a_message_that_has_ended_a_process_is_not_given_to_the_next(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop:
        state = _open(worker, loop, 7).payload[8:]
        loop.send(TEXT, 7, b"die", seq=1)
        assert process.process.wait(30) != 0
    turn = struct.unpack_from("<QQIB", (worker.directory / "run" / f"turn.{process.process.pid}").read_bytes())
    assert turn[1:] == (7, 1, 1)
    next_one = worker.start()
    next_one.load(durable_objects=ROOMS)
    next_one.hear(Loaded)
    with worker.loop() as loop:
        loop.resumed(7, state, next_seq=1)
        loop.ready()
        loop.send(TEXT, 7, b"die", seq=1)
        loop.send(TEXT, 7, b"who", seq=2)
        next_one.say(Serve(died_in=Event(sid=7, seq=1)))
        assert _said(loop, 7) == "ann"
        loop.until(P_ACK, where=lambda record: record.seq == 2)


def test_a_retiring_process_ends_what_runs_and_acknowledges_it(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop:
        _open(worker, loop, 7)
        loop.send(TEXT, 7, b"count", seq=1)
        loop.until(P_ACK)
        assert process.retire() == 0
        assert [record.kind for record in loop.rest()][-1] == P_BYE


def test_a_client_that_was_told_of_a_socket_is_waited_for(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop:
        ticket = worker.client.upgrade("/room/lobby").fields["holdfast-session"]
        process.say(Retire(limit_s=5))
        loop.send(OPENED, 7, ticket.encode())
        assert [record.kind for record in loop.rest()][-4:] == [P_TEXT, P_AUTO, P_BIND, P_BYE]


def test_an_answer_that_takes_longer_goes_on_while_the_next_process_takes_over(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(LIMIT_S)
        slow.connect(str(worker.client.path))
        slow.sendall(b"POST /upload HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n\r\nab")
        assert worker.client.ask("/").status == 200
        # The next one has that long to start.
        process.say(Retire(limit_s=5, linger_s=LIMIT_S))
        process.hear(Retired)
        _serving(worker)
        assert worker.client.ask("/").status == 200
        assert process.process.poll() is None
        slow.sendall(b"cd")
        with slow.makefile("rb") as stream:
            assert stream.read().endswith(b"\r\n\r\n4")
    assert process.process.wait(30) == 0


def test_a_reset_object_closes_its_sockets(worker: ScriptUnderTest) -> None:
    _serving(worker)
    with _ready(worker) as loop:
        _open(worker, loop, 7)
        loop.send(TEXT, 7, b"abort", seq=1)
        assert loop.until(P_ABORT).sid == 7
        _open(worker, loop, 8)
        assert _said_ahead(loop, 8) == ["welcome"]


def test_the_standard_api_hears_and_answers(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop:
        assert _open(worker, loop, 7, "/standard").flags == 2
        loop.send(TEXT, 7, b"text", seq=1)
        loop.send(BINARY, 7, b"\0\1", seq=2)
        assert loop.until(P_TEXT).payload == b"text"
        assert loop.until(P_BINARY).payload == b"\0\1"
        loop.closed(7, 1000, seq=3)
        assert loop.until(P_ACK, where=lambda record: record.seq == 3).sid == 7
        process.hear(Log, containing="standard closed 1000")
        _open(worker, loop, 8, "/standard")
    process.hear(Log, containing="standard closed 1006")


def test_an_attachment_goes_to_the_edge_and_a_backlog_comes_from_it(worker: ScriptUnderTest) -> None:
    _serving(worker)
    with _ready(worker) as loop:
        _open(worker, loop, 7)
        assert _said_ahead(loop, 7) == ["welcome"]
        loop.send(BACKLOG, 7, struct.pack("<QQ", 7, 1000))
        loop.send(TEXT, 7, b"buffered", seq=1)
        assert _said(loop, 7) == "1000"
        assert [record.kind for record in loop.seen].count(P_STATE) == 0
        assert [record.kind for record in loop.seen].count(P_CLOSE) == 0


def test_an_edge_that_does_not_keep_to_the_protocol_harms_nobody_else(worker: ScriptUnderTest) -> None:
    process = _serving(worker)
    with _ready(worker) as loop, _ready(worker, edge="ffffffff") as hostile:
        _open(worker, loop, 7)
        assert _said_ahead(loop, 7) == ["welcome"]
        hostile.send(TEXT, 7, b"not its own", seq=1)
        hostile.socket.sendall(b"\xff" * 20)
        hostile.rest()
        loop.send(TEXT, 7, b"a", seq=1)
        assert _said(loop, 7) == "echo a"
        assert process.process.poll() is None
