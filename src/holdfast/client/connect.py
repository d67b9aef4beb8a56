"""`holdfast connect`: open a WebSocket, send lines, show what comes.

Law 1: leaving is clean: Close 1000 is sent, and what arrives until the closing handshake is complete is shown.
Law 2: every end is explained: who closed, with which code and reason, or that the connection was lost.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

from prompt_toolkit.patch_stdout import patch_stdout
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event
from websockets.typing import Subprotocol

from holdfast import __version__
from holdfast.client.close_codes import explained
from holdfast.client.input import piped_lines, typed_lines
from holdfast.client.options import ConnectOptions
from holdfast.client.printable import preview, printable
from holdfast.client.refusal import refused
from holdfast.client.screen import PipeScreen, Screen, TerminalScreen
from holdfast.errors import ConnectError, OutputError, UsageError
from holdfast.model.data_dir import local_ca_file
from holdfast.standard_output import give_up_stdout

# Longest wait for the 101. The edge waits 125 s for its origin before it answers 524, and that answer is worth seeing.
OPEN_TIMEOUT_S = 130
# How long the server may take to answer our Close.
CLOSE_TIMEOUT_S = 10
# After the last piped line, how long no message may come before we close, and how long we wait in all. A server that
# answers a Close at once, without what it still had to say, would otherwise lose its replies to `echo hi | …`.
QUIET_S = 0.5
MAX_LINGER_S = 10
# How often we ping, to notice a dead connection.
PING_INTERVAL_S = 30
# Longest message taken. Precedent: wscat takes 100 MiB (npm ws).
MAX_MESSAGE_BYTES = 100 * 1024 * 1024

# Codes of an end that is nobody's trouble (RFC 6455 §7.4.1); 1005 is a Close frame without a code.
_PEACEFUL_CODES = frozenset({1000, 1001, 1005})


def run_connect(options: ConnectOptions) -> int:
    """Hold the conversation. The exit status: 0 if it was closed in peace, 1 if not.

    Raises ConnectError, a sentence, when there is no WebSocket; UsageError for a --cacert that cannot be used; OutputError
    where what arrives cannot be written.
    """
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        if is_terminal:
            with patch_stdout():
                return asyncio.run(_converse(options, TerminalScreen(), typed_lines(), is_terminal=True))
        screen = PipeScreen(sys.stdout, sys.stderr, is_terminal=sys.stdout.isatty())
        return asyncio.run(_converse(options, screen, piped_lines(sys.stdin.fileno()), is_terminal=False))
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does.
        give_up_stdout()
        return 1
    except OutputError:
        give_up_stdout()
        raise


async def _converse(options: ConnectOptions, screen: Screen, lines: AsyncIterator[str], *, is_terminal: bool) -> int:
    connection = await opened(options, on_control=screen.control)
    if is_terminal:
        screen.notice(_greeting(connection, options.target.url))
    return await converse(connection, screen, lines, quiet_s=0 if is_terminal else QUIET_S)


async def opened(options: ConnectOptions, *, on_control: Callable[[str], None]) -> ClientConnection:
    """The open connection. `on_control` gets a sentence for each ping and pong that arrives.

    Raises ConnectError with the reason, UsageError for a --cacert that cannot be used.
    """
    # The URL's host stays in the Host field, in SNI and in the check of the certificate.
    place = {} if options.connect_to is None else options.connect_to.place(default_port=options.target.port)
    connection_type = cast("type[ClientConnection]", partial(_WatchedConnection, on_control=on_control))
    try:
        return await _ConnectOnce(
            options.target.url,
            additional_headers=options.headers,
            subprotocols=[Subprotocol(name) for name in options.subprotocols] or None,
            user_agent_header=f"holdfast/{__version__}",
            ssl=_tls_context(options) if options.target.is_tls else None,
            # A proxy of the environment is for the world outside; this machine is nearer than that.
            proxy=None if _is_local(options) else True,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            max_size=MAX_MESSAGE_BYTES,
            create_connection=connection_type,
            **place,
        )
    except (WebSocketException, OSError, EOFError) as error:
        raise ConnectError(f"{printable(options.target.url, limit=200)}: {refused(error)}") from error


async def converse(
    connection: ClientConnection, screen: Screen, lines: AsyncIterator[str], *, quiet_s: float = 0
) -> int:
    """Send `lines`, show what arrives, until either ends; then close with 1000. The exit status, as `run_connect`'s.

    After the last line, the close waits until no message has come for `quiet_s`, but MAX_LINGER_S at most.
    """
    arrived = asyncio.Event()
    receiving = asyncio.create_task(_receive(connection, screen, arrived))
    sending = asyncio.create_task(_send(connection, screen, lines, arrived, quiet_s))
    leaving = asyncio.create_task(_ending_signal())
    try:
        await asyncio.wait({receiving, sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        await connection.close(1000)
        await receiving
        if sending.done():
            sending.result()
    finally:
        for task in (receiving, sending, leaving):
            task.cancel()
        await asyncio.gather(receiving, sending, leaving, return_exceptions=True)
    screen.notice(_farewell(connection))
    return 0 if connection.protocol.close_rcvd and connection.close_code in _PEACEFUL_CODES else 1


async def _receive(connection: ClientConnection, screen: Screen, arrived: asyncio.Event) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            screen.received(message)
            arrived.set()


async def _send(
    connection: ClientConnection, screen: Screen, lines: AsyncIterator[str], arrived: asyncio.Event, quiet_s: float
) -> None:
    with suppress(ConnectionClosed):
        async for line in lines:
            await connection.send(line)
            screen.sent(line)
    if quiet_s:
        await _replies_stop(arrived, quiet_s)


async def _replies_stop(arrived: asyncio.Event, quiet_s: float) -> None:
    """Wait until no message has arrived for `quiet_s`, MAX_LINGER_S at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(MAX_LINGER_S):
            while True:
                arrived.clear()
                await asyncio.wait_for(arrived.wait(), quiet_s)


async def _ending_signal() -> None:
    """Wait for SIGTERM or SIGINT. While a prompt is open, Ctrl-C is its own affair, and ends the lines."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, arrived.set)
    try:
        await arrived.wait()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


class _ConnectOnce(connect):
    """A connect that follows no redirect: where a server sends us is what a person wants to see."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _WatchedConnection(ClientConnection):
    """A connection that tells of the pings and pongs that arrive."""

    # The other arguments are passed through as they come.
    def __init__(self, protocol: ClientProtocol, *, on_control: Callable[[str], None], **rest: Any) -> None:  # noqa: ANN401
        super().__init__(protocol, **rest)
        self._on_control = on_control

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode in (Opcode.PING, Opcode.PONG):
            self._on_control(self._control_sentence(event))

    def _control_sentence(self, frame: Frame) -> str:
        data = bytes(frame.data)
        if frame.opcode is Opcode.PING:
            return f"ping received, pong sent ({preview(data)})" if data else "ping received, pong sent"
        return f"pong received; the round trip took {self.latency * 1000:.1f} ms" if self.latency else "pong received"


def _tls_context(options: ConnectOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if options.ca_file is not None:
            return ssl.create_default_context(cafile=str(options.ca_file))
    except OSError as error:
        raise UsageError("--cacert", str(options.ca_file), "a readable file of certificates in PEM") from error
    # The authority that `holdfast up` made here. If it cannot be read, the handshake will say what is missing.
    if _is_local(options):
        with suppress(OSError):
            context.load_verify_locations(local_ca_file(options.data_dir))
    return context


def _is_local(options: ConnectOptions) -> bool:
    dialled = options.connect_to or options.target
    return dialled.is_local or dialled.host == socket.gethostname().lower()


def _greeting(connection: ClientConnection, url: str) -> str:
    about = [f"connected to {printable(url, limit=200)}"]
    if connection.subprotocol:
        about.append(f"subprotocol {printable(connection.subprotocol, limit=60)}")
    about += [extension.name for extension in connection.protocol.extensions]
    if connection.response and (ray := connection.response.headers.get("cf-ray")):
        about.append(f"ray id {printable(ray, limit=40)}")
    return f"{', '.join(about)}. Type a line and Enter to send it, Ctrl-D to leave."


def _farewell(connection: ClientConnection) -> str:
    protocol = connection.protocol
    if protocol.close_rcvd is None:
        lost = f"the connection was lost: {explained(1006, '')}"
        return f"we closed with {protocol.close_sent.code}; no Close came back" if protocol.close_sent else lost
    who = "the server closed" if protocol.close_rcvd_then_sent else "closed"
    return f"{who}: {explained(protocol.close_rcvd.code, protocol.close_rcvd.reason)}"
