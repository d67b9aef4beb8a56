"""An edge of zones in this process, with everything real but control, which is a socket in the test's hand.

Law 1: the origin listens on another loopback address and the edge's own ports: an origin's port is the one the client
came to, so nothing has to be configured that a zone would not have.
Law 2: control is read and written by the test itself, with the limit of `waiting`; nothing is answered behind its back.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast._native import Certificate, Edge
from holdfast.edge.control_link import ControlLink
from holdfast.edge.journal import Journal
from holdfast.edge.live import LiveEdge
from holdfast.edge.policy import Policy
from holdfast.edge.ports import Ports
from holdfast.edge.recording import Recorder
from holdfast.edge.snapshot import empty_snapshot
from holdfast.model.control_link import (
    VERSION,
    Applied,
    Delta,
    FrameReader,
    FullSnapshot,
    Hello,
    Message,
    Refused,
    Welcome,
    frame,
)
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from holdfast.sealing import SealingKey
from tests.integration.certificates import Pair
from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS
from tests.integration.waiting import LIMIT_S, Changes
from tests.integration.wire import Address

EDGE_IP, ORIGIN_IP = "127.0.0.1", "127.0.0.2"
KEY = SealingKey(b"0123456789abcdef" * 2)
SOURCE = "the database of the tests"

M = TypeVar("M", bound=Message)


class Control:
    """The other end of one edge's link, driven by the test."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(LIMIT_S)
        self._listener.bind(str(path))
        self._listener.listen()
        self._connection: socket.socket | None = None
        self._reader = FrameReader()
        self._heard: list[Message] = []
        self.revision = 0

    def accept(self) -> Hello:
        """Wait for the edge to connect; what it says first."""
        self.hang_up()
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(LIMIT_S)
        self._reader, self._heard = FrameReader(), []
        return self.hear(Hello)

    def welcome(self) -> Hello:
        """The same, and welcome it."""
        hello = self.accept()
        self.send(Welcome(version=VERSION))
        return hello

    def send(self, *messages: Message) -> None:
        self.send_bytes(b"".join(map(frame, messages)))

    def send_bytes(self, data: bytes) -> None:
        assert self._connection is not None
        self._connection.sendall(data)

    def hear(self, kind: type[M]) -> M:
        """The next message, which must be of this kind."""
        assert self._connection is not None
        while not self._heard:
            data = self._connection.recv(65_536)
            assert data, f"the edge ended the connection instead of saying {kind.__name__}"
            self._heard += self._reader.feed(data)
        message = self._heard.pop(0)
        assert isinstance(message, kind), message
        return message

    def full(self, *zones: ZoneDocument) -> None:
        """Publish these zones and no others, and wait until they are in force."""
        self.revision += 1
        self.send(FullSnapshot(snapshot=SnapshotDocument(source=SOURCE, revision=self.revision, zones=zones)))
        assert self.hear(Applied).revision == self.revision

    def delta(self, *zones: ZoneDocument, removed: tuple[str, ...] = (), refused: int = 0) -> list[Refused]:
        """Publish a change, and wait until it is in force; what the edge refused of it."""
        self.revision += 1
        self.send(Delta(source=SOURCE, base=self.revision - 1, revision=self.revision, zones=zones, removed=removed))
        refusals = [self.hear(Refused) for _ in range(refused)]
        assert self.hear(Applied).revision == self.revision
        return refusals

    def has_ended(self) -> bool:
        """Wait for the edge to end the connection."""
        assert self._connection is not None
        with suppress(ConnectionError):
            return not self._connection.recv(65_536)
        return True

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def close(self) -> None:
        self.hang_up()
        self._listener.close()


class ZoneEdge:
    """A native edge with a live policy, and its link to the control of `directory`."""

    def __init__(
        self, directory: Path, ports: Ports, own: Pair, *, recorder: Recorder | None = None, **policy: Any
    ) -> None:
        """`policy` is given to `Policy`. `recorder`, where there is one, is told of decisions, and control what it has."""
        self.log: list[tuple[str, dict[str, str | int]]] = []
        self.changes = Changes()
        self._own = own
        self._recorder = recorder
        if recorder is not None:
            policy["record"] = recorder.record
        self.policy = Policy(empty_snapshot(instance=os.urandom(4).hex(), ports=ports), **policy)
        self.live = LiveEdge(
            self.policy,
            key=lambda: KEY,
            log=self.note,
            own_certificates=self.own_certificates,
            journal=Journal(directory / "edge" / "snapshot.bin", log=self.note),
        )
        self.had_a_journal = self.live.load()
        with ExitStack() as stack:
            sockets = [
                stack.enter_context(socket.create_server((EDGE_IP, port), backlog=128, reuse_port=True))
                for port in (*ports.plain, *ports.tls)
            ]
            listeners = [
                (one.detach(), port in ports.tls) for one, port in zip(sockets, (*ports.plain, *ports.tls), strict=True)
            ]
        log_fd = os.open(os.devnull, os.O_WRONLY)
        self.edge = Edge(
            listeners=listeners,
            threads=1,
            decide=recorder.deciding(self.policy.decide) if recorder is not None else self.policy.decide,
            answer=self.policy.answer,
            certificates=self.own_certificates(),
            log_fd=log_fd,
        )
        os.close(log_fd)
        self.live.start(self.edge)
        self.edge.start()
        path = directory / "control.sock"
        self.link = ControlLink(path, self.live, self.edge, edge_id="edge-1", log=self.note, recorder=recorder)
        if recorder is not None:
            recorder.start()
        self.link.start()

    def own_certificates(self) -> list[Certificate]:
        return [
            Certificate(names=["own.test"], chain_pem=self._own.cert.read_bytes(), key_pem=self._own.key.read_bytes())
        ]

    def note(self, event: str, fields: Any) -> None:
        self.log.append((event, dict(fields)))
        self.changes.announce()

    def logged(self, event: str) -> dict[str, str | int]:
        """The first record of this event, waiting for it."""
        return self.changes.until(
            lambda: next((fields for name, fields in self.log if name == event), None), what=f"a record of {event}"
        )

    def stop(self) -> None:
        if self._recorder is not None:
            self._recorder.stop()
        self.link.stop()
        self.edge.stop(grace_s=1)
        self.live.stop()


class Bench:
    """Control, origins and edges around one directory. `plain` and `tls` are the edge's addresses."""

    def __init__(self, directory: Path, own: Pair, stack: ExitStack) -> None:
        self._directory = directory
        self._own = own
        self._stack = stack
        plain_port, self.tls_origin_port = (kept_port(stack) for _ in range(2))
        self.plain_origin = stack.enter_context(Origin(PATHS, host=ORIGIN_IP, port=plain_port))
        self.ports = Ports(plain=(plain_port,), tls=(self.tls_origin_port,))
        self.plain: Address = (EDGE_IP, self.ports.plain[0])
        self.tls: Address = (EDGE_IP, self.ports.tls[0])
        self.control = stack.enter_context(closing(Control(directory / "control.sock")))

    def start_edge(self, **more: Any) -> ZoneEdge:
        """`more` is given to `ZoneEdge`."""
        edge = ZoneEdge(self._directory, self.ports, self._own, **more)
        self._stack.callback(edge.stop)
        return edge

    def start_origin(self, context: ssl.SSLContext | None = None) -> Origin:
        """An origin on the edge's TLS port, plain where there is no context."""
        return self._stack.enter_context(Origin(PATHS, host=ORIGIN_IP, port=self.tls_origin_port, tls=context))


def kept_port(stack: ExitStack) -> int:
    """A port that nobody has on the address of the origins, kept for the edge on its own as long as `stack` is open: no
    connection that others make meanwhile is given it."""
    while True:
        kept = stack.enter_context(socket.socket())
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((EDGE_IP, 0))
        port: int = kept.getsockname()[1]
        with suppress(OSError), socket.create_server((ORIGIN_IP, port)):
            return port


@contextmanager
def bench(directory: Path, own: Pair) -> Iterator[Bench]:
    """Everything but the edge, which the test starts."""
    with ExitStack() as stack:
        yield Bench(directory, own, stack)


def with_fields(document: ZoneDocument, **changes: Any) -> ZoneDocument:
    """The document with other fields, or settings."""
    settings = {key: changes.pop(key) for key in list(changes) if key in type(document.settings).__struct_fields__}
    if settings:
        changes["settings"] = msgspec.structs.replace(document.settings, **settings)
    return msgspec.structs.replace(document, **changes)
