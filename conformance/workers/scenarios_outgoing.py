"""The Worker as a client: of a server of `websockets`, as far from both sides as any other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from threading import Thread

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from conformance.workers.side import Scenario, Side


@contextmanager
def origin() -> Iterator[str]:
    """An echo that closes when it is told to, and refuses below /refused. Its URL."""
    with serve(
        _echo, "127.0.0.1", 0, process_request=_refused, select_subprotocol=_subprotocol, compression=None
    ) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def _refused(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(HTTPStatus.FORBIDDEN, "not you") if request.path == "/refused" else None


def _subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return offered[0] if offered else None


def _echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        for message in connection:
            if isinstance(message, str) and message.startswith("!close "):
                _, code, reason = message.split(" ", 2)
                connection.close(int(code), reason)
            else:
                connection.send(message)


def outgoing(side: Side) -> list[str]:
    """By `new WebSocket` and by `fetch`: states, events, closing from both ends, refusals."""
    with origin() as url:
        return side.probe("outgoing", where="worker", origin=url)


def closed_early(side: Side) -> list[str]:
    """Closed while it connects, wrongly, and twice."""
    with origin() as url:
        return side.probe("outgoing, closed early", where="worker", origin=url)


SCENARIOS: dict[str, Scenario] = {"outgoing": outgoing, "outgoing, closed early": closed_early}
