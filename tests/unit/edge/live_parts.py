"""A live edge without the core: what it was told of TLS is noted, and nothing is compiled in pauses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from holdfast.edge.compilation import SOURCES, Pause
from holdfast.edge.journal import Journal
from holdfast.edge.link_frames import RawDelta, RawSnapshot, document_in, raw_of
from holdfast.edge.live import LiveEdge
from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.zone import CompiledZone
from holdfast.model.connection import ClosedConnection, Connection, ConnectionEvent, ConnectionFilter, ConnectionQuery
from holdfast.model.rule_documents import AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import KINDS, Document, Kind, ZoneDocument
from holdfast.model.zone_statistics import ZoneStatistics
from holdfast.sealing import SealingKey
from tests.unit.edge.origins import snapshot_of

KEY = SealingKey(b"k" * 32)


class FakeEdge:
    """The core as far as a live edge and a conversation know it."""

    def __init__(self) -> None:
        self.tls: list[tuple[Sequence[Any], Sequence[Any]]] = []
        self.closed: list[tuple[str, int, str]] = []
        self.kept: list[Sequence[str]] = []
        self.figures: list[ZoneStatistics] = []
        self.refusal = ""
        self.open: list[Connection] = []
        self.recently: dict[str, ClosedConnection] = {}
        self.queries: list[ConnectionQuery] = []
        self.is_watched: list[bool] = []
        self.lost = 0
        self.happened: list[ConnectionEvent] = []

    def set_tls(self, *, certificates: Sequence[Any], rules: Sequence[Any]) -> None:
        if self.refusal:
            raise ValueError(self.refusal)
        self.tls.append((list(certificates), list(rules)))

    def close_tunnels(self, *, zone: str, code: int, reason: str) -> int:
        if code < 1000:
            raise ValueError(f"code: expected one that a server may send, got {code}")
        self.closed.append((zone, code, reason))
        return 3

    def connections(self, query: ConnectionQuery) -> tuple[int, Sequence[Connection]]:
        self.queries.append(query)
        return len(self.open), self.open[query.offset : query.offset + query.limit]

    def connection(self, id: str) -> Connection | ClosedConnection | None:  # noqa: A002  the core's word
        return next((one for one in self.open if one.id == id), None) or self.recently.get(id)

    def close_connections(self, filter: ConnectionFilter, code: int, reason: str) -> int:  # noqa: A002  as above
        if code < 1000:
            raise ValueError(f"code: expected one that a server may send, got {code}")
        self.closed.append((",".join(filter.ids) or "every", code, reason))
        return len(filter.ids)

    def watch_connections(self, on: bool) -> None:
        self.is_watched.append(on)

    def take_connection_events(self, limit: int) -> tuple[int, Sequence[ConnectionEvent]]:
        lost, self.lost = self.lost, 0
        taken, self.happened = self.happened[:limit], self.happened[limit:]
        return lost, taken

    def statistics(self) -> dict[str, int]:
        return {"requests": 5}

    def zone_statistics(self) -> list[ZoneStatistics]:
        return self.figures

    def forget_zones(self, keep: Sequence[str]) -> None:
        self.kept.append(list(keep))

    def decide_latency(self) -> tuple[list[tuple[float, int]], float, int]:
        return [(0.001, 2), (0.01, 4)], 0.02, 5


class Parts:
    """A live edge and all around it."""

    def __init__(self, *, journal: Path | None = None, beginning: Snapshot | None = None) -> None:
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.pauses = 0
        self.compiled: list[str] = []
        self.own: list[Any] = ["own"]
        self.edge = FakeEdge()
        self.policy = Policy(beginning or snapshot_of(), clock=lambda: 1.0)
        self.live = LiveEdge(
            self.policy,
            key=lambda: KEY,
            log=self.note,
            own_certificates=lambda: self.own,
            journal=Journal(journal, log=self.note) if journal else None,
            pause=self.pause,
            sources={**SOURCES, "managed": self.managed},
        )

    def managed(self, raw: bytes, _: Pause) -> str:
        """Managed rules of any release but one, as their release."""
        release = document_in(raw, ManagedDocument).release
        self.compiled.append(release)
        if release == "broken":
            raise ValueError("release: expected another")
        return release

    def note(self, event: str, fields: Any) -> None:
        self.log.append((event, dict(fields)))

    def pause(self) -> None:
        self.pauses += 1

    @property
    def names(self) -> set[str]:
        return set(self.policy.snapshot.zones)

    def zone(self, name: str) -> CompiledZone:
        return self.policy.snapshot.zones[name]


def full(revision: int, *documents: Document, source: str = "s") -> RawSnapshot:
    return RawSnapshot(source=source, revision=revision, **by_kind(documents))


def delta(base: int, *documents: Document, removed: tuple[str, ...] = (), source: str = "s") -> RawDelta:
    return RawDelta(source=source, base=base, revision=base + 1, removed=removed, **by_kind(documents))


def by_kind(documents: Sequence[Document]) -> dict[str, Any]:
    """The documents as a message has them."""
    found: dict[str, tuple[msgspec.Raw, ...]] = {}
    for document in documents:
        name = KINDS[_KIND_OF[type(document)]]
        found[name] = (*found.get(name, ()), raw_of(document))
    return found


_KIND_OF: dict[type, Kind] = {
    ZoneDocument: "zone",
    AccountDocument: "account",
    ListDocument: "list",
    ManagedDocument: "managed",
}
