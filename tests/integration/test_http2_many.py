"""Ten thousand WebSockets over a hundred HTTP/2 connections: all work, each costs little, and nothing is left of them."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import records
from tests.integration.certificates import Authority, Pair
from tests.integration.conftest import TLS_LISTEN, StartEdge
from tests.integration.http2 import connected
from tests.integration.origin import Origin
from tests.integration.waiting import poll

ROOT = Path(__file__).parent.parent.parent
CONNECTIONS, STREAMS = 100, 100
COUNT = CONNECTIONS * STREAMS
# One descriptor each towards the origin, and some for connections and the edge itself. The origin is in this process.
NEEDED_DESCRIPTORS = COUNT + CONNECTIONS + 500
# Below what one costs over a TLS connection of its own: 9 KiB in a release build. Tests may run on a debug build.
MOST_BYTES_EACH = 9 * 1024
MOST_BYTES_LEFT = 32 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_streams_over_a_hundred_connections(
    start_edge: StartEdge, origin: Origin, leaf: Pair, authority: Authority
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= NEEDED_DESCRIPTORS, f"this test needs `ulimit -Hn` of {NEEDED_DESCRIPTORS}, and it is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    edge = start_edge(origin.url, *TLS_LISTEN, *leaf.arguments())
    with connected(edge.tls, authority.trusting()) as client:
        client.open_websocket("/echo")
    poll(lambda: len(closed_lines(edge.log_lines)) == 1, what="the first record")
    descriptors, memory = edge.open_descriptors(), edge.anonymous_bytes()
    command = [sys.executable, "-m", "tests.integration.many_streams", str(edge.tls[1])]
    command += [str(CONNECTIONS), str(STREAMS), str(authority.file), "/echo"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        assert clients.stdin is not None
        assert clients.stdout is not None
        assert clients.stdout.readline() == f"open {COUNT}\n"
        assert COUNT <= edge.open_descriptors() - descriptors < COUNT + 2 * CONNECTIONS
        each = (edge.anonymous_bytes() - memory) / COUNT
        assert each < MOST_BYTES_EACH, f"{each:.0f} bytes each"
        for message in ("one\n", "two\n"):
            clients.stdin.write(message)
            clients.stdin.flush()
            assert clients.stdout.readline() == f"echoed {COUNT}\n"
        each = (edge.anonymous_bytes() - memory) / COUNT
        assert each < MOST_BYTES_EACH, f"{each:.0f} bytes each"
        clients.stdin.close()
        assert clients.stdout.readline() == f"closed {COUNT}\n"
        assert clients.wait(30) == 0
    poll(lambda: len(closed_lines(edge.log_lines)) == COUNT + 1, what="a record for each", limit_s=30)
    poll(lambda: edge.open_descriptors() <= descriptors, what="the descriptors of the start", limit_s=30)
    poll(lambda: edge.anonymous_bytes() - memory < MOST_BYTES_LEFT, what="nearly the memory of the start", limit_s=60)


def closed_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if records.CLOSED_EVENT in line]
