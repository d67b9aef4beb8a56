"""An origin that is stopped, killed and started again (SIGSTOP, SIGKILL), as a process of its own."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration import wire
from tests.integration.conftest import StartEdge
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, TEXT, Frame, close
from tests.integration.waiting import LIMIT_S, poll

ROOT = Path(__file__).parent.parent.parent


class OriginProcess:
    """The fake origin in another process. `process` is what signals go to."""

    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.origin_process", str(port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def is_stopped(self) -> bool:
        """Whether the kernel has stopped it (state T of /proc/PID/stat)."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@contextmanager
def running(port: int) -> Iterator[OriginProcess]:
    origin = OriginProcess(port)
    try:
        yield origin
    finally:
        origin.kill()


@pytest.fixture
def port() -> Iterator[int]:
    """A port that refuses while no origin has it: bound and not listening, so that nobody else is given it meanwhile."""
    with socket.socket() as kept:
        # Who sets the same, as an origin does, may listen there.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture
def process(port: int) -> Iterator[OriginProcess]:
    with running(port) as origin:
        yield origin


@pytest.fixture
def edge(process: OriginProcess, start_edge: StartEdge) -> Edge:
    return start_edge(f"http://127.0.0.1:{process.port}")


def test_a_stopped_origin_stalls_its_sockets_and_loses_nothing(edge: Edge, process: OriginProcess) -> None:
    messages = [b"%d:" % n + bytes(1000) for n in range(2000)]
    with wire.websocket(edge.plain, "/echo") as (client, _):
        client.send_frame(Frame(TEXT, b"before"))
        assert client.read_message() == b"before"
        process.signal(signal.SIGSTOP)
        poll(process.is_stopped, what="the origin is stopped")
        # Two megabytes: more than stays in the edge, less than fills the kernel's buffers, so that sending does not block.
        for message in messages:
            client.send_frame(Frame(BINARY, message))
        process.signal(signal.SIGCONT)
        assert [client.read_message() for _ in messages] == messages
        client.send_frame(close(1000))
        assert client.read_close().close_code == 1000


def test_an_upgrade_waits_for_a_stopped_origin(edge: Edge, process: OriginProcess) -> None:
    process.signal(signal.SIGSTOP)
    poll(process.is_stopped, what="the origin is stopped")
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade("/echo") + Frame(TEXT, b"early").from_client().encode())
        client.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.read_answer()
        client.sock.settimeout(LIMIT_S)
        process.signal(signal.SIGCONT)
        assert client.read_answer().status == 101
        assert client.read_message() == b"early"


def test_the_edge_stops_in_time_though_its_origin_is_stopped(edge: Edge, process: OriginProcess) -> None:
    with wire.websocket(edge.plain, "/echo") as (client, _):
        process.signal(signal.SIGSTOP)
        poll(process.is_stopped, what="the origin is stopped")
        edge.process.send_signal(signal.SIGINT)
        assert client.read_close().close_code == 1001
        client.send_frame(close(1001))
        assert edge.process.wait(30) == 0


def test_a_killed_origin_ends_its_sockets_and_is_521_until_it_is_back(edge: Edge, process: OriginProcess) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(wire.websocket(edge.plain, "/echo")) for _ in range(50)]
        for client, _ in opened:
            client.send_frame(Frame(TEXT, b"open"))
            assert client.read_message() == b"open"
        process.kill()
        for client, answer in opened:
            rest = client.read_to_end()
            assert rest == b"" or rest[0] == 0x88, "no half frame, at most a Close"
            client.end()
            record = edge.closed(answer.ray)
            assert record.closed_by == "origin"
            assert record.origin_close_code is None
    with wire.connect(edge.plain) as client:
        assert client.request(wire.upgrade("/echo"))[0].status == 521
    with running(process.port), wire.websocket(edge.plain, "/echo") as (client, _):
        client.send_frame(Frame(TEXT, b"back"))
        assert client.read_message() == b"back"


def test_a_killed_origin_breaks_off_its_answers(edge: Edge, process: OriginProcess) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.request("GET", "/held"))
        assert client.read_answer().status == 200
        chunks = client.read_chunks()
        assert next(chunks) == b"first"
        process.kill()
        with pytest.raises(wire.EndedError):
            list(chunks)


def test_requests_that_wait_for_an_origin_that_is_killed_get_520(edge: Edge, process: OriginProcess) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade("/no-answer"))
        poll(lambda: edge.open_descriptors(), what="the edge is alive")
        process.signal(signal.SIGSTOP)
        process.kill()
        assert client.read_answer().status in {520, 521}
