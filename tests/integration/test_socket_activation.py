"""Sockets that a service manager has opened: they are taken, by every thread, and outlive the process."""

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import wire
from tests.integration.command import Command
from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.releasing import echoes, released

# What a service manager does to a process (sd_listen_fds(3)): its descriptors begin with 3, and it is told whose they are.
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""
ACTIVATED = [sys.executable, "-c", _ACTIVATE]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens, and stays open in the tests, as it does in a service manager."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def activated(origin: Origin, data: Path, listener: socket.socket, *arguments: str) -> Edge:
    host, port = listener.getsockname()
    number = listener.fileno()
    listen = arguments or ("--listen", f"{host}:{port}", "--threads", "2")
    return Edge(origin.url, data, *listen, under=[*ACTIVATED, str(number)], descriptors=[number])


def test_a_socket_that_is_given_is_taken_by_every_thread(
    origin: Origin, tmp_path: Path, listener: socket.socket
) -> None:
    with activated(origin, tmp_path, listener) as up:
        assert up.plain == listener.getsockname()
        for number in range(20):
            with wire.websocket(up.plain, "/echo") as (client, _):
                assert echoes(client, f"{number}")
        assert not up.records("configuration_warning")
        # A release hands it on as any other.
        released(tmp_path, "--no-wait")


def test_who_comes_while_nobody_serves_waits_and_is_not_refused(
    origin: Origin, tmp_path: Path, listener: socket.socket
) -> None:
    with activated(origin, tmp_path, listener) as up:
        address = up.plain
    waiting: list[bool] = []

    def come() -> None:
        with wire.websocket(address, "/echo") as (client, _):
            waiting.append(echoes(client, "I waited"))

    coming = threading.Thread(target=come)
    coming.start()
    with activated(origin, tmp_path, listener):
        coming.join(30)
        assert waiting == [True]


def test_a_socket_that_nothing_is_asked_of_is_a_warning(
    origin: Origin, tmp_path: Path, listener: socket.socket
) -> None:
    with activated(origin, tmp_path, listener, "--listen", "127.0.0.1:0") as up:
        assert up.plain != listener.getsockname()
        host, port = listener.getsockname()
        warning = up.record(lambda record: record["event"] == "configuration_warning")
        assert warning["reason"].startswith(
            f"the service manager listens on {host}:{port}, which no address of ours is"
        )


def test_the_api_may_be_given_its_socket_too(tmp_path: Path, listener: socket.socket) -> None:
    host, port = listener.getsockname()
    number = listener.fileno()
    run = Command(
        ["run", "--data", tmp_path, "--listen", "127.0.0.1:0", "--threads", "1", "--control-listen", f"{host}:{port}"],
        ready=lambda lines: any(line.endswith("(API)") for line in lines),
        under=[*ACTIVATED, str(number)],
        descriptors=[number],
    )
    with run:
        assert f"ready: http://{host}:{port} (API)" in run.ready_lines
        with wire.connect((host, port)) as client:
            answer, body = client.request(wire.request("GET", "/healthz"))
            assert (answer.status, body) == (200, b"ok\n")
