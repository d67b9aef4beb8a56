"""The control role: an HTTP server on a socket that is bound already, around a service that has a start and a stop.

Law 1: it says that it is ready when the service has started and the server accepts; not before.
Law 2: to end is to let requests in flight finish, for GRACE_S at most, and then to stop the service.
Law 3: HTTP is taken from anybody who can connect, so the server believes no proxy header and tells nothing about itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn

from holdfast.app.api_certificate import ApiCertificate
from holdfast.app.http_limits import LimitedProtocol
from holdfast.app.stream_limits import MAX_MESSAGE_BYTES, PING_INTERVAL_S, PING_LIMIT_S, StreamProtocol
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Draining, Stop
from holdfast.config.run import Config
from holdfast.errors import SetupError
from holdfast.event_log import EventLog
from holdfast.listeners import BoundAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long requests in flight may take when control stops, and then the service itself.
GRACE_S = 5
STOP_LIMIT_S = 6.0
# How long a client may take nothing of an answer. Precedent: the edge's own 60 s.
CLIENT_STALL_MS = 60_000
# Longest request head that is waited for; one that comes in a single read may be as long as that, 256 KiB.
# Precedent: the edge's own 32 KiB.
MAX_HEAD_BYTES = 32 * 1024


class Service(Protocol):
    """What is served: `application` (ASGI), and what must run around it."""

    @property
    def application(self) -> Any: ...  # noqa: ANN401  ASGI applications have no common type

    async def start(self) -> Sequence[str]:
        """Bring everything up. Lines to tell people once, such as a first token. Raises HoldfastError."""
        ...

    async def stop(self) -> None:
        """Take everything down."""
        ...

    def drain(self) -> None:
        """No new clients are taken any more: say so to whoever asks whether this is ready."""
        ...


def serve(
    service: Service, config: Config, bound: Sequence[BoundAddress], around: Surroundings, *, log: EventLog
) -> int:
    """Serve `service` on the sockets of `bound` until told to end; then the exit status, 0.

    For the main thread of a process of its own. Raises HoldfastError, a sentence, when it cannot start.
    """
    certificate = None
    if config.control_cert and config.control_key:
        # First of all: what uvicorn would raise of a wrong file names neither the file nor what is wrong.
        certificate = ApiCertificate(config.control_cert, config.control_key, log)
    sockets = [_listener(descriptor) for one in bound for descriptor in one.descriptors]
    try:
        asyncio.run(_serve(service, _Server(_settings(service, config), certificate), sockets, around, log))
    finally:
        for one in sockets:
            one.close()
    return 0


def ready_line(one: BoundAddress) -> str:
    """What says that the API is served."""
    return f"ready: {'https' if one.is_tls else 'http'}://{one.address} (API)"


def _listener(descriptor: int) -> socket.socket:
    listener = socket.socket(fileno=descriptor)
    # What it accepts inherits these (tcp(7)): a client that is gone, or takes nothing of its answer, is let go.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, CLIENT_STALL_MS)
    return listener


class _Server(uvicorn.Server):
    """uvicorn's server, without its signal handlers, and with a word when it accepts."""

    on_started: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, settings: uvicorn.Config, certificate: ApiCertificate | None = None) -> None:
        super().__init__(settings)
        self._certificate = certificate

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are `_serve`'s."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept. Raises SetupError where uvicorn would end the process."""
        if self._certificate is not None and self.config.ssl is not None:
            self._certificate.renew(self.config.ssl)
        try:
            await super().startup(sockets)
        except SystemExit:
            raise SetupError("the server of the API cannot start; the log says why") from None
        self.on_started()

    async def main_loop(self) -> None:
        """Serve until it is told to end, and show certificates that are replaced meanwhile."""
        if self._certificate is None:
            await super().main_loop()
            return
        watching = asyncio.create_task(self._certificate.keep_watching())
        try:
            await super().main_loop()
        finally:
            watching.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody more, and serve all who are accepted: another control may listen already, and a client cannot tell."""
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listener in server.sockets:
                loop.remove_reader(listener)
        # Who is accepted has a connection a turn of the loop later (asyncio), and is dropped where its server has closed by then.
        for _ in range(2):
            await asyncio.sleep(0)
        await super().shutdown(sockets)


def _settings(service: Service, config: Config) -> uvicorn.Config:
    return uvicorn.Config(
        service.application,
        interface="asgi3",
        http=LimitedProtocol,
        ws=StreamProtocol,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_LIMIT_S,
        # Of no use to messages that are this short, and memory of each client.
        ws_per_message_deflate=False,
        loop="asyncio",
        lifespan="on",
        log_config=None,
        # It warns of every request that is no HTTP: anybody could fill the log.
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=config.control_cert,
        ssl_keyfile=config.control_key,
    )


async def _serve(
    service: Service, server: _Server, sockets: list[socket.socket], around: Surroundings, log: EventLog
) -> None:
    def end() -> None:
        server.should_exit = True
        if not around.is_supervised:
            for number in around.ending_signals:
                asyncio.get_running_loop().remove_signal_handler(number)
            around.let_the_next_signal_kill()

    _end_when_told(around, service, end, log)
    try:
        lines = await service.start()
        if not server.should_exit:
            server.on_started = lambda: around.ready(lines)
            await server.serve(sockets)
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(service.stop(), STOP_LIMIT_S)


def _end_when_told(around: Surroundings, service: Service, end: Callable[[], None], log: EventLog) -> None:
    loop = asyncio.get_running_loop()
    for number in around.ending_signals:
        loop.add_signal_handler(number, end)
    if (lifeline := around.lifeline) is None:
        return
    around.ignore_signals()

    def look() -> None:
        for word in lifeline.words():
            if isinstance(word, Stop):
                end()
            elif isinstance(word, Draining):
                service.drain()
        if lifeline.is_cut:
            loop.remove_reader(lifeline.fileno())
            log.write("supervisor_gone", {"child": "control"})
            end()

    loop.add_reader(lifeline.fileno(), look)
