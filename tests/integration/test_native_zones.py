"""What is counted for a zone, and what can be done to it, held over real sockets."""

import math
from collections.abc import Callable

import pytest

from holdfast.edge.decision import Decision, Forward, Respond
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.frames import TEXT, Frame, close
from tests.integration.in_process import Running, ask, of, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.wire import Wire


def by_host(origin: FakeOrigin) -> Callable[[Request], Decision]:
    """`one.test` is of the zone "one", and so on; what begins with `/no` is refused by its zone."""
    dialled = of(origin)

    def decide(request: Request) -> Decision:
        zone = request.host.removesuffix(".test")
        if request.path.startswith("/no"):
            return Respond(status=403, zone=zone)
        return Forward(origin=dialled, zone=zone)

    return decide


def echo(client: Wire, text: bytes) -> None:
    client.send_frame(Frame(TEXT, text))
    assert client.read_message() == text


def test_a_zone_s_tunnels_are_closed_on_both_sides_and_no_other_s(origin: FakeOrigin, token: str) -> None:
    with (
        running(by_host(origin), threads=2) as edge,
        wire.websocket(edge.address, f"/echo/{token}", name="one.test") as (first, _),
        wire.websocket(edge.address, "/echo", name="one.test") as (second, _),
        wire.websocket(edge.address, "/echo", name="other.test") as (other, _),
    ):
        for client in (first, second, other):
            echo(client, b"hi")
        assert edge.edge.close_tunnels(zone="one", code=1012, reason="moved elsewhere") == 2
        for client in (first, second):
            said = client.read_close()
            assert (said.close_code, said.close_reason) == (1012, "moved elsewhere")
            client.send_frame(close(1012))
        origin.find(token).until(lambda seen: seen.ended, what="the end of the tunnel")
        echo(other, b"still here")
        edge.zone_when("one", lambda zone: zone.connections_open == 0)
        assert edge.edge.close_tunnels(zone="one", code=1001, reason="") == 0
        lines = edge.stop()
    ended = [line for line in lines if line.get("zone") == "one"]
    assert [(line["closed_by"], line["why"], line["edge_close_code"]) for line in ended] == [
        ("edge", "closed_by_operator", 1012)
    ] * 2
    assert [line["why"] for line in lines if line["zone"] == "other"] == ["edge_stopping"]


def test_a_close_waits_for_the_end_of_the_frame_that_is_under_way(origin: FakeOrigin, token: str) -> None:
    frame = Frame(TEXT, b"x" * 200).from_client().encode()
    with (
        running(by_host(origin)) as edge,
        wire.websocket(edge.address, f"/echo/{token}", name="one.test") as (client, _),
    ):
        client.send(frame[:100])
        seen = origin.find(token)
        seen.until(lambda seen: len(seen.after(token)) == 100, what="half of the frame")
        assert edge.edge.close_tunnels(zone="one", code=1001, reason="bye") == 1
        # The way to the client stands between two frames.
        assert client.read_close().close_code == 1001
        client.send(frame[100:])
        seen.until(lambda seen: len(seen.after(token)) > len(frame), what="the Close behind the frame")
        assert seen.after(token)[: len(frame)] == frame


BAD_CLOSES = (
    *((code, "", "code") for code in (999, 1004, 1005, 1006, 1010, 1015, 2000, 5000)),
    (1001, "x" * 124, "reason"),
    (1001, "\N{EURO SIGN}" * 42, "reason"),
)


@pytest.mark.parametrize(("code", "reason", "argument"), BAD_CLOSES)
def test_a_close_that_nobody_may_send_is_refused(origin: FakeOrigin, code: int, reason: str, argument: str) -> None:
    with running(by_host(origin)) as edge, pytest.raises(ValueError, match=f"^{argument}: "):
        edge.edge.close_tunnels(zone="one", code=code, reason=reason)


def test_the_figures_of_a_zone_include_what_is_still_open(origin: FakeOrigin) -> None:
    with running(by_host(origin), threads=2) as edge:
        with wire.websocket(edge.address, "/echo", name="one.test") as (client, _):
            for text in (b"a", b"bc"):
                echo(client, text)
            live = edge.zone("one")
            assert live is not None
            assert (live.connections_open, live.connections_opened) == (1, 1)
            assert (live.messages_to_origin, live.messages_to_client) == (2, 2)
            # A frame of a client has six bytes besides its payload, one to it two.
            assert (live.bytes_to_origin, live.bytes_to_client) == (15, 7)
            assert (live.upgrades, live.requests, live.closes) == ({101: 1}, {}, {})
            client.send_frame(close(1000))
            client.read_close()
        ended = edge.zone_when("one", lambda zone: zone.connections_open == 0)
        assert (ended.connections_opened, ended.messages_to_origin, ended.bytes_to_origin) == (1, 2, 23)
        assert ended.closes == {"client/close_frame": 1}


def test_answers_are_counted_by_what_the_client_got(origin: FakeOrigin) -> None:
    with running(by_host(origin)) as edge:
        for data in (
            wire.upgrade("/no", host="one.test"),
            wire.upgrade("/status/401", host="one.test"),
            wire.upgrade("/echo", host="other.test"),
            wire.request("GET", "/no", host="one.test"),
            wire.request("GET", "/status/200", host="one.test"),
            wire.request("GET", "/status/200", host="one.test"),
            wire.request("GET", "/status/404", host="one.test"),
        ):
            with wire.connect(edge.address) as client:
                client.send(data)
                client.read_answer()
        one, other = edge.zone("one"), edge.zone("other")
        assert one is not None
        assert other is not None
        assert (one.upgrades, one.requests) == ({403: 1, 401: 1}, {403: 1, 200: 2, 404: 1})
        assert (other.upgrades, other.requests) == ({101: 1}, {})


def test_what_belongs_to_no_zone_is_counted_without_a_name(origin: FakeOrigin) -> None:
    def decide(request: Request) -> Decision:
        if request.path == "/raise":
            raise LookupError
        return Respond(status=530)

    with running(decide) as edge:
        assert edge.edge.zone_statistics() == []
        for path in ("/", "/raise"):
            ask(edge.address, wire.request("GET", path, "Connection: close"))
        (nameless,) = edge.edge.zone_statistics()
        assert (nameless.zone, nameless.requests) == ("", {530: 1, 500: 1})


def test_zones_that_are_gone_are_forgotten_unless_they_have_tunnels(origin: FakeOrigin) -> None:
    with running(by_host(origin)) as edge:
        for name in ("kept", "gone"):
            ask(edge.address, wire.request("GET", "/no", "Connection: close", host=f"{name}.test"))
        with wire.websocket(edge.address, "/echo", name="open.test"):
            edge.edge.forget_zones(["kept"])
            assert [zone.zone for zone in edge.edge.zone_statistics()] == ["kept", "open"]
        edge.zone_when("open", lambda zone: zone.connections_open == 0)
        edge.edge.forget_zones(["kept"])
        assert [zone.zone for zone in edge.edge.zone_statistics()] == ["kept"]


def test_each_decision_is_in_the_histogram(origin: FakeOrigin) -> None:
    with running(by_host(origin)) as edge:
        for _ in range(3):
            ask(edge.address, wire.request("GET", "/no", "Connection: close", host="one.test"))
        buckets, total_s, count = edge.edge.decide_latency()
    bounds = [bound for bound, _ in buckets]
    counts = [below for _, below in buckets]
    assert (count, counts[-1]) == (3, 3)
    assert bounds == sorted(bounds)
    assert counts == sorted(counts)
    assert 0 < total_s < math.inf


def test_an_edge_that_is_not_running_has_no_figures(origin: FakeOrigin) -> None:
    with running(by_host(origin)) as edge:
        ask(edge.address, wire.request("GET", "/no", "Connection: close", host="one.test"))
        edge.stop()
        assert edge.edge.zone_statistics() == []
        assert edge.edge.decide_latency() == ([], 0.0, 0)
        assert edge.edge.close_tunnels(zone="one", code=1001, reason="") == 0
        edge.edge.forget_zones([])


def test_what_fails_on_the_way_to_an_origin_is_counted_and_logged_with_its_zone(origin: FakeOrigin) -> None:
    dead = of(origin, port=1)

    def failed(edge: Running) -> int:
        return edge.edge.statistics()["origin_faults"]

    with running(lambda _: Forward(origin=dead, zone="one"), lambda fault: Respond(status=fault.status)) as edge:
        assert ask(edge.address)[0].status == 521
        assert failed(edge) == 1
        figures = edge.zone("one")
        (line,) = edge.stop()
    assert figures is not None
    assert figures.requests == {521: 1}
    assert (line["event"], line["zone"]) == ("request_failed", "one")
