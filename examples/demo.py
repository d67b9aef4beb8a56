"""What `make run` runs: a demo origin, and `holdfast up` in front of it, with TLS.

The origin is an ordinary WebSocket server (the `websockets` package) that knows nothing of the edge:

    /        a page that talks to the rest        /chat    a room: what one says, all hear
    /echo    says back what it is told            /clock   tells the time, once a second

    python examples/demo.py [--port 8080] [--tls-port 8443] [--data DIR] [--worker DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import http
import signal
import sys
import sysconfig
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PAGE = Path(__file__).with_name("demo.html")
# How long the edge may take to close its tunnels and end (it allows itself 5 s).
STOP_TIMEOUT_S = 8
# How long the edge may take to say that it is ready.
START_TIMEOUT_S = 20


class DemoOrigin:
    """The server behind the edge."""

    def __init__(self, page: bytes) -> None:
        self._page = page
        self._room: set[ServerConnection] = set()

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Ordinary HTTP: the page at /, 404 elsewhere; None lets an upgrade go on."""
        path = request.path.partition("?")[0]
        if path in ("/echo", "/chat", "/clock"):
            return None
        if path != "/":
            return connection.respond(http.HTTPStatus.NOT_FOUND, "Nothing here. Try /, /echo, /chat or /clock.\n")
        headers = Headers({"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(self._page))})
        return Response(200, "OK", headers, self._page)

    async def handle(self, connection: ServerConnection) -> None:
        path = _request_of(connection).path.partition("?")[0]
        with contextlib.suppress(ConnectionClosed):
            await {"/echo": self._echo, "/chat": self._chat, "/clock": self._clock}[path](connection)

    async def _echo(self, connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def _chat(self, connection: ServerConnection) -> None:
        # Connections of all clients come from the edge; this is how the origin knows them apart.
        who = _request_of(connection).headers.get("CF-Connecting-IP", "someone")
        self._room.add(connection)
        broadcast(self._room, f"* {who} came in; {len(self._room)} here")
        try:
            async for message in connection:
                text = message if isinstance(message, str) else f"({len(message)} bytes)"
                broadcast(self._room, f"{who}: {text}")
        finally:
            self._room.discard(connection)
            broadcast(self._room, f"* {who} left; {len(self._room)} here")

    async def _clock(self, connection: ServerConnection) -> None:
        while True:
            await connection.send(f"{dt.datetime.now().astimezone():%H:%M:%S}")
            # A closed connection is noticed by the next send.
            await asyncio.sleep(1)


def _request_of(connection: ServerConnection) -> Request:
    """The request that was answered with a 101; an open connection always has one."""
    if connection.request is None:
        raise AssertionError("a handler runs after the handshake")
    return connection.request


def holdfast_command() -> list[str]:
    """The installed command, or the package itself where it is not installed."""
    command = Path(sysconfig.get_path("scripts")) / "holdfast"
    return [str(command)] if command.exists() else [sys.executable, "-m", "holdfast"]


async def run(arguments: argparse.Namespace) -> int:
    """Run both until SIGINT or SIGTERM; the exit status."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    origin = DemoOrigin(PAGE.read_bytes())
    async with serve(origin.handle, "127.0.0.1", 0, process_request=origin.answer) as server:
        edge = await asyncio.create_subprocess_exec(
            *_edge_command(arguments, _port_of(server)),
            stdout=asyncio.subprocess.PIPE,
            # Of its own session: Ctrl-C reaches us alone, and we stop it before the origin.
            start_new_session=True,
        )
        try:
            if not await _is_ready(edge):
                return await _say_what_to_do(edge, arguments)
            _say_what_to_type(arguments)
            ended = asyncio.create_task(edge.wait())
            await asyncio.wait({ended, asyncio.create_task(stopping.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                print(f"\nThe edge ended by itself, with status {edge.returncode}.", file=sys.stderr)
                return 1
            print("\nStopping: every WebSocket is closed with 1001 (going away).")
            return 0
        finally:
            await _stop(edge)


def _edge_command(arguments: argparse.Namespace, origin_port: int) -> list[str]:
    options = ["--listen", f"127.0.0.1:{arguments.port}", "--tls-listen", f"127.0.0.1:{arguments.tls_port}"]
    data = ["--data", str(arguments.data)] if arguments.data else []
    worker = ["--worker", str(arguments.worker)] if arguments.worker else []
    return [*holdfast_command(), "up", f"http://127.0.0.1:{origin_port}", *options, *data, *worker]


def _port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


async def _is_ready(edge: asyncio.subprocess.Process) -> bool:
    """Whether both `ready:` lines came (they are repeated here); False if the edge ended instead."""
    async with asyncio.timeout(START_TIMEOUT_S):
        for _ in range(2):
            line = await edge.stdout.readline() if edge.stdout else b""
            if not line.startswith(b"ready:"):
                return False
            print(line.decode().rstrip(), flush=True)
    return True


async def _say_what_to_do(edge: asyncio.subprocess.Process, arguments: argparse.Namespace) -> int:
    status = await edge.wait()
    print(
        f"The edge could not start (see above). If port {arguments.port} or {arguments.tls_port} is taken, choose others:\n"
        "  make run ARGS='--port 8090 --tls-port 8453'",
        file=sys.stderr,
    )
    return status or 1


def _say_what_to_type(arguments: argparse.Namespace) -> None:
    plain, tls = f"127.0.0.1:{arguments.port}", f"127.0.0.1:{arguments.tls_port}"
    connect = ".venv/bin/holdfast connect"
    data = f" --data {arguments.data}" if arguments.data else ""
    print(
        f"""
Holdfast is in front of a demo origin. In a browser: http://{plain}/

In another terminal:
  {connect} ws://{plain}/echo
      type a line, it comes back; Ctrl-D leaves
  {connect} wss://{tls}/chat{data}
      a room, over TLS: open it twice
  {connect} ws://{plain}/clock
      the time, once a second
  curl -i http://{plain}/nothing
      ordinary HTTP takes the same road

Each WebSocket leaves one line of JSON here when it closes. Ctrl-C ends the demo.
""",
        flush=True,
    )


async def _stop(edge: asyncio.subprocess.Process) -> None:
    if edge.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            edge.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await edge.wait()
        except TimeoutError:
            edge.kill()
            await edge.wait()


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise ValueError(text)
    return port


def main() -> None:
    """Parse the arguments, run, exit."""
    parser = argparse.ArgumentParser(description="A demo origin, and Holdfast in front of it.")
    parser.add_argument("--port", type=_port, default=8080, help="where the edge serves ws:// and http:// (8080)")
    parser.add_argument("--tls-port", type=_port, default=8443, help="where it serves wss:// and https:// (8443)")
    parser.add_argument("--worker", type=Path, help="a Worker between the edge and the origin (examples/workers)")
    parser.add_argument("--data", type=Path, help="the edge's data directory (its default)")
    sys.exit(asyncio.run(run(parser.parse_args())))


if __name__ == "__main__":
    main()
