"""The way out: each `fetch()` of user code is an HTTP/1.1 request to an edge, over the Unix socket where edges accept.

Law 1: the edge dials, not this process: it has the rules, the names and the certificates.
Law 2: a connection is used again only for what may be asked twice (RFC 9110 §9.2.2): if the edge has closed it meanwhile, we ask again.
Law 3: there are at most MAX_CONNECTIONS, idle ones included; what user code forgets to read is let go with its answer, and what it
       keeps and does not read, when another request has waited UNREAD_S for its connection.
Law 4: calls by bindings have connections of their own, so that scripts that call each other in a circle do not wait for what they fetch;
       one that has waited CALL_PLACE_S for one fails.
"""

from __future__ import annotations

import asyncio
from collections import deque

import h11

from holdfast.model.worker_egress import BoundCall, RequestContext
from holdfast.workers.durable import current
from holdfast.workers.runtime.egress_answer import AnswerBody, Incoming, Parked, Unread
from holdfast.workers.runtime.egress_request import Outgoing, head_of
from holdfast.workers.runtime.egress_wire import CHUNK_BYTES, Connection
from holdfast.workers.sdk import context
from holdfast.workers.sdk.errors import NetworkError, TimedOut

# Connections to the edge at once, of the whole script; more requests wait for one to end.
# Those to origins the edge bounds by itself (`origin.max_pending_connects`).
MAX_CONNECTIONS = 256
# Calls of other scripts under way at once, of the whole script. No precedent: the original bounds memory alone.
MAX_CALLS = 1_024
# How long one more waits. Precedent: how long a call may wait for an object.
CALL_PLACE_S = 30.0
# Idle ones that are kept, and for how long: less than the edge keeps an idle connection of a client.
MAX_IDLE, MAX_IDLE_S = 16, 4.0
# How long a request waits before the answer that has been left unread longest is closed for it. Precedent: the original does so as soon
# as a request waits and nobody reads, with the same words.
UNREAD_S = 2.0
# An event has only so many requests under way (`sdk.context.MAX_SUBREQUESTS`); more may wait behind those.
UNREAD_AT_ONCE = 64
# The edge accepts on a local socket; a full queue is all that can hold it up.
CONNECT_TIMEOUT_S = 5.0

_NULL_BODY = frozenset({204, 205, 304})


class Egress:
    """All connections of this process to the edge. `path`: where edges accept; `script`: whose requests these are."""

    def __init__(self, path: str, script: str, *, connections: int | None = None, place_s: float | None = None) -> None:
        """`connections` at once, else MAX_CONNECTIONS. `place_s`: how long a request may wait for one; None for as long as it takes."""
        self._path, self._script = path, script
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(connections or MAX_CONNECTIONS)
        self._place_s = place_s
        self._idle: deque[Connection] = deque()
        self.unread = Unread()
        self._relief: asyncio.TimerHandle | None = None
        self._taken = self._waiting = 0

    def statistics(self) -> dict[str, int]:
        """Connections: open, and of those idle; requests that wait for one."""
        return {"open": self._taken, "idle": len(self._idle), "waiting": self._waiting}

    async def send(
        self, outgoing: Outgoing, context: RequestContext | None = None, call: BoundCall | None = None
    ) -> Incoming:
        """Ask, for the request of `context`, by a binding where it is a `call`; the answer comes when its head does.

        NetworkError, TimedOut, if there is none; NoPlace if it was not sent for want of a connection.
        """
        head = head_of(outgoing, self._script, context, call)
        if outgoing.can_be_repeated and (connection := self._idle_one()) is not None:
            try:
                return await self._on(connection, head, outgoing)
            except TimedOut:
                raise
            except NetworkError:
                pass  # The edge closed it as we wrote: as good as never sent.
        return await self._on(await self._dial(), head, outgoing)

    def give_back(self, connection: Connection) -> None:
        """Its answer has been read to the end."""
        if not self._waiting and len(self._idle) < MAX_IDLE and connection.can_go_on():
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """It is of no use any more."""
        connection.abort()
        self._leave()

    def forget(self, connection: Connection) -> None:
        """The same, on whatever thread its answer was forgotten."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            self.drop(connection)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.drop, connection)

    def close(self) -> None:
        """Close what is idle; what is in use ends with its answers."""
        while self._idle:
            self.drop(self._idle.popleft())

    async def _on(self, connection: Connection, head: h11.Request, outgoing: Outgoing) -> Incoming:
        try:
            answer = await connection.ask(head, outgoing.body)
        except BaseException:
            self.drop(connection)
            raise
        headers, reason = list(answer.headers.raw_items()), bytes(answer.reason).decode("latin-1")
        if answer.status_code == 101:
            # It is no connection for requests any more; the edge bounds what is parked.
            self._leave()
            parked = Parked.of(headers, connection)
            return Incoming(101, reason, parked.headers, None, parked)
        body = AnswerBody(connection, self)
        if outgoing.method != "HEAD" and answer.status_code not in _NULL_BODY:
            return Incoming(answer.status_code, reason, headers, body)
        async for _ in body:
            """Nothing is in it; at its end the connection is free."""
        return Incoming(answer.status_code, reason, headers, None)

    def _idle_one(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - MAX_IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest and connection.is_fresh:
                return connection
            self.drop(connection)
        return None

    async def _dial(self) -> Connection:
        if self._places.locked() and self._idle:
            self.drop(self._idle.popleft())
        self._waiting += 1
        try:
            async with asyncio.timeout(self._place_s):
                self._relieve()
                await self._places.acquire()
        except TimeoutError:
            raise NoPlace(f"No connection to the edge was free for {self._place_s:.0f} s.") from None
        finally:
            self._waiting -= 1
        self._taken += 1
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return Connection(*await asyncio.open_unix_connection(self._path, limit=CHUNK_BYTES))
        except TimeoutError:
            self._leave()
            raise TimedOut("The edge does not accept connections.") from None
        except OSError as error:
            self._leave()
            raise NetworkError(f"The edge cannot be reached: {error.strerror or error}") from error
        except BaseException:
            self._leave()
            raise

    def _make_room(self) -> None:
        """Requests have waited: answers make room for them, and for those that wait behind them."""
        self._relief = None
        for _ in range(max(self._waiting, UNREAD_AT_ONCE) if self._waiting else 0):
            if (unread := self.unread.oldest()) is None:
                break
            unread.give_up()
        if self._waiting:
            self._relieve()

    def _relieve(self) -> None:
        if self._relief is None and self._places.locked():
            self._relief = self._loop.call_later(UNREAD_S, self._make_room)

    def _leave(self) -> None:
        self._taken -= 1
        self._places.release()


class NoPlace(NetworkError):
    """All connections were in use for too long; nothing was sent."""


class _Way:
    """The one way out of this process, and its part for calls by bindings."""

    egress: Egress | None = None
    calls: Egress | None = None


def configure(path: str, script: str) -> Egress:
    """Once, on the loop, before user code runs: the socket where edges accept, and the script's key."""
    _Way.egress = Egress(path, script)
    _Way.calls = Egress(path, script, connections=MAX_CALLS, place_s=CALL_PLACE_S)
    return _Way.egress


async def send(outgoing: Outgoing) -> Incoming:
    """Ask for the code that runs now, behind the writes of its object."""
    if _Way.egress is None:
        raise NetworkError("This process has no way out: no edge was named to it.")
    await current.confirmed()
    invocation = context.running.get()
    if invocation is None:
        return await _Way.egress.send(outgoing)
    async with invocation.subrequests:
        return await _Way.egress.send(outgoing, invocation.request)


async def call(outgoing: Outgoing, bound: BoundCall, context: RequestContext | None) -> Incoming:
    """Call by a binding, for the request of `context`. It waits for no writes: whoever calls has done that. Raises as `Egress.send`."""
    if _Way.calls is None:
        raise NetworkError("This process has no way out: no edge was named to it.")
    return await _Way.calls.send(outgoing, context, bound)
