"""What the edge serves, kept up to date: documents in, the policy's snapshot and the core's TLS out.

Law 1: news is in force when `apply` returns: the snapshot is swapped in one step, for every request from then on. What
is open already goes on as it began.
Law 2: a document that does not compile keeps its last good version, or stays unknown; all others are served. A certificate
that cannot be shown is left out of its zone, and said.
Law 3: a document whose bytes have not changed is not compiled again.
Law 4: TLS is touched only when certificates or TLS settings have changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from holdfast.edge.compilation import SOURCES, Compile, CompileAlone, Compiled, Refusal, compile_all
from holdfast.edge.compile import compile_zone
from holdfast.edge.journal import Journal
from holdfast.edge.journal_format import Served
from holdfast.edge.link_frames import RawDelta, RawSnapshot, body_of, document_in
from holdfast.edge.managed_rulesets import ManagedRulesets
from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.warming import Warming
from holdfast.edge.zone import CompiledZone
from holdfast.edge.zone_tls import certificates_shown, has_other_tls, tls_rules
from holdfast.model.zone_document import KINDS, Kind, ZoneDocument
from holdfast.sealing import SealingKey

if TYPE_CHECKING:
    from holdfast._native import Certificate, TlsRule

Log = Callable[[str, Mapping[str, str | int]], None]
T = TypeVar("T")

_PAUSE_S = 0.0001


class TlsEdge(Protocol):
    """The part of `_native.Edge` that shows certificates."""

    def set_tls(self, *, certificates: Sequence[Certificate], rules: Sequence[TlsRule]) -> None:
        """Swap both for new handshakes."""


class OutOfStepError(Exception):
    """A delta that is not on what is served: everything has to be sent."""


class LiveEdge:
    """One edge's zones, and what their rules draw on. `apply_full` and `apply_delta` are for one thread; the others may be called from any.

    `policy` has the snapshot to begin with, of no zones or of a catch-all; its zones stay. `key` gives what opens the private
    keys of certificates, once it is there. `own_certificates` gives those of the edge itself, the first of which is for clients whose name
    fits none; it is asked whenever TLS changes. `sources` compile what is no zone.
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
        sources: Mapping[Kind, CompileAlone] = SOURCES,
    ) -> None:
        self._policy = policy
        self._beginning = policy.snapshot
        self._key = key
        self._log = log
        self._own_certificates = own_certificates
        self._journal = journal
        self._pause = pause
        self._served = Served(source="", revision=0)
        # What is served besides zones, compiled, by kind and id.
        self._sources: dict[Kind, dict[str, Any]] = {kind: {} for kind in sources}
        self._compilers: dict[Kind, Compile] = {
            kind: partial(self._source, kind, compile_) for kind, compile_ in sources.items()
        }
        self._refusals: dict[str, Refusal] = {}
        self._has_rules = False
        self._warming = Warming(pause=self._breathe, log=log)
        # Guards what other threads read: the served zones, and the order of changes to TLS.
        self._lock = threading.Lock()
        self._edge: TlsEdge | None = None

    @property
    def source(self) -> str:
        """The database that what is served is from, "" for none."""
        return self._served.source

    @property
    def revision(self) -> int:
        """Which state of it that is."""
        return self._served.revision

    @property
    def known_revision(self) -> int:
        """The revision to tell control: 0, so that all is sent again, while something is not served as it should be."""
        return 0 if self._refusals else self._served.revision

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What is not served as its document says."""
        return tuple(self._refusals.values())

    @property
    def certificates_left_out(self) -> int:
        """How many certificates of served zones cannot be opened or read, and are not shown."""
        return sum(len(zone.certificates_left_out) for zone in self._policy.snapshot.zones.values())

    @property
    def warming_is_due(self) -> bool:
        """Whether there is something that may be made ready before it is needed."""
        return self._has_rules and self._warming.is_left

    def warm(self) -> None:
        """Make ready some of it, for some milliseconds. Never raises."""
        self._warming.step()

    def zone_ids(self) -> frozenset[str]:
        """The zones that are served, the catch-all too."""
        return frozenset(self._policy.snapshot.names)

    def statistics(self) -> dict[str, int]:
        """How many documents of each kind are served and refused, and the sizes of the journal."""
        sizes = self._journal.statistics() if self._journal is not None else {}
        refused = [one.kind for one in self._refusals.values()]
        return {
            "zones": len(self._policy.snapshot.zones),
            **{KINDS[kind]: len(served) for kind, served in self._sources.items()},
            **{f"{name}_refused": refused.count(kind) for kind, name in KINDS.items()},
            "certificates_left_out": self.certificates_left_out,
            **sizes,
        }

    def load(self) -> bool:
        """Serve what the journal says was served last. False where it says nothing."""
        served = self._journal.load() if self._journal is not None else None
        if served is None:
            return False
        self._apply_full(served.snapshot())
        return True

    def start(self, edge: TlsEdge, *, owns_journal: bool = True) -> None:
        """Show `edge`, which is running or about to, the certificates; from now on the journal is written, unless another
        process does that."""
        with self._lock:
            self._edge = edge
        self.refresh_tls()
        if self._journal is not None and owns_journal:
            self._journal.start(self._state)

    def take_journal(self) -> None:
        """Nobody else writes the journal any more: from now on it is written, with everything first."""
        if self._journal is not None:
            self._journal.start(self._state, anew=True)

    def end_journal(self) -> None:
        """Write what waits: from now on another process writes the journal."""
        if self._journal is not None:
            self._journal.hand_over()

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
        """Serve `news` and nothing else; what is not served as it says. Raises LinkError."""
        refusals = self._apply_full(news)
        if self._journal is not None:
            self._journal.rewrite()
        return refusals

    def apply_delta(self, news: RawDelta) -> tuple[Refusal, ...]:
        """Serve `news` on what is served; what of it is not served as it says.

        Raises OutOfStepError where it is on something else, and LinkError.
        """
        if (news.source, news.base) != (self._served.source, self._served.revision):
            raise OutOfStepError
        good = self._compiled(news)
        before = self._policy.snapshot
        gone = {*news.removed, *good.ids()}
        self._remember(good.refusals, forget=gone)
        old = [zone for ident in gone if (zone := before.zone(ident)) is not None]
        after = before.with_changes(good.values["zone"].values(), news.removed)
        values = self._sources
        if good.has_sources() or any(ident in served for served in values.values() for ident in news.removed):
            values = {kind: _followed(served, good.values[kind], news.removed) for kind, served in values.items()}
            after = _with_sources(after, values)
        raws = {kind: _followed(self._served.of(kind), good.raws[kind], news.removed) for kind in KINDS}
        self._prepare(good, after)
        self._publish(news, after, values, raws)
        if self._journal is not None:
            said = {name: tuple(map(msgspec.Raw, good.raws[kind].values())) for kind, name in KINDS.items()}
            self._journal.append(body_of(msgspec.structs.replace(news, **said)))
        if has_other_tls(old, good.values["zone"].values(), after):
            self.refresh_tls()
        return good.refusals

    def _apply_full(self, news: RawSnapshot) -> tuple[Refusal, ...]:
        good = self._compiled(news)
        before = self._policy.snapshot
        for one in good.refusals:
            self._keep(one.kind, one.id, good)
        values = {kind: good.values[kind] for kind in self._sources}
        after = _with_sources(self._beginning.with_changes(good.values["zone"].values()), values)
        self._refusals = {}
        self._remember(good.refusals)
        self._prepare(good, after)
        self._publish(news, after, values, good.raws)
        if has_other_tls(before.zones.values(), after.zones.values(), after):
            self.refresh_tls()
        return good.refusals

    def _keep(self, kind: Kind, ident: str, good: Compiled) -> None:
        """Count what is served of a refused document among the `good`. It is older than all of them."""
        raw, value = self._served.of(kind).get(ident), self._value(kind, ident)
        if raw is not None and value is not None:
            good.raws[kind] = {ident: raw} | good.raws[kind]
            good.values[kind] = {ident: value} | good.values[kind]

    def _prepare(self, good: Compiled, after: Snapshot) -> None:
        """Make ready what rules execute, of the documents that are new, or of all where managed rules have come or gone."""
        has_other = _loaded(after) != _loaded(self._policy.snapshot)
        zones = after.zones.values() if has_other else self._fresh("zone", good)
        accounts = after.accounts.values() if has_other else self._fresh("account", good)
        firewalls = [*(one for zone in zones for one in zone.firewalls), *(one.firewall for one in accounts)]
        asked = [firewall for firewall in firewalls if firewall is not None]
        if not asked:
            return
        self._has_rules = True
        if any(firewall.rate_limits is not None for firewall in asked):
            self._policy.expect_limits()
        from holdfast.edge.firewall.deployments import prepare  # noqa: PLC0415  loaded with the first rules

        for one in prepare(asked, after.managed):
            self._log(one.event, {"rule": one.rule_id, "ruleset": one.ruleset_id, "reason": one.reason})

    def _fresh(self, kind: Kind, good: Compiled) -> list[Any]:
        """What of a kind is not served yet as it is."""
        return [value for ident, value in good.values[kind].items() if value is not self._value(kind, ident)]

    def _value(self, kind: Kind, ident: str) -> Any:  # noqa: ANN401  what it is depends on the kind
        """What is served for a document; None for nothing."""
        return self._policy.snapshot.zone(ident) if kind == "zone" else self._sources[kind].get(ident)

    def _compiled(self, news: RawSnapshot | RawDelta) -> Compiled:
        return compile_all(news, {"zone": self._zone, **self._compilers}, pause=self._breathe)

    def _breathe(self) -> None:
        # Before it is started, nobody waits.
        if self._edge is not None:
            self._pause()

    def _source(self, kind: Kind, compile_alone: CompileAlone, ident: str, raw: bytes) -> object:
        before = self._sources[kind].get(ident)
        if before is not None and self._served.of(kind).get(ident) == raw:
            return before
        return compile_alone(raw, self._breathe)

    def _zone(self, zone_id: str, raw: bytes) -> CompiledZone:
        before = self._policy.snapshot.zone(zone_id)
        is_whole = before is not None and not before.certificates_left_out
        if before is not None and is_whole and self._served.zones.get(zone_id) == raw:
            return before
        document = document_in(raw, ZoneDocument)
        zone = compile_zone(document, key=self._key_for(document), before=before, tolerant=True, pause=self._breathe)
        for ident, reason in zone.certificates_left_out.items():
            if before is None or before.certificates_left_out.get(ident) != reason:
                self._log("certificate_warning", {"zone": zone_id, "certificate": ident, "reason": reason})
        return zone

    def _key_for(self, document: ZoneDocument) -> SealingKey | None:
        return self._key() if document.certificates else None

    def _remember(self, refusals: Sequence[Refusal], *, forget: Collection[str] = ()) -> None:
        # A new dictionary, as others read the one that is there.
        kept = {ident: one for ident, one in self._refusals.items() if ident not in forget}
        self._refusals = kept | {one.id: one for one in refusals}
        for refusal in refusals:
            said = {refusal.kind: refusal.id, "reason": refusal.reason}
            if refusal.kind == "zone":
                self._log("zone_refused", said)
            else:
                self._log("rules_refused", said)

    def _publish(
        self,
        news: RawSnapshot | RawDelta,
        snapshot: Snapshot,
        values: dict[Kind, dict[str, Any]],
        raws: Mapping[Kind, dict[str, bytes]],
    ) -> None:
        """Serve `snapshot`, which has the `values`, and is what `raws` say."""
        documents = {KINDS[kind]: of_kind for kind, of_kind in raws.items()}
        # A zone has gone where another has taken its name.
        documents["zones"] = {ident: raw for ident, raw in raws["zone"].items() if ident in snapshot.names}
        served = Served(source=news.source, revision=news.revision, **documents)
        with self._lock:
            self._policy.publish(snapshot)
            self._served = served
            self._sources = values

    def _state(self) -> Served | None:
        with self._lock:
            return self._served if self._served.source else None


def _loaded(snapshot: Snapshot) -> Mapping[str, object]:
    return snapshot.managed.loaded if isinstance(snapshot.managed, ManagedRulesets) else {}


def _with_sources(snapshot: Snapshot, values: Mapping[Kind, dict[str, Any]]) -> Snapshot:
    return snapshot.with_sources(accounts=values["account"], lists=values["list"].values(), managed=values["managed"])


def _followed(before: Mapping[str, T], good: Mapping[str, T], removed: Collection[str]) -> dict[str, T]:
    """What is there after news: a new dictionary."""
    after = {**before, **good}
    for ident in removed:
        if ident not in good:
            after.pop(ident, None)
    return after
