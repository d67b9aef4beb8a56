"""An edge in this process, driven through `holdfast._native` with a policy of the test's own, and origins for it.

Law: whatever happens in a test, the edge is stopped before it ends, for its threads call Python.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from holdfast._native import Edge, Origin, TunnelOptions
from holdfast.edge.decision import Forward, Respond
from holdfast.model.zone_statistics import ZoneStatistics
from tests.integration import wire
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.waiting import LIMIT_S, poll
from tests.integration.wire import Address


def nobody() -> Origin:
    """An origin that refuses: port 1 on loopback."""
    return Origin(label="nobody", scheme="http", host="127.0.0.1", port=1)


def of(fake: FakeOrigin, **changed: Any) -> Origin:
    """The fake origin as the edge dials it."""
    host, port = fake.address
    given: dict[str, Any] = {"label": "o", "scheme": "http", "host": host, "port": port}
    return Origin(**given | changed)


def tunnelling(fake: FakeOrigin, **terms: Any) -> Callable[[Any], Forward]:
    """A policy that forwards everything to the fake origin, on these terms of `TunnelOptions`."""
    decision = Forward(origin=of(fake), tunnel=TunnelOptions(**terms))
    return lambda _: decision


def fine(_: object) -> Respond:
    return Respond(status=200, headers=(("X-By", "policy"),), body=b"fine")


class Running:
    """An edge in this process, and what it logs."""

    def __init__(
        self,
        decide: Callable[[Any], Any],
        answer: Callable[[Any], Any],
        *,
        is_tls: bool = False,
        **options: Any,
    ) -> None:
        given: dict[str, Any] = {}
        if "listeners" not in options:
            listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
            self.address: Address = listener.getsockname()
            given["listeners"] = [(listener.detach(), is_tls)]
        self.log, log_fd = os.pipe()
        given |= {
            "threads": 1,
            "decide": decide,
            "answer": answer,
            "log_fd": log_fd,
        }
        self.edge = Edge(**given | options)
        os.close(log_fd)
        self.edge.start()

    def stop(self) -> list[dict[str, Any]]:
        """End it; the lines it has logged."""
        self.edge.stop(grace_s=LIMIT_S)
        with os.fdopen(self.log) as log:
            return [json.loads(line) for line in log]

    def zone(self, name: str) -> ZoneStatistics | None:
        """The figures of one zone."""
        return next((zone for zone in self.edge.zone_statistics() if zone.zone == name), None)

    def zone_when(self, name: str, look: Callable[[ZoneStatistics], object]) -> ZoneStatistics:
        """The figures of a zone as soon as they are as they should be. They change in threads that tell nobody."""

        def found() -> ZoneStatistics | None:
            zone = self.zone(name)
            return zone if zone is not None and look(zone) else None

        return poll(found, what=f"figures of the zone {name!r}")


@contextmanager
def running(decide: Callable[[Any], Any], answer: Callable[[Any], Any] = fine, **options: Any) -> Iterator[Running]:
    """`options` go to `Edge`, but for `is_tls`, which is about the one listener it has where `listeners` are not given."""
    edge = Running(decide, answer, **options)
    try:
        yield edge
    finally:
        edge.edge.stop(grace_s=1)


def ask(address: Address, data: bytes | None = None) -> tuple[wire.Answer, bytes]:
    with wire.connect(address) as client:
        return client.request(data or wire.request("GET", "/", "Connection: close"))


@contextmanager
def origin_that(answer: Callable[[socket.socket, bytes], None]) -> Iterator[tuple[Origin, list[socket.socket]]]:
    """An origin that calls `answer(connection, head)` for each request head, and the connections it has had."""
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while head := connection.recv(65_536):
                answer(connection, head)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connections.append(listener.accept()[0])
                threading.Thread(target=serve, args=(connections[-1],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield Origin(label="o", scheme="http", host="127.0.0.1", port=listener.getsockname()[1]), connections
        listener.shutdown(socket.SHUT_RDWR)
