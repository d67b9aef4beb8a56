"""Thousands of clients in one process that number what they say.

`python -m tests.integration.numbered_clients HOST PORT [NAME [FIRST [tls]]]` connects to HOST and PORT, and asks for NAME; connections are
numbered from FIRST on. With `tls` they speak TLS, and take any certificate: who is at the other end is not what is tested.

Each line on standard input is a command, and is answered by one JSON object on standard output when it is done:

    open COUNT [ATONCE]  connect that many, a hundred at once if not said; done when each is open or has failed
    load RATE ARRIVALS   from now on RATE messages a second over all that are open, and ARRIVALS new connections a second,
                         each of which says ten messages and closes with 1000; every tenth stays. None comes while a
                         hundred of them are still to be open
    phase NAME           latencies from now on count as of this phase
    settle               stop both, and wait for what is under way; `unanswered` is what did not come back, pongs too
    act WHAT             every open connection does it once: half-close, reset, reset-mid-frame, stall-mid-frame,
                         close-mid-message, silence
    closed SECONDS       wait so long for every connection to have ended; `open` says how many have not
    report               all that is known (`Swarm.report`)

At the end of its input it closes what is open with 1000, and ends.

Law 1: a connection that fails is counted with its reason; none is tried again.
Law 2: a client has at most four messages that are not answered, so a slow edge is seen as latency, not as memory.
"""

import asyncio
import gc
import json
import os
import resource
import socket
import ssl
import struct
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from tests.integration.numbered import Account, Conversation, Side, Tally, quantile

UNANSWERED_AT_MOST = 4
OPENING_AT_ONCE = 100
# Longest a new connection may take to be open: longer than the edge's own limits.
OPEN_LIMIT_S = 30.0
SETTLE_LIMIT_S = 60.0
MESSAGES_OF_A_NEWCOMER = 10
STAYS_EVERY = 10
# How often what is due is sent.
TICK_S = 0.002
HOST = "example.test"


class Client(asyncio.Protocol):
    """One connection. `opened` is done when it is open, or has failed with its reason."""

    def __init__(self, swarm: "Swarm", number: int, *, farewell_after: int = 0) -> None:
        self.swarm = swarm
        self.talk = Conversation(Side.CLIENT, number)
        self.opened: asyncio.Future[str] = swarm.loop.create_future()
        self.ended = ""
        self.at_s = 0.0
        self.is_quiet = False
        self._farewell_after = farewell_after
        self._transport: asyncio.Transport | None = None
        self._head = b""

    @property
    def is_open(self) -> bool:
        return self.opened.done() and not self.opened.result() and not self.ended and not self.talk.close_sent

    @property
    def unanswered(self) -> int:
        return self.talk.sent - self.talk.receiver.taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(
            f"GET /numbered/{self.talk.connection} HTTP/1.1\r\nHost: {self.swarm.host_name}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self.is_quiet:
            return
        if not self.opened.done():
            data = self._read_head(data)
        if data:
            messages, answer = self.talk.hear(data)
            now = time.monotonic_ns()
            self.swarm.latencies.extend(now - message.said_ns for message in messages)
            if answer:
                self._write(answer)
            if self.talk.closed_with is not None and not self.at_s:
                self.at_s = time.monotonic()
        if self._farewell_after and self.is_open:
            self._go_on()

    def eof_received(self) -> bool:
        self._end("eof")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("reset" if exc is not None else "eof")

    def say(self) -> None:
        """Send the next message, if not too many are under way."""
        if self.is_open and self.unanswered < UNANSWERED_AT_MOST:
            self._write(self.talk.say(time.monotonic_ns()))

    def close(self) -> None:
        """Begin the closing handshake."""
        if self.is_open:
            self._write(self.talk.say_close(1000))

    def act(self, what: str) -> None:
        """Do what is asked of every open connection."""
        now, transport = time.monotonic_ns(), self._transport
        assert transport is not None
        match what:
            case "half-close":
                transport.write_eof()
                self.talk.close_sent = True
            case "reset":
                self._reset()
            case "reset-mid-frame":
                self._write(self.talk.half_a_frame(now))
                self._reset()
            case "stall-mid-frame":
                self._write(self.talk.half_a_frame(now))
            case "close-mid-message":
                self._write(self.talk.half_a_message(now) + self.talk.say_close(1000, "enough"))
            case "silence":
                self.is_quiet = True
            case _:
                raise ValueError(f"there is no act {what!r}")

    def told(self) -> Account:
        """What became of it."""
        account = Account.of(self.talk, ended=self.ended, at_s=self.at_s)
        account.failed = self.opened.result() if self.opened.done() else "not open yet"
        return account

    def fail(self, reason: str) -> None:
        """It will not be open any more."""
        if not self.opened.done():
            self.opened.set_result(reason)
            self.swarm.connects[reason] += 1
            if self._transport is not None:
                self._transport.abort()

    def _read_head(self, data: bytes) -> bytes:
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return b""
        status = head.split(b" ", 2)[1].decode()
        if status != "101":
            self.fail(f"status {status}")
            return b""
        self.opened.set_result("")
        self.swarm.connects["open"] += 1
        if self._farewell_after:
            self.say()
        return rest

    def _go_on(self) -> None:
        if self.talk.receiver.taken >= self._farewell_after:
            self.close()
        elif not self.unanswered:
            self.say()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _reset(self) -> None:
        assert self._transport is not None
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def _end(self, how: str) -> None:
        if not self.ended:
            self.ended = how
            self.at_s = self.at_s or time.monotonic()
            self.fail(f"{how} before the answer")
            self.swarm.note_end()


class Swarm:
    """All clients of this process, and what they have seen."""

    def __init__(
        self, address: tuple[str, int], *, host_name: str = HOST, first: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.host_name = host_name
        self.clients: dict[int, Client] = {}
        self.connects: Counter[str] = Counter()
        self.phases: dict[str, list[int]] = {"": []}
        self.latencies = self.phases[""]
        self._address = address
        self._tls = tls
        self._next = first
        self._permits = asyncio.Semaphore(OPENING_AT_ONCE)
        self._tasks: set[asyncio.Task[bool]] = set()
        self._rate = self._arrivals = 0.0
        self._due = self._newcomers_due = 0.0
        self._ticked = 0.0
        self._turn: list[Client] = []
        self._changed = asyncio.Event()

    async def open(self, count: int, at_once: int = OPENING_AT_ONCE) -> dict[str, Any]:
        """Connect so many more."""
        self._permits = asyncio.Semaphore(at_once)
        return {"opened": sum(await asyncio.gather(*(self._connect() for _ in range(count))))}

    def load(self, rate: float, arrivals: float) -> dict[str, Any]:
        """Say RATE messages a second, and connect ARRIVALS more, until told otherwise."""
        was_still = not (self._rate or self._arrivals)
        self._rate, self._arrivals, self._ticked = rate, arrivals, time.monotonic()
        if was_still:
            self._tick()
        return {}

    def phase(self, name: str) -> dict[str, Any]:
        """Latencies count as of this phase."""
        self.latencies = self.phases.setdefault(name, [])
        return {}

    async def settle(self) -> dict[str, Any]:
        """Stop, and wait for what is under way."""
        self._rate = self._arrivals = 0.0
        await self._until(lambda: not self._under_way(), SETTLE_LIMIT_S)
        return {"unanswered": self._under_way()}

    def act(self, what: str) -> dict[str, Any]:
        """Have every open connection do something once."""
        those = [client for client in self.clients.values() if client.is_open]
        for client in those:
            client.act(what)
        return {"acted": len(those)}

    async def closed(self, limit_s: float) -> dict[str, Any]:
        """Wait for the end of every connection."""
        await self._until(lambda: not self._living(), limit_s)
        return {"open": self._living()}

    def report(self) -> dict[str, Any]:
        """{"tally", "connects": {"open" or what failed: count}, "connections": {number: Account}, "phases": {name: figures}}."""
        tally = Tally()
        for client in self.clients.values():
            tally.add(client.talk.receiver.tally)
        return {
            "tally": {name: getattr(tally, name) for name in Tally.__slots__},
            "connects": dict(self.connects),
            "connections": {number: client.told().told() for number, client in self.clients.items()},
            "phases": {name: _figures(latencies) for name, latencies in self.phases.items() if latencies},
        }

    async def end(self) -> None:
        """Close what is open."""
        for client in list(self.clients.values()):
            client.close()
        await self._until(lambda: not self._living(), 5.0)

    def note_end(self) -> None:
        """A connection has ended."""
        self._changed.set()

    def _living(self) -> int:
        return sum(not client.ended and not client.told().failed for client in self.clients.values())

    def _under_way(self) -> int:
        talking = [client for client in self.clients.values() if client.is_open and not client.is_quiet]
        unanswered = sum(client.unanswered + client.talk.pings - client.talk.pongs for client in talking)
        return len(self._tasks) + unanswered

    async def _until(self, is_so: Callable[[], object], limit_s: float) -> None:
        """Return when it is so, or at the limit: looked at when a connection ends, and every 20 ms."""
        end = time.monotonic() + limit_s
        while not is_so() and time.monotonic() < end:
            self._changed.clear()
            handle = self.loop.call_later(0.02, self._changed.set)
            await self._changed.wait()
            handle.cancel()

    async def _connect(self, *, farewell_after: int = 0) -> bool:
        """Whether it is open."""
        client = self.clients[self._next] = Client(self, self._next, farewell_after=farewell_after)
        self._next += 1
        try:
            async with self._permits, asyncio.timeout(OPEN_LIMIT_S):
                name = self.host_name if self._tls is not None else None
                await self.loop.create_connection(lambda: client, *self._address, ssl=self._tls, server_hostname=name)
                await client.opened
        except TimeoutError:
            client.fail("no answer")
        except OSError as error:
            client.fail(type(error).__name__)
        return client.opened.result() == ""

    def _tick(self) -> None:
        if not (self._rate or self._arrivals):
            return
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        self._due += passed * self._rate
        self._newcomers_due += passed * self._arrivals
        while self._newcomers_due >= 1:
            self._newcomers_due -= 1
            if len(self._tasks) >= OPENING_AT_ONCE:
                # A machine that is behind would be so for ever longer.
                continue
            stays = self._next % STAYS_EVERY == 0
            task = self.loop.create_task(self._connect(farewell_after=0 if stays else MESSAGES_OF_A_NEWCOMER))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        count, self._due = int(self._due), self._due % 1
        for _ in range(count):
            if not self._turn:
                self._turn = [client for client in self.clients.values() if client.is_open and not client.is_quiet]
            if not self._turn:
                break
            self._turn.pop().say()
        self.loop.call_later(TICK_S, self._tick)


def _figures(latencies: list[int]) -> dict[str, float]:
    ordered = sorted(latencies)
    return {
        "count": len(ordered),
        **{f"p{q * 100:g}_ms": quantile(ordered, q) / 1e6 for q in (0.5, 0.99, 0.999)},
        "max_ms": ordered[-1] / 1e6,
    }


async def serve(done: Callable[[str, list[str]], Awaitable[dict[str, Any]]]) -> None:
    """Answer each line of standard input by what `done(command, words)` gives, until it ends."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (line := await lines.get()) is not None:
        command, *words = line.split()
        sys.stdout.write(json.dumps(await done(command, words)) + "\n")
        sys.stdout.flush()


def raise_limits() -> None:
    """As many files as the machine allows, and no pauses for garbage: what is held here is held to the end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()


def any_certificate() -> ssl.SSLContext:
    """TLS that verifies nobody, and offers HTTP/1.1 alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


async def main() -> None:
    """As the module's text says."""
    host, port, name, first, *more = [*sys.argv[1:], *(HOST, "0")[max(0, len(sys.argv) - 3) :]]
    swarm = Swarm(
        (host, int(port)), host_name=name, first=int(first), tls=any_certificate() if more == ["tls"] else None
    )

    async def done(command: str, words: list[str]) -> dict[str, Any]:
        match command, words:
            case "open", counts if 1 <= len(counts) <= 2:
                return await swarm.open(*map(int, counts))
            case "load", [rate, arrivals]:
                return swarm.load(float(rate), float(arrivals))
            case "phase", [name]:
                return swarm.phase(name)
            case "settle", []:
                return await swarm.settle()
            case "act", [what]:
                return swarm.act(what)
            case "closed", [seconds]:
                return await swarm.closed(float(seconds))
            case "report", []:
                return swarm.report()
            case _:
                raise ValueError(f"there is no command {command} {words}")

    await serve(done)
    await swarm.end()


if __name__ == "__main__":
    raise_limits()
    asyncio.run(main())
