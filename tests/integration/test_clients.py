"""Other people's clients and origins on both ends: `websockets`, npm `ws` and `wscat`, plain and over TLS."""

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.integration.certificates import Authority, Pair
from tests.integration.conftest import LISTEN, TLS_LISTEN
from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE
from tests.integration.waiting import LIMIT_S, PATIENT

HERE = Path(__file__).parent
MODULES = HERE.parent.parent / "node_modules"
MESSAGES: list[str | bytes] = [
    *("x" * size for size in (0, 1, 125, 126, 4096, 65_535, 65_536, 1_000_000)),
    *(os.urandom(size) for size in (0, 1, 125, 126, 4096, 65_535, 65_536, 900_000)),
    "grüße 🌊" * 1000,
]


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def websockets_origin(pair: Pair | None) -> Iterator[str]:
    """An echo server by Python's `websockets`, with permessage-deflate."""
    tls = pair.server_context() if pair else None
    with serve(echo, "127.0.0.1", 0, ssl=tls, max_size=None, subprotocols=["second"]) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"{'https' if pair else 'http'}://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@contextmanager
def ws_origin(pair: Pair | None) -> Iterator[str]:
    """An echo server by npm `ws`, with permessage-deflate."""
    files = [pair.cert, pair.key] if pair else []
    command: list[str | Path] = ["node", HERE / "ws_echo.mjs", *files]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        assert node.stdin is not None
        port = int(node.stdout.readline())
        yield f"{'https' if pair else 'http'}://127.0.0.1:{port}"
        node.stdin.close()
        assert node.wait(30) == 0


ORIGINS = {"websockets": websockets_origin, "ws": ws_origin}


@pytest.fixture(scope="module", params=[(name, tls) for name in ORIGINS for tls in (False, True)], ids=str)
def edge(
    request: pytest.FixtureRequest, authority: Authority, leaf: Pair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edge]:
    """An edge, plain and TLS, in front of each kind of origin, plain and TLS."""
    name, tls = request.param
    with ORIGINS[name](leaf if tls else None) as url:
        more = ["--origin-ca", str(authority.file)] if tls else []
        data = tmp_path_factory.mktemp("edge")
        with Edge(url, data, *LISTEN, *TLS_LISTEN, *leaf.arguments(), *more) as running:
            yield running


@pytest.fixture(params=["ws", "wss"])
def url(request: pytest.FixtureRequest, edge: Edge) -> str:
    """The edge's URL in each scheme."""
    _, port = edge.plain if request.param == "ws" else edge.tls
    return f"{request.param}://localhost:{port}"


@pytest.mark.parametrize("compression", ["deflate", None])
def test_python_websockets_converses(url: str, authority: Authority, compression: str | None) -> None:
    tls = authority.trusting() if url.startswith("wss") else None

    # Not its client of threads: Python 3.11 lets two of them into one TLS connection at once, which OpenSSL does not stand.
    async def converse() -> None:
        async with connect_async(
            url,
            ssl=tls,
            compression=compression,
            max_size=None,
            subprotocols=["first", "second"],  # type: ignore[list-item]
            **PATIENT,
        ) as client:
            extensions = [extension.name for extension in client.protocol.extensions]
            assert extensions == (["permessage-deflate"] if compression else [])
            assert client.subprotocol == "second"
            for message in MESSAGES:
                await client.send(message)
                assert await client.recv() == message
            await client.send(["one ", "fragmented ", "message"])
            assert await client.recv() == "one fragmented message"
            await (await client.ping("are you there"))
            await client.close(4000, "all came back")
            assert client.close_code == 4000

    asyncio.run(asyncio.wait_for(converse(), 60))


def test_npm_ws_converses(url: str, edge: Edge, authority: Authority) -> None:
    command: list[str | Path] = [
        "node",
        HERE / "ws_converse.mjs",
        url,
        *([authority.file] if url.startswith("wss") else []),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["echoed"] == said["sent"]
    assert said["pongs"] == 1
    assert said["extensions"] == "permessage-deflate"
    assert said["protocol"] == "second"
    assert (said["code"], said["reason"]) == (4000, "all came back")


def test_wscat_converses(url: str, authority: Authority) -> None:
    """On a terminal of its own: without one wscat prints nothing."""
    command: list[str | Path] = [
        MODULES / ".bin" / "wscat",
        "--no-color",
        "-c",
        url,
        "--ca",
        authority.file,
        "-s",
        "second",
    ]
    mine, its = os.openpty()
    try:
        with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as wscat:
            os.close(its)
            read_until(mine, b"Connected")
            os.write(mine, b"hello from wscat\n")
            read_until(mine, b"< hello from wscat")
            os.write(mine, b"\x04")  # Ctrl-D, which ends wscat
            assert wscat.wait(30) == 0
    finally:
        os.close(mine)


def read_until(terminal: int, mark: bytes) -> None:
    """Read from a terminal until `mark` has been shown."""
    shown = b""
    while mark not in shown:
        assert select([terminal], [], [], LIMIT_S)[0], f"waited {LIMIT_S} s for {mark!r}; shown: {shown!r}"
        shown += os.read(terminal, 4096)


# --- How a real client sees the edge's refusals and closes ------------------------------------------------------------


@pytest.fixture(scope="module")
def fake(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an edge in front of the fake origin."""
    with Edge(origin.url, tmp_path_factory.mktemp("edge"), *LISTEN) as running:
        yield f"ws://localhost:{running.plain[1]}"


def test_a_refusal_of_the_origin_is_its_own_to_a_client(fake: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{fake}/status/401", **PATIENT):
        pass
    assert refused.value.response.status_code == 401
    assert refused.value.response.body == PAGE


def test_a_wrong_101_is_502_to_a_client(fake: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{fake}/bad-accept", **PATIENT):
        pass
    assert refused.value.response.status_code == 502
    assert refused.value.response.headers["cf-error-type"] == "502"


@pytest.mark.parametrize(
    ("path", "code"), [("/close/1001?reason=moving", 1001), ("/close/4999", 4999), ("/fin-after", 1014)]
)
def test_a_close_is_the_origins_own_to_a_client_or_says_that_it_went_without(fake: str, path: str, code: int) -> None:
    with connect(f"{fake}{path}", compression=None, **PATIENT) as client, pytest.raises(ConnectionClosed):
        list(client) or client.recv(timeout=30)
    assert client.close_code == code


async def test_a_hundred_clients_converse_at_once(fake: str) -> None:
    async def converse(number: int) -> None:
        async with connect_async(f"{fake}/echo", compression=None, **PATIENT) as client:
            for round_ in range(20):
                message = f"{number}-{round_}-" + "x" * (number * 10)
                await client.send(message)
                assert await client.recv() == message

    async with asyncio.timeout(3 * LIMIT_S):
        await asyncio.gather(*(converse(number) for number in range(100)))
