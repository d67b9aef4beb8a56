"""Control's end of the control link: a Unix socket that edges connect to.

Law 1: an edge that does not keep to the protocol, or takes nothing, is let go; it comes back and gets everything.
Law 2: whatever is asked of edges has a limit in time. From figures, those that did not answer are left out.
Law 3: "nobody answered" is not "nothing was there": who has WebSockets closed learns of each edge that lives and was not heard,
also one that is not connected (`living_edge`).
Law 4: an edge of an older version is asked nothing that it does not know. To questions about WebSockets it counts as silent.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.api.context import Closing
from holdfast.control.connection_watch import ConnectionWatch
from holdfast.control.figures import Edge, Figures
from holdfast.control.publisher import Publisher
from holdfast.errors import SetupError
from holdfast.model import control_link
from holdfast.model.connection_messages import (
    ConnectionEvents,
    ConnectionFound,
    Connections,
    QuestionRefused,
    Retired,
    WatchConnections,
)
from holdfast.model.control_link import (
    Applied,
    AskReport,
    CloseConnections,
    ConnectionsClosed,
    FrameReader,
    Hello,
    LinkError,
    Message,
    Refused,
    Report,
    Resync,
    Welcome,
)
from holdfast.model.event_messages import (
    AskRequests,
    EventsTaken,
    RecentRequests,
    RecordedRequest,
    SecurityEvents,
)

# How long edges have to answer what is asked of them: milliseconds do, but not on a machine that has much else to do.
ANSWER_LIMIT_S = 5.0
# How long an edge that lives has to connect before what is asked of all is asked without it.
JOIN_LIMIT_S = 1.0
# How long an edge has for its first message.
HELLO_LIMIT_S = 5.0
# How long edges have to notice that they are let go.
STOP_LIMIT_S = 1.0
# What may wait for an edge that takes nothing: the largest snapshot.
MAX_UNSENT_BYTES = control_link.MAX_FRAME_BYTES
# Edges at once: one, and as many that end as releases follow each other.
MAX_EDGES = 64
_READ_BYTES = 256 * 1024
# sockaddr_un holds 108 bytes, the last of which is the terminating zero (unix(7)).
_MAX_PATH_BYTES = 107

Log = Callable[[str, Mapping[str, str | int]], None]
# Takes a batch of events in, and has what it is given told when it is kept. Never waits.
TakeEvents = Callable[[SecurityEvents, Callable[[EventsTaken], None]], None]
EdgeAnswer = Report | ConnectionsClosed | RecentRequests | Connections | ConnectionFound | QuestionRefused


class EdgeSession:
    """One edge that is connected. `is_retired`: it accepts nothing new, and is there until what it holds has ended."""

    def __init__(self, hello: Hello, writer: asyncio.StreamWriter) -> None:
        self.edge = hello.edge
        self.pid = hello.pid
        self.is_retired = hello.is_retired
        # It has ended in order: what it held is told of, to the last.
        self.holds_nothing = False
        self.knows_connections = hello.version >= control_link.KNOWS_CONNECTIONS
        self.revision = 0
        self.certificates_left_out = 0
        self._writer = writer
        self._changed = asyncio.Event()
        self._is_gone = False
        self.answers: dict[int, asyncio.Future[EdgeAnswer]] = {}

    @property
    def identity(self) -> Edge:
        """Which edge it is, also when it comes again."""
        return (self.edge, self.pid)

    @property
    def name(self) -> str:
        """What it is called where several are told apart."""
        return f"{self.edge} (process {self.pid}{', retired' if self.is_retired else ''})"

    def send(self, message: Message) -> None:
        """Pass `message` on, without waiting. An edge that lets too much wait is let go."""
        if self._is_gone:
            return
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self._writer.transport.abort()
            return
        self._writer.write(control_link.frame(message))

    async def applied(self, revision: int) -> None:
        """Return when the edge serves by `revision`, or is gone."""
        while self.revision < revision and not self._is_gone:
            self._changed.clear()
            await self._changed.wait()

    def note(self, revision: int) -> None:
        """The edge says that it serves by `revision`."""
        self.revision = revision
        self._changed.set()

    def leave(self) -> None:
        """The edge is gone, or has to go: nobody waits for it any more."""
        self._is_gone = True
        self._writer.close()
        self._changed.set()
        for answer in self.answers.values():
            answer.cancel()


class LinkServer:
    """Takes edges in, publishes to them, and asks them.

    `living_edge` gives the process of the edge that lives on this data, connected or not, and None where none does.
    `take_events` takes the security events that edges send; without it they keep them. `figures` keeps what edges count.
    """

    def __init__(
        self,
        path: Path,
        publisher: Publisher,
        *,
        log: Log,
        living_edge: Callable[[], int | None] = lambda: None,
        take_events: TakeEvents = lambda *_: None,
        figures: Figures | None = None,
    ) -> None:
        self._path = path
        self._publisher = publisher
        self._log = log
        self._living_edge = living_edge
        self._take_events = take_events
        self._figures = figures or Figures()
        self._sessions: set[EdgeSession] = set()
        # At the end: whom the next control will have.
        self._coming_back: frozenset[Edge] = frozenset()
        self.watch = ConnectionWatch(self._tell_what_is_watched)
        self._has_joined = asyncio.Event()
        self._request_ids = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def sessions(self) -> frozenset[EdgeSession]:
        """The edges that are connected."""
        return frozenset(self._sessions)

    async def start(self) -> None:
        """Listen. Raises SetupError where the socket cannot be made, or another control has it."""
        if len(os.fsencode(self._path)) > _MAX_PATH_BYTES:
            raise SetupError(f"the path of the control socket is longer than {_MAX_PATH_BYTES} bytes: {self._path}")
        if _is_listening(self._path):
            raise SetupError(f"another control is running on this data directory ({self._path})")
        self._figures.load()
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, sock=_bound(self._path))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SetupError(f"cannot listen on {self._path}: {reason}") from error

    async def stop(self) -> None:
        """Let every edge go, and listen no more."""
        if self._server is not None:
            self._server.close()
        self._coming_back = frozenset(session.identity for session in self.sessions)
        for session in self.sessions:
            session.leave()
        if self._serving:
            await asyncio.wait(self._serving, timeout=STOP_LIMIT_S)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def missing_edge(self) -> int | None:
        """The process of the edge that lives and is not connected; None where there is none."""
        living = self._living_edge()
        return None if any(session.pid == living for session in self._sessions) else living

    async def until_all_serve(self, limit_s: float) -> None:
        """Return when the edge that lives is connected, and all serve by what is published; after `limit_s` in any case."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._until_joined()
                revision = self._publisher.revision
                await asyncio.gather(*(session.applied(revision) for session in self.sessions))

    async def close_zone(self, zone_id: str, *, code: int, reason: str) -> Closing:
        """Close every WebSocket of a zone, on all edges (`api.context.Connections`)."""
        await self.until_joined()
        answers = await self._ask_all(
            lambda number: CloseConnections(request_id=number, zone_id=zone_id, code=code, reason=reason)
        )
        return self.closing_of(answers)

    def closing_of(self, answers: Mapping[EdgeSession, EdgeAnswer | None]) -> Closing:
        """What came of it that edges were asked to close."""
        told = [answer for answer in answers.values() if isinstance(answer, ConnectionsClosed)]
        silent = self.silent_edges(answers)
        return Closing(closed=sum(one.count for one in told), edges=len(told), silent=len(silent), names=silent)

    async def ask_about_connections(self, question: Callable[[int], Message]) -> dict[EdgeSession, EdgeAnswer | None]:
        """What each edge that is connected answers to a question about WebSockets; None where it does not in time, or does
        not know of such questions."""
        answers: dict[EdgeSession, EdgeAnswer | None] = dict.fromkeys(self._sessions)
        return answers | await self._ask_all(question, of=lambda session: session.knows_connections)

    async def reports(self) -> list[Report]:
        """The figures of all edges: the newest that each gave, in time or before, and what those counted that have gone."""
        await self._ask_all(lambda number: AskReport(request_id=number))
        return self._figures.reports(session.identity for session in self._sessions)

    async def recent_requests(self, zone_id: str, count: int) -> list[RecordedRequest]:
        """The last requests of a zone on all edges that answer in time, the newest first, at most `count`."""
        answers = await self._ask_all(lambda number: AskRequests(request_id=number, zone_id=zone_id, count=count))
        found = [one for answer in answers.values() if isinstance(answer, RecentRequests) for one in answer.requests]
        return sorted(found, key=lambda one: one.occurred_at, reverse=True)[:count]

    def silent_edges(self, answers: Mapping[EdgeSession, EdgeAnswer | None]) -> tuple[str, ...]:
        """The names of the edges that live and did not answer. One that ended meanwhile has nothing that is open."""
        living = self._living_edge()
        alive = {session.pid for session in self._sessions} | {living}
        unheard = [session.name for session, answer in answers.items() if answer is None and session.pid in alive]
        was_not_asked = living is not None and all(session.pid != living for session in answers)
        return (*sorted(unheard), *([f"an edge that is not connected (process {living})"] if was_not_asked else ()))

    async def until_joined(self) -> None:
        """Return when the edge that lives is connected, after JOIN_LIMIT_S in any case."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._until_joined(), JOIN_LIMIT_S)

    async def _until_joined(self) -> None:
        while self.missing_edge() is not None:
            self._has_joined.clear()
            await self._has_joined.wait()

    def _tell_what_is_watched(self, asked: WatchConnections) -> None:
        for session in self._sessions:
            if session.knows_connections:
                session.send(asked)

    async def _ask_all(
        self, question: Callable[[int], Message], *, of: Callable[[EdgeSession], bool] = lambda _: True
    ) -> dict[EdgeSession, EdgeAnswer | None]:
        """What each edge that is connected, and is `of` those meant, answers; None where it does not in time, or says that
        it cannot."""

        async def ask(session: EdgeSession) -> EdgeAnswer | None:
            number = next(self._request_ids)
            answer = session.answers[number] = asyncio.get_running_loop().create_future()
            session.send(question(number))
            try:
                said = await asyncio.wait_for(answer, ANSWER_LIMIT_S)
                return None if isinstance(said, QuestionRefused) else said
            except (TimeoutError, asyncio.CancelledError):
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                return None
            finally:
                session.answers.pop(number, None)

        asked = tuple(filter(of, self.sessions))
        return dict(zip(asked, await asyncio.gather(*map(ask, asked)), strict=True))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session: EdgeSession | None = None
        if (task := asyncio.current_task()) is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            frames = FrameReader()
            waiting: list[Message] = []
            hello = await asyncio.wait_for(_first(reader, frames, waiting), HELLO_LIMIT_S)
            writer.write(control_link.frame(Welcome(version=_common_version(hello))))
            self._admit(hello)
            session = EdgeSession(hello, writer)
            self._let_in(session)
            await self._take_all(session, reader, frames, waiting)
        except (LinkError, TimeoutError) as error:
            self._log("edge_refused", {"reason": str(error) or "the edge said nothing"})
        except (OSError, EOFError):
            pass
        finally:
            if session is not None:
                self._let_go(session)
            writer.close()

    def _let_in(self, session: EdgeSession) -> None:
        self._sessions.add(session)
        self._publisher.subscribe(session)
        if session.knows_connections and self.watch.zones:
            session.send(WatchConnections(zones=self.watch.zones))
        self._has_joined.set()
        self._log("edge_connected", {"edge": session.edge, "pid": session.pid})

    def _let_go(self, session: EdgeSession) -> None:
        self._publisher.unsubscribe(session)
        self._sessions.discard(session)
        session.leave()
        connected = {other.identity for other in self._sessions}
        if session.identity not in connected:
            will_give = connected | self._coming_back
            self._figures.gone(session.identity, for_good=session.holds_nothing, will_give=will_give)
        if not session.holds_nothing:
            self.watch.edge_left()
        self._log("edge_disconnected", {"edge": session.edge, "pid": session.pid})

    def _admit(self, hello: Hello) -> None:
        if _common_version(hello) != hello.version:
            spoken = f"{control_link.OLDEST_EDGE} to {control_link.VERSION}"
            raise LinkError(f"the edge speaks version {hello.version} of the link, we speak {spoken}")
        if len(self._sessions) >= MAX_EDGES:
            raise LinkError(f"{MAX_EDGES} edges are connected already")

    async def _take_all(
        self, session: EdgeSession, reader: asyncio.StreamReader, frames: FrameReader, waiting: list[Message]
    ) -> None:
        for message in waiting:
            self._take(session, message)
        while data := await reader.read(_READ_BYTES):
            for message in frames.feed(data):
                self._take(session, message)

    def _take(self, session: EdgeSession, message: Message) -> None:
        if isinstance(message, Applied):
            session.certificates_left_out = message.certificates_left_out
            session.note(message.revision)
        elif isinstance(message, SecurityEvents):
            self._take_events(message, session.send)
        elif isinstance(message, EdgeAnswer):
            self._take_answer(session, message)
        elif isinstance(message, ConnectionEvents):
            self.watch.take(message)
        elif isinstance(message, Retired):
            self._note_retirement(session, message)
        elif isinstance(message, Refused):
            self._note_refusal(session, message)
        elif isinstance(message, Resync):
            session.send(control_link.FullSnapshot(snapshot=self._publisher.snapshot()))
        else:
            raise LinkError(f"an edge does not send {type(message).__name__}")

    def _take_answer(self, session: EdgeSession, message: EdgeAnswer) -> None:
        if isinstance(message, QuestionRefused):
            self._log("edge_refused_question", {"edge": session.edge, "reason": message.reason})
        if isinstance(message, Report):
            self._figures.take(session.identity, message)
        answer = session.answers.get(message.request_id)
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _note_retirement(self, session: EdgeSession, said: Retired) -> None:
        if not session.is_retired:
            self._log("edge_retired", {"edge": session.edge, "pid": session.pid})
        session.is_retired, session.holds_nothing = True, said.holds_nothing

    def _note_refusal(self, session: EdgeSession, refused: Refused) -> None:
        said: dict[str, str | int] = {"edge": session.edge, refused.kind: refused.id, "reason": refused.reason}
        if refused.kind == "zone":
            self._log("edge_refused_zone", said)
        else:
            self._log("edge_refused_rules", said)


def _common_version(hello: Hello) -> int:
    """The version to speak with an edge: its own, where control knows that."""
    is_known = control_link.OLDEST_EDGE <= hello.version <= control_link.VERSION
    return hello.version if is_known else control_link.VERSION


async def _first(reader: asyncio.StreamReader, frames: FrameReader, waiting: list[Message]) -> Hello:
    """The edge's `Hello`; what came with it goes to `waiting`."""
    while not waiting:
        data = await reader.read(_READ_BYTES)
        if not data:
            raise EOFError
        waiting += frames.feed(data)
    hello = waiting.pop(0)
    if not isinstance(hello, Hello):
        raise LinkError(f"the first message of an edge is Hello, and not {type(hello).__name__}")
    return hello


def _bound(path: Path) -> socket.socket:
    """A socket there, for its owner from its first moment: whoever can reach it can read every zone. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        # Before `bind`: on Linux the file's mode is the socket's (unix(7)).
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(os.fspath(path))
    except OSError:
        listener.close()
        raise
    return listener


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(1.0)
        probe.connect(os.fspath(path))
        return True
    return False
