"""A reader who is slow stops its writer, and costs the edge little memory while it is slow (100 of them, 64 KiB each)."""

import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.conftest import TLS_LISTEN, StartEdge
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, TEXT, Frame, close
from tests.integration.kernel_buffers import MOST_IN_KERNEL
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S, poll

READERS = 100
FLOOD_BYTES = 1 << 30
MOST_BYTES_EACH = 64 * 1024
# Of a stalled reader, so that a hundred of them do not fill the kernel's memory on a small machine.
RECEIVE_BUFFER_BYTES = 64 * 1024
SCHEMES = pytest.mark.parametrize("scheme", ["ws", "wss"])


def steady(number: Callable[[], int], *, for_s: float = 1.0) -> Callable[[], bool]:
    """Whether a growing number has stopped growing for so long."""
    last, since = -1, time.monotonic()

    def look() -> bool:
        nonlocal last, since
        if (now := number()) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since >= for_s

    return look


@pytest.fixture
def fresh(start_edge: StartEdge, origin: Origin, leaf: Pair) -> Edge:
    """An edge of this test's own, warm: its pools and tables have been used once."""
    edge = start_edge(origin.url, *TLS_LISTEN, *leaf.arguments())
    for _ in range(50):
        with wire.websocket(edge.plain, "/echo") as (client, _):
            client.send_frame(Frame(BINARY, bytes(200_000)))
            client.read_message()
    return edge


@contextmanager
def many(edge: Edge, path: str, scheme: str, authority: Authority) -> Iterator[list[wire.Wire]]:
    """READERS open WebSockets to a path, which read nothing by themselves. `{n}` in the path is their number."""
    tls = authority.trusting() if scheme == "wss" else None
    address = edge.tls if tls else edge.plain
    with ExitStack() as stack:
        sockets = (
            wire.websocket(address, path.format(n=n), tls=tls, receive_buffer_bytes=RECEIVE_BUFFER_BYTES)
            for n in range(READERS)
        )
        yield [stack.enter_context(opened)[0] for opened in sockets]


@SCHEMES
def test_stalled_readers_stop_a_flood_and_cost_little(
    fresh: Edge, origin: Origin, authority: Authority, token: str, scheme: str
) -> None:
    before = fresh.anonymous_bytes()
    with many(fresh, f"/flood?bytes={FLOOD_BYTES}&{token}-{{n}}-", scheme, authority) as readers:
        floods = [origin.find(f"{token}-{n}-") for n in range(READERS)]
        poll(steady(lambda: sum(flood.sent_count for flood in floods)), what="the floods to stop", limit_s=40)
        grown = fresh.anonymous_bytes() - before
        assert grown < READERS * MOST_BYTES_EACH, f"{grown // READERS} bytes each"
        assert max(flood.sent_count for flood in floods) < MOST_IN_KERNEL
        # The writer goes on as soon as its reader reads, and the others still stand.
        stopped_at = floods[0].sent_count
        block, got = bytearray(1 << 20), 0
        while got < 2 * MOST_IN_KERNEL:
            got += readers[0].sock.recv_into(block)
        assert floods[0].sent_count > stopped_at
        assert floods[1].sent_count < MOST_IN_KERNEL


@SCHEMES
def test_an_origin_that_does_not_read_stops_its_clients_and_costs_little(
    fresh: Edge, origin: Origin, authority: Authority, token: str, scheme: str
) -> None:
    frame = Frame(BINARY, bytes(1 << 20)).from_client().encode()
    before = fresh.anonymous_bytes()
    with many(fresh, f"/stall?{token}-{{n}}-", scheme, authority) as writers:
        sent = [0] * READERS
        at = [0] * READERS

        def push() -> int:
            for n, writer in enumerate(writers):
                writer.sock.settimeout(0)
                try:
                    while sent[n] < MOST_IN_KERNEL:
                        count = writer.sock.send(frame[at[n] : at[n] + 65536])
                        sent[n], at[n] = sent[n] + count, (at[n] + count) % len(frame)
                except (BlockingIOError, ssl.SSLWantWriteError):
                    pass
            return sum(sent)

        poll(steady(push), what="the clients to stop", limit_s=40)
        grown = fresh.anonymous_bytes() - before
        assert grown < READERS * MOST_BYTES_EACH, f"{grown // READERS} bytes each"
        assert max(sent) < MOST_IN_KERNEL
        for n in range(READERS):
            origin.find(f"{token}-{n}-").release()
        for n in range(READERS):
            received(origin, f"{token}-{n}-", sent[n])


def received(origin: Origin, token: str, count: int) -> None:
    """Wait until so many bytes have come to the origin on this connection."""
    origin.find(token).until(lambda seen: seen.received_count >= count, what=f"all {count} bytes", limit_s=30)


def test_a_stalled_reader_does_not_slow_another(fresh: Edge, origin: Origin, token: str) -> None:
    with (
        wire.websocket(fresh.plain, f"/flood?bytes={FLOOD_BYTES}&{token}"),
        wire.websocket(fresh.plain, "/echo") as (client, _),
    ):
        flood = origin.find(token)
        poll(steady(lambda: flood.sent_count, for_s=0.3), what="the flood to stop", limit_s=30)
        times = []
        for _ in range(200):
            start = time.monotonic()
            client.send_frame(Frame(TEXT, b"quick"))
            assert client.read_message() == b"quick"
            times.append(time.monotonic() - start)
        # Not the slowest: on a busy machine anything may wait for its turn.
        assert statistics.median(times) < 1.0


def test_a_stalled_reader_still_hears_of_the_end(fresh: Edge, origin: Origin, token: str) -> None:
    """All that the origin sent before its Close is read, late, whole and in order."""
    size = 8 * 1024 * 1024
    with wire.websocket(fresh.plain, f"/flood?bytes={size}&{token}") as (client, answer):
        flood = origin.find(token)
        poll(steady(lambda: flood.sent_count, for_s=0.3), what="the flood to stop or end", limit_s=30)
        got = 0
        while (frame := client.read_frame()).opcode == BINARY:
            got += len(frame.payload)
        assert got >= size - 200
        assert frame.close_code == 1000
        client.send_frame(close(1000))
        assert client.read_to_end() == b""
    assert fresh.closed(answer.ray).origin_close_code == 1000


def test_a_stalled_reader_that_resets_frees_the_origin(fresh: Edge, origin: Origin, token: str) -> None:
    with wire.websocket(fresh.plain, f"/flood?bytes={FLOOD_BYTES}&{token}") as (client, answer):
        flood = origin.find(token)
        poll(steady(lambda: flood.sent_count, for_s=0.3), what="the flood to stop", limit_s=30)
        client.reset()
    flood.until(lambda seen: seen.ended, what="the edge leaving the origin")
    assert fresh.closed(answer.ray).closed_by == "client"


def test_a_tiny_receive_buffer_loses_nothing(fresh: Edge, origin: Origin, token: str) -> None:
    frames = [Frame(BINARY, bytes([n]) * 10_000) for n in range(100)]
    origin.scripts[token] = b"".join(frame.encode() for frame in frames)
    with wire.websocket(fresh.plain, f"/play?id={token}", receive_buffer_bytes=2048) as (client, _):
        assert [client.read_frame() for _ in frames] == frames


def test_a_flood_before_the_101_waits_outside(fresh: Edge, origin: Origin, token: str) -> None:
    """A client that does not wait for its answer is stopped by the kernel's buffers, not kept in the edge's memory."""
    frame = Frame(BINARY, bytes(1 << 20)).from_client().encode()
    before, sent = fresh.anonymous_bytes(), 0
    with wire.connect(fresh.plain) as client:
        client.send(wire.upgrade(f"/slow?{token}"))
        seen = origin.find(token)
        client.sock.settimeout(0)

        def push() -> int:
            nonlocal sent
            with suppress(BlockingIOError):
                while sent < MOST_IN_KERNEL:
                    sent += client.sock.send(frame[sent % len(frame) :])
            return sent

        poll(steady(push, for_s=0.5), what="the client to stop", limit_s=30)
        assert sent < MOST_IN_KERNEL
        assert fresh.anonymous_bytes() - before < 1 << 20
        assert seen.after_head == b""
        client.sock.settimeout(LIMIT_S)
        seen.release()
        assert client.read_answer().status == 101
        received(origin, token, sent)
        whole = frame * (sent // len(frame)) + frame[: sent % len(frame)]
        assert seen.after_head == whole[: len(seen.after_head)]
