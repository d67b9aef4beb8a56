"""A Worker that passes on what it is asked, between an edge and an origin: what of it arrives on either side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.integration import wire
from tests.integration.worker_up import ServedWorker, worker_up

CODE = """
from js import URL
from workers import DurableObject, Response, WorkerEntrypoint, fetch

class Room(DurableObject):
    pass

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if URL.new(request.url).pathname.startswith("/count"):
            return Response(str(len(await request.bytes())))
        answer = await fetch(request)
        return Response(answer.body, status=answer.status, headers={**dict(answer.headers), "x-seen": request.url})
"""
SIZE = 185


class _Origin(BaseHTTPRequestHandler):
    """Answers with the request line; to HEAD, and with 304, with the size of something that it does not send."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.send_response(304 if "304" in self.path else 200)
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
        elif "unsized" not in self.path:
            self.send_header("Content-Length", str(SIZE))
        self.end_headers()

    def do_GET(self) -> None:
        if "304" in self.path:
            self.do_HEAD()
            return
        body = self.requestline.encode("latin-1")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_OPTIONS(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Origin) as origin:
        serving = threading.Thread(target=origin.serve_forever)
        serving.start()
        try:
            with worker_up(f"http://127.0.0.1:{origin.server_port}", code=CODE) as worker:
                yield worker
        finally:
            origin.shutdown()
            serving.join()


def ask(served: ServedWorker, method: str, target: str) -> tuple[wire.Answer, str]:
    """The answer, and its body."""
    host, _, port = served.address.rpartition(":")
    with wire.connect((host, int(port))) as client:
        answer, body = client.request(wire.request(method, target, host=served.address))
    return answer, body.decode()


@pytest.mark.parametrize(
    ("method", "target", "status", "size"),
    [
        ("HEAD", "/page", 200, str(SIZE)),
        ("HEAD", "/chunked", 200, ""),
        ("HEAD", "/304", 304, str(SIZE)),
        ("GET", "/304", 304, str(SIZE)),
        ("HEAD", "/304/unsized", 304, ""),
    ],
)
def test_the_size_of_what_is_not_sent_is_the_origins(
    served: ServedWorker, method: str, target: str, status: int, size: str
) -> None:
    answer, _ = ask(served, method, target)
    assert (answer.status, answer.value("Content-Length")) == (status, size)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/x/../admin/%41/./b?a=/../b", "/admin/A/b?a=/../b"),
        ("//admin", "/admin"),
        ("/%61dmin/%c3%bc", "/admin/%C3%BC"),
        ("/a%2Fb?%61", "/a%2Fb?%61"),
        ("/" + "%" * 5_000, "/" + "%25" * 5_000),
    ],
)
def test_a_worker_and_the_origin_behind_it_see_one_path(served: ServedWorker, target: str, path: str) -> None:
    answer, body = ask(served, "GET", target)
    assert body == f"GET {path} HTTP/1.1"
    assert answer.value("x-seen") == f"http://{served.address}{path}"


def test_an_upload_that_breaks_off_is_no_fault_of_the_workers() -> None:
    with worker_up("--watch", code=CODE) as served:
        host, _, port = served.address.rpartition(":")
        with wire.connect((host, int(port))) as client:
            client.send(wire.request("POST", "/count/broken", "Content-Length: 100", host=served.address) + b"abc")
        served.printed(f"[info] POST http://{served.address}/count/broken 499")
        ask(served, "GET", "/count/after")
        served.printed(f"[info] GET http://{served.address}/count/after 200")
        assert not [text for text in list(served.command.log_lines) if text.startswith("[error]")]


def test_what_is_asked_of_the_server_as_a_whole_goes_to_the_worker(served: ServedWorker) -> None:
    answer, body = ask(served, "OPTIONS", "*")
    assert (body, answer.value("x-seen")) == ("OPTIONS / HTTP/1.1", f"http://{served.address}/")
