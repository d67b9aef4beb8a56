"""What one WebSocket may carry: the size of messages, and how much in a second, either way."""

import time
from typing import Any

import pytest

from tests.integration import wire
from tests.integration.frames import BINARY, CONTINUATION, PING, TEXT, Frame, FrameReader, close
from tests.integration.in_process import running, tunnelling
from tests.integration.origin import Origin


def closed(lines: list[dict[str, Any]]) -> dict[str, Any]:
    (record,) = [line for line in lines if line["event"] == "websocket_closed"]
    return record


@pytest.mark.parametrize("by_byte", [False, True], ids=["at once", "byte by byte"])
def test_a_message_that_is_too_big_does_not_begin_to_pass(origin: Origin, token: str, by_byte: bool) -> None:
    fine = Frame(BINARY, bytes(1000)).from_client().encode()
    with running(tunnelling(origin, max_message_bytes=1000)) as edge:
        with wire.websocket(edge.address, f"/after-eof?{token}") as (client, _):
            too_big = Frame(BINARY, bytes(1001)).from_client().encode()
            (client.send_byte_by_byte if by_byte else client.send)(fine + too_big)
            said = client.read_close()
            assert (said.close_code, said.close_reason) == (
                1009,
                "message_too_big: a message is larger than 1000 bytes",
            )
            client.end()
            client.read_to_end()
        seen = origin.find(token)
        seen.until(lambda seen: seen.ended, what="the end of the origin's connection")
        record = closed(edge.stop())
    (to_origin,) = FrameReader().feed(seen.after_head.removeprefix(fine))
    assert (to_origin.close_code, to_origin.close_reason) == (1001, said.close_reason)
    assert (record["closed_by"], record["why"], record["detail"]) == ("edge", "message_too_big", "client")
    assert (record["edge_close_code"], record["connection_close_reason"]) == (1009, "protocolViolation")


def test_fragments_are_counted_together_and_a_ping_between_them_passes(origin: Origin) -> None:
    with running(tunnelling(origin, max_message_bytes=10)) as edge:
        with wire.websocket(edge.address, "/echo") as (client, _):
            client.send_frame(Frame(TEXT, b"six...", fin=False))
            client.send_frame(Frame(PING, b"longer than ten bytes"))
            client.send_frame(Frame(CONTINUATION, b"ten."))
            assert client.read_message() == b"six...ten."
            client.send_frame(Frame(TEXT, b"six...", fin=False))
            client.send_frame(Frame(CONTINUATION, b"eleven", fin=False))
            assert client.read_close().close_code == 1009
        assert closed(edge.stop())["to_client"]["pongs"] == 1


def test_a_message_of_an_origin_that_is_too_big_is_the_origin_s_fault(origin: Origin, token: str) -> None:
    origin.scripts[token] = Frame(TEXT, b"x" * 2000).encode()
    with running(tunnelling(origin, max_message_bytes=1000)) as edge:
        with wire.websocket(edge.address, f"/play?id={token}&{token}") as (client, _):
            assert client.read_close().close_code == 1001
            client.send_frame(close(1001))
            client.read_to_end()
        seen = origin.find(token)
        seen.until(lambda seen: FrameReader().feed(seen.after_head), what="the Close to the origin")
        record = closed(edge.stop())
    (to_origin, *_) = FrameReader().feed(seen.after_head)
    assert to_origin.close_code == 1009
    assert (record["why"], record["detail"]) == ("message_too_big", "origin")


def test_a_throttled_client_is_read_no_faster_and_loses_nothing(origin: Origin) -> None:
    messages = [b"%d" % number for number in range(40)]
    with (
        running(tunnelling(origin, messages_per_s_to_origin=20.0)) as edge,
        wire.websocket(edge.address, "/echo") as (client, _),
    ):
        begun = time.monotonic()
        client.send(b"".join(Frame(TEXT, message).from_client().encode() for message in messages))
        assert [client.read_message() for _ in messages[:20]] == messages[:20]
        assert [client.read_message() for _ in messages[20:]] == messages[20:]
        # A second's worth passes at once, and the other at the rate: it may be late, and never early.
        assert time.monotonic() - begun >= 0.9


def test_bytes_towards_the_client_pass_at_the_rate_and_a_little_at_once(origin: Origin) -> None:
    rate = 200_000
    with running(tunnelling(origin, bytes_per_s_to_client=float(rate))) as edge:
        # Before the first byte can be there: it may be late, and never early.
        begun = time.monotonic()
        got = 0
        with wire.websocket(edge.address, f"/flood?bytes={2 * rate}") as (client, _):
            while (frame := client.read_frame()).opcode == BINARY:
                got += len(frame.payload)
        assert frame.close_code == 1000
        assert got >= 2 * rate
        assert time.monotonic() - begun >= 0.9


def test_a_client_over_its_rate_is_closed_where_the_zone_says_so(origin: Origin, token: str) -> None:
    with running(tunnelling(origin, messages_per_s_to_origin=5.0, over_rate="close")) as edge:
        with wire.websocket(edge.address, f"/echo?{token}") as (client, _):
            client.send(b"".join(Frame(TEXT, b"%d" % n).from_client().encode() for n in range(50)))
            said = client.read_close()
            assert (said.close_code, said.close_reason) == (1008, "rate_exceeded: more than 5 messages in a second")
            client.send_frame(close(1008))
            assert client.read_to_end() == b""
        seen = origin.find(token)
        seen.until(lambda seen: seen.ended, what="the end of the origin's connection")
        record = closed(edge.stop())
    *passed, last = FrameReader().feed(seen.after_head)
    assert [frame.payload for frame in passed] == [b"0", b"1", b"2", b"3", b"4"]
    assert last.close_code == 1001
    assert (record["why"], record["detail"], record["client_close_code"]) == ("rate_exceeded", "client", 1008)


def test_a_throttled_client_that_goes_away_is_noticed(origin: Origin) -> None:
    with running(tunnelling(origin, messages_per_s_to_origin=1.0)) as edge:
        with wire.websocket(edge.address, "/echo") as (client, _):
            client.send(b"".join(Frame(TEXT, b"x").from_client().encode() for _ in range(100)))
            assert client.read_message() == b"x"
            client.reset()
        record = closed(edge.stop())
    assert record["closed_by"] in {"client", "edge"}
