"""Open WebSockets of a running installation: over the API, as a stream, on the command line, and over a release.

Law: edges, control, clients and origins are real; what is shown of a connection is held against what its client knows of it.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integration import wire
from tests.integration.command import lives
from tests.integration.frames import CLOSE, Frame, close
from tests.integration.installation import command
from tests.integration.origin import Origin
from tests.integration.releasing import echoes, leave, newest_edge, released
from tests.integration.run import EDGE, Run
from tests.integration.test_control_returns import zone_with_record
from tests.integration.test_crash_serving import HOST
from tests.integration.test_crash_writes import UNLIMITED, base_of
from tests.integration.waiting import LIMIT_S, PATIENT, poll
from tests.integration.wire import Wire


class World:
    """An installation with a zone whose origin echoes."""

    def __init__(self, run: Run, zone_id: str) -> None:
        self.run, self.zone_id = run, zone_id
        self.path = f"/zones/{zone_id}/websocket_connections"
        self.headers = {"Authorization": f"Bearer {run.token}"}

    @contextmanager
    def client(self, target: str = "/echo", *lines: str) -> Iterator[tuple[Wire, str]]:
        """A client with an open WebSocket, and the id of that."""
        with wire.connect(self.run.plain) as client:
            client.send(wire.upgrade(target, *lines, host=HOST))
            answer = client.read_answer()
            assert answer.status == 101
            yield client, answer.ray

    def ask(self, method: str, *parts: str, body: object = None, **query: object) -> httpx.Response:
        return httpx.request(
            method,
            base_of(self.run) + "/".join((self.path, *parts)),
            params={name: str(value) for name, value in query.items()},
            json=body,
            headers=self.headers,
            timeout=LIMIT_S,
            trust_env=False,
        )

    def result(self, method: str, *parts: str, body: object = None, **query: object) -> Any:
        """The result of a request that must succeed, and that every edge has answered."""

        def look() -> list[Any] | None:
            answer = self.ask(method, *parts, body=body, **query)
            assert answer.status_code == 200, answer.text
            # On a busy machine an edge may be late with its answer: then it is left out, and named.
            return None if method == "GET" and answer.json()["messages"] else [answer.json()["result"]]

        return poll(look, what=f"an answer of every edge to {method} {parts}")[0]

    def ids(self, **query: object) -> list[str]:
        return [one["id"] for one in self.result("GET", **query)]

    def did(self, *arguments: str) -> str:
        """What `holdfast connections` printed."""
        ended = command("connections", *arguments, api=base_of(self.run), token=self.run.token)
        assert ended.returncode == 0, ended
        return ended.stdout

    @contextmanager
    def stream(self, query: str = "", **options: Any) -> Iterator["Stream"]:
        """The stream of the zone, once edges have heard that somebody watches."""
        given: dict[str, Any] = {"additional_headers": self.headers, "proxy": None, **PATIENT, **options}
        url = f"ws{base_of(self.run).removeprefix('http')}{self.path}/stream{query}"
        with connect(url, **given) as connection:
            yield Stream(connection)


class Stream:
    """One who follows the stream."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        # Those that were opened to see whether this one is told of them: their ends may come late.
        self._probes: set[str] = set()

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event that is not of a probe: its type and its connection."""
        while True:
            kind, connection = self._any(LIMIT_S)
            if connection.get("id") not in self._probes:
                return kind, connection

    def hears_of(self, world: World) -> None:
        """Return when edges tell this one of what happens: they hear of it a moment after the handshake."""

        def is_told() -> bool:
            with world.client("/echo?probe") as (_, name):
                self._probes.add(name)
            try:
                return self._any(limit_s=0.5)[0] == "opened"
            except TimeoutError:
                return False

        poll(is_told, what="the first event")
        poll(lambda: self._probes.isdisjoint(world.ids()), what="the end of all probes")

    def _any(self, limit_s: float) -> tuple[str, dict[str, Any]]:
        message = json.loads(self.connection.recv(timeout=limit_s))
        return message["type"], message.get("connection", message)

    def end(self) -> tuple[int, str]:
        """Code and reason of the server's Close."""
        with suppress(ConnectionClosedError):
            for _ in self.connection:
                pass
        protocol = self.connection.protocol
        return protocol.close_code or 0, protocol.close_reason or ""


def told(client: Wire) -> Frame:
    """The Close that a client gets, which it answers."""
    frame = client.read_close()
    client.send_frame(close(frame.close_code))
    return frame


@pytest.fixture
def world(origin: Origin, tmp_path: Path) -> Iterator[World]:
    with Run(tmp_path / "data", environment=UNLIMITED) as run:
        yield World(run, zone_with_record(run, origin))


def test_what_is_open_is_listed_with_what_it_has_carried(world: World) -> None:
    with world.client("/echo?secret=1", "Sec-WebSocket-Protocol: mqtt") as (client, name), world.client() as (_, other):
        assert echoes(client, "hello")
        [one] = [one for one in world.result("GET") if one["id"] == name]
        assert (one["host"], one["path"], one["state"], one["protocol"]) == (HOST, "/echo", "open", "http/1.1")
        assert (one["client_ip"], one["client_port"]) == client.sock.getsockname()
        assert (one["zone_id"], one["tls_version"]) == (world.zone_id, None)
        assert one["to_origin"]["text_messages"] == one["to_client"]["text_messages"] == 1
        assert one["to_origin"]["bytes"] == 2 + 4 + len("hello")
        assert "secret" not in json.dumps(one)
        assert world.ids(order="bytes") == [name, other]
        assert world.ids(order="bytes", direction="asc") == [other, name]
        assert world.ids(min_age=3600) == world.ids(client_ip="192.0.2.0/24") == world.ids(path="/x") == []
        assert set(world.ids(client_ip="127.0.0.0/8", host=HOST, path="/ec")) == {name, other}
        before = world.result("GET", name)
        assert echoes(client, "again")
        after = world.result("GET", name)
        assert after["to_client"]["text_messages"] - before["to_client"]["text_messages"] == 1
        assert after["last_from_client_at"] > before["last_from_client_at"]


def test_one_that_has_closed_is_shown_with_who_and_why(world: World) -> None:
    with world.client() as (client, name):
        leave(client)
    closed = poll(
        lambda: one if (one := world.result("GET", name))["state"] == "closed" else None, what="the closed one"
    )
    assert (closed["closed_by"], closed["why"], closed["client_close_code"]) == ("client", "close_frame", 1000)
    assert (closed["origin_close_code"], closed["edge_close_code"]) == (1000, None)
    assert closed["duration_ms"] == closed["age_ms"]
    assert world.ids() == []
    assert world.ask("DELETE", name).status_code == 404


def test_those_that_are_meant_are_closed_with_code_and_reason_and_no_others(world: World) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(world.client(f"/echo/{number % 2}")) for number in range(6)]
        odd = {"filter": {"path": "/echo/1"}, "code": 4001, "reason": "sign in again"}
        assert world.result("POST", "close", body={**odd, "dry_run": True})["closed"] == 3
        assert world.result("POST", "close", body=odd) == {"closed": 3, "edges": 1, "silent": 0}
        for number, (client, _) in enumerate(clients):
            if number % 2:
                frame = told(client)
                assert (frame.opcode, frame.close_code, frame.close_reason) == (CLOSE, 4001, "sign in again")
            else:
                assert echoes(client, "still here")
        first, second, third = (clients[number][1] for number in (0, 2, 4))
        assert world.result("DELETE", first, code=1008) == {"id": first}
        assert told(clients[0][0]).close_code == 1008
        assert world.result("POST", "close", body={"ids": [second, "0" * 16 + "-LOC"]})["closed"] == 1
        assert told(clients[2][0]).close_code == 1001
        poll(lambda: world.ids() == [third], what="one that is left")
        closed = world.result("GET", first)
        assert (closed["closed_by"], closed["why"], closed["edge_close_code"]) == ("edge", "closed_by_operator", 1008)


def test_no_question_costs_an_edge_its_link(world: World) -> None:
    def losses() -> int:
        return sum("control_lost" in line for line in world.run.log_lines)

    # On a busy machine an edge may have missed control before that was there.
    before = losses()
    with world.client() as (_, name):
        for client_ip in ("fe80::1%eth0", "fe80::1%1/64"):
            assert world.ask("GET", client_ip=client_ip).status_code == 400
            assert world.ask("POST", "close", body={"filter": {"client_ip": client_ip}}).status_code == 400
        assert world.ids(client_ip="::ffff:127.0.0.1") == world.ids(client_ip="::ffff:7f00:0/104") == [name]
        assert world.ids(client_ip="::1") == []
    assert losses() == before


def test_opens_and_closes_are_followed_as_they_happen(world: World) -> None:
    with world.stream("?path=/echo") as stream:
        stream.hears_of(world)
        with world.client("/echo/a") as (client, name), world.client("/close/1000"):
            kind, opened = stream.next()
            assert (kind, opened["id"], opened["state"]) == ("opened", name, "open")
            assert echoes(client, "hello")
            leave(client)
            kind, closed = stream.next()
            assert (kind, closed["id"], closed["why"]) == ("closed", name, "close_frame")
            assert closed["to_client"]["text_messages"] == 1


def test_a_stream_takes_a_token_of_a_browser_and_nothing_else_in_its_place(world: World) -> None:
    with world.stream(additional_headers={}, subprotocols=["bearer", world.run.token]) as stream:
        assert stream.connection.subprotocol == "bearer"
    refused_ones: list[tuple[dict[str, Any], int]] = [
        ({"additional_headers": {}}, 403),
        ({"additional_headers": {}, "subprotocols": ["bearer", "x" * 40]}, 401),
        ({"additional_headers": {"Authorization": "Bearer " + "x" * 40}}, 401),
    ]
    for options, status in refused_ones:
        with pytest.raises(InvalidStatus) as refused, world.stream(**options):
            raise AssertionError("it was let in")
        response = refused.value.response
        assert response.status_code == status
        assert json.loads(response.body or b"")["success"] is False


def test_a_control_that_is_replaced_says_1012_and_the_next_one_streams(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path / "data", "--release-deadline", "120", environment=UNLIMITED) as run:
        world = World(run, zone_with_record(run, origin))
        with world.stream() as stream:
            released(tmp_path / "data")
            assert stream.end() == (1012, "control is stopping, connect again")
        poll(lambda: run.ask("GET", "/readyz")[0] == 200, what="control that is back")
        with world.stream() as stream:
            stream.hears_of(world)


def test_a_stream_is_one_way(world: World) -> None:
    with world.stream() as stream:
        stream.connection.send("hello")
        assert stream.end() == (1008, "this stream takes no messages")
    with world.stream() as stream:
        stream.connection.send("x" * 100_000)
        assert stream.end()[0] == 1009


def test_hostile_handshakes_leave_the_api_as_it_is(world: World) -> None:
    host, port = world.run.api
    head = f"GET /client/v4{world.path}/stream HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    authorized = f"{head}Authorization: Bearer {world.run.token}\r\n"
    for rest in (
        "\r\n",
        "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 7\r\n\r\n",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nCDN-Loop: holdfast\r\n\r\n",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nContent-Length: 5\r\n\r\nhello",
    ):
        with closing(socket.create_connection((host, port), timeout=LIMIT_S)) as client:
            client.sendall((authorized + rest).encode())
            assert re.match(rb"HTTP/1.1 (4\d\d|101) ", client.recv(65_536)), rest
    assert world.ids() == []


def test_the_command_line_lists_shows_and_closes(world: World) -> None:
    with world.client() as (client, name):
        assert name in world.did()
        assert [one["id"] for one in json.loads(world.did("--json", "--host", HOST))] == [name]
        assert HOST in world.did("show", name)
        assert world.did("--ip", "127.0.0.1", "--close", "--yes", "--code", "4000").endswith(
            ": 1 WebSocket closed with 4000\n"
        )
        assert client.read_close().close_code == 4000


def test_over_a_release_the_connections_of_both_edges_are_one_list(origin: Origin, tmp_path: Path) -> None:
    patient = ("--release-deadline", "120", "--release-spread", "1")
    with Run(tmp_path / "data", *patient, environment=UNLIMITED) as run:
        world = World(run, zone_with_record(run, origin))
        with world.client("/echo/kept") as (kept, first):
            old = run.child(EDGE)
            released(tmp_path / "data")
            newest_edge(run, number=2)
            poll(lambda: run.ask("GET", "/readyz")[0] == 200, what="control that is back")
            with world.client("/echo/fresh") as (fresh, second):
                assert poll(lambda: ids if len(ids := world.ids()) == 2 else None, what="both") == [second, first]
                assert world.ids(direction="asc", per_page=1, page=2) == [second]
                assert world.result("GET", first)["path"] == "/echo/kept"
                with world.stream("?path=/echo") as stream:
                    stream.hears_of(world)
                    assert world.result("POST", "close", body={"all": True, "code": 4002})["closed"] == 2
                    assert [told(client).close_code for client in (kept, fresh)] == [4002, 4002]
                    # The old edge ends with its last connection, and says so first: nothing is lost.
                    ends = [stream.next() for _ in range(2)]
                    assert {(kind, one["id"], one["edge_close_code"]) for kind, one in ends} == {
                        ("closed", first, 4002), ("closed", second, 4002),
                    }  # fmt: skip
                    poll(lambda: world.ids() == [], what="that none is open")
                    poll(lambda: not lives(old), what="the end of the old edge, with its last connection")
                    with world.client("/echo/later") as (_, third):
                        kind, opened = stream.next()
                        assert (kind, opened["id"]) == ("opened", third), "nothing was lost with the old edge"
