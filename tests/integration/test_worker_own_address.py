"""`return await fetch(request)` goes where the Worker's own requests go, whatever host its client names: never where the client would like."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.integration.worker_up import ServedWorker, worker_up

PASSES_ON = """
from workers import DurableObject, WorkerEntrypoint, fetch

class Room(DurableObject):
    pass

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await fetch(request)
"""
LIMIT_S = 30.0


@contextmanager
def service(says: bytes) -> Iterator[int]:
    """A service of this machine that says one thing; its port."""

    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(says)))
            self.end_headers()
            self.wfile.write(says)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("", 0), Says)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def neighbour() -> Iterator[int]:
    """Another service, which is nobody's business."""
    with service(b"secret") as port:
        yield port


@pytest.fixture(scope="module")
def before_an_origin() -> Iterator[ServedWorker]:
    with service(b"origin") as port, worker_up(f"http://127.0.0.1:{port}", code=PASSES_ON) as served:
        yield served


@pytest.fixture(scope="module")
def before_nothing() -> Iterator[ServedWorker]:
    with worker_up(code=PASSES_ON) as served:
        yield served


def answer(served: ServedWorker, head: str) -> bytes:
    host, port = served.address.split(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT_S) as client:
        client.sendall(f"{head}Connection: close\r\n\r\n".encode())
        received = b""
        while piece := client.recv(65_536):
            received += piece
    return received


# What a URL's parser takes for this machine.
HERE = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "0",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "LOCALHOST",
    "localhost.",
]


@pytest.mark.parametrize("host", HERE)
def test_an_origin_gets_what_is_passed_on_whatever_the_host(
    before_an_origin: ServedWorker, neighbour: int, host: str
) -> None:
    received = answer(before_an_origin, f"GET /x HTTP/1.1\r\nHost: {host}:{neighbour}\r\n")
    assert received.endswith(b"origin"), received


@pytest.mark.parametrize("host", [*HERE, "169.254.169.254"])
def test_who_stands_before_nothing_dials_nobody_for_a_client(
    before_nothing: ServedWorker, neighbour: int, host: str
) -> None:
    received = answer(before_nothing, f"GET / HTTP/1.1\r\nHost: {host}:{neighbour}\r\n")
    assert received.startswith(b"HTTP/1.1 508 "), received


@pytest.mark.parametrize("target", ["/127.0.0.1:PORT/h", "//127.0.0.1:PORT/h", "/h"])
def test_a_request_without_a_host_names_nobody_else_either(
    before_nothing: ServedWorker, neighbour: int, target: str
) -> None:
    received = answer(before_nothing, f"GET {target.replace('PORT', str(neighbour))} HTTP/1.0\r\n")
    assert b"secret" not in received
    assert received.split(b" ", 2)[1] in {b"508", b"400"}, received
