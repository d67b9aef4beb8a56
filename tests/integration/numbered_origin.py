"""The origin of numbered clients, in a process of its own: `python -m tests.integration.numbered_origin [HOST [PORT]]`.

Prints its port. `/numbered/N` is connection N: every message is checked, and answered by one with this end's own number.
Commands on standard input, each answered by one JSON object:

    act WHAT     every open connection does it once: half-close, reset, reset-mid-frame, stall-mid-frame,
                 close-mid-message, silence, end
    report       all that is known (`Server.report`)

Law: as for its clients, what was received is right or told, and what ended is told with the Close that came.
"""

import asyncio
import socket
import struct
import sys
import time
from typing import Any

from tests.integration.numbered import Account, Conversation, Side, Tally
from tests.integration.numbered_clients import raise_limits, serve
from tests.integration.origin import Head
from tests.integration.origin_websocket_paths import switching


class Connection(asyncio.Protocol):
    """One connection to this origin."""

    def __init__(self, server: "Server") -> None:
        self.talk: Conversation | None = None
        self.is_quiet = False
        self.ended = ""
        self.at_s = 0.0
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._head = b""

    @property
    def is_open(self) -> bool:
        return self.talk is not None and not self.ended and not self.talk.close_sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self.talk is None:
            data = self._read_head(data)
        if data and self.talk is not None and not self.is_quiet:
            self._hear(self.talk, data)

    def eof_received(self) -> bool:
        self._end("eof")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("reset" if exc is not None else "eof")

    def act(self, what: str) -> None:
        """Do what is asked of every open connection."""
        transport, talk, now = self._transport, self.talk, time.monotonic_ns()
        assert transport is not None
        assert talk is not None
        match what:
            case "half-close":
                transport.write_eof()
                talk.close_sent = True
            case "end":
                transport.close()
            case "reset":
                self._reset(transport)
            case "reset-mid-frame":
                transport.write(talk.half_a_frame(now))
                self._reset(transport)
            case "stall-mid-frame":
                transport.write(talk.half_a_frame(now))
            case "close-mid-message":
                transport.write(talk.half_a_message(now) + talk.say_close(1000, "enough"))
            case "silence":
                self.is_quiet = True
            case _:
                raise ValueError(f"there is no act {what!r}")

    def _read_head(self, data: bytes) -> bytes:
        self._head += data
        raw, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return b""
        assert self._transport is not None
        head = Head.parse(raw)
        if len(head.words) != 2 or head.words[0] != "numbered" or not head.value("Sec-WebSocket-Key"):
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()
            return b""
        self.talk = Conversation(Side.ORIGIN, int(head.words[1]))
        self._server.connections[self.talk.connection] = self
        self._transport.write(switching(head))
        return rest

    def _hear(self, talk: Conversation, data: bytes) -> None:
        was_closing = talk.close_sent
        messages, answer = talk.hear(data)
        said = b"" if was_closing else b"".join(talk.say(message.said_ns) for message in messages)
        assert self._transport is not None
        if said or answer:
            self._transport.write(said + answer)
        if talk.closed_with is not None:
            self.at_s = self.at_s or time.monotonic()
            # RFC 6455 §7.1.1: the server ends the connection, once both have said Close.
            self._transport.close()

    def _reset(self, transport: asyncio.Transport) -> None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()

    def _end(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            self.at_s = self.at_s or time.monotonic()


class Server:
    """All connections that were upgraded, by their number."""

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}

    def act(self, what: str) -> dict[str, Any]:
        """Have every open connection do something once."""
        those = [connection for connection in self.connections.values() if connection.is_open]
        for connection in those:
            connection.act(what)
        return {"acted": len(those)}

    def report(self) -> dict[str, Any]:
        """{"tally", "connections": {number: Account}}."""
        tally, told = Tally(), {}
        for number, connection in self.connections.items():
            assert connection.talk is not None
            tally.add(connection.talk.receiver.tally)
            told[number] = Account.of(connection.talk, ended=connection.ended, at_s=connection.at_s).told()
        return {"tally": {name: getattr(tally, name) for name in Tally.__slots__}, "connections": told}


async def main() -> None:
    """As the module's text says."""
    host, port = [*sys.argv[1:], *("127.0.0.1", "0")[len(sys.argv) - 1 :]]
    server = Server()
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(server), host, int(port), backlog=4096, reuse_address=True
    )
    sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()

    async def done(command: str, words: list[str]) -> dict[str, Any]:
        match command, words:
            case "act", [what]:
                return server.act(what)
            case "report", []:
                return server.report()
            case _:
                raise ValueError(f"there is no command {command} {words}")

    await serve(done)


if __name__ == "__main__":
    raise_limits()
    asyncio.run(main())
