"""The way out: each `fetch()` of user code is an HTTP/1.1 request to an edge, over the Unix socket where edges accept.

Law 1: the edge dials, not this process: it has the rules, the names and the certificates. The target is in absolute form, and
       `Holdfast-Egress` says for whom and how.
Law 2: a connection is used again only for what may be asked twice (RFC 9110 §9.2.2): if the edge has closed it meanwhile, we ask again.
Law 3: there are at most MAX_CONNECTIONS, idle ones included; what user code forgets to read is let go with its answer, and what it
       keeps and does not read, when another request has waited UNREAD_S for its connection.
Law 4: calls by bindings have connections of their own, so that scripts that call each other in a circle do not wait for what they fetch;
       one that has waited CALL_PLACE_S for one fails.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import h11
import msgspec

from holdfast.model.worker_egress import EGRESS_FIELD, NO_HOST, BoundCall, RequestContext, field_of
from holdfast.model.worker_egress import Egress as Origin
from holdfast.workers.durable import current
from holdfast.workers.runtime.egress_wire import CHUNK_BYTES, Connection
from holdfast.workers.sdk import context
from holdfast.workers.sdk.errors import NetworkError, TimedOut
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.url_parsing import UrlError, UrlRecord, parse

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
# How long an edge keeps a parked upstream (and we the connection that it came by).
PARKED_S = 31.0

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_NULL_BODY = frozenset({204, 205, 304})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it is sent. `url` has the scheme http or https; `length`: of a streamed body, where it is known."""

    method: str
    url: UrlRecord
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes] | None = None
    length: int | None = None
    is_upgrade: bool = False

    @property
    def can_be_repeated(self) -> bool:
        """Whether asking twice is as good as once."""
        is_replayable = self.body is None or isinstance(self.body, bytes)
        return self.method in _REPEATABLE and is_replayable and not self.is_upgrade


@dataclass(frozen=True, slots=True)
class Incoming:
    """Its answer. `body` None: there is none, not even an empty one; `parked`: the upstream of an upgrade that succeeded."""

    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]
    body: AnswerBody | None
    parked: Parked | None = None


@dataclass(slots=True, eq=False)
class Parked:
    """An upstream that has answered 101 and waits in the edge, by its token, until a session or a client's tunnel takes it.

    Ending the connection that it came by drops it, so that is kept as long as the edge keeps the upstream.
    """

    token: str
    headers: list[tuple[bytes, bytes]]
    connection: Connection
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PARKED_S, self.close)

    @property
    def protocol(self) -> str:
        """The subprotocol that was agreed on, or ""."""
        return Headers.from_wire(self.headers).get("sec-websocket-protocol") or ""

    @property
    def extensions(self) -> str:
        """The extensions that were agreed on, or ""."""
        return Headers.from_wire(self.headers).get("sec-websocket-extensions") or ""

    def close(self) -> None:
        """Let the connection go; the upstream with it, if nobody has taken that."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.connection.abort()


class AnswerBody:
    """The body of an answer: an async iterator of bytes. Its connection is given back at its end, closed if it is dropped."""

    def __init__(self, connection: Connection, egress: Egress) -> None:
        self._connection: Connection | None = connection
        self._egress = egress
        self._is_given_up = False
        egress.unread.add(self)

    def __aiter__(self) -> AnswerBody:
        return self

    async def __anext__(self) -> bytes:
        if self._is_given_up:
            raise NetworkError("Response closed due to connection limit")
        if (connection := self._connection) is None:
            raise StopAsyncIteration
        self._egress.unread.discard(self)
        try:
            data = await connection.more()
        except BaseException:
            self.close()
            raise
        if data is None:
            self._connection = None
            self._egress.give_back(connection)
            raise StopAsyncIteration
        self._egress.unread.add(self)
        return data

    def give_up(self) -> None:
        """Nobody has read it for long, and its connection is wanted: whoever reads on is told."""
        self._is_given_up = True
        self.close()

    def close(self) -> None:
        """Nobody reads on: the connection is closed, and whoever sends is told by that."""
        self._egress.unread.discard(self)
        if (connection := self._connection) is not None:
            self._connection = None
            self._egress.drop(connection)

    def __del__(self) -> None:
        self._egress.unread.discard(self)
        if self._connection is not None:
            self._egress.forget(self._connection)


class Unread:
    """Answers that nobody is reading, the one left alone longest first. They are not kept alive by that."""

    def __init__(self) -> None:
        self._bodies: dict[int, weakref.ref[AnswerBody]] = {}

    def add(self, body: AnswerBody) -> None:
        """Nobody reads it now."""
        self._bodies[id(body)] = weakref.ref(body)

    def discard(self, body: AnswerBody) -> None:
        """Somebody does, or it is over."""
        self._bodies.pop(id(body), None)

    def oldest(self) -> AnswerBody | None:
        """The first, if there is any."""
        return next(filter(None, (known() for known in self._bodies.values())), None)


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
        head = self._head(outgoing, context, call)
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
            return Incoming(101, reason, *_without_token(headers, connection))
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

    def _head(self, outgoing: Outgoing, context: RequestContext | None, call: BoundCall | None) -> h11.Request:
        url = replace(outgoing.url, fragment=None, username="", password="")
        scheme = cast("Literal['http', 'https']", url.scheme)
        told = field_of(
            Origin.of(
                _as_its_url_has_it(context), scheme=scheme, script=self._script, park=outgoing.is_upgrade, call=call
            )
        )
        fields = [(b"Host", url.authority().encode("ascii")), *outgoing.headers, *_framing(outgoing)]
        fields.append((EGRESS_FIELD.encode("ascii"), told.encode("ascii")))
        # The socket knows no TLS: the target's scheme is http, the URL's own is in the field.
        target = str(replace(url, scheme="http"))
        try:
            return h11.Request(method=outgoing.method, target=target, headers=fields)
        except h11.LocalProtocolError as error:
            raise NetworkError(f"The request cannot be sent: {error}") from error


def _as_its_url_has_it(context: RequestContext | None) -> RequestContext | None:
    """The host of the client in the one spelling that `fetch` gives a host: `127.1` and `[::ffff:7f00:1]` are addresses too."""
    if context is None:
        return None
    return msgspec.structs.replace(context, host=_spelled(context.host or NO_HOST))


@functools.lru_cache(maxsize=256)
def _spelled(host: str) -> str:
    try:
        return parse(f"http://{host}/").host or host
    except UrlError:  # nobody asks for that
        return host


def _framing(outgoing: Outgoing) -> list[tuple[bytes, bytes]]:
    length = len(outgoing.body) if isinstance(outgoing.body, bytes) else outgoing.length
    if outgoing.body is None:
        # RFC 9110 §8.6: where a body is expected, that there is none is said.
        return [(b"Content-Length", b"0")] if outgoing.method in {"POST", "PUT", "PATCH"} else []
    if length is None:
        return [(b"Transfer-Encoding", b"chunked")]
    return [(b"Content-Length", str(length).encode())]


def _without_token(
    headers: list[tuple[bytes, bytes]], connection: Connection
) -> tuple[list[tuple[bytes, bytes]], None, Parked]:
    token = next((value for name, value in headers if name.lower() == b"holdfast-parked"), None)
    if token is None:
        connection.abort()
        raise NetworkError("The edge switched protocols and did not say where the connection is.")
    kept = [(name, value) for name, value in headers if not name.lower().startswith(b"holdfast-")]
    return kept, None, Parked(token.decode("latin-1"), kept, connection)


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
