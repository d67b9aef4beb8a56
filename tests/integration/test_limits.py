"""An edge at the end of its file descriptors: new clients wait, open ones do not notice."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration import wire
from tests.integration.conftest import LISTEN
from tests.integration.edge import Edge
from tests.integration.frames import TEXT, Frame
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S, poll

DESCRIPTORS = 300
PRLIMIT = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", "--")
# docs/up.md: half of the descriptors, less some for the edge itself.
MOST_CONNECTIONS = (DESCRIPTORS - 200) // 2


@pytest.fixture
def small(origin: Origin, tmp_path: Path) -> Iterator[Edge]:
    """An edge with few descriptors."""
    with Edge(origin.url, tmp_path, *LISTEN, "--threads", "1", under=PRLIMIT) as edge:
        yield edge


def is_answered(client: wire.Wire, *, within_s: float) -> bool:
    """Whether something has come within this time."""
    client.sock.settimeout(within_s)
    try:
        return client.read_some()
    except TimeoutError:
        return False
    finally:
        client.sock.settimeout(LIMIT_S)


def test_clients_beyond_the_limit_wait_until_another_leaves(small: Edge) -> None:
    with ExitStack() as opened, ExitStack() as waiting:
        clients: list[wire.Wire] = []
        while True:
            client = waiting.enter_context(wire.connect(small.plain))
            client.send(wire.upgrade("/echo"))
            # As many as must be let in may be slow to be; of others it is found out in a moment.
            if not is_answered(client, within_s=LIMIT_S if len(clients) < MOST_CONNECTIONS // 2 else 0.5):
                break
            assert client.read_answer().status == 101
            clients.append(client)
            assert len(clients) <= DESCRIPTORS, "there is no limit"
        assert len(clients) >= MOST_CONNECTIONS // 2
        for one in clients:
            one.send_frame(Frame(TEXT, b"still here"))
            assert one.read_message() == b"still here"
        clients[0].sock.close()
        assert client.read_answer().status == 101
        client.send_frame(Frame(TEXT, b"my turn"))
        assert client.read_message() == b"my turn"
        opened.close()
    poll(lambda: small.open_descriptors() < 100, what="the descriptors to be free again")
    with wire.websocket(small.plain, "/echo"):
        pass


def test_a_burst_beyond_the_limit_is_served_in_the_end(small: Edge) -> None:
    """Each connection is held open until all have been opened, so most of them must wait."""
    with ExitStack() as stack:
        burst = [
            stack.enter_context(socket.create_connection(small.plain, timeout=LIMIT_S)) for _ in range(DESCRIPTORS)
        ]
        for sock in burst:
            sock.sendall(wire.request("GET", "/status/200", "Connection: close"))
        for sock in burst:
            assert wire.Wire(sock).read_answer().status == 200
            sock.close()
