"""The command against what is not the API, or not any more: one sentence, a status, and an end."""

import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.certificates import Authority
from tests.integration.edge import COMMAND, START_LIMIT_S, run_to_end
from tests.integration.installation import Installation, command, environment
from tests.integration.waiting import LIMIT_S

NOT_AN_ENVELOPE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html"


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The base URL of a server that treats each connection so, after it has read the head of a request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(LIMIT_S)
                        connection.recv(65_536)
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/client/v4"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(LIMIT_S)


def sending(*parts: bytes) -> Callable[[socket.socket], None]:
    """Answer with these bytes, then hang up."""
    return lambda connection: connection.sendall(b"".join(parts))


def flood(connection: socket.socket) -> None:
    """Answer with a body that does not end before the reader does."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while True:
        connection.sendall(b" " * 65_536)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (sending(), "failed: Server disconnected without sending a response"),
        (sending(b"\x16\x03\x01\x00\x05\r\n\r\n"), "failed: illegal status line"),
        (sending(b"SSH-2.0-OpenSSH_9.2\r\n"), "failed: "),
        (sending(NOT_AN_ENVELOPE), "is not the API: status 200, text/html"),
        (
            sending(NOT_AN_ENVELOPE.replace(b"5", b"9")),
            "failed: peer closed connection without sending complete message",
        ),
        (sending(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"), "packed as gzip"),
        (sending(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"), "a redirect to"),
        (flood, "is longer than 32 MiB"),
    ],
)
def test_what_is_not_the_api_is_one_sentence(answer: Callable[[socket.socket], None], said: str) -> None:
    with server(answer) as url:
        ended = command("zone", "list", api=url, token="t0ken-value")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.isascii()
    assert "t0ken-value" not in ended.stderr


def test_an_interrupt_while_the_api_is_silent_ends_at_once() -> None:
    asked, over = threading.Event(), threading.Event()

    def say_nothing(_: socket.socket) -> None:
        asked.set()
        over.wait(LIMIT_S)

    with server(say_nothing) as url:
        environ = environment() | {"HOLDFAST_API": url, "HOLDFAST_TOKEN": "t"}
        process = subprocess.Popen(
            [COMMAND, "zone", "list"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert asked.wait(START_LIMIT_S)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
        over.set()
    assert (process.returncode, out, err) == (130, "", "")


def test_a_name_of_the_api_does_not_reach_the_terminal_as_it_is() -> None:
    body = b'{"success":true,"result":[{"id":"x","name":"a\\u001b[2J\\u202eb"}],"errors":[],"messages":[]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with server(sending(head, body)) as url:
        plain = command("zone", "list", api=url, token="t")
        as_json = command("zone", "list", "--json", api=url, token="t")
    assert "a\\x1b[2J\\u202eb" in plain.stdout
    assert '"a\\u001b[2J\\u202eb"' in as_json.stdout


def test_an_https_api_is_asked_where_its_certificate_is_trusted(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("localhost", "127.0.0.1")
    with Installation(tmp_path, "--control-cert", str(pair.cert), "--control-key", str(pair.key)) as installed:
        assert installed.api.startswith("https://")
        assert installed.did("zone", "add", "example.com", "--cacert", str(authority.file))
        assert "example.com" in installed.did("zone", "list", "--cacert", str(authority.file))
        assert "is not trusted" in installed.refused("zone", "list", status=1)
        plain = installed.run("zone", "list", api=installed.api.replace("https:", "http:"))
    assert plain.returncode == 1
    assert len(plain.stderr.splitlines()) == 1


def test_without_a_token_nothing_is_asked() -> None:
    ended = run_to_end(["zone", "list", "--api", "http://127.0.0.1:9"])
    assert (ended.returncode, ended.stderr) == (
        2,
        "holdfast zone list: --token: expected an API token, best in the environment as HOLDFAST_TOKEN, got nothing\n",
    )
