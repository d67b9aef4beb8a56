"""How many WebSockets a zone, and one address of its clients, may have open: held at the core, whoever comes at once."""

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from holdfast._native import Origin, TunnelOptions
from holdfast.edge.decision import Decision, Forward, Respond
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.in_process import Running, nobody, of, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.waiting import LIMIT_S, poll


def limited(origin: FakeOrigin, **limits: int) -> Callable[[Request], Decision]:
    dialled, tunnel = of(origin), TunnelOptions(**limits)  # type: ignore[arg-type]
    return lambda _: Forward(origin=dialled, zone="one", tunnel=tunnel)


def told(fault: Fault) -> Respond:
    return Respond(status=fault.status, headers=(("X-Kind", fault.kind or "none"),), body=b"")


def ask(edge: Running) -> wire.Answer:
    with wire.connect(edge.address) as client:
        client.send(wire.upgrade("/echo"))
        return client.read_answer()


@pytest.mark.parametrize(
    ("limits", "status", "kind"),
    [
        ({"max_zone_connections": 2}, 503, "zone_connections"),
        ({"max_address_connections": 2}, 429, "address_connections"),
        ({"max_zone_connections": 5, "max_address_connections": 2}, 429, "address_connections"),
    ],
)
def test_one_more_than_allowed_is_refused_until_one_ends(
    origin: FakeOrigin, limits: dict[str, int], status: int, kind: str
) -> None:
    with running(limited(origin, **limits), told, threads=2) as edge, ExitStack() as kept:
        kept.enter_context(wire.websocket(edge.address, "/echo"))
        with wire.websocket(edge.address, "/echo"):
            refused = ask(edge)
            assert (refused.status, refused.value("X-Kind")) == (status, kind)
            assert edge.edge.statistics()["upgrades_refused_by_caps"] == 1
        poll(lambda: edge.edge.statistics()["tunnels_open"] == 1, what="the end of one")
        assert ask(edge).status == 101


def test_a_storm_gets_exactly_what_is_allowed(origin: FakeOrigin) -> None:
    with running(limited(origin, max_zone_connections=7), told, threads=2) as edge, ExitStack() as kept:
        clients = [kept.enter_context(wire.connect(edge.address)) for _ in range(40)]
        start = threading.Barrier(len(clients))

        def storm(client: wire.Wire) -> None:
            start.wait(LIMIT_S)
            client.send(wire.upgrade("/echo"))

        threads = [threading.Thread(target=storm, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        statuses = sorted(client.read_answer().status for client in clients)
    assert statuses == [101] * 7 + [503] * 33


def test_an_upgrade_that_fails_gives_its_place_back() -> None:
    tunnel = TunnelOptions(max_zone_connections=1)
    dialled = nobody()
    with running(lambda _: Forward(origin=dialled, zone="one", tunnel=tunnel), told) as edge:
        answers = [ask(edge) for _ in range(3)]
    assert [(answer.status, answer.value("X-Kind")) for answer in answers] == [(521, "none")] * 3


def test_ordinary_requests_are_not_counted(origin: FakeOrigin) -> None:
    with (
        running(limited(origin, max_zone_connections=1), told) as edge,
        wire.websocket(edge.address, "/echo"),
        wire.connect(edge.address) as client,
    ):
        assert client.request(wire.request("GET", "/status/200", "Connection: close"))[0].status == 200


def test_a_client_that_hangs_up_before_its_answer_keeps_no_place(origin: FakeOrigin) -> None:
    tunnel = TunnelOptions(max_zone_connections=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LIMIT_S)
        unanswering = Origin(label="silent", scheme="http", host="127.0.0.1", port=silent.getsockname()[1])

        def decide(request: Request) -> Decision:
            return Forward(origin=unanswering if request.path == "/silent" else of(origin), zone="one", tunnel=tunnel)

        with running(decide, told) as edge:
            with wire.connect(edge.address) as client:
                client.send(wire.upgrade("/silent"))
                asked, _ = silent.accept()
            with asked:
                asked.settimeout(LIMIT_S)
                while asked.recv(4096):
                    pass
                assert ask(edge).status == 101
