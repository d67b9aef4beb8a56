"""Nine thousand WebSockets in one edge: all work, each costs little, and nothing is left when they are gone."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import records, wire
from tests.integration.conftest import StartEdge
from tests.integration.origin import Origin
from tests.integration.waiting import poll

ROOT = Path(__file__).parent.parent.parent
COUNT = 9_000
# Two descriptors each in the edge, and some for itself.
NEEDED_DESCRIPTORS = 2 * COUNT + 200
# The target for a release build is 2 KiB (bench); this test is about leaks, and may run on a debug build.
MOST_BYTES_EACH = 8 * 1024
MOST_BYTES_LEFT = 16 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_nine_thousand_connections_in_one_process(start_edge: StartEdge, origin: Origin) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= NEEDED_DESCRIPTORS, f"this test needs `ulimit -Hn` of {NEEDED_DESCRIPTORS}, and it is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    edge = start_edge(origin.url)
    with wire.websocket(edge.plain, "/echo"):
        pass
    poll(lambda: len(closed_lines(edge.log_lines)) == 1, what="the first record")
    descriptors, memory = edge.open_descriptors(), edge.anonymous_bytes()
    command = [sys.executable, "-m", "tests.integration.many_clients", str(edge.plain[1]), str(COUNT), "/echo"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        assert clients.stdin is not None
        assert clients.stdout is not None
        assert clients.stdout.readline() == f"open {COUNT}\n"
        assert edge.open_descriptors() >= descriptors + 2 * COUNT
        each = (edge.anonymous_bytes() - memory) / COUNT
        assert each < MOST_BYTES_EACH, f"{each:.0f} bytes each"
        for message in ("one\n", "two\n"):
            clients.stdin.write(message)
            clients.stdin.flush()
            assert clients.stdout.readline() == f"echoed {COUNT}\n"
        clients.stdin.close()
        assert clients.stdout.readline() == f"closed {COUNT}\n"
        assert clients.wait(30) == 0
    poll(lambda: len(closed_lines(edge.log_lines)) == COUNT + 1, what="a record for each", limit_s=30)
    poll(lambda: edge.open_descriptors() <= descriptors, what="the descriptors of the start", limit_s=30)
    poll(lambda: edge.anonymous_bytes() - memory < MOST_BYTES_LEFT, what="nearly the memory of the start", limit_s=30)


def closed_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if records.CLOSED_EVENT in line]
