"""What the edge serves, kept up to date: documents in, the policy's snapshot and the core's TLS out.

Law 1: news is in force when `apply` returns: the snapshot is swapped in one step, for every request from then on. What
is open already goes on as it began.
Law 2: a zone that does not compile keeps its last good version, or stays unknown; all others are served. A certificate that
cannot be shown is left out of its zone, and said.
Law 3: compiling lets requests in between: it pauses every SLICE zones, so that the policy thread gets the GIL.
Law 4: TLS is touched only when certificates or TLS settings have changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from holdfast.edge.compile import compile_zone
from holdfast.edge.journal import Journal
from holdfast.edge.journal_format import ServedZones
from holdfast.edge.link_frames import RawDelta, RawSnapshot, body_of, identity_in, zone_in
from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.zone import CompiledZone
from holdfast.edge.zone_tls import certificates_shown, has_other_tls, tls_rules
from holdfast.model.zone_document import ZoneDocument
from holdfast.sealing import SealingKey

if TYPE_CHECKING:
    from holdfast._native import Certificate, TlsRule

Log = Callable[[str, Mapping[str, str | int]], None]

# Zones compiled without a pause: about 0.3 ms, where a thread that waits for the GIL may wait 5 ms for one that computes.
SLICE = 8
_PAUSE_S = 0.0001


class TlsEdge(Protocol):
    """The part of `_native.Edge` that shows certificates."""

    def set_tls(self, *, certificates: Sequence[Certificate], rules: Sequence[TlsRule]) -> None:
        """Swap both for new handshakes."""


class Refusal(msgspec.Struct, frozen=True):
    """A zone that is not served as its document says, and why."""

    zone_id: str
    reason: str


class OutOfStepError(Exception):
    """A delta that is not on what is served: everything has to be sent."""


class LiveEdge:
    """One edge's zones. `apply_full` and `apply_delta` are for one thread; the others may be called from any.

    `policy` has the snapshot to begin with, of no zones or of a catch-all; its zones stay. `key` gives what opens the private
    keys of certificates, once it is there. `own_certificates` gives those of the edge itself, the first of which is for clients whose name
    fits none; it is asked whenever TLS changes.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        key: Callable[[], SealingKey | None],
        log: Log,
        own_certificates: Callable[[], Sequence[Certificate]] = tuple,
        journal: Journal | None = None,
        pause: Callable[[], None] = lambda: time.sleep(_PAUSE_S),
    ) -> None:
        self._policy = policy
        self._beginning = policy.snapshot
        self._key = key
        self._log = log
        self._own_certificates = own_certificates
        self._journal = journal
        self._pause = pause
        self._served = ServedZones(source="", revision=0, zones={})
        self._refusals: dict[str, Refusal] = {}
        # Guards what other threads read: the served zones, and the order of changes to TLS.
        self._lock = threading.Lock()
        self._edge: TlsEdge | None = None

    @property
    def source(self) -> str:
        """The database that the served zones are from, "" for none."""
        return self._served.source

    @property
    def revision(self) -> int:
        """Which state of it they are."""
        return self._served.revision

    @property
    def known_revision(self) -> int:
        """The revision to tell control: 0, so that all is sent again, while a zone is not served as it should be."""
        return 0 if self._refusals else self._served.revision

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The zones that are not served as their documents say."""
        return tuple(self._refusals.values())

    @property
    def certificates_left_out(self) -> int:
        """How many certificates of served zones cannot be opened or read, and are not shown."""
        return sum(len(zone.certificates_left_out) for zone in self._policy.snapshot.zones.values())

    def zone_ids(self) -> frozenset[str]:
        """The zones that are served, the catch-all too."""
        return frozenset(self._policy.snapshot.names)

    def statistics(self) -> dict[str, int]:
        """How many zones are served and refused, and the sizes of the journal."""
        sizes = self._journal.statistics() if self._journal is not None else {}
        return {
            "zones": len(self._policy.snapshot.zones),
            "zones_refused": len(self._refusals),
            "certificates_left_out": self.certificates_left_out,
            **sizes,
        }

    def load(self) -> bool:
        """Serve what the journal says was served last. False where it says nothing."""
        served = self._journal.load() if self._journal is not None else None
        if served is None:
            return False
        zones = tuple(msgspec.Raw(raw) for raw in served.zones.values())
        self._apply_full(RawSnapshot(source=served.source, revision=served.revision, zones=zones))
        return True

    def start(self, edge: TlsEdge) -> None:
        """Show `edge`, which is running or about to, the certificates; from now on the journal is written."""
        with self._lock:
            self._edge = edge
        self.refresh_tls()
        if self._journal is not None:
            self._journal.start(self._state)

    def stop(self) -> None:
        """End the journal, after what waits is written."""
        if self._journal is not None:
            self._journal.stop()

    def refresh_tls(self) -> None:
        """Give the core all certificates and TLS settings anew: for when the edge's own have changed."""
        with self._lock:
            if self._edge is None:
                return
            snapshot = self._policy.snapshot
            try:
                certificates = certificates_shown(self._own_certificates(), snapshot)
                self._edge.set_tls(certificates=certificates, rules=tls_rules(snapshot))
            except ValueError as error:
                self._log("tls_refused", {"reason": str(error)})

    def apply_full(self, news: RawSnapshot) -> tuple[Refusal, ...]:
        """Serve `news` and nothing else; the zones that are not served as it says. Raises LinkError."""
        refusals = self._apply_full(news)
        if self._journal is not None:
            self._journal.rewrite()
        return refusals

    def apply_delta(self, news: RawDelta) -> tuple[Refusal, ...]:
        """Serve `news` on what is served; the zones of it that are not served as it says.

        Raises OutOfStepError where it is on something else, and LinkError.
        """
        if (news.source, news.base) != (self._served.source, self._served.revision):
            raise OutOfStepError
        good, refusals = self._compiled(news.zones)
        before = self._policy.snapshot
        after = before.with_changes([zone for zone, _ in good], news.removed)
        gone = {*news.removed, *(zone.id for zone, _ in good)}
        everything = self._served.zones | {zone.id: raw for zone, raw in good}
        zones = {zone_id: raw for zone_id, raw in everything.items() if zone_id in after.names}
        self._remember(refusals, forget=gone)
        old = [zone for zone_id in gone if (zone := before.zone(zone_id)) is not None]
        self._publish(after, ServedZones(source=news.source, revision=news.revision, zones=zones))
        if self._journal is not None:
            said = tuple(msgspec.Raw(raw) for _, raw in good)
            self._journal.append(body_of(msgspec.structs.replace(news, zones=said)))
        if has_other_tls(old, (zone for zone, _ in good), after):
            self.refresh_tls()
        return refusals

    def _apply_full(self, news: RawSnapshot) -> tuple[Refusal, ...]:
        good, refusals = self._compiled(news.zones)
        before = self._policy.snapshot
        old = self._served.zones
        kept = [(zone, old[zone.id]) for one in refusals if (zone := before.zone(one.zone_id)) and zone.id in old]
        everything = [*kept, *good]
        after = self._beginning.with_changes(zone for zone, _ in everything)
        zones = {zone.id: raw for zone, raw in everything if zone.id in after.names}
        self._refusals = {}
        self._remember(refusals)
        self._publish(after, ServedZones(source=news.source, revision=news.revision, zones=zones))
        if has_other_tls(before.zones.values(), after.zones.values(), after):
            self.refresh_tls()
        return refusals

    def _compiled(self, zones: Iterable[msgspec.Raw]) -> tuple[list[tuple[CompiledZone, bytes]], tuple[Refusal, ...]]:
        """The zones that compile, each with its bytes, and those that do not."""
        good: list[tuple[CompiledZone, bytes]] = []
        refusals: list[Refusal] = []
        for number, raw in enumerate(map(bytes, zones), 1):
            zone_id, _ = identity_in(raw)
            try:
                good.append((self._compiled_one(zone_id, raw), raw))
            except ValueError as error:
                refusals.append(Refusal(zone_id, str(error)))
            # Before it is started, nobody waits.
            if number % SLICE == 0 and self._edge is not None:
                self._pause()
        return good, tuple(refusals)

    def _compiled_one(self, zone_id: str, raw: bytes) -> CompiledZone:
        before = self._policy.snapshot.zone(zone_id)
        is_whole = before is not None and not before.certificates_left_out
        if before is not None and is_whole and self._served.zones.get(zone_id) == raw:
            return before
        document = zone_in(raw)
        zone = compile_zone(document, key=self._key_for(document), before=before, tolerant=True)
        for ident, reason in zone.certificates_left_out.items():
            if before is None or before.certificates_left_out.get(ident) != reason:
                self._log("certificate_warning", {"zone": zone_id, "certificate": ident, "reason": reason})
        return zone

    def _key_for(self, document: ZoneDocument) -> SealingKey | None:
        return self._key() if document.certificates else None

    def _remember(self, refusals: Sequence[Refusal], *, forget: Collection[str] = ()) -> None:
        # A new dictionary, as others read the one that is there.
        kept = {zone_id: one for zone_id, one in self._refusals.items() if zone_id not in forget}
        self._refusals = kept | {one.zone_id: one for one in refusals}
        for refusal in refusals:
            self._log("zone_refused", {"zone": refusal.zone_id, "reason": refusal.reason})

    def _publish(self, snapshot: Snapshot, served: ServedZones) -> None:
        with self._lock:
            self._policy.publish(snapshot)
            self._served = served

    def _state(self) -> ServedZones | None:
        with self._lock:
            return self._served if self._served.source else None
