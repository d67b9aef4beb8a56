"""How long a tunnel may be silent, old or stalled: each end is told by a Close to both, its reason and the record."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration import wire
from tests.integration.frames import BINARY, TEXT, Frame, FrameReader, close
from tests.integration.in_process import Running, running, tunnelling
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S, poll

SHORT_S = 0.4
# Where something is to be in time: a busy machine may take seconds longer than it should.
PATIENT_S = 8.0


def closed(lines: list[dict[str, Any]]) -> dict[str, Any]:
    (record,) = [line for line in lines if line["event"] == "websocket_closed"]
    return record


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"idle_timeout_s": SHORT_S}, "idle_timeout: nothing passed for 0.4 s"),
        ({"max_age_s": SHORT_S}, "max_age: a connection lives 0.4 s"),
    ],
    ids=["idle", "age"],
)
def test_both_sides_are_told_at_the_end_of_their_time(
    origin: Origin, token: str, terms: dict[str, float], reason: str
) -> None:
    with running(tunnelling(origin, **terms)) as edge:
        with wire.websocket(edge.address, f"/echo?{token}") as (client, _):
            said = client.read_close()
            assert (said.close_code, said.close_reason) == (1001, reason)
            client.send_frame(close(1001))
            assert client.read_to_end() == b""
            assert not client.was_reset
        seen = origin.find(token)
        seen.until(lambda seen: seen.ended, what="the end of the origin's connection")
        record = closed(edge.stop())
    (to_origin,) = FrameReader().feed(seen.after_head)
    assert (to_origin.close_code, to_origin.close_reason) == (1001, reason)
    assert (record["closed_by"], record["why"]) == ("edge", reason.split(":", maxsplit=1)[0])
    assert record["connection_close_reason"] == "timedOut"
    assert record["duration_ms"] >= 1000 * SHORT_S * 0.9 - 1


@pytest.mark.slow
def test_what_passes_puts_the_idle_timeout_off(origin: Origin) -> None:
    with (
        running(tunnelling(origin, idle_timeout_s=PATIENT_S)) as edge,
        wire.websocket(edge.address, "/echo") as (client, _),
    ):
        for _ in range(5):
            client.sock.settimeout(PATIENT_S / 4)
            with pytest.raises(TimeoutError):
                client.read_frame()
            client.send_frame(Frame(TEXT, b"x"))
            client.sock.settimeout(LIMIT_S)
            assert client.read_message() == b"x"


def test_pings_of_the_edge_do_not_put_the_idle_timeout_off(origin: Origin) -> None:
    with running(
        tunnelling(origin, idle_timeout_s=2 * SHORT_S, keepalive_interval_s=SHORT_S / 4, keepalive_misses=100)
    ) as edge:
        with wire.websocket(edge.address, "/echo") as (client, _):
            while (frame := client.read_frame()).opcode != 0x8:
                client.send_frame(Frame(0xA, frame.payload))
            assert frame.close_reason.startswith("idle_timeout: ")
        assert closed(edge.stop())["why"] == "idle_timeout"


def test_half_a_frame_that_is_not_continued_ends_its_sender_s_tunnel(origin: Origin, token: str) -> None:
    half = Frame(BINARY, bytes(100)).from_client().encode()[:50]
    with running(tunnelling(origin, read_stall_timeout_s=SHORT_S)) as edge:
        with wire.websocket(edge.address, f"/after-eof?{token}") as (client, _):
            client.send(half)
            said = client.read_close()
            assert (said.close_code, said.close_reason) == (
                1001,
                "read_stalled: nothing more of a frame came for 0.4 s",
            )
            seen = origin.find(token)
            seen.until(lambda seen: seen.ended == "eof", what="a FIN, and no RST")
            assert seen.after_head == half
        record = closed(edge.stop())
    assert (record["why"], record["detail"]) == ("read_stalled", "client")


@pytest.mark.slow
def test_a_frame_that_goes_on_slowly_is_not_stalled(origin: Origin) -> None:
    message = Frame(BINARY, bytes(8)).from_client().encode()
    with (
        running(tunnelling(origin, read_stall_timeout_s=PATIENT_S)) as edge,
        wire.websocket(edge.address, "/echo") as (client, _),
    ):
        client.sock.settimeout(PATIENT_S / 12)
        for at in range(len(message)):
            client.send(message[at : at + 1])
            if at < len(message) - 1:
                with pytest.raises(TimeoutError):
                    client.read_frame()
        client.sock.settimeout(LIMIT_S)
        assert client.read_message() == bytes(8)


def test_a_client_that_takes_nothing_ends_its_tunnel(origin: Origin, token: str) -> None:
    with running(tunnelling(origin, write_stall_timeout_s=SHORT_S)) as edge:
        with wire.websocket(edge.address, f"/flood?bytes={64 << 20}&{token}") as (client, _):
            origin.find(token).until(lambda seen: seen.ended, what="the end of the origin's connection", limit_s=30)
            poll(lambda: edge.edge.statistics()["tunnels_open"] == 0, what="the end of the tunnel", limit_s=30)
            client.read_to_end()
        record = closed(edge.stop())
    assert (record["why"], record["detail"]) == ("write_stalled", "client")
    assert record["edge_close_reason"] == "write_stalled: nothing was taken for 0.4 s"


def test_ages_of_connections_that_opened_together_differ(origin: Origin) -> None:
    def live(edge: Running) -> None:
        with wire.websocket(edge.address, "/echo") as (client, _):
            assert client.read_close().close_reason.startswith("max_age: ")
            client.send_frame(close(1001))
            client.read_to_end()

    with (
        running(tunnelling(origin, max_age_s=2.0, max_age_jitter=0.9)) as edge,
        ThreadPoolExecutor(max_workers=8) as clients,
    ):
        list(clients.map(live, [edge] * 8))
        ages = [line["duration_ms"] for line in edge.stop() if line["event"] == "websocket_closed"]
    # Eight of them within a tenth of the time there is: once in a million runs.
    assert max(ages) - min(ages) > 180, ages
