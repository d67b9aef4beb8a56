"""Many WebSockets over few HTTP/2 connections: `python -m tests.integration.many_streams PORT CONNECTIONS STREAMS CA PATH`.

Opens STREAMS on each of CONNECTIONS and prints `open N`; then for each line on standard input sends a message on every one,
reads its echo and prints `echoed N`; at the end of its input it sends a Close on each, reads the answer, and prints
`closed N`.
"""

import socket
import ssl
import sys

from tests.integration.frames import CLOSE, PING, PONG, TEXT, Frame, close
from tests.integration.http2 import Http2, WebSocket
from tests.integration.many_clients import PATIENCE_S, say
from tests.integration.wire import Wire


def opened(port: int, context: ssl.SSLContext, streams: int, path: str) -> list[WebSocket]:
    """The WebSockets of one connection."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    wire = Wire(context.wrap_socket(plain, server_hostname="example.test"))
    wire.sock.settimeout(PATIENCE_S)
    connection = Http2(wire)
    sockets = [connection.websocket(path) for _ in range(streams)]
    for at, one in enumerate(sockets):
        status = one.status()
        assert status == 200, f"status {status} of stream {at}: {bytes(one.stream.data)!r}"
    return sockets


def heard(one: WebSocket) -> Frame:
    """What comes next that is no ping of the edge, which sends some where all of this takes long."""
    while (frame := one.frame()).opcode == PING:
        one.send(Frame(PONG, frame.payload))
    return frame


def main() -> None:
    """As the module's text says."""
    port, connections, streams, authority, path = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6]
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    sockets = [one for _ in range(connections) for one in opened(port, context, streams, path)]
    say(f"open {len(sockets)}")
    for line in sys.stdin:
        message = Frame(TEXT, line.strip().encode())
        for one in sockets:
            one.send(message)
        say(f"echoed {sum(heard(one) == message for one in sockets)}")
    for one in sockets:
        one.send(close(1000))
    closed = 0
    for one in sockets:
        closed += heard(one).opcode == CLOSE
        one.end()
    for one in sockets:
        one.connection.wire.sock.close()
    say(f"closed {closed}")


if __name__ == "__main__":
    main()
