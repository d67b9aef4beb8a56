"""What Workers' processes ask of an edge over its egress socket: the place of its own that it has there."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.decision import Forward, Respond
from holdfast.model.request import Request
from tests.integration.in_process import Running, ask, fine, of, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.script_process import egress, egress_connection, fetch, shared
from tests.integration.waiting import poll


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


def test_what_a_process_fetches_is_known_as_such_and_nothing_else_is(directory: Path) -> None:
    asked: list[Request] = []

    def decide(request: Request) -> Respond:
        asked.append(request)
        return fine(request)

    with (
        egress(directory) as (listener, path),
        running(decide, egress_fd=shared(listener)) as edge,
        egress_connection(path) as script,
    ):
        for _ in range(2):
            answer, body = script.request(fetch("https://API.example.test:8443/a?b=c", "Holdfast-Egress: abc"))
            assert (answer.status, body) == (200, b"fine")
        ask(edge.address, fetch("http://plain.example.test/", "Holdfast-Egress: forged", "Connection: close"))
    first, again, of_client = asked
    assert (first.is_egress, first.host, first.path, first.query) == (True, "api.example.test", "/a", "b=c")
    assert first.header_values("Host") == ("API.example.test:8443",)
    assert first.header_values("Holdfast-Egress") == ("abc",)
    assert (first.client_ip, first.client_port, first.edge_port, first.tls) == ("0.0.0.0", 0, 0, None)
    assert again.ray != first.ray
    assert not of_client.is_egress


def test_fields_between_the_edge_and_a_process_go_no_further(directory: Path, origin: FakeOrigin, token: str) -> None:
    def decide(request: Request) -> Forward:
        return Forward(origin=of(origin))

    with (
        egress(directory) as (listener, path),
        running(decide, egress_fd=shared(listener)),
        egress_connection(path) as script,
    ):
        answer, _ = script.request(fetch(f"http://o.test/status/200/{token}", "Holdfast-Egress: abc", "X-Kept: 1"))
    assert answer.status == 200
    head = origin.head(token)
    assert (head.values("Holdfast-Egress"), head.value("X-Kept")) == ([], "1")


def test_scripts_take_no_places_of_clients(directory: Path) -> None:
    with (
        egress(directory) as (listener, path),
        running(fine, egress_fd=shared(listener), max_connections=8) as edge,
        ExitStack() as stack,
    ):
        # A quarter of eight are kept for scripts: the third waits.
        scripts = [stack.enter_context(egress_connection(path)) for _ in range(3)]
        for script in scripts[:2]:
            assert script.request(fetch("http://o.test/"))[0].status == 200
        scripts[2].send(fetch("http://o.test/"))
        assert ask(edge.address)[0].status == 200
        assert statistics(edge, "egress_connections_open") == 2
        scripts[0].sock.close()
        assert scripts[2].read_answer().status == 200


def test_an_edge_that_retires_leaves_the_socket_to_its_successor(directory: Path) -> None:
    def by(name: str) -> Any:
        return lambda _: Respond(status=200, body=name.encode())

    with (
        egress(directory) as (listener, path),
        running(by("old"), egress_fd=shared(listener)) as old,
        egress_connection(path) as script,
    ):
        assert script.request(fetch("http://o.test/"))[1] == b"old"
        with running(by("new"), egress_fd=shared(listener)):
            old.edge.retire()
            poll(lambda: statistics(old, "egress_connections_open") == 0, what="the old edge to retire")
            for _ in range(8):
                with egress_connection(path) as other:
                    assert other.request(fetch("http://o.test/"))[1] == b"new"


def test_an_egress_socket_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="egress_fd: expected a file descriptor, got a negative number"):
        Running(fine, fine, egress_fd=-1)


def statistics(edge: Running, name: str) -> int:
    return edge.edge.statistics()[name]
