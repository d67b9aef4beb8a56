"""Pings of the edge's own: silent legs are asked, answers go no further, and who does not answer is dead."""

import asyncio
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed

from holdfast._native import Certificate, TunnelOptions
from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.frames import CLOSE, PING, PONG, TEXT, Frame, close
from tests.integration.in_process import running, tunnelling
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S, PATIENT, poll
from tests.integration.wire import Wire

INTERVAL_S = 0.5
# So many missed answers are a dead peer, where one is: three seconds, in which a busy machine has the others answer.
FEW = 6
# More than a busy machine keeps a client from its answers.
MANY = 60


def read_ping(client: Wire) -> Frame:
    """The next ping of the edge's, whatever else comes before it."""
    while (frame := client.read_frame()).opcode != PING:
        pass
    return frame


def closed(lines: list[dict[str, Any]]) -> dict[str, Any]:
    (record,) = [line for line in lines if line["event"] == "websocket_closed"]
    return record


@pytest.mark.parametrize("by_byte", [False, True], ids=["at once", "byte by byte"])
def test_answers_give_round_trips_and_reach_nobody(origin: Origin, token: str, by_byte: bool) -> None:
    with running(tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=MANY)) as edge:
        with wire.websocket(edge.address, f"/echo?{token}") as (client, _):
            for _ in range(2):
                pong = Frame(PONG, read_ping(client).payload).from_client().encode()
                message = Frame(TEXT, b"x").from_client().encode()
                data = message[:3] + message[3:] + pong + message
                for piece in [data[at : at + 1] for at in range(len(data))] if by_byte else [data]:
                    client.send(piece)
                assert [client.read_message(), client.read_message()] == [b"x", b"x"]
            client.send_frame(close(1000))
            assert client.read_close() == close(1000)
        record = closed(edge.stop())
    sent = Frame(TEXT, b"x").from_client().encode()
    seen = origin.find(token).after_head
    assert record["to_origin"]["pongs"] == 0
    assert record["to_origin"]["bytes"] == 4 * len(sent) + 8
    # The origin has had its own pings from the edge, and answered them; those answers are not the client's to see.
    assert record["to_client"]["pongs"] == 0
    assert (record["rtt_client_ms"], seen.count(b"\x8a")) != (None, 1)
    assert record["rtt_client_ms"] > 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_leg_with_tls_is_asked_alike(
    origin: Origin, authority: Authority, leaf: Pair, version: ssl.TLSVersion
) -> None:
    certificate = Certificate(names=["example.test"], chain_pem=leaf.cert.read_bytes(), key_pem=leaf.key.read_bytes())
    policy = tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=FEW)
    with running(policy, is_tls=True, certificates=[certificate]) as edge:
        with wire.websocket(edge.address, "/echo", tls=authority.trusting(version=version)) as (client, _):
            client.send_frame(Frame(PONG, read_ping(client).payload))
            client.send_frame(Frame(TEXT, b"x"))
            assert client.read_message() == b"x"
            assert client.read_close().close_reason.startswith("client_unresponsive: ")
        record = closed(edge.stop())
    assert (record["tls_version"], record["why"]) == (
        f"TLSv{version.name[4:].replace('_', '.')}",
        "client_unresponsive",
    )
    assert record["rtt_client_ms"] > 0


def test_pings_and_pongs_of_the_peers_pass_untouched(origin: Origin) -> None:
    with (
        running(tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=MANY)) as edge,
        wire.websocket(edge.address, "/echo") as (client, _),
    ):
        ours = read_ping(client).payload
        # As long as an answer, and not one; then a pong nobody asked for; then a ping.
        client.send_frame(Frame(PONG, bytes(len(ours))))
        client.send_frame(Frame(PING, b"are you there"))
        while (frame := client.read_frame()).opcode != PONG:
            pass
        assert frame.payload == b"are you there"
        client.send_frame(close(1000))
        client.read_close()
        record = closed(edge.stop())
    assert (record["to_origin"]["pings"], record["to_origin"]["pongs"]) == (1, 1)


def test_a_client_that_does_not_answer_is_dead_and_the_origin_is_told(origin: Origin, token: str) -> None:
    with running(tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=FEW)) as edge:
        with wire.websocket(edge.address, f"/echo?{token}") as (client, _):
            # It reads, and never answers.
            pings = 0
            while (frame := client.read_frame()).opcode != CLOSE:
                pings += frame.opcode == PING
            assert pings == FEW
            assert (frame.close_code, frame.close_reason) == (1001, "client_unresponsive: the client does not answer")
            assert client.read_to_end() == b""
        origin.find(token).until(lambda seen: seen.ended, what="the end of the origin's connection")
        record = closed(edge.stop())
    assert (record["closed_by"], record["why"], record["detail"]) == ("edge", "client_unresponsive", "client")
    assert (record["connection_close_reason"], record["connection_close_source"]) == ("timedOut", "me")
    assert record["origin_close_code"] == 1001


def test_an_origin_that_does_not_answer_is_dead_and_the_client_is_told(origin: Origin) -> None:
    with running(tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=FEW)) as edge:
        with wire.websocket(edge.address, "/stall") as (client, _):
            while (frame := client.read_frame()).opcode != CLOSE:
                client.send_frame(Frame(PONG, frame.payload))
            assert (frame.close_code, frame.close_reason) == (1001, "origin_unresponsive: the origin does not answer")
            client.send_frame(close(1001))
            assert client.read_to_end() == b""
        record = closed(edge.stop())
    assert (record["why"], record["client_close_code"], record["rtt_origin_ms"]) == ("origin_unresponsive", 1001, None)


STOPPED = """
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.sendall(sys.argv[2].encode())
client.recv(65536)
print("open", flush=True)
while data := client.recv(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
"""


@pytest.fixture
def stopped_client() -> Iterator[Any]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(port: int, request: bytes) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-c", STOPPED, str(port), request.decode()]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        process.send_signal(signal.SIGSTOP)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=LIMIT_S)


def test_a_client_that_is_stopped_is_dead_and_reads_why_when_it_goes_on(origin: Origin, stopped_client: Any) -> None:
    with running(tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=FEW)) as edge:
        process = stopped_client(edge.address[1], wire.upgrade("/echo"))
        poll(lambda: edge.edge.statistics()["tunnels_open"] == 0, what="the end of the tunnel")
        assert closed(edge.stop())["why"] == "client_unresponsive"
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=LIMIT_S)
        assert b"client_unresponsive: " in said


def test_a_stalled_reader_is_not_taken_for_a_dead_writer(origin: Origin, token: str) -> None:
    """The origin floods, the client does not read: the edge does not read the origin, whose silence is no fault of its."""
    with running(tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=FEW)) as edge:
        with wire.websocket(edge.address, f"/flood?bytes={64 << 20}&{token}") as (client, _):
            poll(lambda: edge.edge.statistics()["tunnels_open"] == 0, what="the end of the tunnel")
            client.read_to_end()
        record = closed(edge.stop())
    assert (record["why"], record["detail"]) == ("client_unresponsive", "client")


async def test_a_client_of_others_answers_by_itself_and_stays(origin: Origin) -> None:
    with running(tunnelling(origin, keepalive_interval_s=INTERVAL_S, keepalive_misses=FEW)) as edge:
        uri = f"ws://127.0.0.1:{edge.address[1]}/echo"
        async with connect_async(uri, compression=None, ping_interval=None, **PATIENT) as client:
            quiet: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(2 * FEW * INTERVAL_S, quiet.set_result, None)
            await quiet
            await client.send("still here")
            assert await client.recv() == "still here"
            await client.close(4001)
            with pytest.raises(ConnectionClosed):
                await client.recv()
        record = closed(edge.stop())
    assert (record["why"], record["client_close_code"]) == ("close_frame", 4001)
    assert record["rtt_client_ms"] > 0
    assert record["rtt_origin_ms"] > 0


def test_an_argument_that_is_out_of_range_is_named() -> None:
    for wrong in (
        {"keepalive_interval_s": -1.0},
        {"keepalive_misses": 0},
        {"idle_timeout_s": float("nan")},
        {"max_age_s": float("inf")},
        {"max_age_jitter": 1.5},
        {"max_message_bytes": -1},
        {"messages_per_s_to_client": 1e-9},
        {"over_rate": "drop"},
        {"max_zone_connections": -3},
    ):
        ((name, _),) = wrong.items()
        with pytest.raises(ValueError, match=rf"^{name}: expected "):
            TunnelOptions(**wrong)


def test_nobody_is_asked_where_nobody_wants_it(origin: Origin) -> None:
    with running(tunnelling(origin)) as edge, wire.websocket(edge.address, "/echo") as (client, _):
        client.sock.settimeout(3 * INTERVAL_S)
        with pytest.raises(socket.timeout):
            client.read_frame()
