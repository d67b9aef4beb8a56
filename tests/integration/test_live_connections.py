"""Open WebSockets: listed, looked up, told of as they come and go, and closed by what they have in common."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pytest

from holdfast.edge.decision import Decision, Forward
from holdfast.model.connection import ClosedConnection, Connection, ConnectionEvent, ConnectionFilter, ConnectionQuery
from holdfast.model.request import Request
from tests.integration import wire
from tests.integration.frames import BINARY, TEXT, Frame, close
from tests.integration.in_process import Running, fine, of, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.waiting import poll
from tests.integration.wire import Wire


def by_host(origin: FakeOrigin) -> Callable[[Request], Decision]:
    dialled = of(origin)
    return lambda request: Forward(origin=dialled, zone=request.host.removesuffix(".test"))


@contextmanager
def opened(edge: Running, *hosts_and_paths: tuple[str, str]) -> Iterator[list[tuple[Wire, str]]]:
    """WebSockets, and their ids, in this order."""
    with ExitStack() as stack:
        both = [stack.enter_context(wire.websocket(edge.address, path, name=host)) for host, path in hosts_and_paths]
        yield [(client, answer.ray) for client, answer in both]


def page(edge: Running, **given: Any) -> tuple[int, list[Connection]]:
    known = {name: given.pop(name) for name in ("sort", "descending", "offset", "limit") if name in given}
    return edge.edge.connections(ConnectionQuery(filter=ConnectionFilter(**given), **known))


def ids(edge: Running, **given: Any) -> list[str]:
    return [one.id for one in page(edge, **given)[1]]


def echo(client: Wire, frame: Frame) -> None:
    client.send_frame(frame)
    assert client.read_message() == frame.payload


def test_an_open_one_is_told_with_all_that_is_known_of_it(origin: FakeOrigin) -> None:
    with (
        running(by_host(origin)) as edge,
        wire.websocket(edge.address, "/echo?secret", "Sec-WebSocket-Protocol: chat", name="one.test") as (
            client,
            answer,
        ),
    ):
        echo(client, Frame(TEXT, b"hello"))
        echo(client, Frame(BINARY, bytes(7)))
        total, (told,) = page(edge)
        assert total == 1
        assert edge.edge.connection(answer.ray) == told
        host, port = client.sock.getsockname()
    assert (told.id, told.zone_id, told.host, told.path) == (answer.ray, "one", "one.test", "/echo")
    assert (told.client_ip, told.client_port, told.origin) == (host, port, "o")
    assert (told.protocol, told.tls_version, told.state) == ("http/1.1", "", "open")
    assert told.subprotocol == answer.value("Sec-WebSocket-Protocol")
    assert told.opened_at <= told.last_from_client_at <= told.last_from_origin_at
    assert (told.rtt_client_us, told.rtt_origin_us) == (None, None)
    sent, back = told.to_origin, told.to_client
    assert (sent.text_messages, sent.binary_messages, sent.bytes) == (1, 1, 6 + 5 + 6 + 7)
    assert (back.text_messages, back.binary_messages, back.bytes) == (1, 1, 2 + 5 + 2 + 7)


@pytest.mark.parametrize("threads", [1, 3])
def test_pages_in_every_order_neither_overlap_nor_leave_out(origin: FakeOrigin, threads: int) -> None:
    count = 25
    with (
        running(by_host(origin), threads=threads) as edge,
        opened(edge, *[("one.test", f"/echo/{n}") for n in range(count)]) as clients,
    ):
        for number, (client, _) in enumerate(clients):
            echo(client, Frame(TEXT, b"x" * (number * 7 % count)))
        in_order = [ray for _, ray in clients]
        assert ids(edge) == in_order
        assert ids(edge, descending=True) == in_order[::-1]
        assert ids(edge, sort="idle") == in_order[::-1]
        assert ids(edge, sort="bytes") == sorted(in_order, key=lambda ray: in_order.index(ray) * 7 % count)
        for sort in ("opened_at", "idle", "bytes", "messages", "rtt"):
            pages = [page(edge, sort=sort, offset=offset, limit=4) for offset in range(0, count + 8, 4)]
            assert {total for total, _ in pages} == {count}
            assert sorted(one.id for _, found in pages for one in found) == sorted(in_order), sort


FILTERS = (
    ({"zone_id": "one"}, "ab"),
    ({"zone_id": "none"}, ""),
    ({"host": "two.test"}, "c"),
    ({"path_prefix": "/echo/a"}, "ac"),
    ({"client": "127.0.0.1"}, "abc"),
    ({"client": "127.0.0.0/8", "zone_id": "two"}, "c"),
    ({"client": "10.0.0.0/8"}, ""),
    ({"min_age_s": 3600.0}, ""),
    ({"min_idle_s": 3600.0}, ""),
    ({"subprotocol": ""}, "abc"),
    ({"subprotocol": "chat"}, ""),
)


def test_a_filter_means_those_for_which_all_of_it_holds(origin: FakeOrigin) -> None:
    with (
        running(by_host(origin), threads=2) as edge,
        opened(edge, ("one.test", "/echo/a"), ("one.test", "/echo/b"), ("two.test", "/echo/ac")) as clients,
    ):
        names = {ray: name for (_, ray), name in zip(clients, "abc", strict=True)}
        for given, meant in FILTERS:
            total, found = page(edge, **given)
            assert (total, "".join(names[one.id] for one in found)) == (len(meant), meant), given
        (_, first), (_, second), _ = clients
        assert sorted(ids(edge, ids=(first, second, "unknown"))) == sorted([first, second])


def test_one_that_closed_is_remembered_with_the_reason(origin: FakeOrigin) -> None:
    with running(by_host(origin)) as edge:
        with opened(edge, ("one.test", "/echo")) as [(client, ray)]:
            client.send_frame(close(1000, "bye"))
            assert client.read_close().close_code == 1000
            client.read_to_end()
        told = poll(
            lambda: seen if isinstance(seen := edge.edge.connection(ray), ClosedConnection) else None,
            what="the end of the connection",
        )
        assert (told.id, told.state, told.closed_by, told.why) == (ray, "closed", "client", "close_frame")
        assert (told.client_close_code, told.client_close_reason) == (1000, "bye")
        assert (told.origin_close_code, told.edge_close_code, told.edge_close_reason) == (1000, None, "")
        assert (told.connection_close_reason, told.connection_close_source) == ("none", "downstream")
        assert told.closed_at >= told.opened_at
        assert page(edge) == (0, [])
        assert edge.edge.connection("0123456789abcdef-LOC") is None
        assert edge.edge.statistics()["closed_connections_remembered"] == 1


def test_those_that_a_filter_means_are_closed_and_no_others(origin: FakeOrigin) -> None:
    with (
        running(by_host(origin), threads=2) as edge,
        opened(edge, ("one.test", "/echo/a"), ("one.test", "/echo/b"), ("two.test", "/echo/a")) as clients,
    ):
        (first, _), (second, _), (third, _) = clients
        meant = ConnectionFilter(zone_id="one", path_prefix="/echo/a")
        assert edge.edge.close_connections(meant, 4000, "not here") == 1
        said = first.read_close()
        assert (said.close_code, said.close_reason) == (4000, "not here")
        for client in (second, third):
            echo(client, Frame(TEXT, b"still here"))
        assert edge.edge.close_connections(ConnectionFilter(), 1001, "") == 2


def take(edge: Running, kept: list[ConnectionEvent]) -> list[ConnectionEvent]:
    lost, events = edge.edge.take_connection_events(100)
    assert lost == 0
    kept += events
    return kept


def test_openings_and_closings_are_told_while_somebody_watches(origin: FakeOrigin) -> None:
    with running(by_host(origin), threads=2) as edge:
        kept: list[ConnectionEvent] = []
        with opened(edge, ("one.test", "/echo/unwatched")):
            poll(lambda: page(edge)[0] == 1, what="the first connection")
            edge.edge.watch_connections(True)  # noqa: FBT003  the core's signature
        poll(lambda: len(take(edge, kept)) == 1, what="the end of the first")
        with opened(edge, ("one.test", "/echo/watched")) as [(_, ray)]:
            poll(lambda: len(take(edge, kept)) == 2, what="the opening of the second")
        poll(lambda: len(take(edge, kept)) == 3, what="the end of the second")
        edge.edge.watch_connections(False)  # noqa: FBT003
        with opened(edge, ("one.test", "/echo/unwatched")):
            poll(lambda: page(edge)[0] == 1, what="the third connection")
        assert edge.edge.take_connection_events(100) == (0, [])
    first, second, third = (event.connection for event in kept)
    assert isinstance(first, ClosedConnection)
    assert first.path == "/echo/unwatched"
    assert (type(second), second.id, second.state) == (Connection, ray, "open")
    assert isinstance(third, ClosedConnection)
    assert third.id == ray
    assert [event.at for event in kept] == [first.closed_at, second.opened_at, third.closed_at]


def test_messages_pass_while_connections_are_listed_and_the_list_is_answered_while_they_do(origin: FakeOrigin) -> None:
    with running(by_host(origin)) as edge, opened(edge, ("one.test", "/echo")) as [(client, _)]:
        is_over = threading.Event()
        faults: list[Exception] = []

        def list_on() -> None:
            while not is_over.is_set():
                try:
                    assert page(edge)[0] == 1
                except (AssertionError, ValueError) as error:
                    faults.append(error)

        listing = threading.Thread(target=list_on)
        listing.start()
        for number in range(200):
            echo(client, Frame(TEXT, b"%d" % number))
        is_over.set()
        listing.join()
        assert faults == []


BAD_QUERIES = (
    ({"limit": 0}, "limit"),
    ({"limit": 1001}, "limit"),
    ({"offset": -1}, "offset"),
    ({"sort": "colour"}, "sort"),
    ({"client": "example.com"}, "client"),
    ({"client": "10.0.0.0/33"}, "client"),
    ({"min_age_s": -1.0}, "min_age_s"),
    ({"ids": tuple(map(str, range(1001)))}, "ids"),
)


@pytest.mark.parametrize(("given", "named"), BAD_QUERIES, ids=[named for _, named in BAD_QUERIES])
def test_a_query_that_makes_no_sense_is_refused_and_named(given: dict[str, Any], named: str) -> None:
    with running(fine) as edge, pytest.raises(ValueError, match=f"^{named}: "):
        page(edge, **given)


def test_what_the_core_builds_is_what_the_link_carries(origin: FakeOrigin) -> None:
    with running(by_host(origin)) as edge, opened(edge, ("one.test", "/echo")) as [(_, ray)]:
        told = edge.edge.connection(ray)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Connection) == told
