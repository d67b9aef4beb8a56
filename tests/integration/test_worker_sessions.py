"""Sessions of a Worker from a client's handshake to its messages on the channel, over real sockets."""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from holdfast._native import Certificate, WorkerTarget
from holdfast.edge.decision import Forward
from tests.integration import session_channel as channel
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.frames import CLOSE, TEXT, Frame, close
from tests.integration.http2 import connected
from tests.integration.in_process import Running, of, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.script_process import (
    ScriptProcess,
    agrees,
    egress,
    egress_connection,
    passing,
    script_process,
    shared,
)
from tests.integration.session_channel import Record, Taken, accepted, listening, taking
from tests.integration.waiting import poll

OFFER = "Sec-WebSocket-Extensions: permessage-deflate"
TAIL = b"\x00\x00\xff\xff"


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker")


@pytest.fixture
def script(directory: Path) -> Iterator[ScriptProcess]:
    """A process that takes every client as a session."""
    with script_process(directory, agrees("Holdfast-Session: t1")) as script:
        yield script


def deflated(data: bytes) -> bytes:
    """One message as permessage-deflate has it, compressed by itself (RFC 7692 §7.2.1)."""
    squeeze = zlib.compressobj(wbits=-15)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=-15).decompress(data + TAIL)


def converse(client: wire.Wire, taken: Taken) -> None:
    """A message each way, and the end of the session by its client."""
    process, sid = taken.process, taken.sid
    assert taken.ticket == b"t1"
    client.send_frame(Frame(TEXT, b"hello"))
    message = process.expect(channel.TEXT)
    assert (message.sid, message.payload, message.seq) == (sid, b"hello", 1)
    process.send(Record(channel.SEND_TEXT, sid, b"you too"), Record(channel.ACK, sid, seq=1))
    assert client.read_message() == b"you too"
    client.send_frame(close(1000, "done"))
    closed = process.expect(channel.CLOSED)
    assert (closed.sid, closed.payload) == (sid, (1000).to_bytes(2, "little") + b"\x01" + b"done")
    assert client.read_close().close_code == 1000
    client.end()
    assert client.read_to_end() == b""
    process.send(Record(channel.ACK, sid, seq=closed.seq))


def test_a_client_and_a_script_speak_in_messages(script: ScriptProcess) -> None:
    with (
        listening(script.target) as listener,
        running(script.decide) as edge,
        taking(listener) as taken,
        wire.websocket(edge.address, "/") as (client, _),
    ):
        converse(client, taken.result())
        poll(lambda: edge.edge.statistics()["tunnels_open"] == 0, what="the session to end")


def test_messages_of_a_session_are_compressed_on_the_wire_alone(script: ScriptProcess) -> None:
    text = b"the same again and again, " * 20
    with (
        listening(script.target) as listener,
        running(script.decide) as edge,
        taking(listener) as taken,
        wire.websocket(edge.address, "/", OFFER) as (client, _),
    ):
        process, sid = taken.result().process, taken.result().sid
        for seq in (1, 2):
            client.send_frame(Frame(TEXT, deflated(text), rsv=4))
            message = process.expect(channel.TEXT)
            assert (message.payload, message.seq) == (text, seq)
            process.send(Record(channel.SEND_TEXT, sid, text), Record(channel.ACK, sid, seq=seq))
            frame = client.read_frame()
            assert (frame.rsv, inflated(frame.payload)) == (4, text)
            assert len(frame.payload) < len(text) / 4


def test_a_session_over_http2_is_one_like_any_other(script: ScriptProcess, authority: Authority) -> None:
    pair = authority.issue("example.test")
    options: dict[str, Any] = {
        "is_tls": True,
        "certificates": [
            Certificate(names=["example.test"], chain_pem=pair.cert.read_bytes(), key_pem=pair.key.read_bytes())
        ],
    }
    with (
        listening(script.target) as listener,
        running(script.decide, **options) as edge,
        connected(edge.address, authority.trusting()) as connection,
        taking(listener) as taken,
    ):
        client = connection.open_websocket("/")
        assert not [name for name, _ in client.stream.fields if name.startswith("holdfast-")]
        process, sid = taken.result().process, taken.result().sid
        assert taken.result().ticket == b"t1"
        client.send(Frame(TEXT, b"hello"))
        assert process.expect(channel.TEXT).payload == b"hello"
        process.send(Record(channel.SEND_BINARY, sid, b"\x00\x01"))
        assert client.frame().payload == b"\x00\x01"
        process.send(Record(channel.CLOSE, sid, (4001).to_bytes(2, "little") + b"enough"))
        frame = client.frame()
        assert (frame.opcode, frame.close_code, frame.close_reason) == (CLOSE, 4001, "enough")


def test_what_a_script_has_fetched_becomes_its_own_session(directory: Path, origin: FakeOrigin) -> None:
    target = WorkerTarget(script="chat", channel=str(directory / "channel.sock"))
    decision = Forward(origin=of(origin), park=target)
    with (
        egress(directory) as (listener, path),
        listening(target) as channels,
        running(lambda _: decision, egress_fd=shared(listener)) as edge,
        egress_connection(path) as fetching,
    ):
        fetching.send(wire.upgrade("http://o.test/early", OFFER, host="o.test"))
        token = fetching.read_answer().value("Holdfast-Parked")
        with accepted(channels) as process:
            assert process.hello["edge"] == token[:8]
            process.send(Record(channel.ADOPT, payload=token.encode()))
            sid, ticket = process.opened()
            assert ticket.decode() == token
            # What the origin has sent before anybody asked.
            assert process.expect(channel.TEXT).payload == b"first"
            assert process.expect(channel.BINARY).payload == bytes(300)
            process.send(Record(channel.SEND_TEXT, sid, b"of the script"))
            assert process.expect(channel.TEXT).payload == b"of the script"
            assert fetching.read_to_end() == b""
            process.send(Record(channel.ADOPT, payload=token.encode()))
            assert process.expect(channel.ADOPT_FAILED).payload == token.encode()
            process.send(Record(channel.CLOSE, sid, (1000).to_bytes(2, "little")))
            assert process.expect(channel.CLOSED).sid == sid
        assert statistics(edge, "websockets_parked_taken") == 1


def test_a_script_that_fetches_another_script_reaches_its_session(directory: Path) -> None:
    """One edge, two scripts: what the second holds as a session, the first has fetched and passes to its client."""
    with ExitStack() as stack:
        listener, path = stack.enter_context(egress(directory))
        behind = stack.enter_context(script_process(directory, agrees("Holdfast-Session: t1"), key="behind"))
        channels = stack.enter_context(listening(behind.target))
        front = stack.enter_context(script_process(directory, passing(path, "http://behind.test/"), key="front"))

        def decide(request: Any) -> Forward:
            if not request.is_egress:
                return front.decide(request)
            return Forward(origin=behind.origin, worker=behind.target, park=front.target)

        edge = stack.enter_context(running(decide, egress_fd=shared(listener)))
        taken = stack.enter_context(taking(channels, "behind"))
        client, _ = stack.enter_context(wire.websocket(edge.address, "/"))
        converse(client, taken.result())
        poll(lambda: statistics(edge, "tunnels_open") == 0, what="both WebSockets to end")


def statistics(edge: Running, name: str) -> int:
    return edge.edge.statistics()[name]
